// The components that log lines name: Barman's modules, so that whoever filters the log finds what
// is expected.
#pragma once

#include <string_view>

namespace barman::log {

inline constexpr std::string_view kBackupComponent = "barman.backup";
inline constexpr std::string_view kCliComponent = "barman.cli";
inline constexpr std::string_view kConfigComponent = "barman.config";
inline constexpr std::string_view kCatalogueComponent = "barman.catalogue";
inline constexpr std::string_view kContentComponent = "barman.content";
inline constexpr std::string_view kPostgresComponent = "barman.postgres";
inline constexpr std::string_view kServerComponent = "barman.server";
inline constexpr std::string_view kWalArchiverComponent = "barman.wal_archiver";

}  // namespace barman::log

// What a backup that copies files notes of its cluster between start and stop by the low-level API,
// whatever copies the files and wherever they go.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "backup/outside_files.h"
#include "catalogue/backup_info.h"
#include "postgres/connection.h"
#include "postgres/low_level_backup.h"
#include "postgres/queries.h"
#include "wal/lsn.h"

namespace barman::backup {

struct CopiedFacts {
  postgres::ServerSettings settings;
  // Also those in place.
  std::vector<postgres::TablespaceRow> tablespaces;
  std::int64_t page_size = 0;

  const std::string& data_directory() const { return *settings.data_directory; }
  // Those that settings name: they are copied into the root of the data directory.
  std::vector<OutsideFile> outside_files() const;
  // What is included by configuration files and lies outside of the data directory is not copied:
  // the warning, "" when there is nothing of that kind.
  std::string included_files_warning() const;
  // Pages have checksums that we can check: those behind this position may be torn, and WAL writes
  // them anew.
  std::optional<wal::Lsn> checked_before(const catalogue::BackupInfo& info) const;
};

// The backup has begun. Asks for the facts, and sets them and begin_* in `info`. Throws
// `permission` when the server does not tell where its data directory is.
CopiedFacts note_begin(postgres::Connection& connection, const postgres::LowLevelStart& start,
                       catalogue::BackupInfo& info);
// It has ended, and this is its `backup_label`. Sets end_*, and what the label says. Throws
// `corrupt` when that is not the label of this backup.
void note_end(postgres::Connection& connection, const postgres::LowLevelStop& stop,
              const std::string& label, catalogue::BackupInfo& info);

// The content of pg_control of a running cluster, as it is at one moment. Throws `conflict` when it
// belongs to another cluster than this one.
std::string read_live_control_file(const std::filesystem::path& path,
                                   const std::optional<std::string>& system_id);

}  // namespace barman::backup

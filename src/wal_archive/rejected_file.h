// Files that must not be archived go into `errors/`, never away.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/timestamp.h"

namespace barman::wal_archive {

enum class RejectReason { duplicate, unknown };

// Moves a file or a directory to `errors/<name>.<UTC time>.<reason>`, durably, and returns where it
// is; `name` is that of `path` unless it is given. The directory is created when missing; an
// existing file is never replaced. A name that would be too long is shortened.
std::filesystem::path move_to_errors(const std::filesystem::path& errors_directory,
                                     const std::filesystem::path& path, const std::string& name,
                                     RejectReason reason, Timestamp now);
std::filesystem::path move_to_errors(const std::filesystem::path& errors_directory,
                                     const std::filesystem::path& path, RejectReason reason,
                                     Timestamp now);

// A durable copy of an open file there, under the same rules. `label` is for messages.
std::filesystem::path copy_to_errors(const std::filesystem::path& errors_directory, const Fd& file,
                                     const std::filesystem::path& label, const std::string& name,
                                     RejectReason reason, Timestamp now);

}  // namespace barman::wal_archive

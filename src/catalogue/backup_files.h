// The files that make up a backup, as list-files tells them (contract cli.md 4.16): the copy below
// `base/<id>` and the WAL after its begin. Nothing is changed. Paths are absolute.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "catalogue/backup_info.h"
#include "catalogue/catalogue.h"
#include "catalogue/wal_statistics.h"

namespace barman::catalogue {

enum class EmptyDirectories { leave_out, list };

// Visits the files below `directory`: those of a directory before its subdirectories, both in order
// of name. Symbolic links to directories are neither listed nor followed. Memory depends on the
// largest directory only. Throws SystemError naming the directory that cannot be read.
void visit_files(const std::filesystem::path& directory, EmptyDirectories empty_directories,
                 const std::function<void(const std::filesystem::path&)>& visitor);

// The archived segments from the begin of `backup` to the end of the next usable one in `backups`
// (or to the end of the archive), on timelines up to its own, and the history files that stand
// before that point in the index. None when its begin is unknown.
std::vector<std::string> list_wals_until_next(const std::vector<BackupInfo>& backups,
                                              const BackupInfo& backup, const WalLines& lines);

}  // namespace barman::catalogue

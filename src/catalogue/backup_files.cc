#include "catalogue/backup_files.h"

#include <sys/stat.h>

#include <algorithm>
#include <system_error>

#include "base/error.h"
#include "base/fd.h"
#include "wal/wal_file_name.h"

namespace barman::catalogue {
namespace fs = std::filesystem;

void visit_files(const fs::path& directory, EmptyDirectories empty_directories,
                 const std::function<void(const fs::path&)>& visitor) {
  std::vector<fs::path> files;
  std::vector<fs::path> directories;
  bool is_empty = true;
  std::error_code code;
  for (fs::directory_iterator it(directory, code), end; !code && it != end; it.increment(code)) {
    is_empty = false;
    const auto status = find_status(it->path());
    if (!status || !S_ISDIR(status->st_mode)) {
      files.push_back(it->path());
    } else if (!it->is_symlink()) {
      directories.push_back(it->path());
    }
  }
  if (code) {
    throw SystemError(code.value(), "cannot read directory \"" + directory.string() + "\"");
  }
  std::sort(files.begin(), files.end());
  std::sort(directories.begin(), directories.end());
  if (is_empty && empty_directories == EmptyDirectories::list) visitor(directory);
  for (const fs::path& file : files) visitor(file);
  for (const fs::path& child : directories) visit_files(child, empty_directories, visitor);
}

std::vector<std::string> list_wals_until_next(const std::vector<BackupInfo>& backups,
                                              const BackupInfo& backup, const WalLines& lines) {
  std::vector<std::string> names;
  if (!backup.begin_wal) return names;
  const BackupInfo* const next = next_backup(backups, backup.id);
  const std::string end = next != nullptr ? next->end_wal.value_or("") : "";
  const std::optional<wal::TimelineId> timeline = backup.wal_timeline();
  bool is_before_end = true;
  lines([&](const WalIndexLine& line) {
    const std::optional<wal::WalFileName> name = wal::parse_wal_file_name(line.name);
    if (!name) return Visit::proceed;
    if (name->kind == wal::WalFileKind::history) {
      if (is_before_end) names.push_back(name->name);
      return Visit::proceed;
    }
    if (name->kind != wal::WalFileKind::segment || name->name < *backup.begin_wal ||
        (timeline && *timeline < name->timeline)) {
      return Visit::proceed;
    }
    // Lines are not always in order: what comes late is listed all the same.
    if (!end.empty() && end < name->name) {
      is_before_end = false;
    } else {
      names.push_back(name->name);
    }
    return Visit::proceed;
  });
  return names;
}

}  // namespace barman::catalogue

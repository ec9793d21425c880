#include "catalogue/backup_size.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <utility>
#include <vector>

#include "base/directory.h"
#include "base/durable.h"
#include "base/fd.h"

namespace barman::catalogue {
namespace fs = std::filesystem;
namespace {

class Walk {
 public:
  explicit Walk(SyncFiles sync) : sync_(sync) {}

  // Depth first with a list of its own: directories may be nested deeper than the stack lasts.
  BackupSize run(const fs::path& root) {
    pending_.push_back(root);
    while (!pending_.empty()) {
      const fs::path path = std::move(pending_.back());
      pending_.pop_back();
      visit_directory(path);
    }
    return size_;
  }

 private:
  void visit_directory(const fs::path& path) {
    // Removed meanwhile, or never there: nothing is listed, and nothing is to be synced.
    const std::vector<DirectoryEntry> entries = list_entries(path);
    for (const DirectoryEntry& entry : entries) {
      if (entry.kind == EntryKind::directory) pending_.push_back(path / entry.name);
      if (entry.kind == EntryKind::file) visit_file(path / entry.name);
    }
    if (sync_ == SyncFiles::yes && find_status(path)) sync_directory(path);
  }

  void visit_file(const fs::path& path) {
    const auto status = find_status(path, Links::refuse);
    if (!status) return;
    size_.size_bytes += status->st_size;
    if (status->st_nlink == 1) size_.deduplicated_bytes += status->st_size;
    if (sync_ == SyncFiles::yes) sync_fd(open_file(path, O_RDONLY | O_NOFOLLOW), path);
  }

  SyncFiles sync_;
  BackupSize size_;
  std::vector<fs::path> pending_;
};

}  // namespace

BackupSize measure_backup(const fs::path& directory, SyncFiles sync) {
  return Walk(sync).run(directory);
}

}  // namespace barman::catalogue

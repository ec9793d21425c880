#include "catalogue/backup_size.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

namespace barman::catalogue {
namespace fs = std::filesystem;
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};
using DirectoryHandle = std::unique_ptr<DIR, CloseDirectory>;

class Walk {
 public:
  explicit Walk(SyncFiles sync) : sync_(sync) {}

  // Depth first with a list of its own: directories may be nested deeper than descriptors last.
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
    const DirectoryHandle directory(::opendir(path.c_str()));
    if (directory == nullptr) {
      // Removed meanwhile, or never there.
      if (errno == ENOENT) return;
      throw_errno("cannot read directory \"" + path.string() + "\"");
    }
    for (;;) {
      errno = 0;
      const dirent* const entry = ::readdir(directory.get());
      if (entry == nullptr) break;
      const std::string_view name = static_cast<const char*>(entry->d_name);
      if (name != "." && name != "..") visit_entry(directory.get(), path / name);
    }
    if (errno != 0) throw_errno("cannot read directory \"" + path.string() + "\"");
    if (sync_ == SyncFiles::yes && ::fsync(::dirfd(directory.get())) != 0 && errno != EINVAL) {
      throw_errno("cannot fsync \"" + path.string() + "\"");
    }
  }

  void visit_entry(DIR* directory, const fs::path& path) {
    const fs::path name = path.filename();
    struct stat status = {};
    if (::fstatat(::dirfd(directory), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) return;
      throw_errno("cannot access \"" + path.string() + "\"");
    }
    if (S_ISDIR(status.st_mode)) pending_.push_back(path);
    if (!S_ISREG(status.st_mode)) return;
    size_.size_bytes += status.st_size;
    if (status.st_nlink == 1) size_.deduplicated_bytes += status.st_size;
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

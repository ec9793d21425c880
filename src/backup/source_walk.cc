#include "backup/source_walk.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/directory.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/log_components.h"
#include "pipeline/relative_path.h"

namespace barman::backup {
namespace {

namespace fs = std::filesystem;

class SourceWalk {
 public:
  SourceWalk(const SourceTree& tree, SourceVisitor& visitor) : tree_(tree), visitor_(visitor) {}

  // A directory may vanish, but not the root.
  void descend(const std::string& path, bool is_root) {
    const fs::path source = path.empty() ? tree_.root : tree_.root / path;
    const auto status = find_status(source);
    if (!status || !S_ISDIR(status->st_mode)) {
      if (!is_root) return;
      throw Error(ErrorKind::not_found,
                  fmt::format("there is no directory \"{}\"", source.string()),
                  "Check that PostgreSQL runs on this host.");
    }
    const auto self = std::pair(status->st_dev, status->st_ino);
    if (std::find(ancestors_.begin(), ancestors_.end(), self) != ancestors_.end()) {
      throw Error(ErrorKind::conflict,
                  fmt::format("\"{}\" is a symbolic link to a directory above it", source.string()),
                  "Remove the link from the data directory.");
    }
    visitor_.enter(path, *status);
    ancestors_.push_back(self);
    for (const std::string& name : list_directory(source)) {
      if (!visitor_.goes_on()) break;
      visit(path.empty() ? name : path + "/" + name);
    }
    ancestors_.pop_back();
    visitor_.leave();
  }

 private:
  void visit(const std::string& path) {
    if (!tree_.is_copied(path)) return;
    const fs::path source = tree_.root / path;
    // Tablespaces elsewhere are trees of their own, or come with WAL.
    if (tree_.is_data_directory && path.starts_with(pipeline::kTablespaceLinks) &&
        fs::is_symlink(source)) {
      return;
    }
    const auto status = find_status(source);
    if (!status) {
      if (find_status(source, Links::refuse)) visitor_.dangling_link(path);
      return;
    }
    if (S_ISDIR(status->st_mode)) return descend(path, false);
    if (S_ISREG(status->st_mode)) return visitor_.file(path, *status);
    log::warning(log::kBackupComponent, "\"{}\" is neither a file nor a directory, and left out",
                 source.string());
  }

  const SourceTree& tree_;
  SourceVisitor& visitor_;
  std::vector<std::pair<dev_t, ino_t>> ancestors_;
};

}  // namespace

void walk_source(const SourceTree& tree, SourceVisitor& visitor) {
  SourceWalk(tree, visitor).descend("", true);
}

}  // namespace barman::backup

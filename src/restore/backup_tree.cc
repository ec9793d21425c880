#include "restore/backup_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>

#include <fmt/format.h>

#include "base/error.h"

namespace barman::restore {
namespace {

constexpr std::size_t kMaxProblems = 5;
constexpr std::string_view kTablespaceLinks = "pg_tblspc/";

// Their content belongs to the old cluster, the directories themselves are needed.
constexpr std::array<std::string_view, 4> kEmptiedDirectories = {"pg_log/", "log/", "pg_xlog/",
                                                                 "pg_wal/"};
// A signal file of a standby that was backed up would make a standby of every restored cluster.
constexpr std::array<std::string_view, 5> kLeftOut = {
    "postmaster.pid", "recovery.conf", "tablespace_map", "standby.signal", "recovery.signal"};

struct DirectoryCloser {
  void operator()(DIR* directory) const noexcept { ::closedir(directory); }
};
using DirectoryStream = std::unique_ptr<DIR, DirectoryCloser>;

class Walker {
 public:
  Walker(const TreeCopy& tree, const std::function<void(const TreeEntry&)>& visit)
      : tree_(tree), visit_(visit) {}

  void run() {
    // The root may be a link: an administrator may have moved a backup to another disk.
    Fd root = open_file(tree_.source, O_RDONLY | O_DIRECTORY);
    struct stat status = {};
    if (::fstat(root.get(), &status) != 0) fail("");
    visit_(entry_of("", status));
    descend(std::move(root), "");
  }

 private:
  static TreeEntry entry_of(std::string path, const struct stat& status) {
    const bool is_directory = S_ISDIR(status.st_mode);
    return {.path = std::move(path),
            .is_directory = is_directory,
            .mode = status.st_mode & 0777,
            .size_bytes = is_directory ? 0 : static_cast<std::uint64_t>(status.st_size),
            .mtime_seconds = status.st_mtim.tv_sec,
            .mtime_nanoseconds = status.st_mtim.tv_nsec};
  }

  [[noreturn]] void fail(const std::string& path) const {
    throw_errno(fmt::format("cannot read \"{}\" of the backup", (tree_.source / path).string()));
  }

  bool is_separate(const std::string& path) const {
    return tree_.is_data_directory && path.starts_with(kTablespaceLinks) &&
           tree_.separate_tablespaces.contains(path.substr(kTablespaceLinks.size()));
  }

  static std::vector<std::string> list_names(DIR* directory) {
    std::vector<std::string> names;
    while (const dirent* const found = ::readdir(directory)) {
      const std::string_view name = found->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  void descend(Fd fd, const std::string& directory_path) {
    const DirectoryStream stream(::fdopendir(fd.get()));
    if (!stream) fail(directory_path);
    const int directory_fd = fd.release();  // closed with the stream
    for (const std::string& name : list_names(stream.get())) {
      const std::string path = directory_path.empty() ? name : directory_path + "/" + name;
      if (is_separate(path)) continue;
      struct stat status = {};
      if (::fstatat(directory_fd, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) fail(path);
      if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) refuse_special(path);
      visit_(entry_of(path, status));
      if (!S_ISDIR(status.st_mode)) continue;
      Fd child(
          ::openat(directory_fd, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (!child.is_open()) fail(path);
      descend(std::move(child), path);
    }
  }

  [[noreturn]] void refuse_special(const std::string& path) const {
    throw Error(ErrorKind::corrupt,
                fmt::format("\"{}\" of the backup is neither a file nor a directory",
                            (tree_.source / path).string()),
                path.starts_with(kTablespaceLinks)
                    ? "backup.info lists no tablespace of this OID: restore another backup."
                    : "Backups hold no links; restore another backup, or put the file in place.");
  }

  const TreeCopy& tree_;
  const std::function<void(const TreeEntry&)>& visit_;
};

class Scanner {
 public:
  Scanner(ManifestIndex* manifest, const Interrupt& interrupt)
      : manifest_(manifest), interrupt_(interrupt) {}

  void scan(const TreeCopy& tree) {
    walk_tree(tree, [&](const TreeEntry& entry) { visit(tree, entry); });
  }

  TreeScan finish(const std::vector<TreeCopy>& trees) {
    if (!has_control_file_ && manifest_ == nullptr) {
      result_.problems.emplace_back("\"global/pg_control\" is missing");
    }
    if (manifest_ == nullptr || result_.problems.size() >= kMaxProblems) return std::move(result_);
    const auto is_wanted = [&](std::string_view path) {
      // Files of tablespaces are wanted always; the data directory decides on its own.
      return fate_of(trees.back(), path) != EntryFate::leave_out;
    };
    for (const std::string& path :
         manifest_->list_unseen(is_wanted, kMaxProblems - result_.problems.size())) {
      result_.problems.push_back(fmt::format("\"{}\" is missing", path));
    }
    return std::move(result_);
  }

 private:
  void visit(const TreeCopy& tree, const TreeEntry& entry) {
    if (entry.is_directory) {
      interrupt_.throw_if_requested();
      return;
    }
    const std::string listed = tree.manifest_prefix + entry.path;
    const EntryFate fate = fate_of(tree, entry.path);
    const bool is_copied = fate != EntryFate::leave_out;
    if (fate == EntryFate::copy_last) has_control_file_ = true;
    if (manifest_ != nullptr) {
      manifest_->mark_seen(listed);
      const std::optional<ExpectedFile> expected = manifest_->find(listed);
      if (is_copied && expected && expected->size_bytes != entry.size_bytes &&
          result_.problems.size() < kMaxProblems) {
        result_.problems.push_back(fmt::format("\"{}\" has {} bytes instead of {}", listed,
                                               entry.size_bytes, expected->size_bytes));
      }
    }
    if (!is_copied) return;
    ++result_.file_count;
    result_.total_bytes += entry.size_bytes;
  }

  ManifestIndex* const manifest_;
  const Interrupt& interrupt_;
  TreeScan result_;
  bool has_control_file_ = false;
};

}  // namespace

EntryFate fate_of(const TreeCopy& tree, std::string_view path) {
  if (!tree.is_data_directory) return EntryFate::copy;
  if (path == "global/pg_control") return EntryFate::copy_last;
  const bool is_left_out =
      std::find(kLeftOut.begin(), kLeftOut.end(), path) != kLeftOut.end() ||
      std::any_of(kEmptiedDirectories.begin(), kEmptiedDirectories.end(),
                  [&](std::string_view directory) { return path.starts_with(directory); });
  return is_left_out ? EntryFate::leave_out : EntryFate::copy;
}

std::string restored_name(const TreeCopy& tree, const std::string& path) {
  return tree.is_data_directory && path == "backup_manifest" ? tree.manifest_name : path;
}

void walk_tree(const TreeCopy& tree, const std::function<void(const TreeEntry&)>& visit) {
  Walker(tree, visit).run();
}

TreeScan scan_trees(const std::vector<TreeCopy>& trees, ManifestIndex* manifest,
                    const Interrupt& interrupt) {
  Scanner scanner(manifest, interrupt);
  for (const TreeCopy& tree : trees) scanner.scan(tree);
  return scanner.finish(trees);
}

}  // namespace barman::restore

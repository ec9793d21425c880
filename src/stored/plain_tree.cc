#include "stored/plain_tree.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include <fmt/format.h>

#include "base/directory.h"
#include "base/error.h"

namespace barman::stored {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kLinksDirectory = "pg_tblspc/";

Entry entry_of(std::string path, const struct stat& status) {
  const bool is_directory = S_ISDIR(status.st_mode);
  return {.path = std::move(path),
          .is_directory = is_directory,
          .mode = status.st_mode & 0777,
          .size_bytes = is_directory ? 0 : static_cast<std::uint64_t>(status.st_size),
          .mtime_seconds = status.st_mtim.tv_sec,
          .mtime_nanoseconds = status.st_mtim.tv_nsec};
}

}  // namespace

class PlainTree::Walker {
 public:
  Walker(const PlainTree& tree, const EntryVisitor& visit) : tree_(tree), visit_(visit) {}

  void run() {
    // The root may be a link: an administrator may have moved a backup to another disk.
    const Fd root = open_file(tree_.root_, O_RDONLY | O_DIRECTORY);
    struct stat status = {};
    if (::fstat(root.get(), &status) != 0) fail("");
    visit_(entry_of("", status));
    descend(root, "");
  }

 private:
  [[noreturn]] void fail(const std::string& path) const {
    throw_errno(fmt::format("cannot read \"{}\" of the backup", (tree_.root_ / path).string()));
  }

  bool is_separate(const std::string& path) const {
    return path.starts_with(kLinksDirectory) &&
           tree_.separate_tablespaces_.contains(path.substr(kLinksDirectory.size()));
  }

  // Each level keeps its directory open: names are looked up where they were listed.
  void descend(const Fd& directory, const std::string& directory_path) {
    for (const std::string& name : list_directory(directory, tree_.root_ / directory_path)) {
      const std::string path = directory_path.empty() ? name : directory_path + "/" + name;
      if (is_separate(path)) continue;
      struct stat status = {};
      if (::fstatat(directory.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) fail(path);
      if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) refuse_special(path);
      visit_(entry_of(path, status));
      if (!S_ISDIR(status.st_mode)) continue;
      const Fd child(
          ::openat(directory.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (!child.is_open()) fail(path);
      descend(child, path);
    }
  }

  [[noreturn]] void refuse_special(const std::string& path) const {
    throw Error(ErrorKind::corrupt,
                fmt::format("\"{}\" of the backup is neither a file nor a directory",
                            (tree_.root_ / path).string()),
                path.starts_with(kLinksDirectory)
                    ? "backup.info lists no tablespace of this OID: choose another backup."
                    : "Backups hold no links; choose another backup, or put the file in place.");
  }

  const PlainTree& tree_;
  const EntryVisitor& visit_;
};

void PlainTree::walk(const EntryVisitor& visit) const { Walker(*this, visit).run(); }

void PlainTree::walk_file(const std::string& path, const EntryVisitor& visit) const {
  struct stat status = {};
  if (::lstat((root_ / path).c_str(), &status) != 0) {
    if (errno == ENOENT) return;
    throw_errno(fmt::format("cannot look at \"{}\"", describe(path)));
  }
  if (S_ISREG(status.st_mode)) visit(entry_of(path, status));
}

bool PlainTree::has_file(const std::string& path) const {
  struct stat status = {};
  if (::lstat((root_ / path).c_str(), &status) == 0) return S_ISREG(status.st_mode);
  if (errno == ENOENT || errno == ENOTDIR) return false;
  throw_errno(fmt::format("cannot look at \"{}\"", describe(path)));
}

std::unique_ptr<ContentFile> PlainTree::open(const std::string& path) const {
  return open_plain_file(root_ / path);
}

std::string PlainTree::describe(const std::string& path) const { return (root_ / path).string(); }

std::unique_ptr<ContentFile> open_plain_file(const fs::path& path) {
  return pipeline::make_local_file(open_file(path, O_RDONLY | O_NOFOLLOW), path);
}

}  // namespace barman::stored

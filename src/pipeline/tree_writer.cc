#include "pipeline/tree_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "pipeline/relative_path.h"

namespace barman::pipeline {
namespace {

// Write-back of a large file begins before its end, so that the final fsync has little to do.
constexpr std::uint64_t kWriteBackBytes = std::uint64_t{8} << 20;

Fd open_directory_at(const Fd& parent, const std::string& name, const std::filesystem::path& path) {
  Fd fd(::openat(parent.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.is_open()) throw_errno(fmt::format("cannot open directory \"{}\"", path.string()));
  return fd;
}

}  // namespace

TreeWriter::TreeWriter(std::filesystem::path root, FileSyncer& syncer, TreeWriterOptions options)
    : root_(std::move(root)),
      syncer_(syncer),
      options_(std::move(options)),
      root_fd_(open_file(root_, O_RDONLY | O_DIRECTORY)) {
  touched_directories_.insert("");
}

const Fd& TreeWriter::open_parent(std::string_view parent) {
  if (parent.empty()) return root_fd_;
  if (parent_fd_.is_open() && parent == parent_path_) return parent_fd_;
  Fd current;
  std::string_view rest = parent;
  while (!rest.empty()) {
    const std::size_t slash = rest.find('/');
    const std::string name(rest.substr(0, slash));
    rest.remove_prefix(slash == std::string_view::npos ? rest.size() : slash + 1);
    current = open_directory_at(current.is_open() ? current : root_fd_, name, root_ / parent);
  }
  parent_fd_ = std::move(current);
  parent_path_ = parent;
  touched_directories_.insert(parent_path_);
  return parent_fd_;
}

void TreeWriter::begin_member(const TarMember& member) {
  path_ = path_below(root_, member.path, "an archive");
  const std::size_t slash = member.path.rfind('/');
  const bool is_at_root = slash == std::string::npos;
  const std::string name = is_at_root ? member.path : member.path.substr(slash + 1);
  const Fd& parent =
      open_parent(is_at_root ? std::string_view{} : std::string_view(member.path).substr(0, slash));
  switch (member.type) {
    case TarMemberType::directory:
      create_directory(parent, name, member);
      break;
    case TarMemberType::symlink:
      create_symlink(parent, name, member);
      break;
    case TarMemberType::regular:
      file_ =
          Fd(::openat(parent.get(), name.c_str(),
                      O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, member.mode | 0600));
      if (!file_.is_open()) throw_errno(fmt::format("cannot create file \"{}\"", path_.string()));
      // The umask must not take away what the cluster's own files grant.
      if (::fchmod(file_.get(), member.mode | 0600) != 0)
        throw_errno(fmt::format("cannot set permissions of \"{}\"", path_.string()));
      written_ = 0;
      flushed_ = 0;
      break;
  }
}

void TreeWriter::create_directory(const Fd& parent, const std::string& name,
                                  const TarMember& member) {
  const mode_t mode = member.mode | 0700;
  if (::mkdirat(parent.get(), name.c_str(), mode) != 0 && errno != EEXIST)
    throw_errno(fmt::format("cannot create directory \"{}\"", path_.string()));
  const Fd directory = open_directory_at(parent, name, path_);
  if (::fchmod(directory.get(), mode) != 0)
    throw_errno(fmt::format("cannot set permissions of \"{}\"", path_.string()));
  touched_directories_.insert(member.path);
}

void TreeWriter::create_symlink(const Fd& parent, const std::string& name,
                                const TarMember& member) {
  if (!options_.map_link) {
    throw Error(ErrorKind::corrupt,
                fmt::format("refusing to make the symbolic link \"{}\" to \"{}\"", path_.string(),
                            member.link_target),
                "Nothing that is copied here has links; look at the place it comes from.");
  }
  const std::optional<std::string> target = options_.map_link(member);
  if (target && ::symlinkat(target->c_str(), parent.get(), name.c_str()) != 0)
    throw_errno(fmt::format("cannot create symbolic link \"{}\"", path_.string()));
}

void TreeWriter::write(Bytes data) {
  write_full(file_, data, path_);
  written_ += data.size();
  if (written_ - flushed_ < kWriteBackBytes) return;
  // Only a hint: a failure shows in fsync.
  static_cast<void>(::sync_file_range(file_.get(), static_cast<off64_t>(flushed_),
                                      static_cast<off64_t>(written_ - flushed_),
                                      SYNC_FILE_RANGE_WRITE));
  flushed_ = written_;
}

void TreeWriter::end_member() {
  if (file_.is_open()) syncer_.submit(std::exchange(file_, Fd()), path_);
}

void TreeWriter::finish() {
  for (const std::string& directory : touched_directories_) {
    const std::filesystem::path path = directory.empty() ? root_ : root_ / directory;
    syncer_.submit(open_file(path, O_RDONLY | O_DIRECTORY), path);
  }
}

}  // namespace barman::pipeline

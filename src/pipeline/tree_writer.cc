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

Fd open_directory_at(const Fd& parent, const std::string& name, const std::filesystem::path& path) {
  Fd fd(::openat(parent.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.is_open()) throw_errno(fmt::format("cannot open directory \"{}\"", path.string()));
  return fd;
}

}  // namespace

TreeWriter::TreeWriter(std::filesystem::path root, FileWriters& writers, TreeWriterOptions options)
    : root_(std::move(root)),
      writers_(writers),
      options_(std::move(options)),
      root_directory_(std::make_shared<const Fd>(open_file(root_, O_RDONLY | O_DIRECTORY))) {
  writers_.add_root(root_);
  touched_directories_.insert("");
}

const TreeWriter::Directory& TreeWriter::open_parent(std::string_view parent) {
  if (parent.empty()) return root_directory_;
  if (parent_directory_ && parent == parent_path_) return parent_directory_;
  Fd current;
  std::string_view rest = parent;
  while (!rest.empty()) {
    const std::size_t slash = rest.find('/');
    const std::string name(rest.substr(0, slash));
    rest.remove_prefix(slash == std::string_view::npos ? rest.size() : slash + 1);
    const Fd& above = current.is_open() ? current : *root_directory_;
    if (options_.makes_parents && ::mkdirat(above.get(), name.c_str(), 0700) != 0 &&
        errno != EEXIST) {
      throw_errno(fmt::format("cannot create directory \"{}\"", (root_ / parent).string()));
    }
    current = open_directory_at(above, name, root_ / parent);
  }
  parent_directory_ = std::make_shared<const Fd>(std::move(current));
  parent_path_ = parent;
  touched_directories_.insert(parent_path_);
  return parent_directory_;
}

void TreeWriter::begin_member(const TarMember& member) {
  path_ = path_below(root_, member.path, "an archive");
  const std::size_t slash = member.path.rfind('/');
  const bool is_at_root = slash == std::string::npos;
  std::string name = is_at_root ? member.path : member.path.substr(slash + 1);
  const Directory& parent =
      open_parent(is_at_root ? std::string_view{} : std::string_view(member.path).substr(0, slash));
  is_file_ = member.type == TarMemberType::regular;
  switch (member.type) {
    case TarMemberType::directory:
      return create_directory(*parent, name, member);
    case TarMemberType::symlink:
      return create_symlink(*parent, name, member);
    case TarMemberType::regular:
      return writers_.begin(
          {.parent = parent,
           .name = std::move(name),
           .path = path_,
           .mode = member.mode | 0600,
           .size_bytes = member.size_bytes,
           .mtime = options_.keeps_times ? std::optional(member.mtime) : std::nullopt});
    case TarMemberType::hard_link:
    case TarMemberType::fifo:
      throw Error(
          ErrorKind::corrupt,
          fmt::format("refusing to make \"{}\", which is no file, directory or symbolic link",
                      path_.string()),
          "Nothing that is copied here has such members; look at the place it comes from.");
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
  if (is_file_) writers_.write(data);
}

void TreeWriter::end_member() {
  if (is_file_) writers_.end();
}

void TreeWriter::finish() {
  for (const std::string& directory : touched_directories_) {
    writers_.add_directory(directory.empty() ? root_ : root_ / directory);
  }
}

}  // namespace barman::pipeline

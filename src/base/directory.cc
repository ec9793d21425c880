#include "base/directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/hint.h"

namespace barman {
namespace fs = std::filesystem;
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const noexcept { ::closedir(directory); }
};
using DirectoryHandle = std::unique_ptr<DIR, CloseDirectory>;

bool is_link(const fs::path& path) {
  struct stat status = {};
  return ::lstat(path.c_str(), &status) == 0 && S_ISLNK(status.st_mode);
}

[[noreturn]] void fail(const fs::path& path) {
  const int error_number = errno;
  const std::string message = "cannot read directory \"" + path.string() + "\"";
  if (error_number == ENOENT && is_link(path)) {
    throw SystemError(error_number, message + ", a symbolic link that leads nowhere",
                      kHintOfLostLink);
  }
  throw SystemError(error_number, message);
}

bool is_allowed(const fs::path& path, IfAbsent if_absent, int error_number) {
  switch (if_absent) {
    case IfAbsent::is_empty:
      return error_number == ENOENT && !is_link(path);
    case IfAbsent::or_other_is_empty:
      return error_number == ENOENT || error_number == ENOTDIR;
    case IfAbsent::is_error:
      return false;
  }
  return false;
}

// nullptr when there is none.
DirectoryHandle open_directory(const fs::path& path, IfAbsent if_absent) {
  DirectoryHandle directory(::opendir(path.c_str()));
  if (directory != nullptr) return directory;
  const int error_number = errno;
  if (is_allowed(path, if_absent, error_number)) return nullptr;
  errno = error_number;
  fail(path);
}

// Without a handle there is nothing.
template <typename Visitor>
void visit_directory(const DirectoryHandle& directory, const fs::path& path,
                     const Visitor& visitor) {
  if (directory == nullptr) return;
  for (;;) {
    errno = 0;
    const dirent* const found = ::readdir(directory.get());
    if (found == nullptr) {
      if (errno != 0) fail(path);
      return;
    }
    const std::string_view name = static_cast<const char*>(found->d_name);
    if (name != "." && name != "..") visitor(*found);
  }
}

std::vector<std::string> list_names(const DirectoryHandle& directory, const fs::path& path) {
  std::vector<std::string> names;
  visit_directory(directory, path, [&](const dirent& found) {
    names.emplace_back(static_cast<const char*>(found.d_name));
  });
  std::sort(names.begin(), names.end());
  return names;
}

EntryKind kind_of_mode(mode_t mode) {
  if (S_ISREG(mode)) return EntryKind::file;
  if (S_ISDIR(mode)) return EntryKind::directory;
  return S_ISLNK(mode) ? EntryKind::link : EntryKind::other;
}

// nullopt when it has vanished.
std::optional<EntryKind> kind_of(const DirectoryHandle& directory, const dirent& found,
                                 const fs::path& path) {
  if (found.d_type != DT_UNKNOWN) return kind_of_mode(static_cast<mode_t>(DTTOIF(found.d_type)));
  struct stat status = {};
  if (::fstatat(::dirfd(directory.get()), static_cast<const char*>(found.d_name), &status,
                AT_SYMLINK_NOFOLLOW) == 0) {
    return kind_of_mode(status.st_mode);
  }
  if (errno == ENOENT) return std::nullopt;
  throw_errno("cannot look at \"" + (path / static_cast<const char*>(found.d_name)).string() +
              "\"");
}

}  // namespace

bool is_directory_there(const fs::path& directory) {
  struct stat status = {};
  if (::stat(directory.c_str(), &status) == 0) {
    if (S_ISDIR(status.st_mode)) return true;
    errno = ENOTDIR;
    fail(directory);
  }
  const int error_number = errno;
  if (is_allowed(directory, IfAbsent::is_empty, error_number)) return false;
  errno = error_number;
  fail(directory);
}

std::vector<std::string> list_directory(const fs::path& directory, IfAbsent if_absent) {
  return list_names(open_directory(directory, if_absent), directory);
}

std::vector<std::string> list_directory(const Fd& directory, const fs::path& path) {
  // With a position of its own.
  Fd again(::openat(directory.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!again.is_open()) fail(path);
  const DirectoryHandle handle(::fdopendir(again.get()));
  if (handle == nullptr) fail(path);
  again.release();  // closed with the handle
  return list_names(handle, path);
}

std::vector<DirectoryEntry> list_entries(const fs::path& directory, IfAbsent if_absent) {
  std::vector<DirectoryEntry> entries;
  const DirectoryHandle handle = open_directory(directory, if_absent);
  visit_directory(handle, directory, [&](const dirent& found) {
    const std::optional<EntryKind> kind = kind_of(handle, found, directory);
    if (kind) entries.push_back({.name = static_cast<const char*>(found.d_name), .kind = *kind});
  });
  std::sort(entries.begin(), entries.end(),
            [](const auto& left, const auto& right) { return left.name < right.name; });
  return entries;
}

bool leads_to_file(const fs::path& directory, const DirectoryEntry& entry) {
  if (entry.kind != EntryKind::link) return entry.kind == EntryKind::file;
  const auto status = find_status(directory / entry.name);
  return status && S_ISREG(status->st_mode);
}

void walk_directory(const fs::path& directory, const PathVisitor& visitor) {
  for (const DirectoryEntry& entry : list_entries(directory)) {
    const fs::path path = directory / entry.name;
    const Descend answer = visitor(path, entry.kind);
    if (entry.kind == EntryKind::directory && answer == Descend::yes) {
      walk_directory(path, visitor);
    }
  }
}

}  // namespace barman

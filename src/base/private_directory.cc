#include "base/private_directory.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include <fmt/format.h>

#include "base/error.h"

namespace barman {
namespace fs = std::filesystem;

bool is_private_directory(const fs::path& path) {
  struct stat status = {};
  return ::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
         status.st_uid == ::geteuid() && (status.st_mode & 022) == 0;
}

bool make_private_directory(const fs::path& path, std::string_view option) {
  const bool is_new = ::mkdir(path.c_str(), 0700) == 0;
  if (!is_new && errno != EEXIST) throw_errno("cannot create directory \"" + path.string() + "\"");
  if (is_private_directory(path)) return is_new;
  throw Error(ErrorKind::permission,
              fmt::format("\"{}\" is not a directory that only this user can write", path.string()),
              fmt::format("Remove it, or name another one with {}.", option));
}

bool is_safe_parent(const fs::path& path) {
  const auto is_trusted = [](const struct stat& status) {
    return status.st_uid == ::geteuid() || status.st_uid == 0;
  };
  struct stat named = {};
  struct stat status = {};
  if (::lstat(path.c_str(), &named) != 0 || !is_trusted(named)) return false;
  if (::stat(path.c_str(), &status) != 0 || !is_trusted(status)) return false;
  const bool is_open_to_others = (status.st_mode & 022) != 0 && (status.st_mode & S_ISVTX) == 0;
  return S_ISDIR(status.st_mode) && !is_open_to_others;
}

}  // namespace barman

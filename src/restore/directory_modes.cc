#include "restore/directory_modes.h"

#include <sys/stat.h>

#include <cerrno>

#include <fmt/format.h>

#include "base/error.h"

namespace barman::restore {

void set_mode(const std::filesystem::path& path, mode_t mode) {
  if (::chmod(path.c_str(), mode) != 0) {
    throw_errno(fmt::format("cannot set permissions of \"{}\"", path.string()));
  }
}

void create_directory(const std::filesystem::path& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) {
    throw_errno(fmt::format("cannot create directory \"{}\"", path.string()));
  }
  set_mode(path, mode);
}

}  // namespace barman::restore

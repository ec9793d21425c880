#include "base/scratch_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <system_error>

#include <fmt/format.h>

#include "base/directory.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/log.h"
#include "base/log_components.h"

namespace barman {
namespace fs = std::filesystem;

namespace {

// What somebody else removes while it is being made is made again.
constexpr int kTries = 10;

// Not open when it is no directory of this user, or gone.
Fd open_own_directory(const fs::path& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat status = {};
  if (fd.is_open() && (::fstat(fd.get(), &status) != 0 || status.st_uid != ::geteuid())) return {};
  return fd;
}

// Whether it is still under its name.
bool is_there(const Fd& fd, const fs::path& path) {
  struct stat own = {};
  const auto named = find_status(path, Links::refuse);
  return ::fstat(fd.get(), &own) == 0 && named && named->st_dev == own.st_dev &&
         named->st_ino == own.st_ino;
}

// Unless somebody uses it.
void remove_unused(const fs::path& path) {
  const Fd fd = open_own_directory(path);
  if (fd.is_open() && ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) remove_tree(path);
}

// Of programs that were killed. It is no task of this program: what goes meanwhile, or cannot be
// removed, must not end it.
void remove_left(const fs::path& parent, std::string_view prefix) {
  const auto attempt = [](const auto& action) {
    try {
      action();
    } catch (const SystemError& error) {  // A later one removes it.
      if (error.error_number() == ENOENT) return;
      log::warning(log::kServerComponent, "{}", error.describe());
    }
  };
  attempt([&] {
    for (const std::string& name : list_directory(parent)) {
      if (name.starts_with(prefix)) attempt([&] { remove_unused(parent / name); });
    }
  });
}

}  // namespace

ScratchDirectory::ScratchDirectory(std::string_view name)
    : ScratchDirectory(fs::temp_directory_path(), fmt::format("{}-", name)) {}

ScratchDirectory::ScratchDirectory(const fs::path& parent, std::string_view prefix) {
  remove_left(parent, prefix);
  for (int attempt = 1;; ++attempt) {
    std::string pattern = (parent / fmt::format("{}XXXXXX", prefix)).string();
    if (::mkdtemp(pattern.data()) == nullptr) throw_errno("cannot create \"" + pattern + "\"");
    path_ = pattern;
    directory_ = open_own_directory(path_);
    const bool is_locked =
        directory_.is_open() &&
        (::flock(directory_.get(), LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK);
    if (is_locked && is_there(directory_, path_)) return;
    if (attempt == kTries) {
      throw Error(ErrorKind::io,
                  fmt::format("\"{}\" was removed as soon as it was made", path_.string()),
                  "Look at what removes files there.");
    }
  }
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code code;  // Nobody needs it, and only this user can read it.
  fs::remove_all(path_, code);
}

}  // namespace barman

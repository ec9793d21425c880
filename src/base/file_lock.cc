#include "base/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <string>

#include "base/durable.h"
#include "base/error.h"

namespace barman {
namespace fs = std::filesystem;

namespace {

Fd open_lock_file(const fs::path& path) {
  constexpr int kFlags = O_RDWR | O_CREAT | O_CLOEXEC;
  int fd = ::open(path.c_str(), kFlags, 0600);
  if (fd < 0 && errno == ENOENT) {
    make_directories(path.parent_path());
    fd = ::open(path.c_str(), kFlags, 0600);
  }
  if (fd < 0 && errno == EACCES) {
    throw Error(ErrorKind::permission,
                "Permission denied, unable to access '" + path.string() + "'");
  }
  if (fd < 0) throw_errno("cannot open lock file \"" + path.string() + "\"");
  return Fd(fd);
}

bool is_still_named(const Fd& fd, const fs::path& path) {
  struct stat by_fd = {};
  struct stat by_path = {};
  return ::fstat(fd.get(), &by_fd) == 0 && ::stat(path.c_str(), &by_path) == 0 &&
         by_fd.st_ino == by_path.st_ino && by_fd.st_dev == by_path.st_dev;
}

// False when another process holds the lock (only without `wait`).
bool take_flock(const Fd& fd, int operation, const fs::path& path) {
  while (::flock(fd.get(), operation) != 0) {
    if (errno == EINTR) continue;
    if (errno == EWOULDBLOCK) return false;
    throw_errno("cannot lock \"" + path.string() + "\"");
  }
  return true;
}

// Only tells who holds the lock. A full disk must not keep out the command that would free it.
void write_pid(const Fd& fd, const fs::path& path) {
  const std::string text = std::to_string(::getpid()) + "\n";
  const ssize_t written = ::pwrite(fd.get(), text.data(), text.size(), 0);
  if (written < 0 && errno != ENOSPC && errno != EDQUOT) {
    throw_errno("cannot write \"" + path.string() + "\"");
  }
  // Half a number would be the pid of somebody else.
  const bool is_whole = written == static_cast<ssize_t>(text.size());
  if (::ftruncate(fd.get(), is_whole ? written : 0) != 0) {
    throw_errno("cannot truncate \"" + path.string() + "\"");
  }
}

}  // namespace

std::optional<FileLock> FileLock::try_lock(const fs::path& path) {
  for (;;) {
    Fd fd = open_lock_file(path);
    if (!take_flock(fd, LOCK_EX | LOCK_NB, path)) return std::nullopt;
    if (!is_still_named(fd, path)) continue;
    write_pid(fd, path);
    return FileLock(std::move(fd));
  }
}

std::optional<FileLock> FileLock::try_lock_shared(const fs::path& path) {
  for (;;) {
    Fd fd = open_lock_file(path);
    if (!take_flock(fd, LOCK_SH | LOCK_NB, path)) return std::nullopt;
    if (is_still_named(fd, path)) return FileLock(std::move(fd));
  }
}

FileLock FileLock::lock(const fs::path& path) {
  for (;;) {
    Fd fd = open_lock_file(path);
    take_flock(fd, LOCK_EX, path);
    if (!is_still_named(fd, path)) continue;
    write_pid(fd, path);
    return FileLock(std::move(fd));
  }
}

std::optional<pid_t> FileLock::holder(const fs::path& path) {
  const std::optional<Fd> fd = find_file(path);
  if (!fd) return std::nullopt;
  // A shared lock is enough to see an exclusive one, and two onlookers do not disturb each other.
  if (take_flock(*fd, LOCK_SH | LOCK_NB, path)) return std::nullopt;
  char buffer[32] = {};
  const std::size_t size = read_full_at(*fd, std::as_writable_bytes(std::span(buffer)), 0, path);
  pid_t pid = 0;
  std::from_chars(buffer, buffer + size, pid);
  return pid;
}

void FileLock::forget_holder() const noexcept {
  // Without it there is one more warning.
  if (::ftruncate(fd_.get(), 0) != 0) return;
}

}  // namespace barman

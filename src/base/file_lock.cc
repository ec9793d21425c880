#include "base/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>

#include "base/durable.h"
#include "base/error.h"
#include "base/log.h"

namespace barman {
namespace fs = std::filesystem;

namespace {

// The lock of a file that cannot be made: a name in the memory of the system, which goes with the
// process. It tells the same directory by any path.
std::string name_without_file(const fs::path& path) {
  struct stat directory = {};
  if (::stat(path.parent_path().c_str(), &directory) != 0) {
    throw_errno("cannot access \"" + path.parent_path().string() + "\"");
  }
  // Stable between builds, unlike std::hash.
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : path.filename().string()) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  }
  return "barman-lock " + std::to_string(directory.st_dev) + " " +
         std::to_string(directory.st_ino) + " " + std::to_string(hash);
}

// nullopt when another process has it.
std::optional<Fd> take_name(const fs::path& path) {
  const std::string name = name_without_file(path);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  // The first byte stays zero: an abstract name.
  name.copy(address.sun_path + 1, sizeof address.sun_path - 1);
  Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd.is_open()) throw_errno("cannot create a socket");
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0) return fd;
  if (errno == EADDRINUSE) return std::nullopt;
  throw_errno("cannot lock \"" + path.string() + "\" without a file");
}

// What stands for the lock.
struct Opened {
  // Not open: the file is missing on a file system that nobody can write to.
  Fd fd;
  enum class Kind { file, read_only_file, name, nothing, held_name } kind = Kind::file;
};

int open_or_create(const fs::path& path, bool& is_new) {
  constexpr int kFlags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
  for (;;) {
    int fd = ::open(path.c_str(), kFlags);
    if (fd >= 0 || errno != ENOENT) return fd;
    fd = ::open(path.c_str(), kFlags | O_CREAT | O_EXCL, 0600);
    is_new = fd >= 0;
    if (fd >= 0 || errno != EEXIST) return fd;
  }
}

// Freeing space needs no space: who finds no room for a lock file takes a name instead. Who has
// just made the file looks whether somebody has the name.
Opened open_lock_file(const fs::path& path) {
  bool is_new = false;
  int fd = open_or_create(path, is_new);
  if (fd < 0 && errno == ENOENT) {
    make_directories(path.parent_path());
    fd = open_or_create(path, is_new);
  }
  if (fd < 0 && errno == EACCES) {
    throw Error(ErrorKind::permission,
                "Permission denied, unable to access '" + path.string() + "'",
                "Run barman as the user that owns \"" + path.parent_path().string() +
                    "\" (barman_user), or let this user write there.");
  }
  if (fd < 0 && is_out_of_space(errno)) {
    std::optional<Fd> name = take_name(path);
    if (!name) return {.fd = Fd(), .kind = Opened::Kind::held_name};
    log::warning("barman.lockfile", "no room for the lock file \"{}\": locked without it",
                 path.string());
    return {.fd = *std::move(name), .kind = Opened::Kind::name};
  }
  if (fd < 0 && errno == EROFS) {
    std::optional<Fd> existing = find_file(path);
    if (existing) return {.fd = *std::move(existing), .kind = Opened::Kind::read_only_file};
    log::warning("barman.lockfile", "\"{}\" is on a read-only file system: not locked",
                 path.string());
    return {.fd = Fd(), .kind = Opened::Kind::nothing};
  }
  if (fd < 0) {
    // Tells what is there instead of a file.
    return {.fd = open_file(path, O_RDWR), .kind = Opened::Kind::file};
  }
  Fd file(fd);
  struct stat status = {};
  if (::fstat(fd, &status) != 0) throw_errno("cannot access \"" + path.string() + "\"");
  if (!S_ISREG(status.st_mode)) open_file(path, O_RDWR);
  if (is_new && !take_name(path)) {
    ::unlink(path.c_str());
    return {.fd = Fd(), .kind = Opened::Kind::held_name};
  }
  return {.fd = std::move(file), .kind = Opened::Kind::file};
}

bool is_still_named(const Fd& fd, const fs::path& path) {
  struct stat by_fd = {};
  struct stat by_path = {};
  return ::fstat(fd.get(), &by_fd) == 0 && ::lstat(path.c_str(), &by_path) == 0 &&
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

std::optional<FileLock> FileLock::take(const fs::path& path, int operation) {
  for (;;) {
    Opened lock = open_lock_file(path);
    if (lock.kind == Opened::Kind::held_name) return std::nullopt;
    if (lock.kind == Opened::Kind::nothing || lock.kind == Opened::Kind::name) {
      return FileLock(std::move(lock.fd));
    }
    if (!take_flock(lock.fd, operation, path)) return std::nullopt;
    if (!is_still_named(lock.fd, path)) continue;
    const bool is_exclusive = (operation & LOCK_EX) != 0;
    if (is_exclusive && lock.kind == Opened::Kind::file) write_pid(lock.fd, path);
    return FileLock(std::move(lock.fd));
  }
}

std::optional<FileLock> FileLock::try_lock(const fs::path& path) {
  return take(path, LOCK_EX | LOCK_NB);
}

std::optional<FileLock> FileLock::try_lock_shared(const fs::path& path) {
  return take(path, LOCK_SH | LOCK_NB);
}

FileLock FileLock::lock(const fs::path& path) {
  constexpr std::chrono::milliseconds kPoll{50};
  for (;;) {
    if (std::optional<FileLock> lock = take(path, LOCK_EX)) return *std::move(lock);
    // Somebody has it without a file.
    std::this_thread::sleep_for(kPoll);
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
  if (fd_.is_open() && ::ftruncate(fd_.get(), 0) != 0) return;
}

}  // namespace barman

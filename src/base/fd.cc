#include "base/fd.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/error.h"

namespace barman {

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = other.release();
  }
  return *this;
}

Fd::~Fd() {
  if (fd_ >= 0) ::close(fd_);
}

int Fd::release() noexcept { return std::exchange(fd_, -1); }

void Fd::close(const std::filesystem::path& path) {
  if (::close(release()) != 0 && errno != EINTR)
    throw_errno("cannot close \"" + path.string() + "\"");
}

namespace {

// What the user means when he says /dev/stdout or <(...).
bool is_device_name(const std::filesystem::path& path) {
  const std::filesystem::path parent = path.parent_path();
  return parent == "/dev" || parent == "/dev/fd" || parent == "/dev/pts" ||
         parent == "/proc/self/fd";
}

[[noreturn]] void throw_wrong_kind(const std::filesystem::path& path, std::string_view kind) {
  throw Error(ErrorKind::conflict,
              "cannot open \"" + path.string() + "\": it is " + std::string(kind) +
                  " where a regular file is expected",
              "Look at who has put it there, and remove it or put the file itself in its place.");
}

std::string_view file_type_text(mode_t mode) {
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISSOCK(mode)) return "a socket";
  if (S_ISLNK(mode)) return "a symbolic link";
  return "a device";
}

// Never waits for the other end of a FIFO, which O_NONBLOCK does not leave to open(2). Regular
// files do not know the flag.
int open_plainly(const std::filesystem::path& path, int flags, mode_t mode, Links links) {
  flags |= O_CLOEXEC | O_NOCTTY;
  if (is_device_name(path)) return ::open(path.c_str(), flags, mode);
  if (links == Links::refuse && (flags & O_DIRECTORY) == 0) flags |= O_NOFOLLOW;
  flags |= O_NONBLOCK;
  return ::open(path.c_str(), flags, mode);
}

Fd take_regular(int fd, const std::filesystem::path& path) {
  const int error_number = errno;
  if (fd < 0) {
    struct stat status = {};
    const bool is_other = (error_number == ELOOP || error_number == ENXIO) &&
                          ::lstat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode) &&
                          !S_ISDIR(status.st_mode);
    if (is_other) throw_wrong_kind(path, file_type_text(status.st_mode));
    if (error_number == EISDIR) throw_wrong_kind(path, "a directory");
    throw SystemError(error_number, "cannot open \"" + path.string() + "\"");
  }
  Fd file(fd);
  if (is_device_name(path)) return file;
  struct stat status = {};
  if (::fstat(fd, &status) != 0) throw_errno("cannot access \"" + path.string() + "\"");
  if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) {
    throw_wrong_kind(path, file_type_text(status.st_mode));
  }
  return file;
}

}  // namespace

Fd open_file(const std::filesystem::path& path, int flags, mode_t mode, Links links) {
  return take_regular(open_plainly(path, flags, mode, links), path);
}

Fd create_file(const std::filesystem::path& path, int flags, mode_t mode) {
  // A second round: somebody else with the same name, who did not look either.
  constexpr int kRounds = 2;
  for (int round = 0;; ++round) {
    const int fd = open_plainly(path, flags | O_CREAT | O_EXCL, mode, Links::refuse);
    if (fd >= 0 || errno != EEXIST || round == kRounds) return take_regular(fd, path);
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
      throw_errno("cannot remove \"" + path.string() + "\"");
    }
  }
}

std::optional<Fd> find_file(const std::filesystem::path& path, Links links) {
  const int fd = open_plainly(path, O_RDONLY, 0, links);
  if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) return std::nullopt;
  return take_regular(fd, path);
}

std::optional<struct stat> find_status(const std::filesystem::path& path, Links links) {
  struct stat status = {};
  const int code =
      links == Links::follow ? ::stat(path.c_str(), &status) : ::lstat(path.c_str(), &status);
  if (code == 0) return status;
  if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
  throw_errno("cannot access \"" + path.string() + "\"");
}

namespace {

[[noreturn]] void throw_unread(const std::filesystem::path& path) {
  if (errno == EISDIR) throw_wrong_kind(path, "a directory");
  throw_errno("cannot read \"" + path.string() + "\"");
}

}  // namespace

bool is_out_of_space(int error_number) { return error_number == ENOSPC || error_number == EDQUOT; }

std::size_t read_full(const Fd& fd, MutableBytes buffer, const std::filesystem::path& path) {
  std::size_t done = 0;
  while (done < buffer.size()) {
    const ssize_t count = ::read(fd.get(), buffer.data() + done, buffer.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_unread(path);
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

std::size_t read_full_at(const Fd& fd, MutableBytes buffer, std::uint64_t offset,
                         const std::filesystem::path& path) {
  std::size_t done = 0;
  while (done < buffer.size()) {
    const ssize_t count = ::pread(fd.get(), buffer.data() + done, buffer.size() - done,
                                  static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_unread(path);
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

namespace {

// Larger writes through the page cache make the kernel look for large pieces of memory, which costs
// ten times as much where that was not touched before.
constexpr std::size_t kMostWrittenAtOnce = std::size_t{1} << 20;

}  // namespace

void write_full(const Fd& fd, Bytes data, const std::filesystem::path& path) {
  while (!data.empty()) {
    const ssize_t count = ::write(fd.get(), data.data(), std::min(data.size(), kMostWrittenAtOnce));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_errno("cannot write \"" + path.string() + "\"");
    data = data.subspan(static_cast<std::size_t>(count));
  }
}

void write_full_at(const Fd& fd, Bytes data, std::uint64_t offset,
                   const std::filesystem::path& path) {
  while (!data.empty()) {
    const ssize_t count = ::pwrite(fd.get(), data.data(), std::min(data.size(), kMostWrittenAtOnce),
                                   static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_errno("cannot write \"" + path.string() + "\"");
    data = data.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
}

void sync_fd(const Fd& fd, const std::filesystem::path& path) {
  if (::fsync(fd.get()) != 0) throw_errno("cannot fsync \"" + path.string() + "\"");
}

namespace {

std::string read_whole(const Fd& fd, const std::filesystem::path& path,
                       std::size_t max_size_bytes) {
  std::string content;
  constexpr std::size_t kChunk = std::size_t{64} << 10;
  for (;;) {
    const std::size_t old_size = content.size();
    content.resize(old_size + kChunk);
    const std::size_t count =
        read_full(fd, std::as_writable_bytes(std::span(content).subspan(old_size)), path);
    content.resize(old_size + count);
    if (content.size() > max_size_bytes) {
      throw Error(ErrorKind::corrupt, "file \"" + path.string() + "\" is too large to be valid");
    }
    if (count < kChunk) return content;
  }
}

}  // namespace

std::string read_file(const std::filesystem::path& path, std::size_t max_size_bytes, Links links) {
  return read_whole(open_file(path, O_RDONLY, 0600, links), path, max_size_bytes);
}

std::optional<std::string> find_and_read_file(const std::filesystem::path& path,
                                              std::size_t max_size_bytes, Links links) {
  const std::optional<Fd> fd = find_file(path, links);
  if (!fd) return std::nullopt;
  return read_whole(*fd, path, max_size_bytes);
}

}  // namespace barman

#include "base/fd.h"

#include <fcntl.h>
#include <unistd.h>

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

void open_standard_descriptors() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) != -1 || errno != EBADF) continue;
    // Those below are open, so that this one is the lowest that is free.
    if (::open("/dev/null", O_RDWR) != fd) throw_errno("cannot open \"/dev/null\"");
  }
}

Fd open_file(const std::filesystem::path& path, int flags, mode_t mode) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  if (fd < 0) throw_errno("cannot open \"" + path.string() + "\"");
  return Fd(fd);
}

std::optional<Fd> find_file(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) return std::nullopt;
  if (fd < 0) throw_errno("cannot open \"" + path.string() + "\"");
  return Fd(fd);
}

std::size_t read_full(const Fd& fd, MutableBytes buffer, const std::filesystem::path& path) {
  std::size_t done = 0;
  while (done < buffer.size()) {
    const ssize_t count = ::read(fd.get(), buffer.data() + done, buffer.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_errno("cannot read \"" + path.string() + "\"");
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
    if (count < 0) throw_errno("cannot read \"" + path.string() + "\"");
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

void write_full(const Fd& fd, Bytes data, const std::filesystem::path& path) {
  while (!data.empty()) {
    const ssize_t count = ::write(fd.get(), data.data(), data.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_errno("cannot write \"" + path.string() + "\"");
    data = data.subspan(static_cast<std::size_t>(count));
  }
}

void write_full_at(const Fd& fd, Bytes data, std::uint64_t offset,
                   const std::filesystem::path& path) {
  while (!data.empty()) {
    const ssize_t count = ::pwrite(fd.get(), data.data(), data.size(), static_cast<off_t>(offset));
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

std::string read_file(const std::filesystem::path& path, std::size_t max_size_bytes) {
  return read_whole(open_file(path, O_RDONLY), path, max_size_bytes);
}

std::optional<std::string> find_and_read_file(const std::filesystem::path& path,
                                              std::size_t max_size_bytes) {
  const std::optional<Fd> fd = find_file(path);
  if (!fd) return std::nullopt;
  return read_whole(*fd, path, max_size_bytes);
}

}  // namespace barman

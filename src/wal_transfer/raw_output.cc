#include "wal_transfer/raw_output.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/error.h"
#include "compression/stored_file.h"
#include "pipeline/file_transfer.h"

namespace barman::wal_transfer {
namespace fs = std::filesystem;
namespace {

constexpr int kWaitForEver = -1;
constexpr std::size_t kMostAtOnce = std::size_t{1} << 20;
// /dev/null
constexpr unsigned kNullMajor = 1;
constexpr unsigned kNullMinor = 3;

}  // namespace

RawOutput::RawOutput(int fd, fs::path path, const Interrupt& interrupt)
    : fd_(fd), path_(std::move(path)), interrupt_(interrupt) {
  struct stat status = {};
  if (::fstat(fd, &status) != 0) throw_errno("cannot write \"" + path_.string() + "\"");
  if (S_ISFIFO(status.st_mode)) kind_ = Kind::pipe;
  if (S_ISSOCK(status.st_mode)) kind_ = Kind::socket;
}

void RawOutput::wait() const {
  if (kind_ == Kind::other) return interrupt_.throw_if_requested();
  if (wait_for_fd(fd_, WaitFor::writable, kWaitForEver, interrupt_) == WaitResult::interrupted) {
    interrupt_.throw_if_requested();
  }
}

// A pipe that is ready takes that much without waiting; it may be shared with other programs, so
// that it is not made non-blocking.
ssize_t RawOutput::write_some(Bytes data) const {
  if (kind_ == Kind::socket) {
    return ::send(fd_, data.data(), data.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  }
  const std::size_t most = kind_ == Kind::pipe ? PIPE_BUF : kMostAtOnce;
  return ::write(fd_, data.data(), std::min(data.size(), most));
}

void RawOutput::throw_failure() const {
  const int error_number = errno;
  if (error_number == EPIPE || error_number == ECONNRESET) {
    throw compression::ReaderGone(ErrorKind::io,
                                  "nobody reads \"" + path_.string() + "\" any more");
  }
  throw SystemError(error_number, "cannot write \"" + path_.string() + "\"");
}

void RawOutput::write(Bytes data) {
  while (!data.empty()) {
    wait();
    const ssize_t count = write_some(data);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count < 0) throw_failure();
    data = data.subspan(static_cast<std::size_t>(count));
  }
}

void RawOutput::send(const Fd& source, const fs::path& source_path) {
  if (kind_ == Kind::other) {
    if (!pipeline::send_file(source, source_path, fd_, path_)) throw_failure();
    return;
  }
  loff_t offset = 0;
  while (kind_ == Kind::pipe) {
    wait();
    const ssize_t count = ::splice(source.get(), &offset, fd_, nullptr, kMostAtOnce,
                                   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count < 0 && errno != EINVAL && errno != ENOSYS) throw_failure();
    // The end, or a file system that cannot: a read tells which.
    if (count <= 0) break;
  }
  std::vector<std::byte> buffer(kMostAtOnce);
  for (auto position = static_cast<std::uint64_t>(offset);;) {
    const std::size_t size = read_full_at(source, buffer, position, source_path);
    write(Bytes(buffer).first(size));
    if (size < buffer.size()) return;
    position += size;
  }
}

void refuse_closed_output(int fd) {
  struct stat status = {};
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fstat(fd, &status) != 0) throw_errno("cannot write \"standard output\"");
  const bool is_null = S_ISCHR(status.st_mode) && major(status.st_rdev) == kNullMajor &&
                       minor(status.st_rdev) == kNullMinor;
  if (!is_null || (flags & O_ACCMODE) == O_WRONLY) return;
  throw Error(ErrorKind::io, "cannot send the file: the standard output is closed",
              "Redirect it to a file or a pipe, or use --output-directory.");
}

}  // namespace barman::wal_transfer

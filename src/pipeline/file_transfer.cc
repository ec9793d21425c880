#include "pipeline/file_transfer.h"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "base/error.h"

namespace barman::pipeline {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kChunk = std::size_t{1} << 20;

struct stat status_of(const Fd& fd, const fs::path& path) {
  struct stat status = {};
  if (::fstat(fd.get(), &status) != 0) throw_errno("cannot access \"" + path.string() + "\"");
  return status;
}

void remove_old(const fs::path& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    throw_errno("cannot remove \"" + path.string() + "\"");
  }
}

void copy_file(const Fd& source, const fs::path& source_path, const fs::path& path) {
  const struct stat status = status_of(source, source_path);
  Fd target = open_file(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
  if (::lseek(source.get(), 0, SEEK_SET) != 0) {
    throw_errno("cannot read \"" + source_path.string() + "\"");
  }
  send_file(source, source_path, target.get(), path);
  set_mode_and_times(target, path, status);
  sync_fd(target, path);
  target.close(path);
}

// What is left when the kernel cannot copy between these two kinds of file.
bool send_by_buffer(const Fd& source, const fs::path& source_path, int fd,
                    const fs::path& target_path) {
  std::vector<std::byte> buffer(kChunk);
  for (;;) {
    const std::size_t size = read_full(source, buffer, source_path);
    std::size_t done = 0;
    while (done < size) {
      const ssize_t count = ::write(fd, buffer.data() + done, size - done);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0 && errno == EPIPE) return false;
      if (count < 0) throw_errno("cannot write \"" + target_path.string() + "\"");
      done += static_cast<std::size_t>(count);
    }
    if (size < buffer.size()) return true;
  }
}

bool is_unsupported(int error_number) {
  return error_number == EINVAL || error_number == ENOSYS || error_number == EXDEV ||
         error_number == EOPNOTSUPP || error_number == EBADF;
}

}  // namespace

void set_mode_and_times(const Fd& copy, const fs::path& path, const struct stat& original) {
  const std::array<timespec, 2> times = {original.st_atim, original.st_mtim};
  if (::fchmod(copy.get(), original.st_mode & 07777) != 0 ||
      ::futimens(copy.get(), times.data()) != 0) {
    throw_errno("cannot set mode and times of \"" + path.string() + "\"");
  }
}

void link_or_copy(const Fd& source, const fs::path& source_path, const fs::path& path) {
  remove_old(path);
  if (::link(source_path.c_str(), path.c_str()) == 0) {
    // A symbolic link was linked itself, or another file has taken the name meanwhile.
    struct stat linked = {};
    const struct stat opened = status_of(source, source_path);
    if (::lstat(path.c_str(), &linked) == 0 && linked.st_ino == opened.st_ino &&
        linked.st_dev == opened.st_dev) {
      return;
    }
    remove_old(path);
  }
  // On a full disk the unfinished copy would be in the way of everybody.
  try {
    copy_file(source, source_path, path);
  } catch (...) {
    ::unlink(path.c_str());
    throw;
  }
}

bool is_same_content(const Fd& a, const fs::path& a_path, const Fd& b, const fs::path& b_path) {
  const struct stat a_status = status_of(a, a_path);
  const struct stat b_status = status_of(b, b_path);
  if (a_status.st_ino == b_status.st_ino && a_status.st_dev == b_status.st_dev) return true;
  if (a_status.st_size != b_status.st_size) return false;
  std::vector<std::byte> a_buffer(kChunk);
  std::vector<std::byte> b_buffer(kChunk);
  for (std::uint64_t offset = 0;;) {
    const std::size_t a_size = read_full_at(a, a_buffer, offset, a_path);
    const std::size_t b_size = read_full_at(b, b_buffer, offset, b_path);
    if (a_size != b_size || std::memcmp(a_buffer.data(), b_buffer.data(), a_size) != 0) {
      return false;
    }
    if (a_size < kChunk) return true;
    offset += a_size;
  }
}

namespace {

// One call of the kernel's; `way` is left when the file system cannot do it.
enum class Way { file_range, sendfile };
ssize_t send_part(Way& way, const Fd& source, int fd) {
  constexpr std::size_t kMost = std::size_t{1} << 30;
  for (;;) {
    const ssize_t count = way == Way::file_range
                              ? ::copy_file_range(source.get(), nullptr, fd, nullptr, kMost, 0)
                              : ::sendfile(fd, source.get(), nullptr, kMost);
    if (count >= 0) return count;
    if (errno == EINTR) continue;
    if (way == Way::sendfile || !is_unsupported(errno)) return count;
    way = Way::sendfile;
  }
}

}  // namespace

bool send_file(const Fd& source, const fs::path& source_path, int fd, const fs::path& target_path) {
  Way way = Way::file_range;
  bool is_first = true;
  for (;;) {
    const ssize_t count = send_part(way, source, fd);
    if (count == 0 && !is_first) return true;
    if (count > 0) {
      is_first = false;
    } else if (count == 0 || is_unsupported(errno)) {
      // Some virtual file systems answer 0 at once: only an ordinary read tells the end for sure.
      return send_by_buffer(source, source_path, fd, target_path);
    } else if (errno == EPIPE) {
      return false;
    } else {
      throw_errno("cannot copy \"" + source_path.string() + "\" to \"" + target_path.string() +
                  "\"");
    }
  }
}

}  // namespace barman::pipeline

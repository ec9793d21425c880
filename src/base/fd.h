// A file descriptor that is owned, and the reads and writes on it that either do all or throw.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace barman {

using Bytes = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;

inline Bytes as_bytes(std::string_view text) { return std::as_bytes(std::span(text)); }
inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Move-only owner. The destructor closes silently; whoever wrote calls close(), which throws,
// because ENOSPC and EIO may come that late.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) noexcept : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept;
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd();

  int get() const noexcept { return fd_; }
  bool is_open() const noexcept { return fd_ >= 0; }
  int release() noexcept;
  void close(const std::filesystem::path& path);

 private:
  int fd_ = -1;
};

// Whether a symbolic link may stand in the place of a file. Those that a user names (configuration,
// arguments) may be links; those whose names are ours or come from elsewhere are none. Directories
// on the way, and a directory that is opened itself, may always be links.
enum class Links { refuse, follow };

// open(2) of a regular file or a directory, with O_CLOEXEC. Never waits: a FIFO, socket or device
// in its place, and a symbolic link unless Links::follow, is refused. Names directly in /dev (null,
// stdin) and those of our own descriptors are opened as they are. Throws SystemError or `conflict`
// naming the path.
Fd open_file(const std::filesystem::path& path, int flags, mode_t mode = 0600,
             Links links = Links::refuse);
// A new, empty file that nobody else has open: what has that name (an old file, a link) is removed
// first, and is not touched itself. For temporary files; O_CREAT | O_EXCL and `flags`.
Fd create_file(const std::filesystem::path& path, int flags, mode_t mode = 0600);
// As open_file(O_RDONLY), but nullopt when the file does not exist.
std::optional<Fd> find_file(const std::filesystem::path& path, Links links = Links::refuse);
// lstat(2) or, with Links::follow, stat(2): nullopt when nothing has that name. Throws SystemError
// when it cannot be told (EIO, EACCES, ESTALE): not to know is not "not there".
std::optional<struct stat> find_status(const std::filesystem::path& path,
                                       Links links = Links::follow);
// The error of a file system without room: space, quota or inodes.
bool is_out_of_space(int error_number);

// Reads up to buffer.size() bytes, fewer only at the end of the file. `path` is for the error only.
std::size_t read_full(const Fd& fd, MutableBytes buffer, const std::filesystem::path& path);
std::size_t read_full_at(const Fd& fd, MutableBytes buffer, std::uint64_t offset,
                         const std::filesystem::path& path);
void write_full(const Fd& fd, Bytes data, const std::filesystem::path& path);
void write_full_at(const Fd& fd, Bytes data, std::uint64_t offset,
                   const std::filesystem::path& path);
void sync_fd(const Fd& fd, const std::filesystem::path& path);

// Whole small files. Throws `corrupt` when the file is larger than max_size_bytes.
inline constexpr std::size_t kMaxSmallFile = std::size_t{64} << 20;
std::string read_file(const std::filesystem::path& path, std::size_t max_size_bytes = kMaxSmallFile,
                      Links links = Links::refuse);
std::optional<std::string> find_and_read_file(const std::filesystem::path& path,
                                              std::size_t max_size_bytes = kMaxSmallFile,
                                              Links links = Links::refuse);

}  // namespace barman

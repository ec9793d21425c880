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

// For the begin of a program, before it opens anything: /dev/null takes the place of a standard
// descriptor that the caller has closed, lest a file or socket become stdout or stderr.
void open_standard_descriptors();

// open(2) with O_CLOEXEC. Throws SystemError naming the path.
Fd open_file(const std::filesystem::path& path, int flags, mode_t mode = 0600);
// As open_file(O_RDONLY), but nullopt when the file does not exist.
std::optional<Fd> find_file(const std::filesystem::path& path);

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
std::string read_file(const std::filesystem::path& path,
                      std::size_t max_size_bytes = kMaxSmallFile);
std::optional<std::string> find_and_read_file(const std::filesystem::path& path,
                                              std::size_t max_size_bytes = kMaxSmallFile);

}  // namespace barman

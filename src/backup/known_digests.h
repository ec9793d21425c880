// SHA-256 of files of a backup that is being made, noted by whoever has had their bytes in hand, so
// that its manifest need not read them again. A file is known as long as it is the same inode with
// the size and the times of then; the time of a change of the inode cannot be set by anybody.
//
// 72 bytes a file: 72 MB for a million.
#pragma once

#include <sys/stat.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace barman::backup {

class KnownDigests {
 public:
  KnownDigests() = default;
  KnownDigests(const KnownDigests&) = delete;
  KnownDigests& operator=(const KnownDigests&) = delete;

  // Of a file that nobody changes any more; `status` is what it was before and behind the reading.
  // Thread-safe.
  void add(const struct stat& status, std::string_view sha256);
  // Nothing is added any more; then find() may be called, by several threads.
  void seal();
  // Lower-case hex.
  std::optional<std::string> find(const struct stat& status) const;

 private:
  struct Record {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::int64_t size_bytes = 0;
    std::int64_t modified_ns = 0;
    std::int64_t changed_ns = 0;
    std::array<char, 32> digest = {};
  };
  static Record record_of(const struct stat& status);

  std::mutex mutex_;
  // In small pieces: growing copies nothing.
  std::deque<Record> records_;
};

}  // namespace barman::backup

// Writes a large file of known size past the page cache (O_DIRECT), where the file system can.
//
// The bytes of backups and restores are not read again soon: written directly they cost no copy,
// push nothing useful out of memory, and leave little for the final fsync. The space is reserved
// first, so a full disk is told before anything is copied. Where O_DIRECT is refused the same calls
// write through the page cache, and write-back begins while the file is being written.
//
// The caller fsyncs the descriptor. Throws SystemError naming the path.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <mutex>

#include "base/fd.h"

namespace barman::pipeline {

class BulkWriter {
 public:
  // What O_DIRECT wants of addresses and sizes on every common disk.
  static constexpr std::size_t kAlignment = 4096;
  // Smaller files are not worth a direct write.
  static constexpr std::uint64_t kMinimumSize = std::uint64_t{1} << 20;

  // A buffer that can be written directly. Not larger: pieces of more than 1 MiB are slow where
  // they have to go through the page cache after all.
  struct alignas(kAlignment) Block {
    std::array<std::byte, std::size_t{1} << 20> bytes;
  };

  // `file` is empty and outlives the writer; `path` is for errors and outlives it too.
  BulkWriter(const Fd& file, const std::filesystem::path& path, std::uint64_t size_bytes);

  // Appends. Aligned data of a multiple of kAlignment goes to the disk directly; the first other
  // piece (the end of a file) and all after it go through the page cache.
  void write(Bytes data);
  // A piece of the file, from any thread and in any order; not together with write().
  void write_at(Bytes data, std::uint64_t offset);

 private:
  bool write_directly(Bytes data, std::uint64_t offset);
  void write_somehow(Bytes data, std::uint64_t offset);
  void leave_direct_mode();
  void start_write_back(std::uint64_t begin, std::uint64_t end);

  const Fd& file_;
  const std::filesystem::path& path_;
  std::atomic<bool> is_direct_ = false;
  std::mutex leaving_;
  std::uint64_t written_ = 0;
  std::uint64_t written_back_ = 0;
};

}  // namespace barman::pipeline

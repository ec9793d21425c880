// A place for content that must not reach the disk in clear: a file without a name, encrypted
// (AES-256 in counter mode, the counter being the place) with a key that only this object has. What
// the disk keeps of it when the program has ended, however it ended, nobody can read.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>

#include "base/fd.h"

namespace barman::encryption {

class ScratchFile {
 public:
  static constexpr std::size_t kAlignment = 16;

  // Where the space is taken. Throws `io`.
  explicit ScratchFile(std::filesystem::path directory);
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;
  // Clears the key.
  ~ScratchFile();

  // `offset` is a multiple of kAlignment, and no place is written twice. Thread-safe. Throws `io`.
  void write_at(std::uint64_t offset, Bytes data);
  // Any place that was written; fewer bytes only at the end of the file. Thread-safe. Throws `io`.
  std::size_t read_at(std::uint64_t offset, MutableBytes buffer) const;

 private:
  static constexpr std::size_t kKeySize = 32;
  class Keystream;

  const std::filesystem::path directory_;
  const Fd file_;
  std::array<unsigned char, kKeySize> key_{};
};

}  // namespace barman::encryption

// Checksums over bytes as they pass: CRC-32C (as PostgreSQL's manifests and WAL use it) and the
// SHA-2 family, MD5 for put-wal.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/fd.h"

namespace barman {

// Continues a CRC-32C: begin with kCrc32cInitial, end with crc32c_finish().
inline constexpr std::uint32_t kCrc32cInitial = 0xFFFFFFFFU;
std::uint32_t crc32c_extend(std::uint32_t crc, Bytes data);
inline std::uint32_t crc32c_finish(std::uint32_t crc) { return crc ^ 0xFFFFFFFFU; }
// A finished one as PostgreSQL writes it into backup_manifest: lower-case hex of its four bytes in
// little-endian order.
std::string crc32c_text(std::uint32_t crc);

enum class DigestAlgorithm { none, crc32c, md5, sha224, sha256, sha384, sha512 };

// Running digest. finish() returns lower-case hex; for CRC-32C as crc32c_text(). `none` gives "".
class Digest {
 public:
  explicit Digest(DigestAlgorithm algorithm);
  Digest(const Digest&) = delete;
  Digest& operator=(const Digest&) = delete;
  Digest(Digest&&) noexcept;
  Digest& operator=(Digest&&) noexcept;
  ~Digest();

  void update(Bytes data);
  std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string digest_of(DigestAlgorithm algorithm, std::string_view text);
// The whole file, wherever its position is. `path` is for errors.
std::string digest_of_file(DigestAlgorithm algorithm, const Fd& file,
                           const std::filesystem::path& path);

}  // namespace barman

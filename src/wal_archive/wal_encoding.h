// How an archived WAL file is stored, told from its first bytes: names say nothing of it.
#pragma once

#include <optional>
#include <string>

#include "base/fd.h"

namespace barman::wal_archive {

// Enough bytes for detect_wal_encoding().
inline constexpr std::size_t kWalEncodingBytes = 32;

struct WalEncoding {
  // gzip, bzip2, xz, zstd, lz4, snappy; nullopt when none of these, or hidden by encryption.
  std::optional<std::string> compression;
  // "gpg": an OpenPGP message.
  std::optional<std::string> encryption;
  friend bool operator==(const WalEncoding&, const WalEncoding&) = default;
};

WalEncoding detect_wal_encoding(Bytes first_bytes);
// True for the names that detect_wal_encoding() can find.
bool is_detectable_compression(std::string_view name);

}  // namespace barman::wal_archive

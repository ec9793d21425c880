#include "wal_archive/wal_encoding.h"

#include <array>
#include <cstdint>
#include <string_view>

#include "compression/algorithm.h"

namespace barman::wal_archive {
namespace {

// A message begins with an encrypted session key packet (RFC 9580: tag 1 or 3), whose first byte of
// content is its version.
bool is_openpgp_message(std::string_view text) {
  if (text.starts_with("-----BEGIN PGP MESSAGE-----")) return true;
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<std::uint8_t>(text[i]) : std::uint8_t{0};
  };
  const unsigned header = byte(0);
  if ((header & 0x80U) == 0) return false;
  unsigned tag = 0;
  std::size_t content = 0;
  if ((header & 0x40U) != 0) {
    tag = header & 0x3FU;
    const unsigned length = byte(1);
    content = length < 192 ? 2 : length == 255 ? 6 : length < 224 ? 3 : 2;
  } else {
    tag = (header >> 2U) & 0x0FU;
    constexpr std::array<std::size_t, 4> kContents = {2, 3, 5, 1};
    content = kContents.at(header & 0x03U);
  }
  const unsigned version = byte(content);
  return (tag == 1 || tag == 3) && version >= 2 && version <= 6;
}

}  // namespace

WalEncoding detect_wal_encoding(Bytes first_bytes) {
  const std::string_view text = as_text(first_bytes);
  WalEncoding encoding;
  if (const auto algorithm = compression::detect(first_bytes)) {
    encoding.compression = compression::to_text(*algorithm);
  } else if (is_openpgp_message(text)) {
    encoding.encryption = "gpg";
  }
  return encoding;
}

bool is_detectable_compression(std::string_view name) {
  const auto algorithm = compression::parse_algorithm(name);
  return algorithm && compression::to_text(*algorithm) == name;
}

}  // namespace barman::wal_archive

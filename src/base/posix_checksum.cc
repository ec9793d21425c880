#include "base/posix_checksum.h"

#include <isa-l/crc.h>

#include <array>
#include <cstddef>

namespace barman {
namespace {

// Neither begins nor ends inverted, unlike the library's.
std::uint32_t extend_plain(std::uint32_t crc, Bytes data) {
  return ~crc32_ieee(~crc, reinterpret_cast<const unsigned char*>(data.data()), data.size());
}

}  // namespace

void PosixChecksum::update(Bytes data) {
  crc_ = extend_plain(crc_, data);
  size_bytes_ += data.size();
}

std::uint32_t PosixChecksum::finish() {
  // As many bytes of the size as it has, the lowest first.
  std::array<std::byte, sizeof size_bytes_> bytes{};
  std::size_t count = 0;
  for (std::uint64_t rest = size_bytes_; rest != 0; rest >>= 8U) {
    bytes.at(count++) = static_cast<std::byte>(rest & 0xFFU);
  }
  return ~extend_plain(crc_, Bytes(bytes).first(count));
}

}  // namespace barman

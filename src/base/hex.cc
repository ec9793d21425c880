#include "base/hex.h"

#include "base/error.h"

namespace barman {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";

unsigned value_of(char digit) {
  if (digit >= '0' && digit <= '9') return static_cast<unsigned>(digit - '0');
  if (digit >= 'a' && digit <= 'f') return static_cast<unsigned>(digit - 'a') + 10;
  if (digit >= 'A' && digit <= 'F') return static_cast<unsigned>(digit - 'A') + 10;
  throw Error(ErrorKind::internal, "a digest is not written in hexadecimal digits");
}

}  // namespace

std::string hex_of(std::string_view bytes) {
  std::string hex;
  hex.reserve(2 * bytes.size());
  for (const char letter : bytes) {
    const auto byte = static_cast<unsigned char>(letter);
    hex += kDigits[byte >> 4U];
    hex += kDigits[byte & 0xFU];
  }
  return hex;
}

std::string bytes_of_hex(std::string_view hex) {
  if (hex.size() % 2 != 0) {
    throw Error(ErrorKind::internal, "a digest has an odd number of hexadecimal digits");
  }
  std::string bytes;
  bytes.reserve(hex.size() / 2);
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    bytes +=
        static_cast<char>(static_cast<unsigned char>(value_of(hex[i]) * 16 + value_of(hex[i + 1])));
  }
  return bytes;
}

}  // namespace barman

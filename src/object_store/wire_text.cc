#include "object_store/wire_text.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <array>
#include <cstdint>

#include "base/error.h"

namespace barman::object_store {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr std::string_view kUpperHexDigits = "0123456789ABCDEF";
constexpr std::string_view kBase64Digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool is_unreserved(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string decoded(std::string_view text, char blank) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      const int high = hex_value(text[i + 1]);
      const int low = hex_value(text[i + 2]);
      if (high >= 0 && low >= 0) {
        result += static_cast<char>(high * 16 + low);
        i += 2;
        continue;
      }
    }
    result += text[i] == blank ? ' ' : text[i];
  }
  return result;
}

std::string digest_bytes(const EVP_MD* algorithm, Bytes data) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> buffer{};
  unsigned size = 0;
  if (EVP_Digest(data.data(), data.size(), buffer.data(), &size, algorithm, nullptr) != 1) {
    throw Error(ErrorKind::internal, "OpenSSL cannot compute a digest");
  }
  return {reinterpret_cast<const char*>(buffer.data()), size};
}

}  // namespace

std::string percent_encoded(std::string_view text, std::string_view kept) {
  std::string result;
  result.reserve(text.size());
  for (const char c : text) {
    if (is_unreserved(c) || kept.find(c) != std::string_view::npos) {
      result += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    result += '%';
    result += kUpperHexDigits[byte >> 4U];
    result += kUpperHexDigits[byte & 15U];
  }
  return result;
}

std::string percent_decoded(std::string_view text) { return decoded(text, ' '); }

std::string form_decoded(std::string_view text) { return decoded(text, '+'); }

std::string base64(std::string_view bytes) {
  std::string result;
  result.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::string_view group = bytes.substr(i, 3);
    std::uint32_t value = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      value = value << 8U | (k < group.size() ? static_cast<unsigned char>(group[k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      result += k <= group.size() ? kBase64Digits[value >> (18U - 6U * k) & 63U] : '=';
    }
  }
  return result;
}

std::optional<std::string> base64_decoded(std::string_view text) {
  std::string result;
  std::uint32_t value = 0;
  unsigned bits = 0;
  std::size_t digits = 0;
  std::size_t padding = 0;
  for (const char c : text) {
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') continue;
    if (c == '=') {
      ++padding;
      continue;
    }
    const std::size_t digit = kBase64Digits.find(c);
    if (digit == std::string_view::npos || padding > 0) return std::nullopt;
    ++digits;
    value = value << 6U | static_cast<std::uint32_t>(digit);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      result += static_cast<char>(value >> bits & 255U);
    }
  }
  if (padding > 2 || (digits + padding) % 4 != 0) return std::nullopt;
  return result;
}

std::string hex(std::string_view bytes) {
  std::string result;
  result.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    result += kHexDigits[byte >> 4U];
    result += kHexDigits[byte & 15U];
  }
  return result;
}

std::string md5(Bytes data) { return digest_bytes(EVP_md5(), data); }

std::string sha1(Bytes data) { return digest_bytes(EVP_sha1(), data); }

std::string sha256(Bytes data) { return digest_bytes(EVP_sha256(), data); }

std::string hmac_sha256(std::string_view key, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> buffer{};
  unsigned size = 0;
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(), buffer.data(),
           &size) == nullptr) {
    throw Error(ErrorKind::internal, "OpenSSL cannot compute a message authentication code");
  }
  return {reinterpret_cast<const char*>(buffer.data()), size};
}

std::string random_hex(std::size_t size) {
  std::string bytes(size, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(size)) != 1) {
    throw Error(ErrorKind::internal, "OpenSSL has no random bytes");
  }
  return hex(bytes);
}

}  // namespace barman::object_store

// How bytes and names are written on the wire: percent-encoding, base64, digests.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/fd.h"

namespace barman::object_store {

// RFC 3986: all but letters, digits, "-", ".", "_", "~" and the characters of `kept`.
std::string percent_encoded(std::string_view text, std::string_view kept = {});
// "%2F" becomes "/"; what is no encoding stays.
std::string percent_decoded(std::string_view text);
// The same, where "+" is a blank (forms, listings of S3).
std::string form_decoded(std::string_view text);

std::string base64(std::string_view bytes);
// nullopt for what is no base64; blanks and line ends are skipped.
std::optional<std::string> base64_decoded(std::string_view text);

std::string hex(std::string_view bytes);

// As bytes, not as text.
std::string md5(Bytes data);
std::string sha1(Bytes data);
std::string sha256(Bytes data);
std::string hmac_sha256(std::string_view key, std::string_view text);

// `size` bytes that nobody can guess, as hexadecimal digits.
std::string random_hex(std::size_t size);

}  // namespace barman::object_store

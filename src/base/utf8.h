// Characters in UTF-8, in one place for all who write text of others: JSON, Python, manifests.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace barman {

struct Utf8Char {
  char32_t code = 0;  // the byte itself when it begins no character
  std::size_t size = 1;
  bool is_valid = false;
};

// The character at the beginning of `text`, which is not empty. Overlong forms, surrogates and what
// lies beyond U+10FFFF are not valid.
Utf8Char decode_utf8(std::string_view text);
bool is_utf8(std::string_view text);
void append_utf8(std::string& out, char32_t code);

}  // namespace barman

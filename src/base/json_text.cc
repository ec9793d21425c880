#include "base/json_text.h"

#include <cstdint>
#include <iterator>

#include <fmt/format.h>

#include "base/utf8.h"

namespace barman {
namespace {

void append_escaped_code(std::string& out, char32_t code) {
  if (code < 0x10000) {
    fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<std::uint32_t>(code));
    return;
  }
  const std::uint32_t rest = static_cast<std::uint32_t>(code) - 0x10000U;
  fmt::format_to(std::back_inserter(out), "\\u{:04x}\\u{:04x}", 0xD800U + (rest >> 10U),
                 0xDC00U + (rest & 0x3FFU));
}

// The letter behind the backslash, 0 when there is none.
char short_escape(char c) {
  constexpr std::string_view kFrom = "\"\\\b\f\n\r\t";
  constexpr std::string_view kTo = "\"\\bfnrt";
  const std::size_t index = kFrom.find(c);
  return index == std::string_view::npos ? '\0' : kTo[index];
}

}  // namespace

void append_json_string(std::string& out, std::string_view text, JsonCharacters characters) {
  constexpr char32_t kSurrogateOfByte = 0xDC00;
  out.push_back('"');
  while (!text.empty()) {
    const char c = text.front();
    const bool is_plain = (c >= 0x20 && c < 0x7F && c != '"' && c != '\\') ||
                          (characters == JsonCharacters::utf8 && (c < 0 || c == 0x7F));
    std::size_t size = 1;
    if (is_plain) {
      out.push_back(c);
    } else if (const char letter = short_escape(c); letter != '\0') {
      out.append({'\\', letter});
    } else {
      const Utf8Char character = decode_utf8(text);
      size = character.size;
      append_escaped_code(out, character.code + (character.is_valid ? 0 : kSurrogateOfByte));
    }
    text.remove_prefix(size);
  }
  out.push_back('"');
}

std::string json_string(std::string_view text, JsonCharacters characters) {
  std::string out;
  append_json_string(out, text, characters);
  return out;
}

}  // namespace barman

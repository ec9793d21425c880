#include "base/python_text.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "base/utf8.h"

namespace barman {
namespace {

// What Python's str.isprintable() refuses: controls, format characters, blanks other than the
// space, surrogates and private use. Unassigned characters are not told apart.
bool is_printable(char32_t code) {
  using Range = std::pair<char32_t, char32_t>;
  constexpr std::array<Range, 17> kHidden = {{{0x00, 0x1F},
                                              {0x7F, 0xA0},
                                              {0xAD, 0xAD},
                                              {0x600, 0x605},
                                              {0x61C, 0x61C},
                                              {0x6DD, 0x6DD},
                                              {0x70F, 0x70F},
                                              {0x8E2, 0x8E2},
                                              {0x1680, 0x1680},
                                              {0x180E, 0x180E},
                                              {0x2000, 0x200F},
                                              {0x2028, 0x202F},
                                              {0x205F, 0x206F},
                                              {0x3000, 0x3000},
                                              {0xD800, 0xF8FF},
                                              {0xFEFF, 0xFEFF},
                                              {0xFFF0, 0xFFFB}}};
  if (code >= 0xE0000) return false;
  return std::none_of(kHidden.begin(), kHidden.end(), [&](const Range& range) {
    return code >= range.first && code <= range.second;
  });
}

}  // namespace

std::string python_quoted(std::string_view text) {
  const bool has_single = text.find('\'') != std::string_view::npos;
  const bool has_double = text.find('"') != std::string_view::npos;
  const char quote = has_single && !has_double ? '"' : '\'';
  std::string result(1, quote);
  while (!text.empty()) {
    const Utf8Char c = decode_utf8(text);
    if (!c.is_valid) {
      result += fmt::format("\\udc{:02x}", static_cast<unsigned>(c.code));
    } else if (c.code == '\n') {
      result += "\\n";
    } else if (c.code == '\t') {
      result += "\\t";
    } else if (c.code == '\r') {
      result += "\\r";
    } else if (c.code == '\\' || c.code == static_cast<char32_t>(quote)) {
      result += '\\';
      result += static_cast<char>(c.code);
    } else if (is_printable(c.code)) {
      result += text.substr(0, c.size);
    } else if (c.code < 0x100) {
      result += fmt::format("\\x{:02x}", static_cast<unsigned>(c.code));
    } else if (c.code < 0x10000) {
      result += fmt::format("\\u{:04x}", static_cast<unsigned>(c.code));
    } else {
      result += fmt::format("\\U{:08x}", static_cast<unsigned>(c.code));
    }
    text.remove_prefix(c.size);
  }
  result += quote;
  return result;
}

}  // namespace barman

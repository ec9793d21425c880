// The lexical part of backup manifests (docs/formats/backup_manifest.md), used by
// backup_manifest.cc alone.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/utf8.h"

namespace barman::postgres {

// Throws Error(corrupt).
[[noreturn]] void throw_bad_manifest(const std::string& reason);

// Splits JSON text into tokens, whatever the chunks. Of JSON's values only strings and unsigned
// integers occur in a manifest. `Handler` has on_punctuation(char), on_string(string&) and
// on_number(string&).
template <typename Handler>
class ManifestTokenizer {
 public:
  explicit ManifestTokenizer(Handler& handler) : handler_(handler) {}

  void feed(std::string_view text) {
    std::size_t i = 0;
    while (i < text.size()) {
      switch (state_) {
        case State::between:
          i = begin_token(text, i);
          break;
        case State::number:
          i = continue_number(text, i);
          break;
        case State::string:
          i = continue_string(text, i);
          break;
        case State::escape:
          take_escape(text[i++]);
          break;
        case State::unicode:
          take_unicode_digit(text[i++]);
          break;
      }
    }
  }

  void finish() {
    if (state_ == State::number) emit_number();
    if (state_ != State::between) throw_bad_manifest("it ends within a string");
  }

 private:
  // Longer than any value PostgreSQL writes; bounds our memory.
  static constexpr std::size_t kMaxString = 64 * 1024;

  enum class State { between, number, string, escape, unicode };

  std::size_t begin_token(std::string_view text, std::size_t i) {
    const char c = text[i];
    switch (c) {
      case ' ':
      case '\t':
      case '\n':
      case '\r':
        return i + 1;
      case '{':
      case '}':
      case '[':
      case ']':
      case ',':
      case ':':
        handler_.on_punctuation(c);
        return i + 1;
      case '"':
        state_ = State::string;
        value_.clear();
        return i + 1;
      default:
        break;
    }
    if (c < '0' || c > '9') throw_bad_manifest(unexpected_byte(c));
    state_ = State::number;
    value_.clear();
    return i;
  }

  static std::string unexpected_byte(char c) {
    return fmt::format("unexpected byte 0x{:02X}", static_cast<unsigned char>(c));
  }

  void append(std::string_view part) {
    if (value_.size() + part.size() > kMaxString) throw_bad_manifest("a value is too long");
    value_.append(part);
  }

  std::size_t continue_number(std::string_view text, std::size_t i) {
    const std::size_t end = std::min(text.find_first_not_of("0123456789", i), text.size());
    append(text.substr(i, end - i));
    if (end < text.size()) emit_number();
    return end;
  }

  void emit_number() {
    state_ = State::between;
    handler_.on_number(value_);
  }

  std::size_t continue_string(std::string_view text, std::size_t i) {
    std::size_t end = i;
    while (end < text.size() && text[end] != '"' && text[end] != '\\' &&
           static_cast<unsigned char>(text[end]) >= 0x20)
      ++end;
    append(text.substr(i, end - i));
    if (end == text.size()) return end;
    if (high_surrogate_ != 0 && (end > i || text[end] != '\\')) throw_surrogate();
    if (text[end] == '\\') {
      state_ = State::escape;
    } else if (text[end] == '"') {
      state_ = State::between;
      handler_.on_string(value_);
    } else {
      throw_bad_manifest(unexpected_byte(text[end]) + " in a string");
    }
    return end + 1;
  }

  void take_escape(char c) {
    constexpr std::string_view kFrom = "\"\\/bfnrt";
    constexpr std::string_view kTo = "\"\\/\b\f\n\r\t";
    if (c == 'u') {
      state_ = State::unicode;
      code_unit_ = 0;
      digit_count_ = 0;
      return;
    }
    const std::size_t index = kFrom.find(c);
    if (index == std::string_view::npos)
      throw_bad_manifest(unexpected_byte(c) + " after a backslash");
    if (high_surrogate_ != 0) throw_surrogate();
    append(kTo.substr(index, 1));
    state_ = State::string;
  }

  void take_unicode_digit(char c) {
    unsigned digit = 0;
    if (std::from_chars(&c, &c + 1, digit, 16).ec != std::errc())
      throw_bad_manifest(unexpected_byte(c) + " in a \\u sequence");
    code_unit_ = code_unit_ * 16 + digit;
    if (++digit_count_ < 4) return;
    state_ = State::string;
    take_code_unit();
  }

  void take_code_unit() {
    if (code_unit_ >= 0xD800 && code_unit_ < 0xDC00) {
      if (high_surrogate_ != 0) throw_surrogate();
      high_surrogate_ = code_unit_;
      return;
    }
    std::uint32_t code_point = code_unit_;
    if (code_unit_ >= 0xDC00 && code_unit_ < 0xE000) {
      if (high_surrogate_ == 0) throw_surrogate();
      code_point = 0x10000 + ((high_surrogate_ - 0xD800) << 10) + (code_unit_ - 0xDC00);
      high_surrogate_ = 0;
    } else if (high_surrogate_ != 0) {
      throw_surrogate();
    }
    std::string text;
    append_utf8(text, code_point);
    append(text);
  }

  [[noreturn]] static void throw_surrogate() { throw_bad_manifest("half of a surrogate pair"); }

  Handler& handler_;
  State state_ = State::between;
  std::string value_;
  std::uint32_t code_unit_ = 0;
  std::uint32_t high_surrogate_ = 0;
  int digit_count_ = 0;
};

}  // namespace barman::postgres

#include "catalogue/python_literal.h"

#include <cctype>
#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/python_text.h"
#include "base/text.h"
#include "base/utf8.h"

namespace barman::catalogue {
namespace {

constexpr int kMaxDepth = 32;
constexpr char32_t kFirstSurrogateByte = 0xDC80;
constexpr char32_t kLastSurrogateByte = 0xDCFF;

void append_character(std::string& text, char32_t code) {
  // Python stands for a byte that is no UTF-8 with U+DC80 + (byte - 0x80).
  if (code >= kFirstSurrogateByte && code <= kLastSurrogateByte) {
    text.push_back(static_cast<char>(code & 0xFFU));
  } else {
    append_utf8(text, code);
  }
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  PythonValue parse_all() {
    PythonValue value = parse_value(0);
    skip_blanks();
    if (position_ != text_.size()) fail("unexpected text after the value");
    return value;
  }

 private:
  [[noreturn]] void fail(std::string_view reason) const {
    throw Error(ErrorKind::corrupt,
                fmt::format("invalid literal: {} at character {}", reason, position_ + 1));
  }

  char peek() const { return position_ < text_.size() ? text_[position_] : '\0'; }
  char next() {
    if (position_ >= text_.size()) fail("unexpected end");
    return text_[position_++];
  }
  bool skip(char c) {
    if (position_ >= text_.size() || text_[position_] != c) return false;
    ++position_;
    return true;
  }
  bool skip_word(std::string_view word) {
    if (text_.substr(position_, word.size()) != word) return false;
    position_ += word.size();
    return true;
  }
  void skip_blanks() {
    while (position_ < text_.size() &&
           std::isspace(static_cast<unsigned char>(text_[position_])) != 0) {
      ++position_;
    }
  }

  PythonValue parse_value(int depth) {
    if (depth > kMaxDepth) fail("nested too deeply");
    skip_blanks();
    const char c = peek();
    if (c == '\'' || c == '"') return {parse_text()};
    if ((c == 'u' || c == 'b') && position_ + 1 < text_.size() &&
        (text_[position_ + 1] == '\'' || text_[position_ + 1] == '"')) {
      ++position_;
      return {parse_text()};
    }
    if (skip('[')) return {PythonList{parse_items(']', depth).first}};
    if (skip('(')) return parse_tuple(depth);
    if (skip('{')) return parse_dict(depth);
    if (skip_word("None")) return {};
    if (skip_word("True")) return {true};
    if (skip_word("False")) return {false};
    return parse_number();
  }

  // The items up to `end`, and whether the last one was followed by a comma.
  std::pair<std::vector<PythonValue>, bool> parse_items(char end, int depth) {
    std::vector<PythonValue> items;
    bool comma = false;
    for (;;) {
      skip_blanks();
      if (skip(end)) return {std::move(items), comma};
      if (!items.empty() && !comma) fail("a comma is missing");
      items.push_back(parse_value(depth + 1));
      skip_blanks();
      comma = skip(',');
    }
  }

  PythonValue parse_tuple(int depth) {
    auto [items, comma] = parse_items(')', depth);
    // "(x)" is x in parentheses, "(x,)" a tuple.
    if (items.size() == 1 && !comma) return std::move(items.front());
    return {PythonTuple{std::move(items)}};
  }

  PythonValue parse_dict(int depth) {
    PythonDict dict;
    bool comma = true;
    for (;;) {
      skip_blanks();
      if (skip('}')) return {std::move(dict)};
      if (!comma) fail("a comma is missing");
      PythonItem item;
      item.key = parse_value(depth + 1);
      skip_blanks();
      if (!skip(':')) fail("a colon is missing");
      item.value = parse_value(depth + 1);
      dict.items.push_back(std::move(item));
      skip_blanks();
      comma = skip(',');
    }
  }

  PythonValue parse_number() {
    const std::size_t begin = position_;
    if (peek() == '-' || peek() == '+') ++position_;
    bool is_float = false;
    while (position_ < text_.size()) {
      const char c = text_[position_];
      const bool is_sign = (c == '-' || c == '+') && std::tolower(text_[position_ - 1]) == 'e';
      if (std::isdigit(static_cast<unsigned char>(c)) == 0 && c != '.' && c != 'e' && c != 'E' &&
          !is_sign) {
        break;
      }
      is_float = is_float || c == '.' || c == 'e' || c == 'E';
      ++position_;
    }
    std::string_view digits = text_.substr(begin, position_ - begin);
    if (!digits.empty() && digits.front() == '+') digits.remove_prefix(1);
    const char* const end = digits.data() + digits.size();
    if (is_float) {
      double value = 0;
      const auto [rest, code] = std::from_chars(digits.data(), end, value);
      if (code != std::errc() || rest != end) fail("not a number");
      return {value};
    }
    std::int64_t value = 0;
    const auto [rest, code] = std::from_chars(digits.data(), end, value);
    if (code != std::errc() || rest != end) fail("not a value");
    skip('L');  // Python 2
    return {value};
  }

  char32_t parse_hex(std::size_t digit_count) {
    const std::string_view digits = text_.substr(position_, digit_count);
    std::uint32_t value = 0;
    const auto [rest, code] =
        std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (digits.size() != digit_count || code != std::errc() ||
        rest != digits.data() + digits.size() || value > 0x10FFFF) {
      fail("bad escape");
    }
    position_ += digit_count;
    return value;
  }

  void parse_escape(std::string& text) {
    const char c = next();
    switch (c) {
      case 'n':
        text.push_back('\n');
        break;
      case 't':
        text.push_back('\t');
        break;
      case 'r':
        text.push_back('\r');
        break;
      case '\\':
      case '\'':
      case '"':
        text.push_back(c);
        break;
      case 'x':
        append_character(text, parse_hex(2));
        break;
      case 'u':
        append_character(text, parse_hex(4));
        break;
      case 'U':
        append_character(text, parse_hex(8));
        break;
      default:
        fail("unknown escape");
    }
  }

  std::string parse_text() {
    const char quote = next();
    std::string text;
    for (;;) {
      const char c = next();
      if (c == quote) return text;
      if (c == '\\') {
        parse_escape(text);
      } else {
        text.push_back(c);
      }
    }
  }

  std::string_view text_;
  std::size_t position_ = 0;
};

std::string repr_items(const std::vector<PythonValue>& items) {
  std::string text;
  for (const PythonValue& item : items) {
    if (!text.empty()) text += ", ";
    text += repr_python(item);
  }
  return text;
}

struct Writer {
  std::string operator()(std::monostate) const { return "None"; }
  std::string operator()(bool value) const { return value ? "True" : "False"; }
  std::string operator()(std::int64_t value) const { return std::to_string(value); }
  std::string operator()(double value) const { return shortest_float(value); }
  std::string operator()(const std::string& value) const { return repr_python(value); }
  std::string operator()(const PythonList& list) const {
    return "[" + repr_items(list.items) + "]";
  }
  std::string operator()(const PythonTuple& tuple) const {
    return "(" + repr_items(tuple.items) + (tuple.items.size() == 1 ? ",)" : ")");
  }
  std::string operator()(const PythonDict& dict) const {
    std::string text;
    for (const PythonItem& item : dict.items) {
      if (!text.empty()) text += ", ";
      text += repr_python(item.key) + ": " + repr_python(item.value);
    }
    return "{" + text + "}";
  }
};

}  // namespace

const PythonValue* PythonDict::find(std::string_view key) const {
  for (const PythonItem& item : items) {
    if (const std::string* text = item.key.as_text(); text != nullptr && *text == key) {
      return &item.value;
    }
  }
  return nullptr;
}

void PythonDict::set(std::string_view key, PythonValue value) {
  for (PythonItem& item : items) {
    if (const std::string* text = item.key.as_text(); text != nullptr && *text == key) {
      item.value = std::move(value);
      return;
    }
  }
  items.push_back({.key = {std::string(key)}, .value = std::move(value)});
}

std::optional<std::int64_t> PythonValue::as_integer() const {
  const auto* integer = std::get_if<std::int64_t>(&value);
  return integer == nullptr ? std::nullopt : std::optional(*integer);
}

std::optional<double> PythonValue::as_number() const {
  if (const auto* number = std::get_if<double>(&value)) return *number;
  if (const std::optional<std::int64_t> integer = as_integer()) {
    return static_cast<double>(*integer);
  }
  return std::nullopt;
}

const std::vector<PythonValue>* PythonValue::as_sequence() const {
  if (const auto* list = std::get_if<PythonList>(&value)) return &list->items;
  if (const auto* tuple = std::get_if<PythonTuple>(&value)) return &tuple->items;
  return nullptr;
}

// The written form is canonical, so it decides equality, too.
bool operator==(const PythonValue& a, const PythonValue& b) {
  return repr_python(a) == repr_python(b);
}

PythonValue parse_python(std::string_view text) { return Parser(text).parse_all(); }

std::string repr_python(const PythonValue& value) { return std::visit(Writer(), value.value); }

std::string repr_python(std::string_view text) { return python_quoted(text); }

}  // namespace barman::catalogue

#include "base/log_format.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"

namespace barman::log {
namespace {

constexpr std::size_t kMaxLogWidth = 1000;

bool is_log_digit(char c) { return c >= '0' && c <= '9'; }

std::size_t take_log_number(std::string_view& rest) {
  std::size_t number = 0;
  while (!rest.empty() && is_log_digit(rest.front())) {
    number = std::min(kMaxLogWidth, number * 10 + static_cast<std::size_t>(rest.front() - '0'));
    rest.remove_prefix(1);
  }
  return number;
}

// How many percent signs at the front stand for one.
std::size_t percent_length(std::string_view rest) {
  const std::size_t count = std::min(rest.find_first_not_of('%'), rest.size());
  if (count >= 4) return 4;
  return count >= 2 ? 2 : 1;
}

Error bad_log_format(std::string reason) {
  return {ErrorKind::config, "log_format: " + std::move(reason),
          "Known are %(asctime)s, %(created)f, %(levelname)s, %(levelno)s, %(message)s, %(msecs)d, "
          "%(name)s and %(process)d."};
}

}  // namespace

LineFormat::Piece LineFormat::take_field(std::string_view& rest) {
  constexpr std::array<std::pair<std::string_view, Field>, 8> kFields = {
      {{"asctime", Field::time},
       {"process", Field::process},
       {"name", Field::name},
       {"levelname", Field::level},
       {"levelno", Field::level_number},
       {"message", Field::message},
       {"msecs", Field::msecs},
       {"created", Field::created}}};
  const std::size_t end = rest.find(')');
  if (end == std::string_view::npos) throw bad_log_format("a name is not closed by ')'");
  const std::string_view name = rest.substr(1, end - 1);
  const auto* const known = std::find_if(kFields.begin(), kFields.end(),
                                         [&](const auto& each) { return each.first == name; });
  if (known == kFields.end()) throw bad_log_format(fmt::format("%({})s is not known", name));
  rest.remove_prefix(end + 1);
  Piece piece;
  piece.field = known->second;
  for (; !rest.empty() && std::string_view("-0 +#").find(rest.front()) != std::string_view::npos;
       rest.remove_prefix(1)) {
    if (rest.front() == '-') piece.is_left = true;
    if (rest.front() == '0') piece.has_zeros = true;
  }
  piece.width = take_log_number(rest);
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    piece.precision = take_log_number(rest);
  }
  if (rest.empty() || std::string_view("sdif").find(rest.front()) == std::string_view::npos)
    throw bad_log_format(fmt::format("%({}) needs one of the letters s, d, i and f", name));
  rest.remove_prefix(1);
  return piece;
}

LineFormat LineFormat::parse(std::string_view text) {
  LineFormat format;
  std::string plain;
  bool has_message = false;
  const auto add_plain = [&] {
    if (plain.empty()) return;
    Piece piece;
    piece.text = std::exchange(plain, std::string());
    format.pieces_.push_back(std::move(piece));
  };
  while (!text.empty()) {
    if (text.front() != '%') {
      plain.push_back(text.front());
      text.remove_prefix(1);
      continue;
    }
    text.remove_prefix(percent_length(text));
    if (text.starts_with('(')) {
      add_plain();
      format.pieces_.push_back(take_field(text));
      has_message = has_message || format.pieces_.back().field == Field::message;
    } else {
      plain.push_back('%');
      if (text.starts_with('%')) text.remove_prefix(percent_length(text));
    }
  }
  add_plain();
  if (!has_message) throw bad_log_format("%(message)s is missing: the log would say nothing");
  return format;
}

std::string LineFormat::value_of(const Piece& piece, const Record& record) {
  const std::int64_t milliseconds = record.time.microseconds / 1000 % 1000;
  switch (piece.field) {
    case Field::text:
      return piece.text;
    case Field::time: {
      Timestamp second = record.time;
      second.microseconds -= second.microseconds % 1'000'000;
      return fmt::format("{},{:03}", format_naive(second), milliseconds);
    }
    case Field::process:
      return fmt::to_string(record.process_id);
    case Field::name:
      return std::string(record.component);
    case Field::level:
      return std::string(record.level);
    case Field::level_number:
      return fmt::to_string(record.level_number);
    case Field::message:
      return std::string(record.message);
    case Field::msecs:
      return fmt::to_string(milliseconds);
    case Field::created:
      return fmt::format("{:.6f}", record.time.as_double());
  }
  return {};
}

std::string LineFormat::render(const Record& record) const {
  std::string line;
  for (const Piece& piece : pieces_) {
    std::string value = value_of(piece, record);
    const bool is_text =
        piece.field == Field::time || piece.field == Field::name || piece.field == Field::level;
    if (is_text && value.size() > piece.precision) value.resize(piece.precision);
    if (value.size() < piece.width) {
      const char filler = piece.has_zeros && !piece.is_left && !is_text ? '0' : ' ';
      value.insert(piece.is_left ? value.size() : 0, piece.width - value.size(), filler);
    }
    line += value;
  }
  return line;
}

}  // namespace barman::log

#include "base/timestamp.h"

#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"

namespace barman {
namespace {

constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

std::tm broken_down(Timestamp time) {
  const std::time_t seconds = floor_div(time.microseconds, 1'000'000) + time.utc_offset_seconds;
  std::tm result = {};
  ::gmtime_r(&seconds, &result);
  return result;
}

std::int64_t microsecond_part(Timestamp time) {
  return time.microseconds - floor_div(time.microseconds, 1'000'000) * 1'000'000;
}

// A hand-written cursor: strptime() knows neither fractions nor optional parts.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}

  bool done() const { return text_.empty(); }
  bool skip(char c) {
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  void skip_blanks() {
    while (skip(' ') || skip('\t')) {
    }
  }
  char peek() const { return text_.empty() ? '\0' : text_.front(); }
  // An unsigned number of min to max digits.
  std::optional<int> number(std::size_t min_digits, std::size_t max_digits) {
    int value = 0;
    std::size_t count = 0;
    while (count < max_digits && count < text_.size() &&
           std::isdigit(static_cast<unsigned char>(text_[count])) != 0) {
      value = value * 10 + (text_[count] - '0');
      ++count;
    }
    if (count < min_digits) return std::nullopt;
    text_.remove_prefix(count);
    return value;
  }
  std::string word() {
    std::size_t count = 0;
    while (count < text_.size() && std::isalpha(static_cast<unsigned char>(text_[count])) != 0)
      ++count;
    std::string result(text_.substr(0, count));
    text_.remove_prefix(count);
    return result;
  }
  // Fraction digits after '.' or ',' as microseconds.
  std::optional<int> fraction() {
    int value = 0;
    int scale = 100'000;
    bool any = false;
    while (!text_.empty() && std::isdigit(static_cast<unsigned char>(text_.front())) != 0) {
      value += (text_.front() - '0') * scale;
      scale /= 10;
      any = true;
      text_.remove_prefix(1);
    }
    return any ? std::optional(value) : std::nullopt;
  }

 private:
  std::string_view text_;
};

struct Fields {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, microsecond = 0;
  std::optional<int> offset_seconds;
  std::string zone;  // an abbreviation, until it is known what it means
};

std::optional<int> month_number(std::string_view name) {
  const std::string key = to_lower(name.substr(0, 3));
  for (std::size_t i = 0; i < kMonths.size(); ++i) {
    if (key.size() == 3 && to_lower(kMonths.at(i)) == key) return static_cast<int>(i) + 1;
  }
  return std::nullopt;
}

bool is_weekday(std::string_view name) {
  return name.size() >= 3 && std::ranges::any_of(kDays, [&](std::string_view day) {
           return to_lower(name.substr(0, 3)) == to_lower(day);
         });
}

bool parse_offset(Cursor& cursor, Fields& fields) {
  cursor.skip_blanks();
  const char sign = cursor.peek();
  if (sign != '+' && sign != '-') {
    const std::string zone = to_lower(cursor.word());
    if (zone == "z" || zone == "utc" || zone == "gmt") {
      fields.offset_seconds = 0;
    } else {
      fields.zone = zone;
    }
    return true;
  }
  cursor.skip(sign);
  const std::optional<int> hours = cursor.number(2, 2);
  if (!hours) return false;
  int minutes = 0;
  int seconds = 0;
  const bool colon = cursor.skip(':');
  if (const std::optional<int> value = cursor.number(2, 2)) {
    minutes = *value;
  } else if (colon) {
    return false;
  }
  if (cursor.skip(':')) {
    const std::optional<int> value = cursor.number(2, 2);
    if (!value) return false;
    seconds = *value;
  }
  if (*hours > 15 || minutes > 59 || seconds > 59) return false;
  const int total = *hours * 3600 + minutes * 60 + seconds;
  fields.offset_seconds = sign == '-' ? -total : total;
  return true;
}

bool parse_clock(Cursor& cursor, Fields& fields) {
  const std::optional<int> hour = cursor.number(1, 2);
  if (!hour || !cursor.skip(':')) return false;
  const std::optional<int> minute = cursor.number(2, 2);
  if (!minute) return false;
  fields.hour = *hour;
  fields.minute = *minute;
  if (cursor.skip(':')) {
    const std::optional<int> second = cursor.number(2, 2);
    if (!second) return false;
    fields.second = *second;
    if (cursor.skip('.') || cursor.skip(',')) {
      const std::optional<int> fraction = cursor.fraction();
      if (!fraction) return false;
      fields.microsecond = *fraction;
    }
  }
  return true;
}

// 2026-11-21[ T]01:42[:37[.698576]][offset], or the date alone, or 20261121T014237.
bool parse_numeric(Cursor cursor, Fields& fields) {
  const std::optional<int> year = cursor.number(4, 4);
  if (!year) return false;
  fields.year = *year;
  if (const std::optional<int> compact = cursor.number(4, 4)) {
    fields.month = *compact / 100;
    fields.day = *compact % 100;
    if (cursor.done()) return true;
    if (!cursor.skip('T') && !cursor.skip(' ')) return false;
    const std::optional<int> hour = cursor.number(2, 2);
    const std::optional<int> minute = cursor.number(2, 2);
    const std::optional<int> second = cursor.number(2, 2);
    if (!hour || !minute || !second) return false;
    fields.hour = *hour;
    fields.minute = *minute;
    fields.second = *second;
    return parse_offset(cursor, fields) && cursor.done();
  }
  const char separator = cursor.peek();
  if (separator != '-' && separator != '/') return false;
  cursor.skip(separator);
  const std::optional<int> month = cursor.number(1, 2);
  if (!month || !cursor.skip(separator)) return false;
  const std::optional<int> day = cursor.number(1, 2);
  if (!day) return false;
  fields.month = *month;
  fields.day = *day;
  if (cursor.done()) return true;
  if (!cursor.skip('T') && cursor.peek() != ' ') return false;
  cursor.skip_blanks();
  return parse_clock(cursor, fields) && parse_offset(cursor, fields) && cursor.done();
}

// "Sat Nov 21 01:43:24 2026", "Nov 21 2026 1:43", "Sat, 21 Nov 2026 01:43:24 +0000": words and
// numbers whose order tells what they are.
class MonthNameParser {
 public:
  MonthNameParser(Cursor cursor, Fields& fields) : cursor_(cursor), fields_(fields) {}

  bool parse() {
    while (skip_separators()) {
      const char next = cursor_.peek();
      const bool is_word = std::isalpha(static_cast<unsigned char>(next)) != 0;
      const bool is_known = is_word                      ? take_word()
                            : next == '+' || next == '-' ? take_offset()
                                                         : take_number();
      if (!is_known) return false;
    }
    return has_month_ && has_day_ && has_year_;
  }

 private:
  // False at the end.
  bool skip_separators() {
    cursor_.skip_blanks();
    cursor_.skip(',');
    cursor_.skip_blanks();
    return !cursor_.done();
  }
  bool take_offset() { return has_clock_ && parse_offset(cursor_, fields_); }
  // A day of the week, a month, or a time zone.
  bool take_word() {
    const Cursor before = cursor_;
    const std::string word = cursor_.word();
    if (has_month_) {
      cursor_ = before;
      return take_offset();
    }
    if (is_weekday(word)) return true;
    if (const std::optional<int> month = month_number(word)) {
      fields_.month = *month;
      has_month_ = true;
      return true;
    }
    cursor_ = before;
    return take_offset();
  }
  // A clock time, the day, or the year.
  bool take_number() {
    Cursor attempt = cursor_;
    if (!has_clock_ && parse_clock(attempt, fields_)) {
      cursor_ = attempt;
      has_clock_ = true;
      return true;
    }
    const std::optional<int> number = cursor_.number(1, 4);
    if (!number) return false;
    if (!has_day_ && *number <= 31) {
      fields_.day = *number;
      has_day_ = true;
      return true;
    }
    if (has_year_) return false;
    fields_.year = *number;
    has_year_ = true;
    return true;
  }

  Cursor cursor_;
  Fields& fields_;
  bool has_month_ = false;
  bool has_day_ = false;
  bool has_year_ = false;
  bool has_clock_ = false;
};

// "" when all are in their range.
std::string wrong_part(const Fields& f) {
  constexpr std::array<int, 12> kLengths = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (f.year < 1) return fmt::format("year {}", f.year);
  if (f.month < 1 || f.month > 12) return fmt::format("month {}", f.month);
  if (f.day < 1 || f.day > 31) return fmt::format("day {}", f.day);
  if (f.day > kLengths.at(static_cast<std::size_t>(f.month - 1))) {
    return fmt::format("day {} of month {}", f.day, f.month);
  }
  if (f.hour > 23) return fmt::format("hour {}", f.hour);
  if (f.minute > 59) return fmt::format("minute {}", f.minute);
  return f.second > 60 ? fmt::format("second {}", f.second) : std::string();
}

// Of a text in one of the known forms.
std::optional<Fields> parse_fields(std::string_view text) {
  const std::string_view stripped = strip(text);
  Fields fields;
  if (parse_numeric(Cursor(stripped), fields)) return fields;
  fields = {};
  if (!MonthNameParser(Cursor(stripped), fields).parse()) return std::nullopt;
  return fields;
}

// What a clock that shows these fields would be in seconds since the epoch if it showed UTC.
std::int64_t clock_seconds(const Fields& fields) {
  std::tm time = {};
  time.tm_year = fields.year - 1900;
  time.tm_mon = fields.month - 1;
  time.tm_mday = fields.day;
  time.tm_hour = fields.hour;
  time.tm_min = fields.minute;
  time.tm_sec = fields.second;
  return static_cast<std::int64_t>(::timegm(&time));
}

std::tm local_time(std::int64_t seconds) {
  const std::time_t time = seconds;
  std::tm local = {};
  ::localtime_r(&time, &local);
  return local;
}

Timestamp moment(std::int64_t clock, std::int64_t offset, int microsecond) {
  return {.microseconds = (clock - offset) * 1'000'000 + microsecond,
          .utc_offset_seconds = static_cast<std::int32_t>(offset)};
}

// An abbreviation that this host's zone uses near that time; else in summer or in winter.
std::optional<std::int64_t> find_offset_of(const std::string& zone, std::int64_t clock) {
  constexpr std::int64_t kDay = 86400;
  for (const std::int64_t distance : {-kDay, kDay, -91 * kDay, 91 * kDay, 182 * kDay}) {
    const std::tm local = local_time(clock + distance);
    if (local.tm_zone != nullptr && to_lower(local.tm_zone) == zone) return local.tm_gmtoff;
  }
  return std::nullopt;
}

// Without a zone: whatever mktime(3) would do with an hour that comes twice depends on the zone.
ParsedTimestamp resolve_local(std::int64_t clock, int microsecond) {
  constexpr std::int64_t kDay = 86400;
  const std::int64_t before = local_time(clock - kDay).tm_gmtoff;
  const std::int64_t after = local_time(clock + kDay).tm_gmtoff;
  const auto shows_it = [&](std::int64_t offset) {
    return local_time(clock - offset).tm_gmtoff == offset;
  };
  ParsedTimestamp result;
  // The larger offset gives the earlier moment; the clock goes back from it.
  const bool is_before = shows_it(before);
  const bool is_after = shows_it(after);
  result.is_skipped = !is_before && !is_after;
  result.time =
      in_local_zone(moment(clock, is_before || result.is_skipped ? before : after, microsecond));
  if (is_before && is_after && before != after) {
    result.second_time = in_local_zone(moment(clock, after, microsecond));
  }
  return result;
}

std::optional<ParsedTimestamp> to_timestamp(const Fields& fields) {
  const std::int64_t clock = clock_seconds(fields);
  std::optional<std::int64_t> offset = fields.offset_seconds;
  if (!fields.zone.empty()) {
    offset = find_offset_of(fields.zone, clock);
    if (!offset) return std::nullopt;
  }
  if (!offset) return resolve_local(clock, fields.microsecond);
  return ParsedTimestamp{.time = moment(clock, *offset, fields.microsecond), .has_zone = true};
}

}  // namespace

Timestamp now_local() {
  timeval now = {};
  ::gettimeofday(&now, nullptr);
  return in_local_zone({.microseconds = std::int64_t{now.tv_sec} * 1'000'000 + now.tv_usec});
}

Timestamp in_local_zone(Timestamp time) {
  const std::time_t seconds = floor_div(time.microseconds, 1'000'000);
  std::tm local = {};
  ::localtime_r(&seconds, &local);
  time.utc_offset_seconds = static_cast<std::int32_t>(local.tm_gmtoff);
  return time;
}

Timestamp from_epoch_seconds(double seconds) {
  return in_local_zone({.microseconds = static_cast<std::int64_t>(std::llround(seconds * 1e6))});
}

std::string format_naive(Timestamp time) {
  const std::tm t = broken_down(time);
  std::string text = fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", t.tm_year + 1900,
                                 t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec);
  if (const std::int64_t fraction = microsecond_part(time); fraction != 0)
    text += fmt::format(".{:06}", fraction);
  return text;
}

std::string format_iso(Timestamp time, char separator) {
  std::string text = format_naive(time);
  text[10] = separator;
  const int offset = std::abs(time.utc_offset_seconds);
  text += fmt::format("{}{:02}:{:02}", time.utc_offset_seconds < 0 ? '-' : '+', offset / 3600,
                      offset / 60 % 60);
  if (offset % 60 != 0) text += fmt::format(":{:02}", offset % 60);
  return text;
}

std::string format_ctime(Timestamp time) {
  const std::tm t = broken_down(time);
  return fmt::format("{} {} {:2} {:02}:{:02}:{:02} {}",
                     kDays.at(static_cast<std::size_t>(t.tm_wday)),
                     kMonths.at(static_cast<std::size_t>(t.tm_mon)), t.tm_mday, t.tm_hour, t.tm_min,
                     t.tm_sec, t.tm_year + 1900);
}

std::string format_compact(Timestamp time) {
  const std::tm t = broken_down(time);
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday,
                     t.tm_hour, t.tm_min, t.tm_sec);
}

std::optional<ParsedTimestamp> parse_timestamp(std::string_view text) {
  const std::optional<Fields> fields = parse_fields(text);
  if (!fields || !wrong_part(*fields).empty()) return std::nullopt;
  return to_timestamp(*fields);
}

// Also "time zone XYZ on this host".
std::string find_wrong_part(std::string_view text) {
  const std::optional<Fields> fields = parse_fields(text);
  if (!fields) return "";
  std::string wrong = wrong_part(*fields);
  const bool has_zone = !fields->zone.empty();
  if (wrong.empty() && has_zone && !find_offset_of(fields->zone, clock_seconds(*fields))) {
    wrong = fmt::format("time zone {} on this host", to_upper(fields->zone));
  }
  return wrong;
}

}  // namespace barman

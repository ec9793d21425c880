// Points in time with the offset they are shown in, and their text forms.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace barman {

// Microseconds since the epoch (UTC), and the offset from UTC used for display. Compared by
// instant.
struct Timestamp {
  std::int64_t microseconds = 0;
  std::int32_t utc_offset_seconds = 0;

  std::int64_t seconds() const { return microseconds / 1'000'000; }
  double as_double() const { return static_cast<double>(microseconds) / 1e6; }
  friend bool operator==(const Timestamp& a, const Timestamp& b) {
    return a.microseconds == b.microseconds;
  }
  friend std::strong_ordering operator<=>(const Timestamp& a, const Timestamp& b) {
    return a.microseconds <=> b.microseconds;
  }
};

// Now, in the zone of this host.
Timestamp now_local();
// The same instant shown in the zone of this host.
Timestamp in_local_zone(Timestamp time);
Timestamp from_epoch_seconds(double seconds);

// "2026-11-21 01:42:37.698576+00:00"; the fraction is left out when it is zero. `separator` is ' '
// or 'T'.
std::string format_iso(Timestamp time, char separator = ' ');
// The same without the offset (naive local time of the timestamp's own offset).
std::string format_naive(Timestamp time);
// "Sat Nov  7 01:43:24 2026" in the timestamp's own offset.
std::string format_ctime(Timestamp time);
// "20261121T014237" in the timestamp's own offset.
std::string format_compact(Timestamp time);

// Accepts the forms found in backup.info and given to --target-time: ISO with ' ' or 'T', with
// optional seconds, fraction and offset (Z, +HH, +HHMM, +HH:MM), or a zone abbreviation, UTC, GMT
// or one that the zone of this host uses in that year (CET, CEST); ctime; compact IDs; RFC 2822; a
// date alone. Without an offset the zone of this host is taken and has_zone is false.
struct ParsedTimestamp {
  Timestamp time;
  bool has_zone = false;
  // Without a zone: the clock of this host shows it twice, when daylight saving ends. `time` is the
  // first of the two, this the second.
  std::optional<Timestamp> second_time = {};
  // Without a zone: the clock of this host skips it, when daylight saving begins. `time` is as far
  // behind the change as the text is.
  bool is_skipped = false;
};
std::optional<ParsedTimestamp> parse_timestamp(std::string_view text);
// Of a text of these forms that is no time: "month 13", "day 30 of month 2", "hour 25"; "" when its
// form is not known.
std::string find_wrong_part(std::string_view text);

}  // namespace barman

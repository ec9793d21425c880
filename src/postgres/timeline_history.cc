#include "postgres/timeline_history.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "base/text.h"
#include "wal/wal_file_name.h"

namespace barman::postgres {
namespace {

[[noreturn]] void throw_malformed(wal::TimelineId timeline, std::string_view line,
                                  std::string_view reason) {
  throw Error(ErrorKind::corrupt,
              fmt::format("timeline history file \"{}\": {}: \"{}\"",
                          wal::history_file_name(timeline), reason, line),
              "Copy the file again from pg_wal of the server.");
}

// The next word of `rest`, which is shortened.
std::string_view take_word(std::string_view& rest) {
  constexpr std::string_view kBlanks = " \t\r";
  rest.remove_prefix(std::min(rest.find_first_not_of(kBlanks), rest.size()));
  const std::string_view word = rest.substr(0, rest.find_first_of(kBlanks));
  rest.remove_prefix(word.size());
  return word;
}

TimelineHistoryEntry parse_line(wal::TimelineId timeline, std::string_view line) {
  std::string_view rest = line;
  const std::string_view number = take_word(rest);
  const std::string_view position = take_word(rest);
  TimelineHistoryEntry entry;
  const char* end = number.data() + number.size();
  const auto [stop, error] = std::from_chars(number.data(), end, entry.timeline.value);
  if (error != std::errc() || stop != end || entry.timeline.value == 0)
    throw_malformed(timeline, line, "expected a numeric timeline ID");
  const std::optional<wal::Lsn> lsn = wal::parse_lsn(position);
  if (!lsn) throw_malformed(timeline, line, "expected the position of a timeline switch");
  entry.switch_lsn = *lsn;
  entry.reason = strip(rest);
  return entry;
}

}  // namespace

std::optional<wal::Lsn> TimelineHistory::switch_point(wal::TimelineId ancestor) const {
  const auto found =
      std::find_if(ancestors.begin(), ancestors.end(),
                   [&](const TimelineHistoryEntry& entry) { return entry.timeline == ancestor; });
  if (found == ancestors.end()) return std::nullopt;
  return found->switch_lsn;
}

bool TimelineHistory::is_ancestor(wal::TimelineId candidate) const {
  return candidate == timeline || switch_point(candidate).has_value();
}

wal::TimelineId TimelineHistory::timeline_at(wal::Lsn lsn) const {
  for (const TimelineHistoryEntry& entry : ancestors) {
    if (lsn < entry.switch_lsn) return entry.timeline;
  }
  return timeline;
}

bool TimelineHistory::contains(wal::TimelineId on, wal::Lsn lsn) const {
  if (on == timeline) return ancestors.empty() || lsn >= ancestors.back().switch_lsn;
  const std::optional<wal::Lsn> end = switch_point(on);
  if (!end || lsn > *end) return false;
  // The switch point itself belongs to both sides: it is where the old timeline ends.
  return lsn == *end || timeline_at(lsn) == on;
}

TimelineHistory parse_timeline_history(wal::TimelineId timeline, std::string_view text) {
  TimelineHistory history;
  history.timeline = timeline;
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = strip(text.substr(begin, end - begin));
    begin = end + 1;
    if (line.empty() || line.front() == '#') continue;
    TimelineHistoryEntry entry = parse_line(timeline, line);
    if (!history.ancestors.empty() && entry.timeline <= history.ancestors.back().timeline)
      throw_malformed(timeline, line, "timeline IDs must be in increasing sequence");
    if (entry.timeline >= timeline)
      throw_malformed(timeline, line, "timeline IDs must be less than the child timeline's");
    history.ancestors.push_back(std::move(entry));
  }
  return history;
}

}  // namespace barman::postgres

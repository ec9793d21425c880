#include "wal/timeline_target.h"

#include <cstdint>
#include <limits>

#include "base/text.h"

namespace barman::wal {
namespace {

constexpr std::string_view kCurrentTimeline = "current";
constexpr std::string_view kLatestTimeline = "latest";

}  // namespace

std::string TimelineTarget::text() const {
  switch (kind) {
    case Kind::number:
      break;
    case Kind::current:
      return std::string(kCurrentTimeline);
    case Kind::latest:
      return std::string(kLatestTimeline);
  }
  return std::to_string(timeline.value);
}

std::optional<TimelineTarget> parse_timeline_target(std::string_view text) {
  using Kind = TimelineTarget::Kind;
  if (text == kCurrentTimeline) return TimelineTarget{.kind = Kind::current};
  if (text == kLatestTimeline) return TimelineTarget{.kind = Kind::latest};
  const std::optional<std::int64_t> number = parse_integer(text);
  if (!number || *number <= 0 || *number > std::numeric_limits<std::uint32_t>::max()) {
    return std::nullopt;
  }
  return TimelineTarget{.kind = Kind::number,
                        .timeline = TimelineId{static_cast<std::uint32_t>(*number)}};
}

}  // namespace barman::wal

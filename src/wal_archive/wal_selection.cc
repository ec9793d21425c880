#include "wal_archive/wal_selection.h"

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

namespace barman::wal_archive {

namespace {

constexpr std::uint64_t kNoEnd = std::numeric_limits<std::uint64_t>::max();

bool is_inside(const std::vector<TimelineSpan>& spans, const wal::Segment& segment) {
  return std::any_of(spans.begin(), spans.end(), [&](const TimelineSpan& span) {
    return span.timeline == segment.timeline && span.first <= segment.number &&
           segment.number <= span.last;
  });
}

// The timeline on which PostgreSQL looks for a segment first: the newest that reaches it.
std::optional<wal::TimelineId> timeline_for(const std::vector<TimelineSpan>& spans,
                                            std::uint64_t number) {
  for (auto span = spans.rbegin(); span != spans.rend(); ++span) {
    if (span->first <= number && number <= span->last) return span->timeline;
  }
  return std::nullopt;
}

class Selector {
 public:
  explicit Selector(const WalSelectionRequest& request) : request_(request) {}

  void add(const WalIndexEntry& entry) {
    const std::optional<wal::WalFileName> name = wal::parse_wal_file_name(entry.name);
    if (!name) return;
    if (name->kind == wal::WalFileKind::history) {
      histories_.push_back(take(entry, entry.name));
      return;
    }
    const std::optional<wal::Segment> segment = find_needed(*name);
    if (!segment) return;
    if (name->kind == wal::WalFileKind::partial) {
      archived_partials_.emplace_back(*segment, entry);
      return;
    }
    files_.push_back(take(entry, entry.name));
    if (name->kind == wal::WalFileKind::segment) segments_.insert(*segment);
  }

  // After all archived ones.
  void add_received(const ReceivedWal& file) {
    const std::string text = file.path.filename().string();
    const std::optional<wal::WalFileName> name = wal::parse_wal_file_name(text);
    if (!name) return;
    SelectedWal selected = {.source_name = text,
                            .name = name->segment(),
                            .size_bytes = file.size_bytes,
                            .received_path = file.path};
    if (name->kind == wal::WalFileKind::history) {
      const bool is_archived =
          std::any_of(histories_.begin(), histories_.end(),
                      [&](const SelectedWal& history) { return history.name == text; });
      selected.name = text;
      if (!is_archived) histories_.push_back(std::move(selected));
      return;
    }
    const std::optional<wal::Segment> segment = find_needed(*name);
    if (!segment) return;
    if (name->kind == wal::WalFileKind::partial) {
      received_partials_.emplace_back(*segment, std::move(selected));
    } else if (name->kind == wal::WalFileKind::segment && segments_.insert(*segment).second) {
      result_.total_bytes += request_.segment_size.bytes;
      files_.push_back(std::move(selected));
    }
  }

  WalSelection finish() {
    if (request_.partial_files == PartialFiles::take) {
      // What was received last goes further than what a promoted standby archived of it.
      for (auto& [segment, file] : received_partials_) {
        if (is_wanted_partial(segment)) add_partial(segment, std::move(file));
      }
      for (const auto& [segment, entry] : archived_partials_) {
        if (!is_wanted_partial(segment)) continue;
        if (entry.encryption && !result_.encrypted) result_.encrypted = entry;
        add_partial(segment, {.source_name = entry.name,
                              .name = entry.name.substr(0, wal::kSegmentNameLength),
                              .size_bytes = entry.size_bytes,
                              .received_path = {},
                              .is_coded = is_coded(entry)});
      }
    }
    if (!segments_.empty()) result_.last_segment = last_segment();
    find_gaps();
    result_.files = std::move(histories_);
    result_.files.insert(result_.files.end(), files_.begin(), files_.end());
    return std::move(result_);
  }

 private:
  std::optional<wal::Segment> find_needed(const wal::WalFileName& name) const {
    const std::optional<wal::Segment> segment =
        wal::parse_segment_name(name.segment(), request_.segment_size);
    if (!segment || !is_inside(request_.spans, *segment)) return std::nullopt;
    if (request_.last_number && segment->number > *request_.last_number) return std::nullopt;
    return segment;
  }

  // The incomplete file must never win over the complete one; behind a gap nothing reads it.
  bool is_wanted_partial(const wal::Segment& segment) const {
    if (has(segment)) return false;
    if (segment.number <= request_.required.first) return true;
    return std::any_of(request_.spans.begin(), request_.spans.end(), [&](const TimelineSpan& span) {
      return segments_.contains({.timeline = span.timeline, .number = segment.number - 1});
    });
  }

  void add_partial(const wal::Segment& segment, SelectedWal file) {
    result_.total_bytes += request_.segment_size.bytes;
    result_.partials.push_back(std::move(file));
    partial_segments_.insert(segment);
  }

  static bool is_coded(const WalIndexEntry& entry) {
    return entry.compression.has_value() || entry.encryption.has_value();
  }

  SelectedWal take(const WalIndexEntry& entry, std::string name) {
    if (entry.encryption && !result_.encrypted) result_.encrypted = entry;
    const bool is_compressed_segment = entry.compression && name.size() == wal::kSegmentNameLength;
    result_.total_bytes += is_compressed_segment ? request_.segment_size.bytes : entry.size_bytes;
    return {.source_name = entry.name,
            .name = std::move(name),
            .size_bytes = entry.size_bytes,
            .received_path = {},
            .is_coded = is_coded(entry)};
  }

  wal::Segment last_segment() const {
    return *std::max_element(
        segments_.begin(), segments_.end(), [](const wal::Segment& a, const wal::Segment& b) {
          return std::pair(a.number, a.timeline) < std::pair(b.number, b.timeline);
        });
  }

  bool has(const wal::Segment& segment) const {
    return segments_.contains(segment) || partial_segments_.contains(segment);
  }

  // The number of the last segment of which something is there, behind a gap or not; 0: none.
  std::uint64_t last_known() const {
    std::uint64_t last = result_.last_segment ? result_.last_segment->number : 0;
    if (request_.partial_files != PartialFiles::take) return last;
    for (const auto& partial : received_partials_) last = std::max(last, partial.first.number);
    for (const auto& partial : archived_partials_) last = std::max(last, partial.first.number);
    return last;
  }

  void find_gaps() {
    const TimelineSpan& required = request_.required;
    for (std::uint64_t number = required.first; number <= required.last; ++number) {
      const wal::Segment segment{.timeline = required.timeline, .number = number};
      if (partial_segments_.contains(segment)) result_.is_consistency_partial = true;
      if (has(segment)) continue;
      result_.missing_for_consistency = segment;
      return;
    }
    const std::uint64_t last = last_known();
    for (std::uint64_t number = required.last + 1; number < last; ++number) {
      const std::optional<wal::TimelineId> timeline = timeline_for(request_.spans, number);
      if (!timeline || has({.timeline = *timeline, .number = number})) continue;
      result_.first_gap = wal::Segment{.timeline = *timeline, .number = number};
      return;
    }
  }

  const WalSelectionRequest& request_;
  WalSelection result_;
  std::vector<SelectedWal> histories_;
  std::vector<SelectedWal> files_;
  std::vector<std::pair<wal::Segment, WalIndexEntry>> archived_partials_;
  std::vector<std::pair<wal::Segment, SelectedWal>> received_partials_;
  std::set<wal::Segment> segments_;
  std::set<wal::Segment> partial_segments_;
};

}  // namespace

std::vector<TimelineSpan> list_spans(const postgres::TimelineHistory& history,
                                     wal::TimelineId backup_timeline, std::uint64_t first_number,
                                     wal::SegmentSize size) {
  std::vector<TimelineSpan> spans;
  std::uint64_t begin = first_number;
  for (const postgres::TimelineHistoryEntry& ancestor : history.ancestors) {
    if (ancestor.timeline < backup_timeline) continue;
    const std::uint64_t last = wal::segment_of(ancestor.timeline, ancestor.switch_lsn, size).number;
    spans.push_back({.timeline = ancestor.timeline, .first = begin, .last = last});
    // The new timeline begins with a copy of the segment in which it forks off.
    begin = last;
  }
  spans.push_back({.timeline = history.timeline, .first = begin, .last = kNoEnd});
  return spans;
}

WalSelection select_wal(const std::vector<WalIndexEntry>& entries,
                        const std::vector<ReceivedWal>& received,
                        const WalSelectionRequest& request) {
  Selector selector(request);
  for (const WalIndexEntry& entry : entries) selector.add(entry);
  for (const ReceivedWal& file : received) selector.add_received(file);
  return selector.finish();
}

}  // namespace barman::wal_archive

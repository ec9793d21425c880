#include "replication/resume_position.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/directory.h"
#include "base/error.h"
#include "wal/wal_file_name.h"

namespace barman::replication {
namespace {

constexpr std::string_view kPartialSuffix = ".partial";

}  // namespace

std::optional<StreamPosition> resume_position(const std::vector<StreamFile>& files,
                                              wal::SegmentSize segment_size,
                                              std::vector<std::string>* ignored) {
  struct Candidate {
    std::uint64_t number;
    std::uint32_t timeline;
    bool is_complete;
    auto operator<=>(const Candidate&) const = default;
  };
  std::optional<Candidate> newest;
  for (const StreamFile& file : files) {
    const std::string_view name = file.name;
    const bool is_partial = name.size() == wal::kSegmentNameLength + kPartialSuffix.size() &&
                            name.ends_with(kPartialSuffix);
    if (!is_partial && name.size() != wal::kSegmentNameLength) continue;
    const std::string_view digits = name.substr(0, wal::kSegmentNameLength);
    // PostgreSQL writes upper case only; other files are not its own.
    if (std::any_of(digits.begin(), digits.end(), [](char c) { return c >= 'a' && c <= 'f'; }))
      continue;
    const auto segment = wal::parse_segment_name(digits, segment_size);
    if (!segment) continue;
    if (!is_partial && file.size_bytes != segment_size.bytes) {
      if (ignored != nullptr) ignored->push_back(file.name);
      continue;
    }
    const Candidate candidate{segment->number, segment->timeline.value, !is_partial};
    if (!newest || *newest < candidate) newest = candidate;
  }
  if (!newest) return std::nullopt;
  const wal::Segment segment{{newest->timeline}, newest->number + (newest->is_complete ? 1 : 0)};
  return StreamPosition{segment.timeline, wal::segment_begin(segment, segment_size)};
}

std::optional<StreamPosition> position_on_path(const postgres::TimelineHistory& path,
                                               const std::vector<StreamFile>& files,
                                               const LastSegment& last_segment,
                                               wal::SegmentSize segment_size) {
  std::vector<wal::TimelineId> timelines;
  for (const postgres::TimelineHistoryEntry& ancestor : path.ancestors)
    timelines.push_back(ancestor.timeline);
  timelines.push_back(path.timeline);
  for (auto timeline = timelines.rbegin(); timeline != timelines.rend(); ++timeline) {
    std::vector<StreamFile> known = files;
    std::erase_if(known, [&](const StreamFile& file) {
      const auto name = wal::parse_wal_file_name(file.name);
      return !name || name->timeline != *timeline;
    });
    if (const auto last = last_segment ? last_segment(*timeline) : std::nullopt)
      known.push_back({.name = *last, .size_bytes = segment_size.bytes});
    const auto held = resume_position(known, segment_size);
    if (!held) continue;
    const auto left_at = path.switch_point(*timeline);
    if (left_at && held->lsn > *left_at)
      return StreamPosition{path.timeline_at(*left_at), *left_at};
    return held;
  }
  return std::nullopt;
}

std::vector<StreamFile> list_stream_files(const std::filesystem::path& directory) {
  std::vector<StreamFile> files;
  for (DirectoryEntry& entry : list_entries(directory, IfAbsent::is_error)) {
    if (!leads_to_file(directory, entry)) continue;
    // It may be archived away while we look: it is left out then.
    const auto status = find_status(directory / entry.name);
    if (!status) continue;
    files.push_back({std::move(entry.name), static_cast<std::uint64_t>(status->st_size)});
  }
  return files;
}

}  // namespace barman::replication

#include "wal_archive/wal_range.h"

#include <set>

#include <fmt/format.h>

#include "base/directory.h"
#include "base/error.h"
#include "base/text.h"
#include "wal/wal_file_name.h"

namespace barman::wal_archive {
namespace fs = std::filesystem;
namespace {

constexpr std::uint64_t kMostSegments = std::uint64_t{1} << 22;

Error bad_segment_name(std::string_view name) {
  return {ErrorKind::usage, fmt::format("Invalid WAL segment name: {}", name)};
}

wal::Segment parse_range_segment(std::string_view name, wal::SegmentSize size) {
  const std::optional<wal::Segment> segment = wal::parse_segment_name(name, size);
  if (!segment) throw bad_segment_name(name);
  return *segment;
}

// The regular files in a directory; none when it does not exist.
std::set<std::string> list_files(const fs::path& directory) {
  std::set<std::string> names;
  for (const DirectoryEntry& entry : list_entries(directory)) {
    if (leads_to_file(directory, entry)) names.insert(to_upper(entry.name));
  }
  return names;
}

}  // namespace

std::optional<std::string> find_archive_conflict(const WalLines& lines,
                                                 std::optional<wal::TimelineId> timeline) {
  std::optional<std::string> unexpected;
  std::uint64_t count = 0;
  lines([&](const WalIndexLine& line) {
    if (!timeline) {
      ++count;
      return Visit::stop;
    }
    const std::optional<wal::WalFileName> name = wal::parse_wal_file_name(line.name);
    if (!name) {
      unexpected = std::string(line.name);
      return Visit::stop;
    }
    if (*timeline <= name->timeline) ++count;
    return Visit::proceed;
  });
  if (unexpected) return fmt::format("Unexpected file {} found in WAL archive", *unexpected);
  if (count == 0) return std::nullopt;
  if (!timeline) return "Expected empty archive";
  return fmt::format("Found {} file{} in WAL archive equal to or newer than timeline {}", count,
                     count == 1 ? "" : "s", timeline->value);
}

std::optional<std::string> find_range_problem(std::string_view begin_wal,
                                              std::string_view end_wal) {
  for (const std::string_view name : {begin_wal, end_wal}) {
    if (!wal::is_segment_name(name)) return bad_segment_name(name).message();
  }
  constexpr std::size_t kTimelineDigits = 8;
  const std::string begin = to_upper(begin_wal);
  const std::string end = to_upper(end_wal);
  if (begin.compare(0, kTimelineDigits, end, 0, kTimelineDigits) != 0) {
    return fmt::format("begin_wal ({}) and end_wal ({}) must be on the same timeline", begin_wal,
                       end_wal);
  }
  if (begin > end) {
    return fmt::format("begin_wal ({}) must not be greater than end_wal ({})", begin_wal, end_wal);
  }
  return std::nullopt;
}

std::vector<std::string> list_missing_segments(const fs::path& wals_directory,
                                               std::string_view begin_wal, std::string_view end_wal,
                                               wal::SegmentSize size) {
  static_cast<void>(is_directory_there(wals_directory));
  return list_missing_segments(
      [&](const std::string& directory) { return list_files(wals_directory / directory); },
      begin_wal, end_wal, size);
}

std::vector<std::string> list_missing_segments(const HashDirectoryLister& list_names,
                                               std::string_view begin_wal, std::string_view end_wal,
                                               wal::SegmentSize size) {
  const wal::Segment begin = parse_range_segment(begin_wal, size);
  const wal::Segment end = parse_range_segment(end_wal, size);
  if (end.number - begin.number >= kMostSegments) {
    throw Error(ErrorKind::usage,
                fmt::format("the range {}..{} has {} segments, and at most {} are checked at once",
                            begin_wal, end_wal, end.number - begin.number + 1, kMostSegments),
                "Check a smaller range.");
  }
  std::vector<std::string> missing;
  std::string directory;
  std::set<std::string> present;
  for (wal::Segment segment = begin; segment <= end; ++segment.number) {
    std::string name = wal::segment_name(segment, size);
    std::string hash_directory = wal::parse_wal_file_name(name).value().hash_directory();
    if (hash_directory != directory) {
      directory = std::move(hash_directory);
      present = list_names(directory);
    }
    if (!present.contains(name)) missing.push_back(std::move(name));
  }
  return missing;
}

}  // namespace barman::wal_archive

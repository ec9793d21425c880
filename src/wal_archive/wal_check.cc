#include "wal_archive/wal_check.h"

#include <sys/stat.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/directory.h"
#include "base/error.h"
#include "base/fd.h"
#include "wal/wal_file_name.h"
#include "wal_archive/wal_index.h"

namespace barman::wal_archive {
namespace fs = std::filesystem;
namespace {

using Outcome = WalCheckResult::Outcome;

// The text by which Barman tells it, too.
constexpr std::string_view kMissing =
    "At least one WAL file is missing. The first missing WAL file is ";

wal::Segment parse_segment(const std::string& name, wal::SegmentSize size) {
  const std::optional<wal::Segment> segment = wal::parse_segment_name(name, size);
  if (!segment) {
    throw Error(ErrorKind::corrupt, fmt::format("invalid WAL segment name '{}'", name));
  }
  return *segment;
}

// Names in `directory` that `accept` takes, descending; none when there is no such directory.
template <typename Accept>
std::vector<std::string> list_descending(const fs::path& directory, const Accept& accept) {
  std::vector<std::string> names = list_directory(directory);
  std::erase_if(names, [&](const std::string& name) { return !accept(name); });
  std::reverse(names.begin(), names.end());
  return names;
}

}  // namespace

std::optional<std::string> find_last_archived_segment(const fs::path& wals_directory,
                                                      wal::TimelineId timeline) {
  const auto is_of_timeline = [&](const std::string& name) {
    const wal::ArchiveName parsed = wal::parse_archive_name(name);
    return parsed.kind == wal::ArchiveName::Kind::hash_directory && parsed.timeline == timeline;
  };
  for (const std::string& directory : list_descending(wals_directory, is_of_timeline)) {
    const auto status = find_status(wals_directory / directory);
    if (status && !S_ISDIR(status->st_mode)) continue;  // no WAL of ours is in it
    const auto is_segment_here = [&](const std::string& name) {
      return name.starts_with(directory) && wal::is_segment_name(name);
    };
    const std::vector<std::string> names =
        list_descending(wals_directory / directory, is_segment_here);
    if (!names.empty()) return names.front();
  }
  return std::nullopt;
}

namespace {

WalCheckResult look_for_wal(const catalogue::BackupInfo& backup, const ArchiveLookup& archive) {
  if (!backup.begin_wal || !backup.end_wal) return {};
  const wal::SegmentSize size = backup.xlog_segment_size;
  const wal::Segment begin = parse_segment(*backup.begin_wal, size);
  const wal::Segment end = parse_segment(*backup.end_wal, size);
  if (begin.timeline != end.timeline) {
    return {.outcome = Outcome::failed,
            .reason = fmt::format("Backups spanning multiple timelines are not supported. The "
                                  "backup starts in timeline {} and ends in timeline {}.",
                                  wal::format_timeline(begin.timeline),
                                  wal::format_timeline(end.timeline))};
  }
  const std::optional<std::string> last_name = archive.last_segment(begin.timeline);
  if (!last_name) return {.outcome = Outcome::waiting};
  const wal::Segment last = parse_segment(*last_name, size);
  if (last < begin) return {.outcome = Outcome::waiting};
  for (wal::Segment segment = begin; segment <= std::min(end, last); ++segment.number) {
    const std::string name = wal::segment_name(segment, size);
    if (archive.is_archived(name)) continue;
    const bool is_waiting = backup.status == catalogue::BackupStatus::waiting_for_wals;
    if (is_waiting && archive.can_arrive && archive.can_arrive(name)) {
      return {.outcome = Outcome::waiting};
    }
    return {.outcome = Outcome::failed, .reason = std::string(kMissing) + name};
  }
  return {.outcome = end <= last ? Outcome::done : Outcome::waiting};
}

}  // namespace

bool has_failed_for_wal(const catalogue::BackupInfo& backup) {
  return backup.status == catalogue::BackupStatus::failed && backup.error &&
         backup.error->starts_with(kMissing);
}

WalCheckResult check_backup_wal(const catalogue::BackupInfo& backup, const ArchiveLookup& archive) {
  if (backup.status != catalogue::BackupStatus::failed) return look_for_wal(backup, archive);
  if (has_failed_for_wal(backup)) {
    WalCheckResult result = look_for_wal(backup, archive);
    if (result.outcome != Outcome::failed) return result;
  }
  throw Error(ErrorKind::conflict, "The validity of a failed backup cannot be checked");
}

void apply_wal_check(const WalCheckResult& result, catalogue::BackupInfo& backup) {
  const bool is_taken_back = has_failed_for_wal(backup);
  switch (result.outcome) {
    case Outcome::unchanged:
      return;
    case Outcome::waiting:
      backup.status = catalogue::BackupStatus::waiting_for_wals;
      if (is_taken_back) backup.error.reset();
      return;
    case Outcome::done:
      backup.status = catalogue::BackupStatus::done;
      if (is_taken_back) backup.error.reset();
      return;
    case Outcome::failed:
      backup.status = catalogue::BackupStatus::failed;
      backup.error = result.reason;
      return;
  }
}

std::vector<std::string> required_segments(const catalogue::BackupInfo& backup) {
  std::vector<std::string> names;
  if (!backup.begin_wal || !backup.end_wal) return names;
  const wal::SegmentSize size = backup.xlog_segment_size;
  const wal::Segment begin = parse_segment(*backup.begin_wal, size);
  const wal::Segment end = parse_segment(*backup.end_wal, size);
  if (begin.timeline != end.timeline) return names;
  for (wal::Segment segment = begin; segment <= end; ++segment.number) {
    names.push_back(wal::segment_name(segment, size));
  }
  return names;
}

}  // namespace barman::wal_archive

#include "wal_archive/read_branches.h"

#include <filesystem>
#include <set>
#include <system_error>

#include "base/error.h"
#include "wal/wal_file_name.h"
#include "wal_archive/wal_archive.h"

namespace barman::wal_archive {
namespace fs = std::filesystem;

using catalogue::Branches;
using wal::TimelineId;

namespace {

void add_history(const WalArchive& archive, TimelineId timeline, Branches& branches) {
  const std::string name = wal::history_file_name(timeline);
  try {
    branches.histories[timeline] =
        postgres::parse_timeline_history(timeline, archive.read_text(name));
  } catch (const Error& error) {  // Who needs it tells; the others go on.
    if (error.kind() == ErrorKind::interrupted) throw;
    branches.histories.erase(timeline);
    branches.damaged[timeline] = error.describe();
    if (error.kind() == ErrorKind::config) branches.locked.insert(timeline);
  }
}

// A line of the index after another: a segment is written where the cluster is, and a history file
// announces a timeline unless it was added later.
void follow(std::string_view name, std::optional<TimelineId>& newest) {
  const std::optional<wal::WalFileName> parsed = wal::parse_wal_file_name(name);
  if (!parsed) return;
  if (parsed->kind != wal::WalFileKind::history || !newest || *newest < parsed->timeline) {
    newest = parsed->timeline;
  }
}

std::optional<TimelineId> find_newest(const WalArchive& archive) {
  std::optional<TimelineId> newest;
  try {
    const WalIndexSnapshot index = archive.snapshot();
    const auto last = index.find_last_line();
    if (!last) return std::nullopt;
    const auto parsed = wal::parse_wal_file_name(last->name);
    if (parsed && parsed->kind != wal::WalFileKind::history) return parsed->timeline;
    index.for_each([&](const WalIndexLine& line) {
      follow(line.name, newest);
      return Visit::proceed;
    });
  } catch (
      const Error& error) {  // Told by who needs its lines; the names of files tell enough here.
    if (error.kind() != ErrorKind::corrupt) throw;
    return std::nullopt;
  }
  return newest;
}

}  // namespace

Branches read_branches(const server::Server& server, wal::SegmentSize segment_size) {
  Branches branches = {.segment_size = segment_size};
  const WalArchive archive(server);
  const ArchivedTimelines archived = archive.list_timelines();
  for (const TimelineId timeline : archived.with_history) {
    add_history(archive, timeline, branches);
  }
  for (const TimelineId timeline : archived.with_segments) {
    if (auto last = archive.find_last_segment(timeline)) {
      branches.last_segments[timeline] = *std::move(last);
    }
  }
  std::set<TimelineId> all = archived.with_history;
  for (const auto& [timeline, segment] : branches.last_segments) all.insert(timeline);
  if (all.size() == 1) {
    branches.newest_archived = *all.begin();
  } else if (!all.empty()) {
    branches.newest_archived = find_newest(archive);
    // An index that tells nothing: timelines are numbered in the order in which they begin.
    if (!branches.newest_archived) branches.newest_archived = *all.rbegin();
  }
  return branches;
}

Branches read_branches(const server::Server& server,
                       const std::vector<catalogue::BackupInfo>& backups) {
  return read_branches(server,
                       backups.empty() ? wal::SegmentSize{} : backups.back().xlog_segment_size);
}

}  // namespace barman::wal_archive

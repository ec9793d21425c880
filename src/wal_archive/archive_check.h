// What comes out when the files of a WAL archive are compared with the lines of its index
// (WalArchive::check()). Holds no lock, so files may come and go meanwhile; what looks new is
// looked at twice. Memory: 32 bytes an archived file.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "postgres/timeline_history.h"
#include "wal/lsn.h"

namespace barman::wal_archive {

// Archived segments without a gap, numbers from the beginning of the log; both ends included.
struct SegmentRun {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  // When the last file was written, seconds since the epoch.
  double last_mtime = 0;
  // The server ran with wal_level = minimal from the last segment on: no recovery goes further.
  bool ends_recovery = false;
};

// Something is missing or damaged, or not as it should be.
struct ArchiveDamage {
  std::string object;  // "WAL file 0000…"
  std::string reason;
  std::string next_step;
  // All is there and can be restored.
  bool is_harmless = false;
};

struct ArchiveCheck {
  std::map<wal::TimelineId, std::vector<SegmentRun>> segments;  // ascending
  std::map<wal::TimelineId, postgres::TimelineHistory> histories;
  // Archived, but with a damage instead.
  std::set<wal::TimelineId> unread_histories;
  std::uint64_t file_count = 0;
  std::uint64_t size_bytes = 0;
  std::vector<ArchiveDamage> damage;
};

}  // namespace barman::wal_archive

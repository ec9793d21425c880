// What differs between PostgreSQL versions, as data.
// Versions are numbered as libpq does: 150020 is 15.20, 90605 is 9.6.5.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "postgres/versions.h"
#include "wal/lsn.h"

namespace barman::postgres {

inline constexpr int kMinimumVersion = kVersion9_6;
// The oldest server whose BASE_BACKUP and START_REPLICATION are spoken here.
inline constexpr int kOldestStreamingVersion = kVersion10;

// From here on EXTRACT gives a numeric, before a double precision.
inline constexpr int kExtractIsNumeric = kVersion14;

// "15.20", "9.6.5".
std::string version_text(int version);
// "15", "9.6": as it appears in "PG_15_202209061".
std::string major_version_text(int version);

struct VersionFacts {
  // "pg_wal".
  std::string_view wal_directory;
  // Names of functions.
  std::string_view switch_wal;
  std::string_view walfile_name;
  std::string_view walfile_name_offset;
  std::string_view current_wal_lsn;
  std::string_view current_wal_insert_lsn;
  std::string_view last_wal_receive_lsn;
  std::string_view last_wal_replay_lsn;
  // Suffix of the columns of pg_stat_replication: "lsn" in "sent_lsn".
  std::string_view position_suffix;
  // "wal_keep_size" or "wal_keep_segments".
  std::string_view wal_keep_setting;
};

// An unknown version (0, or newer than known) gets the facts of the newest.
VersionFacts facts_for(int version);

// Servers before 17 name the previous segment for a position exactly on a segment boundary, newer
// ones the segment that begins there. The one place where this is made uniform: always the previous
// one. `wal_name` is what the server answered for the position `lsn`.
std::string normalise_boundary(int version, const std::string& wal_name, wal::Lsn lsn,
                               wal::SegmentSize segment_size);

}  // namespace barman::postgres

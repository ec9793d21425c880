// `catalogue-check`: is everything there that the catalogue promises, and what can be recovered
// with it? Pure: facts in (gather_survey.h), findings and recovery windows out.
//
// WAL is counted in segment numbers along the history of a timeline: up to the segment in which a
// timeline was left, its ancestors' segments count, from that one on its own.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/timestamp.h"
#include "catalogue/branches.h"
#include "catalogue/catalogue.h"
#include "catalogue/minimal_wal.h"
#include "postgres/timeline_history.h"
#include "wal/lsn.h"
#include "wal_archive/archive_check.h"

namespace barman::verify {

struct Finding {
  enum class Severity {
    error,   // data is missing or damaged: the exit code is 1
    notice,  // worth knowing
  };
  Severity severity = Severity::error;
  std::string object;  // "backup 20261121T101112", "WAL file 0000…"
  std::string reason;
  std::string next_step;
};

using wal_archive::SegmentRun;

struct SurveyedBackup {
  catalogue::BackupInfo info;
  std::optional<catalogue::KeepTarget> keep;
  bool is_being_deleted = false;
  // In a bucket that was listed: what lies there of it.
  std::optional<catalogue::BackupObjects> objects = {};
  // What is wrong with its files.
  std::vector<Finding> damage;
  // What of it nobody has looked at: "its archives were not read"; "" = nothing.
  std::string not_looked_at;
};

// A segment that was received and is not archived; a restore uses it, complete or not.
struct ReceivedSegment {
  std::string file_name;
  std::uint64_t size_bytes = 0;
  double mtime = 0;
};

struct SurveyFacts {
  std::string server_name;
  wal::SegmentSize segment_size;
  std::vector<SurveyedBackup> backups;  // ascending by ID
  std::vector<catalogue::BrokenBackup> broken;
  // Deleted by another program (gone_backups.h).
  std::vector<catalogue::BackupInfo> gone = {};
  // Directories of backups that have files and no metadata.
  std::vector<std::filesystem::path> nameless = {};
  std::map<wal::TimelineId, std::vector<SegmentRun>> segments;  // ascending
  std::map<wal::TimelineId, postgres::TimelineHistory> histories;
  // Archived, but with a finding instead.
  std::set<wal::TimelineId> unread_histories;
  catalogue::Branches branches;
  std::map<wal::TimelineId, std::map<std::uint64_t, ReceivedSegment>> received;
  std::uint64_t wal_count = 0;
  std::uint64_t wal_size_bytes = 0;
  // Of the files of the archive and of the index.
  std::vector<Finding> wal_damage;
  // Of the other files of the catalogue.
  std::vector<Finding> catalogue_damage;
  // Why no WAL comes in any more.
  std::vector<Finding> stopped_wal;
  // Directories of the catalogue that do not exist.
  std::vector<std::string> missing_directories;
  // Found by who has read the WAL.
  std::vector<catalogue::MinimalWal> minimal_wal;
};

// Recovery is possible to any moment from the end of this backup to the end of that segment.
struct RecoveryWindow {
  wal::TimelineId timeline;
  catalogue::BackupId first_backup;
  std::optional<Timestamp> from_time;
  std::optional<wal::Lsn> from_lsn;
  std::string last_segment;
  wal::Lsn to_lsn;
  // When the last segment was archived.
  Timestamp to_time;
  // How much further the segments lead that were received and are not archived.
  struct Received {
    std::string last_file;
    wal::Lsn to_lsn;
    Timestamp to_time;
  };
  std::optional<Received> received;
  std::uint64_t backup_count = 0;
  // "" when it leads to the present; else from where on it does not.
  std::string abandoned;
};

// Segments that are missing between others.
struct WalHole {
  std::string first;
  std::string last;
  std::uint64_t count = 0;
  // No backup needs it: the WAL after a backup that is kept standalone.
  bool is_expected = false;
};

struct SurveyReport {
  std::vector<Finding> findings;  // errors first
  std::vector<RecoveryWindow> windows;
  std::vector<WalHole> holes;
  // A sentence each, without full stop.
  std::vector<std::string> not_looked_at;
  // Of an archive with one timeline only there is nothing to draw: empty.
  std::vector<catalogue::BranchRow> branches;
  std::uint64_t backup_count = 0;
  std::uint64_t wal_count = 0;
  std::uint64_t wal_size_bytes = 0;

  bool has_errors() const;
};

SurveyReport survey_catalogue(const SurveyFacts& facts);

}  // namespace barman::verify

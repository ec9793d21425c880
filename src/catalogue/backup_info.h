// The metadata of one backup and its file, `<id>-backup.info` (docs/formats/backup_info.md). A
// plain value: the catalogue reads and saves it, flows fill it in.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/timestamp.h"
#include "catalogue/backup_id.h"
#include "catalogue/python_literal.h"
#include "wal/lsn.h"

namespace barman::catalogue {

enum class BackupStatus { empty, started, waiting_for_wals, done, failed, syncing };
enum class BackupType { full, incremental, rsync, snapshot };

// "WAITING_FOR_WALS"
std::string_view status_text(BackupStatus status);
std::optional<BackupStatus> parse_status(std::string_view text);
// "full", and the letter of list-backups.
std::string_view type_text(BackupType type);
char type_letter(BackupType type);

struct Tablespace {
  std::string name;
  std::uint32_t oid = 0;
  std::string location;
  friend bool operator==(const Tablespace&, const Tablespace&) = default;
};

struct BackupInfo {
  // From the file's name, not a field of the file.
  BackupId id;

  std::optional<std::string> backup_label;
  std::optional<std::string> backup_name;
  std::optional<std::uint64_t> begin_offset;
  std::optional<Timestamp> begin_time;
  std::optional<std::string> begin_wal;
  std::optional<wal::Lsn> begin_xlog;
  std::vector<BackupId> children_backup_ids;
  std::optional<std::int64_t> cluster_size;
  std::optional<std::string> compression;
  std::optional<std::string> config_file;
  std::optional<PythonValue> copy_stats;
  std::optional<std::string> data_checksums;
  std::optional<std::int64_t> deduplicated_size;
  std::optional<std::string> encryption;
  std::optional<std::uint64_t> end_offset;
  std::optional<Timestamp> end_time;
  std::optional<std::string> end_wal;
  std::optional<wal::Lsn> end_xlog;
  std::optional<std::string> error;
  std::optional<std::string> hba_file;
  std::optional<std::string> ident_file;
  std::vector<std::string> included_files;
  std::optional<std::string> mode;
  std::optional<BackupId> parent_backup_id;
  std::optional<std::string> pgdata;
  std::optional<std::string> server_name;
  std::optional<std::int64_t> size;
  std::optional<PythonValue> snapshots_info;
  BackupStatus status = BackupStatus::empty;
  std::optional<std::string> summarize_wal;
  std::optional<std::string> systemid;
  std::vector<Tablespace> tablespaces;
  std::optional<wal::TimelineId> timeline;
  std::optional<int> version;
  wal::SegmentSize xlog_segment_size;
  // Keys of other programs, with the text of their values; kept on saving.
  std::map<std::string, std::string> unknown;

  // WAITING_FOR_WALS or DONE: the copy is complete, the backup is usable.
  bool is_copy_done() const;
  BackupType type() const;
  bool is_incremental() const { return type() == BackupType::incremental; }
  // STARTED, WAITING_FOR_WALS, DONE or SYNCING: WAL that it needs must stay.
  bool needs_wal() const;
  // The timeline of the field, or of begin_wal in files that lack it.
  std::optional<wal::TimelineId> wal_timeline() const;
  // copy_stats['name'] as a number.
  std::optional<double> copy_stat(std::string_view name) const;
};

// Throws `corrupt` naming `path` and the line. Damaged lists of children (of Barman 3.11 to 3.19)
// are repaired.
BackupInfo parse_backup_info(std::string_view text, const BackupId& id,
                             const std::filesystem::path& path);
std::string format_backup_info(const BackupInfo& info);
// Where Barman before 3.13.2 looks: without the keys at which those before 3.11 (Debian 12: 3.4)
// give up the whole catalogue. What they must not take for a full backup keeps these keys.
std::string format_for_old_readers(const BackupInfo& info);

}  // namespace barman::catalogue

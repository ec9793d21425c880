// Everything that a restore will do, decided. execute_plan() only carries it out.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/throttle.h"
#include "catalogue/backup_id.h"
#include "catalogue/backup_info.h"
#include "copy/backup_tree.h"
#include "restore/recovery_target.h"
#include "restore/restore_marker.h"
#include "restore/restore_rates.h"
#include "restore/save_aside.h"
#include "restore/server_settings.h"
#include "stored/backup_chain.h"
#include "stored/kept_configuration.h"
#include "wal/lsn.h"
#include "wal_archive/wal_archive.h"
#include "wal_archive/wal_coding.h"

namespace barman::restore {

struct TablespacePlan {
  std::uint32_t oid = 0;
  std::string name;
  std::string location;
};

struct WalFileCopy {
  std::filesystem::path source;
  std::string name;
  std::uint64_t size_bytes = 0;
  // Received files are renamed and archived at any time: where `source` is then, in this order.
  std::vector<std::filesystem::path> moves_to;
  // Compressed or encrypted, as the index says.
  bool is_coded = false;
  friend bool operator==(const WalFileCopy&, const WalFileCopy&) = default;
};

struct WalPlan {
  // Where archive_status is made, and where WAL is copied to.
  std::filesystem::path directory;
  // False with get-wal.
  bool is_copied = false;
  std::vector<WalFileCopy> files;
  std::vector<WalFileCopy> partials;
  // So that the restored cluster does not archive these files again.
  bool has_done_markers = false;
  std::uint64_t total_bytes = 0;
  // Where `source` leads to that are no files of this host, and how they are read.
  wal_archive::WalArchive archive;
  wal_archive::WalCoding coding;
  wal::SegmentSize segment_size;
};

// A file that recovery replays. Of each segment number there is one: that of the newest timeline.
struct ReplayFile {
  std::uint64_t number = 0;
  WalFileCopy copy;
  // What has arrived of a segment that is not complete.
  bool is_partial = false;
};

// What recovery will read, from the beginning of the backup on, up to the first gap. Also with
// get-wal, when the files are not copied; empty when they are not to be looked at.
struct ReplayPlan {
  std::vector<ReplayFile> files;
  wal::TimelineId timeline;
  wal::Lsn begin;
  // The end of the backup.
  wal::Lsn consistent_at;
  wal::SegmentSize segment_size;
  std::optional<std::uint64_t> system_id;
  std::optional<int> server_major;
  // A standby waits for it, get-wal fetches what is archived until then.
  bool may_more_come = false;
};

struct RecoveryPlan {
  bool is_written = false;
  // Where the settings go, below the data directory; "" when there are none.
  std::string settings_file;
  std::string settings;
  std::string signal_file;  // "" = none
};

// A directory that is written, and what it is.
struct WrittenDirectory {
  std::filesystem::path path;
  std::string purpose;
};

struct RestorePlan {
  std::string server_name;
  catalogue::BackupId backup_id;
  std::filesystem::path destination;
  std::string pg_wal_name;
  // Tablespaces, then the data directory.
  std::vector<copy::TreeCopy> trees;
  bool is_encrypted = false;
  std::vector<TablespacePlan> tablespaces;
  // The destination first; then those outside of it, and the tablespaces inside.
  std::vector<WrittenDirectory> directories;
  // What is written into each of them while the restore is not complete.
  RestoreMarker marker;
  WalReturn wal_return;
  // Of the WAL that the destination has: what need not be saved before it goes.
  std::set<std::string> archived_here;
  // The same, whatever it was to be archived as: the receiver has all of its content.
  std::set<std::string> received_here;
  // On another host: the receiver's unfinished segments, to compare with (RestoreFacts).
  std::map<std::string, std::filesystem::path> received_partials;
  // Newest first, when the backup is incremental and put together from these; else empty.
  std::vector<catalogue::BackupId> chain;
  // The older ones, newest first, when they cannot be read at random and are passed through.
  std::vector<stored::ChainMember> passed_through;
  // Of the incremental backup.
  std::string backup_label;
  // The manifest of the incremental backup, from which that of the result is made.
  std::filesystem::path manifest_path;
  // To be written, and to be read of the catalogue for it, without WAL.
  std::uint64_t total_bytes = 0;
  std::uint64_t stored_bytes = 0;
  // Experience, for an estimate, and the kind under which that of this restore is kept ("" = not).
  ExpectedRate rate;
  std::string rate_kind;
  // The destination holds files: those that are right stay, of the others the blocks that differ
  // are written, and what is not in the backup is removed.
  bool updates_existing = false;
  RecoveryTarget target;
  // "" = no point-in-time recovery.
  std::string target_text;
  WalPlan wal;
  ReplayPlan replay;
  // Where recovery will end, as far as the WAL tells; "" when it was not read.
  std::string end_text;
  RecoveryPlan recovery;
  std::vector<std::string> examined_files;
  RestoreCommand restore_command = RestoreCommand::theirs;
  // Configuration files that lay outside of the data directory: laid into it, where the backup has
  // none of that name.
  std::vector<stored::KeptFile> kept_configuration;
  FilePlaces file_places = FilePlaces::as_set;
  ReviewScope review_scope = ReviewScope::all;
  // What the complete directory is compared with; without a parent, as it is put together.
  catalogue::BackupInfo restored;
  // Content of .barman-recover.info.
  std::string recover_info;
  bool uses_get_wal = false;
  // How the host of the destination is reached; "" = it is this one.
  std::string remote_command;
  // Told before anything is copied, and after the base backup was.
  std::vector<std::string> warnings;
  std::vector<std::string> notes;
  std::vector<std::string> warnings_after_copy;
  std::size_t worker_count = 2;
  TransferLimit bandwidth_limit;
};

}  // namespace barman::restore

// What is found before a restore is planned: the backup, the WAL archive and the places to restore
// to. Values only; gather_facts() collects them, build_plan() decides on them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "catalogue/backup_info.h"
#include "catalogue/branches.h"
#include "copy/backup_tree.h"
#include "postgres/system_id.h"
#include "restore/live_clusters.h"
#include "restore/restore_marker.h"
#include "restore/restore_rates.h"
#include "stored/backup_chain.h"
#include "wal_archive/timelines.h"
#include "wal_archive/wal_archive.h"
#include "wal_archive/wal_coding.h"
#include "wal_archive/wal_selection.h"

namespace barman::restore {

// A directory that is to be written, or its nearest existing parent.
struct DirectoryFacts {
  // Absolute and normalised; links resolved as far as the path exists.
  std::filesystem::path resolved;
  bool exists = false;
  bool is_directory = false;
  // Names that begin with a dot do not count, as with ls.
  bool is_empty = true;
  // Files can be created in it, or it can be created.
  bool is_writable = true;
  // False: this user cannot look into it, or into a directory on the way; nothing else is known.
  bool is_readable = true;
  // "'/srv/pg' belongs to postgres, mode 0700"; "" when nobody can tell.
  std::string owner_text;
  // Who cannot write or look there, on another host; "" when nobody can tell. This user otherwise.
  std::optional<std::string> remote_user;
  // Not writable, whoever asks.
  bool is_on_read_only_disk = false;
  // Only directories that PostgreSQL makes for a tablespace ("PG_17_202406281").
  bool holds_tablespace_only = true;
  // It has PG_VERSION, as every data directory.
  bool is_data_directory = false;
  // Of its pg_control; absent when that is missing or damaged.
  std::optional<postgres::SystemId> system_id;
  // Of a data directory, by OID and links resolved: where the links in its pg_tblspc lead.
  std::map<std::uint32_t, std::filesystem::path> tablespace_links;
  // Of a data directory, links resolved: where its pg_wal is a link to.
  std::optional<std::filesystem::path> wal_link;
  // Of a data directory: what is in its pg_wal by a name of WAL.
  std::vector<std::string> wal_names;
  // A restore into it began and was not finished.
  std::optional<RestoreMarker> interrupted_restore;
  // The pid of a running PostgreSQL that uses it.
  std::optional<int> running_postmaster;
  std::uint64_t device = 0;
  std::uint64_t available_bytes = 0;
  // Copies from the catalogue need no space there.
  bool shares_blocks_with_catalogue = false;
};

struct RestoreFacts {
  std::string server_name;
  std::string barman_user;
  // The name under which other hosts know this one.
  std::string barman_host;
  catalogue::BackupInfo backup;
  // The files of the complete backup: tablespaces first, the data directory last.
  std::vector<stored::BackupTree> content;
  // What the backup is put together from when it is incremental, newest first; else empty.
  std::vector<catalogue::BackupId> chain;
  // Set when the chain is put together in a pass through each of these, newest first; `content` is
  // that of the incremental backup itself then.
  std::vector<stored::ChainMember> passed_through;
  // Of the backup itself.
  std::filesystem::path manifest_path;
  // As stored, of all backups that are read.
  std::uint64_t stored_bytes = 0;
  // Of earlier restores of this kind, or at which the largest of them was taken.
  ExpectedRate rate;
  std::string rate_kind;
  bool has_mixed_checksums = false;
  copy::TreeScan scan;
  wal_archive::WalArchive archive;
  wal_archive::WalCoding wal_coding;
  std::filesystem::path streaming_directory;
  catalogue::Branches timelines;
  // From the segment on in which the backup begins, and all history files; in index order.
  std::vector<wal_archive::WalIndexEntry> wal;
  // Names of those that lie in the archive and are not in its index; they are in `wal`, too.
  std::vector<std::string> unindexed_wal;
  // Received and not archived, those in the streaming directory first; empty files left out.
  std::vector<wal_archive::ReceivedWal> received;
  // Received files and directories that cannot be looked at, and why.
  std::vector<std::string> unread_received;
  // Resolved; nothing may be restored into them.
  std::vector<std::filesystem::path> catalogue_directories;
  DirectoryFacts destination;
  std::map<std::string, DirectoryFacts> tablespace_targets;  // by name
  std::optional<DirectoryFacts> staging_wal;
  // Of the catalogue's file system.
  std::uint64_t catalogue_device = 0;
  // Of the files in the destination's pg_wal, those that are in the archive, or wait to be
  // archived.
  std::set<std::string> archived_here;
  // Those of which the receiver's unfinished segment has everything.
  std::set<std::string> received_here;
  // Of a destination on another host, whose files are not read for that: the receiver's unfinished
  // segments, by the name of the segment.
  std::map<std::string, std::filesystem::path> received_partials;
  std::vector<LiveCluster> live_clusters;
};

}  // namespace barman::restore

// The backups of one server as they lie on disk: finding, reading and
// saving their metadata, annotations, and the paths of their data. Knows nothing of configuration
// and PostgreSQL. Every write is durable when the call returns; nothing is cached, so each call
// shows what other processes did meanwhile. Holds no lock: callers take those of locks.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/timestamp.h"
#include "catalogue/backup_id.h"
#include "catalogue/backup_info.h"
#include "catalogue/backup_objects.h"
#include "catalogue/locks.h"
#include "storage/storage.h"

namespace barman::catalogue {

class CloudCatalogue;
struct CloudBackups;

// Names in the directory of a backup, `base/<id>`.
inline constexpr const char* kDataDirectory = "data";
inline constexpr const char* kOldestDataDirectory = "pgdata";
inline constexpr const char* kBackupInfo = "backup.info";

// The directory of a backup below `basebackups_directory`, here or on another host.
std::filesystem::path backup_directory_below(const std::filesystem::path& basebackups_directory,
                                             const BackupId& id);

// Whether the metadata of backups in a bucket has copies on this host, which rule here. Where it
// has none (an inactive server), the bucket is asked each time.
enum class MetadataCopies { kept, none };

// The bucket of a server whose backups are in one.
struct BucketLocation {
  // Rooted where the backups begin. Keeps it open; throws when the settings cannot be used.
  std::function<std::shared_ptr<storage::Storage>()> open;
  // The same place, where objects are locked when they are written, for what must not be locked:
  // keeps, and marks of deletions. Empty where nothing is.
  std::function<std::shared_ptr<storage::Storage>()> open_notes = {};
  // Of all keys, "PATH/SRV/base"; for messages.
  std::string path;
  MetadataCopies copies = MetadataCopies::kept;
};

// Where a server's files are. All paths are absolute.
struct CatalogueLocations {
  std::string server_name;
  std::filesystem::path backup_directory;
  std::filesystem::path basebackups_directory;
  std::filesystem::path wals_directory;
  std::filesystem::path xlogdb_directory;
  std::filesystem::path meta_directory;
  std::filesystem::path lock_directory;
  std::filesystem::path errors_directory;
  std::filesystem::path incoming_directory;
  std::filesystem::path streaming_directory;
  // False when they lie in object storage.
  bool has_local_backups = true;
  bool has_local_wals = true;
  // Set when it has no local backups; basebackups_directory is its URL with the path to them then.
  std::optional<BucketLocation> bucket = {};

  LockLocation locks() const { return {.directory = lock_directory, .server_name = server_name}; }
  // `<xlogdb_directory>/<server>-xlog.db`
  std::filesystem::path wal_index_path() const;
  // Where a WAL file that `archive_command` sends, or that is streamed, lies until it is archived.
  std::filesystem::path incoming_wal(std::string_view name) const;
  std::filesystem::path streamed_wal(std::string_view name) const;
};

// A metadata file that cannot be read. It never hides the other backups.
struct BrokenBackup {
  BackupId id;
  std::filesystem::path path;
  std::string reason;
};

struct BackupList {
  // nullptr when there is none of that ID.
  const BackupInfo* find(const BackupId& id) const;
  const BrokenBackup* find_broken(const BackupId& id) const;
  const BackupInfo* find_gone(const BackupId& id) const;
  // Neighbours by ID among usable backups; nullptr when none.
  const BackupInfo* previous(const BackupId& id) const;
  const BackupInfo* next(const BackupId& id) const;

  std::vector<BackupInfo> backups;  // ascending by ID
  // What these need and what builds on them nobody knows: as long as there are some, no WAL may be
  // removed.
  std::vector<BrokenBackup> broken;
  // Metadata of backups that another program has deleted (gone_backups.h). They are no backups:
  // they need no WAL, and only their deletion knows them.
  std::vector<BackupInfo> gone = {};
};

enum class KeepTarget { full, standalone };
std::string_view keep_text(KeepTarget target);

// What lies beside the metadata of backups.
struct Annotations {
  std::map<BackupId, KeepTarget> keeps;
  // A deletion of these has begun.
  std::set<BackupId> being_deleted;
  // Directories of backups in which one cannot look (for a `keep` of older versions), and why.
  std::map<BackupId, std::string> unreadable;
  // Backups that have a directory, or archives in the bucket; nullopt when that is not known.
  std::optional<std::set<BackupId>> directories;
  // What lies in the bucket, of all backups there; nullopt where there is none, or it was not read.
  std::optional<std::map<BackupId, BackupObjects>> objects = {};
  // Why the bucket could not be asked, so that keeps may be missing here; "" = it was.
  std::string unread_bucket = {};
  // Backups of the bucket without metadata on this host, where it rules: that was lost, or somebody
  // else has made them. Nobody here knows what WAL they need.
  std::vector<BackupId> unknown_backups = {};
};

// Why no backup and no WAL may be deleted: what is kept or needed is not known. "" when it is.
std::string find_gap(const Annotations& annotations, std::string_view server_name);
// Throws `connection` or `conflict` when there is a gap.
void require_complete(const Annotations& annotations, std::string_view server_name);

// All of a catalogue, in one look: `list` was read before `annotations`.
struct KnownBackups {
  BackupList list;
  Annotations annotations;
};

// Metadata without files, though the backup was complete: its directory was removed, or the file
// system on which it is is not mounted; somebody has deleted its archives in the bucket.
bool is_orphan(const BackupInfo& backup, const Annotations& annotations);
// Why nobody should count on the backup, whatever its status is; "" when it can be counted on.
std::string find_doubt(const BackupInfo& backup, const Annotations& annotations);

// identity.json: which cluster this catalogue belongs to.
struct Identity {
  std::string system_id;
  std::string version;  // major version, "15"
};
// The text of identity.json, without a newline at its end.
std::string identity_text(const Identity& identity);

// What a command says of a backup that is not there; `word` as the user has written it. `nearest`:
// what it may have been meant for, a sentence.
Error unknown_backup(std::string_view word, std::string_view server_name,
                     std::string_view nearest = {});

class Catalogue {
 public:
  explicit Catalogue(CatalogueLocations locations) : locations_(std::move(locations)) {}

  const CatalogueLocations& locations() const { return locations_; }
  // nullopt when the backups lie on this host. Good as long as the server.
  std::optional<CloudCatalogue> bucket() const;
  const std::string& server_name() const { return locations_.server_name; }

  // All backups of both metadata places, ascending by ID.
  BackupList list_backups() const;
  // The same with list_annotations(): of a bucket one listing, and where it rules one small object
  // for each backup.
  KnownBackups load() const;
  // The metadata file in use of each.
  std::map<BackupId, std::filesystem::path> list_info_paths() const;
  // nullopt when there is no metadata; throws `corrupt` when it cannot be read.
  std::optional<BackupInfo> find_backup(const BackupId& id) const;
  // As find_backup, but absence is the `not_found` error "Unknown backup 'X' for server 'main'".
  BackupInfo load_backup(const BackupId& id) const;
  // What a user typed: an ID, latest/last, oldest/first, latest-full/last-full, last-failed, or a
  // name. Backups whose deletion has begun are no answer to the words.
  BackupInfo resolve(std::string_view word) const;
  // The same for who judges a backup: a word for the newest one is the newest one, restorable or
  // not.
  BackupInfo resolve_to_judge(std::string_view word) const;
  // The ID for a backup that begins now. It is later than every ID there is, whatever the clock
  // says (set back, or the hour that comes twice in autumn): everybody, the real Barman too, takes
  // the last ID for the newest backup.
  BackupId make_next_id(Timestamp now) const;
  // The first ID from `time` on, in steps of one second, that nobody has.
  BackupId make_unused_id(Timestamp time) const;

  // Writes the new place, then removes a stale file in the old one. Creates `meta/`. In a bucket
  // first, so that no other host knows more than is there; a failure is recorded on this host, too,
  // when the bucket cannot be reached.
  void save(const BackupInfo& info) const;
  // On this host only: of a backup that is in the bucket.
  void save_copy(const BackupInfo& info) const;
  // Removes the metadata files of both places, durably.
  void remove_metadata(const BackupId& id) const;

  std::filesystem::path base_directory(const BackupId& id) const;
  // The same for messages and hooks: in a bucket without the bucket, "PATH/SRV/base/ID".
  std::string shown_directory(const BackupId& id) const;
  // `base/<id>/data`, or `base/<id>/pgdata` in the oldest layout.
  std::filesystem::path data_directory(const BackupId& id) const;
  std::filesystem::path tablespace_directory(const BackupId& id, std::uint32_t oid) const;
  // Of `backup_manifest` of a backup in a bucket: `meta/<id>-backup_manifest`.
  std::filesystem::path manifest_copy_path(const BackupId& id) const;
  // The file in use: the new place unless only the old one exists.
  std::filesystem::path backup_info_path(const BackupId& id) const;
  // Layout version 1: `base/<id>/pgdata` exists.
  bool has_oldest_layout(const BackupId& id) const;

  // A bucket that cannot be asked is told by unread_bucket, and in the log; find_gap() tells both.
  Annotations list_annotations() const;
  std::optional<KeepTarget> find_keep(const BackupId& id) const;
  void write_keep(const BackupId& id, KeepTarget target) const;
  void remove_keep(const BackupId& id) const;
  bool is_being_deleted(const BackupId& id) const;
  // Also on a full disk, where the metadata itself becomes the mark.
  void mark_being_deleted(const BackupId& id) const;
  void clear_being_deleted(const BackupId& id) const;

  std::optional<Identity> find_identity() const;
  // Does nothing when the file exists.
  void write_identity_once(const Identity& identity) const;

 private:
  friend class BackupListReader;

  // Its metadata is nowhere else.
  bool reads_bucket() const;
  std::optional<KeepTarget> find_local_keep(const BackupId& id) const;
  void save_in_bucket(const BackupInfo& info) const;
  // Without those of the bucket.
  Annotations list_local_annotations() const;
  void ask_bucket(Annotations& annotations) const;
  void add_bucket_annotations(CloudBackups&& there, Annotations& annotations) const;
  std::vector<BackupId> list_unknown(const CloudBackups& there,
                                     const std::set<BackupId>& being_deleted) const;
  std::filesystem::path new_info_path(const BackupId& id) const;
  std::filesystem::path old_info_path(const BackupId& id) const;
  std::filesystem::path annotation_path(const BackupId& id, std::string_view key) const;
  std::filesystem::path old_annotation_path(const BackupId& id, std::string_view key) const;
  // Nothing is absent from a place that cannot be looked into.
  void require_metadata() const;
  std::optional<std::string> find_annotation(const BackupId& id, std::string_view key) const;
  void write_annotation(const BackupId& id, std::string_view key, std::string_view value) const;
  void remove_annotation(const BackupId& id, std::string_view key) const;

  CatalogueLocations locations_;
};

// What tells that a file was written or replaced.
struct FileStamp {
  std::uint64_t inode = 0;
  std::int64_t size_bytes = 0;
  std::int64_t modified_ns = 0;
  std::int64_t changed_ns = 0;
  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

// For who needs the backups as they are now several times: files that have not changed since the
// last read() are not read again. The catalogue must outlive it.
class BackupListReader {
 public:
  explicit BackupListReader(const Catalogue& catalogue) : catalogue_(catalogue) {}

  // As Catalogue::list_backups(); good until the next read().
  const BackupList& read();

 private:
  const Catalogue& catalogue_;
  BackupList list_;
  std::map<BackupId, FileStamp> stamps_;  // of list_.backups, at least
};

// resolve() on a list already read. A word for the newest backup is the newest one that can be
// restored, as far as find_chain_doubt() knows; the newest one when there is none. `passed_over`
// gets a sentence for each newer one. Who judges backups must not pass over a bad one.
enum class Unusable { pass_over, accept };
const BackupInfo& resolve_backup(const BackupList& list, const Annotations& annotations,
                                 std::string_view word, std::string_view server_name,
                                 std::vector<std::string>* passed_over = nullptr,
                                 Unusable unusable = Unusable::pass_over);

// The same as in BackupList, of a part of the list; `backups` ascending.
const BackupInfo* find_backup(const std::vector<BackupInfo>& backups, const BackupId& id);
const BackupInfo* previous_backup(const std::vector<BackupInfo>& backups, const BackupId& id);
const BackupInfo* next_backup(const std::vector<BackupInfo>& backups, const BackupId& id);

// Trees of incremental backups, from the lists of children and the parents together, so that a
// damaged list loses nobody.
// Direct children, ascending.
std::vector<BackupId> children_of(const std::vector<BackupInfo>& backups, const BackupId& id);
// All descendants, leaves first, without the backup itself.
std::vector<BackupId> descendants_of(const std::vector<BackupInfo>& backups, const BackupId& id);
// The ancestors' end: the backup itself when it has no parent; nullptr when the root or a parent on
// the way is missing.
const BackupInfo* root_of(const std::vector<BackupInfo>& backups, const BackupInfo& backup);

}  // namespace barman::catalogue

// The WAL archive of one server, and the only one who knows where archived WAL lies (`wals/` with a
// directory for each 256 segments, history files beside them), in which form (plain, compressed,
// encrypted: names do not tell), and the index beside it (xlog.db, docs/formats/xlog_db.md). Who
// asks for a file, a name or a line asks here; nobody else makes a path of them.
//
// The files are objects of a Storage (storage/storage.h): names, reading and removal go through it;
// archive_bucket.h gives those of a bucket the same names. The index lies on this host, whatever
// the storage is. What comes in is stored by WalFiler (wal_filer.h), in one order: the object,
// complete and durable under its name; its line in the index, which is the commit point; then the
// received file goes. What goes, goes in the order of remove().
//
// A small value: copy it. It holds no lock and no open file.
#pragma once

#include <sys/stat.h>

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

#include "base/fd.h"
#include "base/interrupt.h"
#include "catalogue/catalogue.h"
#include "pipeline/sink.h"
#include "server/server.h"
#include "storage/storage.h"
#include "wal/lsn.h"
#include "wal_archive/archive_check.h"
#include "wal_archive/wal_check.h"
#include "wal_archive/wal_coding.h"
#include "wal_archive/wal_index.h"
#include "wal_archive/wal_removal.h"

namespace barman::wal_archive {

// An archived file, open.
struct StoredWal {
  std::string name;
  // For messages.
  std::filesystem::path path;
  // The file itself; of an object that is none of this host, a copy in memory.
  Fd file;
  WalStoredForm form;
};

// The timelines that have a name in the archive.
struct ArchivedTimelines {
  std::set<wal::TimelineId> with_segments;
  std::set<wal::TimelineId> with_history;
};

class WalArchive {
 public:
  // Of no server: holds nothing.
  WalArchive() = default;
  explicit WalArchive(const server::Server& server);
  // In the directory that the locations name, or in `storage`.
  WalArchive(catalogue::CatalogueLocations locations, WalCoding coding);
  WalArchive(catalogue::CatalogueLocations locations, WalCoding coding,
             std::shared_ptr<storage::Storage> storage);

  // One file. A name that is none of a WAL file throws `corrupt`; not to know (EIO, EACCES) throws.
  std::optional<StoredWal> find(std::string_view name) const;
  // Whether it has content, too: what lies under the name may be something else.
  bool holds(std::string_view name) const;
  // A file that a plan names by path_of(), or any other file of this host; nullopt when it is not
  // there. Of a bucket it is fetched as a whole.
  std::optional<Fd> find_at(const std::filesystem::path& path) const;
  // Whether that path is one of a bucket.
  bool is_elsewhere(const std::filesystem::path& path) const;
  // Of an object that is no file of this host: its size, and as times that of its appearance.
  std::optional<struct stat> find_status(std::string_view name) const;
  // As its line would be, from its first bytes.
  std::optional<WalIndexEntry> inspect(std::string_view name) const;
  // Its plain content; the sink is finished. Throws as WalCoding::decode().
  void read(const StoredWal& wal, pipeline::Sink& sink) const;
  // The same of the file of that name, without a copy of it: of a bucket in ranges, so that a sink
  // that throws when it has enough saves the rest. False, and nothing written, when it is not
  // there.
  bool read_along(std::string_view name, pipeline::Sink& sink) const;
  // The plain content of a small one (timeline history, label); read_text() throws SystemError when
  // it does not exist.
  std::string read_text(std::string_view name) const;
  std::optional<std::string> find_text(std::string_view name) const;
  const WalCoding& coding() const { return coding_; }

  // Where a file of that name belongs, whether it is there or not: for messages and hooks, for
  // list-files, and for the copies of a restore.
  std::filesystem::path path_of(std::string_view name) const;
  // The same below the directory of any WAL archive: on a primary node, in a tarball.
  static std::filesystem::path relative_path(std::string_view name);
  static std::string key_of(std::string_view name) { return relative_path(name).string(); }
  // The directory as a whole, for those who move it about or keep a file of their own in it.
  const std::filesystem::path& directory() const { return locations_.wals_directory; }
  // A file of others that changes as the index does: beside the WAL, or, when the index lies
  // elsewhere since WAL may be immutable, beside it with the name of the server in front.
  std::filesystem::path beside_index(std::string_view name) const;

  // Whether the files lie on this host.
  bool is_local() const { return local() != nullptr; }
  // Whether they lie in a bucket. An archive of no server is neither.
  bool is_in_bucket() const { return storage_ && !is_local(); }
  // Throws `config` for an archive of places without storage.
  storage::Storage& storage() const;

  // Names. From the files, not from the index: reads names of directories only. Of a bucket from
  // the index, as long as this host archives into it: what is there was put there by it, and lists
  // of all objects cost a request for each thousand.
  ArchivedTimelines list_timelines() const;
  // The greatest name of a whole segment on a timeline.
  std::optional<std::string> find_last_segment(wal::TimelineId timeline) const;
  std::map<wal::TimelineId, std::string> list_last_segments() const;
  // Of the closed range, which must have passed find_range_problem(): those that are not there.
  std::vector<std::string> list_missing(std::string_view begin_wal, std::string_view end_wal,
                                        wal::SegmentSize size) const;
  // Segments without a line in the index (unindexed_wal.h); looks through all names.
  std::vector<WalIndexEntry> list_unindexed(
      const std::function<bool(std::string_view)>& is_wanted,
      const std::function<bool(std::string_view)>& is_indexed) const;
  // What check_backup_wal() asks. Lives on its own.
  ArchiveLookup lookup() const;

  // The index. index() holds its lock as long as it lives, snapshot() for a moment. Of a bucket
  // that another host archives into it is made anew each time.
  WalIndex index() const;
  WalIndexSnapshot snapshot() const;
  // Without lock, repair and rebuilding: for those who must not change or wait for anything. No
  // lines when there is no index.
  void visit_lines(const WalIndexVisitor& visitor, std::uint64_t offset = 0) const;
  // The names of about the last thousand lines, read likewise.
  std::vector<std::string> list_newest_names() const;
  // Of its file; nullopt when there is none.
  std::optional<struct stat> find_index_status() const;
  // No index, or one without lines.
  bool is_empty() const;
  // Gives an object that was stored without this archive its line, unless it has one; `mtime` is
  // that of what was received. Nothing where there is no such object.
  void index_object(std::string_view name, double mtime) const;
  RebuildCounts rebuild_index(const Interrupt& interrupt = {}) const;

  // The files against the lines of the index. Reads all names and sizes, and the history files; of
  // files of this host with a few threads, of others by listing them once. Throws `interrupted`,
  // and `io` for directories that cannot be read.
  ArchiveCheck check(wal::SegmentSize segment_size, const Interrupt& interrupt) const;

  // Changes. Gives a durable file of another directory of the same file system its place, durably;
  // its line is the caller's next step.
  void place(const std::filesystem::path& file, const WalIndexEntry& entry) const;
  // The files, for good; then their lines: the commit point.
  WalRemovalResult remove(const WalRemovalPlan& plan, const WalRemovalObserver& observer) const;

 private:
  // nullptr when the files are none of this host.
  const storage::LocalDirectory* local() const { return storage_ ? storage_->local() : nullptr; }
  // All names, in no order, from where they are known without asking much.
  void visit_names(std::string_view prefix,
                   const std::function<void(const std::string& name)>& visitor) const;

  catalogue::CatalogueLocations locations_;
  WalCoding coding_;
  // nullptr: holds nothing.
  std::shared_ptr<storage::Storage> storage_;
  bool is_listed_by_index_ = false;
  bool is_written_elsewhere_ = false;
};

// Where the index of a server of that name lies in the directory of indexes: it moves along when a
// catalogue gets another name.
std::filesystem::path index_file(const std::string& server,
                                 const std::filesystem::path& xlogdb_directory);

}  // namespace barman::wal_archive

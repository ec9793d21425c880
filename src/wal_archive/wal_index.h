// The index of archived WAL files, `<server>-xlog.db` (docs/formats/xlog_db.md). An open WalIndex
// holds the lock of the index, which waits for ever: keep it short, and never open a second one in
// the same process before the first is gone. The file is replaced by rename, never rewritten in
// place, so a crash leaves the old or the new one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_lock.h"
#include "base/interrupt.h"
#include "catalogue/catalogue.h"
#include "storage/storage.h"

namespace barman::wal_archive {

struct WalIndexEntry {
  std::string name;
  std::uint64_t size_bytes = 0;
  double mtime = 0;
  std::optional<std::string> compression;
  std::optional<std::string> encryption;
  friend bool operator==(const WalIndexEntry&, const WalIndexEntry&) = default;
};

// A line while it is visited; the views end with the call. Empty compression or encryption = none.
struct WalIndexLine {
  std::string_view name;
  std::uint64_t size_bytes = 0;
  double mtime = 0;
  std::string_view compression;
  std::string_view encryption;
  // Of the first byte of the line in the file.
  std::uint64_t offset = 0;

  WalIndexEntry entry() const;
};

// With its newline: five fields separated by tabs.
std::string format_wal_index_entry(const WalIndexEntry& entry);
// Three, four or five fields separated by blanks; nullopt otherwise.
std::optional<WalIndexLine> parse_wal_index_line(std::string_view text);

enum class Visit { proceed, stop };
using WalIndexVisitor = std::function<Visit(const WalIndexLine&)>;

// Reads lines from `offset` on with large buffers, without any lock. Throws `corrupt` naming file
// and line: "cannot parse line 3 of \"…\"".
void visit_wal_index(const std::filesystem::path& path, std::uint64_t offset,
                     const WalIndexVisitor& visitor);

// Where the archived files lie; nullptr: there are none.
using ArchivedObjects = std::shared_ptr<const storage::Storage>;

// The index as it was at one moment: what is appended or rewritten later does not show, and no lock
// is held while it is read.
class WalIndexSnapshot {
 public:
  // Waits for the lock of the index, for a moment; as WalIndex::open() otherwise.
  static WalIndexSnapshot take(const catalogue::CatalogueLocations& locations);
  static WalIndexSnapshot take(const catalogue::CatalogueLocations& locations,
                               ArchivedObjects objects);

  // As visit_wal_index(). Lines are counted from `offset`.
  void for_each(const WalIndexVisitor& visitor, std::uint64_t offset = 0) const;
  // The line that begins at `offset`; nullopt when no line of the index begins there.
  std::optional<WalIndexEntry> find_line_at(std::uint64_t offset) const;
  struct LastLine {
    std::uint64_t offset = 0;
    std::string name;
  };
  // nullopt when the index is empty. Reads the end of the file only.
  std::optional<LastLine> find_last_line() const;

 private:
  WalIndexSnapshot(std::filesystem::path path, Fd fd, std::uint64_t size_bytes)
      : path_(std::move(path)), fd_(std::move(fd)), size_bytes_(size_bytes) {}

  std::filesystem::path path_;
  Fd fd_;
  std::uint64_t size_bytes_ = 0;
};

struct RebuildCounts {
  std::uint64_t history = 0;
  std::uint64_t backup_labels = 0;
  std::uint64_t wal_files = 0;
  std::uint64_t partials = 0;
};

// Lines side by side: the bytes of the index that they take.
struct LineRange {
  std::uint64_t begin = 0;
  // Behind the newline of the last one.
  std::uint64_t end = 0;
};

class WalIndex {
 public:
  // Waits for the lock. A missing file is rebuilt from what is archived and an old `wals/xlog.db`
  // is removed; a last line that a crash cut off is repaired from the file it names. On a read-only
  // file system the old index is read instead, and that last line is left out.
  static WalIndex open(const catalogue::CatalogueLocations& locations, ArchivedObjects objects);
  // Of an archive in the directory that the locations name.
  static WalIndex open(const catalogue::CatalogueLocations& locations);

  const std::filesystem::path& path() const { return path_; }
  // What was counted when open() has made a missing one.
  const std::optional<RebuildCounts>& made() const { return made_; }
  void for_each(const WalIndexVisitor& visitor, std::uint64_t offset = 0) const;
  std::optional<WalIndexEntry> find(std::string_view name) const;
  // Where the lines are that `wanted` is true for, neighbours together. Reads every line.
  std::vector<LineRange> find_lines(const std::function<bool(const WalIndexLine&)>& wanted) const;
  // The lines of one range, in their order.
  void for_each_of(const LineRange& range,
                   const std::function<void(const WalIndexLine&)>& visitor) const;

  // One write, flushed to disk.
  void append(std::span<const WalIndexEntry> entries);
  void append(const WalIndexEntry& entry) { append(std::span(&entry, 1)); }
  // Leaves out these lines, through a new file. The ranges are as find_lines() gave them, and
  // nothing was written since.
  void cut_out(std::span<const LineRange> ranges);
  // Adds lines where they belong in an index that is sorted by name, through a new file; a line of
  // the same name is replaced. `entries` are sorted by name.
  void merge(std::span<const WalIndexEntry> entries);
  // Writes the index anew from what is archived. What the files do not tell (the compression of
  // encrypted or custom-compressed files) is taken from the old index where size and time agree; of
  // objects that are no files of this host the size, since their time is that of their appearance.
  // By several threads. Throws `interrupted`; the old index stays then, as after a crash.
  RebuildCounts rebuild(const Interrupt& interrupt = {});

 private:
  WalIndex(FileLock lock, catalogue::CatalogueLocations locations, ArchivedObjects objects);
  void repair_last_line();

  friend class WalIndexSnapshot;
  FileLock lock_;
  catalogue::CatalogueLocations locations_;
  ArchivedObjects objects_;
  std::filesystem::path path_;
  std::uint64_t readable_end_ = ~std::uint64_t{0};
  std::optional<RebuildCounts> made_ = {};
};

// The path of an archived file: `wals/<hash directory>/<name>`, history files in `wals/` itself.
std::filesystem::path archived_wal_path(const std::filesystem::path& wals_directory,
                                        std::string_view name);
// Gives a durable file of another directory its place in the archive, durably, with the time of its
// line.
void place_archived_wal(const std::filesystem::path& file,
                        const std::filesystem::path& wals_directory, const WalIndexEntry& entry);
// What its size, its time and its first bytes tell of an archived file; nullopt when it does not
// exist, and for other names.
std::optional<WalIndexEntry> inspect_archived_wal(const storage::Storage& objects,
                                                  std::string_view name);
// The same of an object that storage::Storage::list() has told of. Where its stored name tells the
// form (archive_bucket.h), nothing is read.
WalIndexEntry inspect_listed_wal(const storage::Storage& objects,
                                 const storage::ObjectFacts& object);

}  // namespace barman::wal_archive

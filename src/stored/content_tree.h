// The files of a backup in the catalogue, whatever the form in which they are stored: a directory,
// an archive, or a chain of incremental backups. Restore, verification and everything else that
// reads a backup sees trees of entries, each of which can be opened and read at any offset.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/fd.h"
#include "pipeline/content_file.h"

namespace barman::stored {

struct Entry {
  std::string path;  // relative to the tree; "" is its root
  bool is_directory = false;
  mode_t mode = 0;  // permission bits
  std::uint64_t size_bytes = 0;
  std::int64_t mtime_seconds = 0;
  std::int64_t mtime_nanoseconds = 0;
  // Its content is made from several files, or changed on the way: no manifest of the backup tells
  // its checksum.
  bool is_derived = false;
  // As it is stored, where that is known without reading it.
  std::optional<std::uint32_t> content_crc32c = {};
};

using pipeline::ContentFile;

using EntryVisitor = std::function<void(const Entry&)>;
// Opens the file of an entry. To be called once at most, in any thread.
using ContentOpener = std::function<std::unique_ptr<ContentFile>()>;
using ContentVisitor = std::function<void(const Entry&, const ContentOpener& open)>;

// The data directory of a backup, or one of its tablespaces.
class ContentTree {
 public:
  virtual ~ContentTree() = default;
  // Visits the root first, and a directory before what it contains. Directories of separate
  // tablespaces are not part of the data directory's tree.
  virtual void walk(const EntryVisitor& visit) const = 0;
  // Whether walk(), has_file() and open() cost little. If not, read_through() is the way.
  virtual bool has_random_access() const { return true; }
  // Whether walk() and has_file() cost little, and open() has backup_label and pg_control, be it
  // because the tree was read through before (copy/surveyed_tree.h).
  virtual bool is_listed() const { return has_random_access(); }
  // Whether each byte that is read comes from far away, and is paid for: what checksums can tell is
  // not read then.
  virtual bool is_far() const { return false; }
  // As walk(), with the content of the files. Each is read from its beginning to its end, in other
  // threads than the one that calls, in the order of the visits; what is not wanted is dropped with
  // its opener. Throws `corrupt`.
  virtual void read_through(const ContentVisitor& visit) const;
  // Whether there is a file (not a directory) of this name. Thread-safe.
  virtual bool has_file(const std::string& path) const = 0;
  // Thread-safe. Throws `not_found` naming the file.
  virtual std::unique_ptr<ContentFile> open(const std::string& path) const = 0;
  // How messages name a file.
  virtual std::string describe(const std::string& path) const = 0;
};

// A file that is held in memory.
std::unique_ptr<ContentFile> make_text_file(std::string text);

// All of a file of at most `max_size_bytes`; throws `corrupt` when it is larger.
std::string read_content(const ContentTree& tree, const std::string& path,
                         std::size_t max_size_bytes = kMaxSmallFile);

}  // namespace barman::stored

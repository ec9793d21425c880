// Named byte sequences at rest, wherever they lie: the one interface below the WAL archive and the
// stored backups. A driver is a folder on this host now; a bucket is another driver, nothing else.
//
// A key is a relative path with "/" between its components ("0000000100000000/000000010000…"), and
// is checked by every driver with require_key(). An object is complete and durable, or it is not
// there: nobody sees it while it is written, and one that is there is never changed, only replaced
// as a whole. All functions may be called by several threads, and by several programs at once.
//
// What every driver must do is what conformance_suite.h tries with each of them
// (docs/architecture.md, "How to add a storage driver").
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "pipeline/content_file.h"
#include "pipeline/sink.h"

namespace barman::storage {

struct ObjectFacts {
  std::string key;
  std::uint64_t size_bytes = 0;
  // When it became visible, by the clock of who stores it.
  std::int64_t mtime_seconds = 0;
  std::int64_t mtime_nanoseconds = 0;
  // The key where it lies, of a Storage that stands in front of another one and gives objects other
  // names there; "" elsewhere.
  std::string stored_key = {};
};

enum class IfPresent { replace, refuse };

using ObjectVisitor = std::function<void(const ObjectFacts&)>;

class LocalDirectory;

class Storage {
 public:
  virtual ~Storage() = default;

  // finish() is the commit point: then the object is visible under its name and durable. A Sink
  // that is destroyed before leaves nothing; what was there stays. With IfPresent::refuse finish()
  // throws `conflict` when the name is taken, at that moment, by whoever.
  virtual std::unique_ptr<pipeline::Sink> create(const std::string& key, IfPresent if_present) = 0;
  // Throws `not_found`. What was opened can be read to its end, even when the object is replaced or
  // removed meanwhile, or throws; it is never a mixture.
  virtual std::unique_ptr<pipeline::ContentFile> open(const std::string& key) const = 0;
  // nullopt when there is none; throws when that cannot be told.
  virtual std::optional<ObjectFacts> find(const std::string& key) const = 0;
  // The objects whose keys begin with `prefix`, ascending by key (byte by byte). The prefix is ""
  // or ends anywhere in a key. The visitor may ask the storage, other threads of it too.
  virtual void list(std::string_view prefix, const ObjectVisitor& visitor) const = 0;
  // Gone for good when it returns; what is missing is no error. After a failure some may be gone.
  virtual void remove(std::span<const std::string> keys) = 0;
  // How messages name the object, with quotes: "\"/var/lib/barman/main/wals/…\"".
  virtual std::string describe(const std::string& key) const = 0;
  // The one question about what a driver can: nullptr unless objects are files of this host, which
  // then may be hard-linked, cloned or read with system calls.
  virtual const LocalDirectory* local() const { return nullptr; }
};

// Objects as files below a directory. Who can make a file cheaper than by writing its bytes (a hard
// link, cloned blocks), or makes several of them, prepares files beside their places and publishes
// them together. For one writer of a key at a time.
class LocalDirectory {
 public:
  virtual ~LocalDirectory() = default;
  virtual std::filesystem::path path_of(const std::string& key) const = 0;
  // Where the file for `key` is to be made; its directory is there, an old file may be. What is
  // given up is removed by its writer; what a crash leaves is no object.
  virtual std::filesystem::path prepare(const std::string& key) const = 0;
  // Commit point of all of them: files that were prepared, complete and fsynced, get their names
  // and replace what is there; then their directories are fsynced, each once. After a failure some
  // may have their names.
  virtual void publish(std::span<const std::string> keys) const = 0;
};

// Throws `corrupt` for a key that leaves its place (pipeline/relative_path.h), or that ends like
// the temporary files of a driver. `teller` begins the message: "\"/var/lib/barman/main/wals\"".
void require_key(std::string_view key, const std::string& teller);
// The same for a prefix.
void require_prefix(std::string_view prefix, const std::string& teller);

// Files of drivers that are not objects yet.
inline constexpr std::string_view kTemporarySuffix = ".tmp";

}  // namespace barman::storage

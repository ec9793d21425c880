// A WAL archive in each kind of storage, for the unit tests of this folder.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "compression/stored_file.h"
#include "storage/local_storage.h"
#include "storage/test_support.h"
#include "wal_archive/archive_bucket.h"
#include "wal_archive/test_support.h"
#include "wal_archive/wal_archive.h"
#include "wal_archive/wal_filer.h"

namespace barman::wal_archive {

// Files of this host; files that are reached as objects only; memory; a bucket in memory, whose
// names tell how objects are stored.
enum class StorageKind { local, distant, memory, bucket };

struct StorageSetting {
  StorageKind kind = StorageKind::local;
  std::string compression;
};

inline std::string name_of(StorageKind kind) {
  if (kind == StorageKind::local) return "Local";
  if (kind == StorageKind::bucket) return "Bucket";
  return kind == StorageKind::distant ? "Distant" : "Memory";
}
inline std::string name_of(const StorageSetting& setting) {
  return name_of(setting.kind) + (setting.compression.empty() ? "" : "_" + setting.compression);
}

// A server, and its archive in a storage of that kind, around which others can be put.
class ArchiveSite {
 public:
  explicit ArchiveSite(const StorageSetting& setting) : files_(test_.config.wals_directory) {
    if (!setting.compression.empty()) test_.config.compression = setting.compression;
    if (setting.kind == StorageKind::distant) {
      storage_ = std::make_shared<storage::DistantStorage>(files_);
    } else if (setting.kind == StorageKind::memory) {
      storage_ = std::make_shared<storage::MemoryStorage>();
    } else if (setting.kind == StorageKind::bucket) {
      objects_ = std::make_shared<storage::MemoryStorage>();
      storage_ = std::make_shared<ArchiveBucket>(objects_);
    } else {
      storage_ = std::make_shared<storage::LocalStorage>(test_.config.wals_directory);
    }
  }

  storage::Storage& storage() const { return *storage_; }
  // What is behind a bucket.
  storage::Storage& objects() const { return *objects_; }
  WalArchive archive() const { return archive_in(storage_); }
  WalArchive archive_in(std::shared_ptr<storage::Storage> storage) const {
    return {server().locations(), WalCoding(server().config()), std::move(storage)};
  }
  server::Server server() const { return test_.make(); }
  const TestServer& test() const { return test_; }

  void receive(const std::string& name, const std::string& text) const {
    put_wal_file(test_.incoming(name), text);
  }
  std::vector<std::string> waiting() const {
    return list_names(test_.config.incoming_wals_directory);
  }
  std::vector<FiledWal> file(const std::vector<std::string>& names,
                             std::shared_ptr<storage::Storage> storage = nullptr) const {
    WalFiler filer(server(), WalSource::incoming, archive_in(storage ? storage : storage_));
    std::vector<FiledWal> filed = filer.file_group(names);
    filer.rethrow_failure();
    return filed;
  }
  // What is in the archive under that name, decoded.
  std::string text_of(const std::string& name) const {
    const auto wal = archive().find(name);
    if (!wal) return "(none)";
    compression::TextSink content(name);
    archive().read(*wal, content);
    std::string bytes = content.take();
    return bytes.starts_with("\x10\xd1") ? wal::text_of_segment(bytes) : bytes;
  }
  std::vector<std::string> indexed() const {
    std::vector<std::string> names;
    archive().index().for_each([&](const WalIndexLine& line) {
      names.emplace_back(line.name);
      return Visit::proceed;
    });
    return names;
  }
  std::vector<std::string> keys() const {
    std::vector<std::string> keys;
    storage_->list("", [&](const storage::ObjectFacts& object) {
      if (object.key.find("xlog.db") == std::string::npos) keys.push_back(object.key);
    });
    return keys;
  }

 private:
  TestServer test_;
  storage::LocalStorage files_;
  std::shared_ptr<storage::Storage> objects_;
  std::shared_ptr<storage::Storage> storage_;
};

}  // namespace barman::wal_archive

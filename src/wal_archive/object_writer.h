// Puts files into the storage of a WAL archive, groups of them at once. Where objects are files of
// this host, a file is prepared beside its place (a hard link where that is possible) by as many
// threads as there are, and a group gets its names together, with one fsync of each directory.
// Elsewhere each thread writes its object to the end; then it is complete and durable.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/fd.h"
#include "pipeline/sink.h"
#include "storage/storage.h"
#include "wal_archive/wal_coding.h"

namespace barman::wal_archive {

// An open file of this host, with its path.
struct OpenWal {
  const Fd& file;
  const std::filesystem::path& path;
};

// Removes the file when it is given up; "" = none. On a full disk it would be in the way of
// everybody.
struct FileRemover {
  void operator()(std::filesystem::path* path) const noexcept;
};

// An object on its way. Given up before publish(), it is not there, or there as a whole.
class PreparedWal {
 public:
  std::uint64_t size_bytes() const { return size_bytes_; }

 private:
  friend class ObjectWriter;
  std::string key_;
  std::uint64_t size_bytes_ = 0;
  // Of this host: the file that waits beside its place.
  std::unique_ptr<std::filesystem::path, FileRemover> temporary_;
  // Elsewhere: an object that replaces another one appears with publish().
  std::unique_ptr<pipeline::Sink> sink_;
};

class ObjectWriter {
 public:
  // Both live longer.
  ObjectWriter(storage::Storage& storage, const WalCoding& coding)
      : storage_(storage), coding_(coding) {}

  // Makes the object of `wal`, encoded by `steps`, complete and durable; may be called by several
  // threads. Files of this host get its mode and times. With IfPresent::refuse throws `conflict`
  // where somebody else has put that object meanwhile and the storage can tell.
  PreparedWal prepare(const std::string& key, const OpenWal& wal, const CodingSteps& steps,
                      storage::IfPresent if_present) const;
  // All of them are visible and durable then, and so are the objects `present`, which were there.
  // After a failure some may be.
  void publish(std::span<PreparedWal* const> prepared, std::span<const std::string> present) const;

 private:
  PreparedWal prepare_file(const storage::LocalDirectory& local, const std::string& key,
                           const OpenWal& wal, const CodingSteps& steps) const;
  void encode_file(const OpenWal& wal, const CodingSteps& steps,
                   const std::filesystem::path& path) const;

  storage::Storage& storage_;
  const WalCoding& coding_;
};

}  // namespace barman::wal_archive

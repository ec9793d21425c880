// The archives of one tree of a backup, as they are written into a bucket: tar, compressed as one
// stream each, a new one when one has become large. Several threads write, each into an archive of
// its own; a file is in one archive only.
//
// An archive is visible when it is finished, and not before; its index is after that. What is
// destroyed without finish() leaves nothing of those that are open.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catalogue/bucket_layout.h"
#include "compression/algorithm.h"
#include "encryption/cipher.h"
#include "pipeline/tar_reader.h"
#include "storage/storage.h"

namespace barman::stored {

struct ArchiveForm {
  std::optional<compression::Algorithm> compression = {};
  // As make_archive_compressor() takes it.
  std::optional<int> compression_level = {};
  // Of the object; asked between two files only.
  std::uint64_t max_archive_bytes = 0;
  // Of the compressor of one archive.
  std::size_t compression_threads = 1;
  // With an index beside each archive (archive_index.h), by which a part of it can be read alone.
  // Not for bzip2 and snappy, which have no such parts.
  bool has_index = false;
  // Encrypted after that. Such an archive has no index, which would tell names of files.
  std::optional<encryption::Cipher> cipher = {};
};

class ArchiveSet {
 public:
  // `storage` lives longer. Keys are made of the prefix of the backup
  // (BucketLayout::backup_prefix()). At most `lane_count` threads write at once.
  ArchiveSet(storage::Storage& storage, std::string backup_prefix, std::uint32_t tablespace_oid,
             ArchiveForm form, std::size_t lane_count = 1);
  ArchiveSet(const ArchiveSet&) = delete;
  ArchiveSet& operator=(const ArchiveSet&) = delete;
  ~ArchiveSet();

  // Calls `write` with an archive that nobody else has meanwhile; whole members are put there.
  void with_archive(const std::function<void(pipeline::TarVisitor& archive)>& write);
  // The same for who is alone and is told its members one by one. Valid until finish().
  pipeline::TarVisitor& only_archive();
  // All archives but the last one are complete then; what is added goes there.
  void close_all_but_last();
  // The last one, too; one that is empty when nothing was added. Called once.
  void finish();

 private:
  class Lane;

  Lane& take_lane();
  void give_back(Lane& lane);
  Lane& last_lane();

  storage::Storage& storage_;
  const std::string backup_prefix_;
  const std::uint32_t tablespace_oid_;
  const ArchiveForm form_;
  std::atomic<std::uint32_t> next_number_ = 0;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::mutex mutex_;
  std::vector<Lane*> free_;  // the one to take next is the last
};

}  // namespace barman::stored

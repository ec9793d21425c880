// An archive that is an object of a Storage, read in ranges. Each thread that reads has a reader of
// its own, preferably the one that has stopped where it goes on: who reads on gets larger and
// larger ranges, the next one ahead (object_store/range_file.h).
//
// Memory: what the store reads ahead, for each of as many readers as there were at once.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>

#include "pipeline/content_file.h"
#include "storage/storage.h"
#include "stored/archive_bytes.h"

namespace barman::stored {

class ObjectBytes final : public ArchiveBytes {
 public:
  // `storage` lives longer. The object is opened by the first read.
  ObjectBytes(const storage::Storage& storage, std::string key);

  void read(std::uint64_t offset, MutableBytes buffer) const override;

 private:
  struct Reader {
    std::unique_ptr<pipeline::ContentFile> file;
    std::uint64_t next_offset = 0;
  };
  Reader take(std::uint64_t offset) const;

  const storage::Storage& storage_;
  const std::string key_;
  mutable std::mutex mutex_;
  // The one that was used last is the first.
  mutable std::list<Reader> free_;
};

}  // namespace barman::stored

// What arrived during a base backup, against what the manifest says should have: path, size and
// CRC-32C of each file. 24 bytes a file (the path is kept as a hash), so a cluster with a million
// files needs 24 MiB.
//
// Order: add() for each file, seal(), confirm() for each file of the manifest, finish(). Each file
// arrives once, and the manifest lists it once, with a CRC-32C: no other algorithm says anything of
// what arrived.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "postgres/backup_manifest.h"
#include "stored/path_table.h"

namespace barman::stored {

class ArrivalLedger {
 public:
  // `crc32c` is finished (crc32c_finish()).
  void add(std::string_view path, std::uint64_t size_bytes, std::uint32_t crc32c);
  // Throws `corrupt` when a file arrived twice.
  void seal();
  // Throws `corrupt` naming the file when it did not arrive, or with another size or checksum, when
  // it was confirmed before, and when its checksum is no CRC-32C.
  void confirm(const postgres::ManifestFile& file);
  // Throws `corrupt` when a file arrived that the manifest does not list.
  void finish() const;

  std::uint64_t file_count() const { return arrivals_.size(); }

 private:
  struct Arrival {
    std::uint64_t size_and_state = 0;  // the highest bit: confirmed
    std::uint32_t crc32c = 0;
  };
  PathTable<Arrival> arrivals_;
};

}  // namespace barman::stored

// What members of a base backup pass through on their way into the catalogue
// (stored/backup_writer.h), in whatever form they are stored: their checksums are kept, to be
// compared with the manifest.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/progress.h"
#include "pipeline/tar_reader.h"
#include "replication/base_backup_stream.h"
#include "stored/arrival_ledger.h"

namespace barman::stored {

// What is done with all of them.
struct Arrivals {
  ArrivalLedger& ledger;
  Progress& progress;
  // The content of `backup_label`.
  std::string& backup_label;
  // What the server has announced: files of tablespaces come in their own archives only.
  const std::vector<replication::BackupArchive>& archives;
};

// Passes members on, and adds each file to the ledger. Keeps the backup label. Throws `corrupt` for
// a member that is not where it belongs: a link that is no tablespace's, or a file of a tablespace
// in the archive of the data directory.
class ArrivalTap final : public pipeline::TarVisitor {
 public:
  // `manifest_prefix` is "" or "pg_tblspc/16384/". `next` must live longer.
  ArrivalTap(std::string manifest_prefix, const Arrivals& arrivals, pipeline::TarVisitor& next);

  void begin_member(const pipeline::TarMember& member) override;
  void write(Bytes data) override;
  void end_member() override;

 private:
  void require_place(const pipeline::TarMember& member) const;

  const std::string prefix_;
  const Arrivals arrivals_;
  pipeline::TarVisitor& next_;
  std::string path_;
  bool is_file_ = false;
  bool is_label_ = false;
  std::uint64_t size_bytes_ = 0;
  std::uint32_t crc_;
};

// "" for the data directory, else "pg_tblspc/<oid>/".
std::string manifest_prefix(const replication::BackupArchive& archive);

}  // namespace barman::stored

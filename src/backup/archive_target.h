// Where the archives of a base backup go: unpacked into directories, or stored as archives. Either
// way each member passes through an ArrivalTap, so that its checksum can be compared with the
// manifest.
//
// Calls: begin_archive, write…, end_archive for each archive, then make_durable. A target that is
// destroyed before has written into directories of a backup that nobody takes for complete.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backup/arrival_ledger.h"
#include "base/progress.h"
#include "compression/algorithm.h"
#include "encryption/cipher.h"
#include "pipeline/tar_reader.h"
#include "replication/base_backup_stream.h"

namespace barman::backup {

// What the bytes of an archive are: as the server sends them, and as they are stored.
enum class CompressionPlace { none, server, client };

struct ArchiveCoding {
  // nullopt with CompressionPlace::none only.
  std::optional<compression::Algorithm> algorithm;
  CompressionPlace place = CompressionPlace::none;
  // Of the client; the server got its own.
  std::optional<int> level;
  std::size_t worker_count = 2;
  // What is stored is encrypted, after it was compressed; tar format only.
  std::optional<encryption::Cipher> cipher;
};

class ArchiveTarget {
 public:
  virtual ~ArchiveTarget() = default;
  virtual void begin_archive(const replication::BackupArchive& archive) = 0;
  virtual void write(Bytes data) = 0;
  virtual void end_archive() = 0;
  // Everything is durable when it returns.
  virtual void make_durable() = 0;
};

// What happens to members in every target.
struct Arrivals {
  ArrivalLedger& ledger;
  Progress& progress;
  // The content of `backup_label`.
  std::string& backup_label;
  // What the server has announced: files of tablespaces come in their own archives only.
  const std::vector<replication::BackupArchive>& archives;
  // Required since PostgreSQL 15.
  pipeline::TarEnd archive_end = pipeline::TarEnd::optional;
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

struct TargetDirectories {
  std::filesystem::path data_directory;
  std::function<std::filesystem::path(std::uint32_t oid)> tablespace_directory;
};

// Files below the directories. `coding` may be of the server.
std::unique_ptr<ArchiveTarget> make_plain_target(TargetDirectories directories,
                                                 const ArchiveCoding& coding,
                                                 const Arrivals& arrivals);
// `base.tar.zst`, `<oid>.tar.zst` in the data directory, each with its index
// (content/archive_index.h); encrypted ones, `base.tar.zst.gpg`, have none.
std::unique_ptr<ArchiveTarget> make_tar_target(std::filesystem::path data_directory,
                                               const ArchiveCoding& coding,
                                               const Arrivals& arrivals);

}  // namespace barman::backup

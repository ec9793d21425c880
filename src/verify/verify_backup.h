// Checks a whole backup as it lies in the catalogue, in whatever form: every file of the manifest
// is there with its size and checksum, nothing else is, the pages of relations have right checksums
// where the cluster has them (not of backups by rsync, which copies pages while they are written),
// and the WAL that the backup needs is archived and can be read record by record.
//
// Reads everything once, with several workers. Writes nothing but the index of an archive that has
// none, when it is of a chain of incremental backups. Memory: some 40 bytes a file, 1 MiB a worker,
// and for compressed archives the frames that are decompressed (stored/frame_cache.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/interrupt.h"
#include "base/progress.h"
#include "catalogue/backup_info.h"
#include "server/server.h"
#include "verify/verify_wal.h"

namespace barman::verify {

struct VerifyReport {
  // What was checked.
  std::uint64_t file_count = 0;
  std::uint64_t size_bytes = 0;
  std::uint64_t page_count = 0;
  std::uint64_t wal_count = 0;
  std::uint64_t record_count = 0;
  // By object; at most kMaxFindings of finding_count.
  std::vector<VerifyFinding> findings;
  std::uint64_t finding_count = 0;
  // A copied backup, for which nobody has asked for a manifest: that is a finding.
  bool has_no_manifest_yet = false;

  static constexpr std::size_t kMaxFindings = 1000;
  bool is_good() const { return finding_count == 0; }
  bool lacks_manifest_only() const { return has_no_manifest_yet && finding_count == 1; }
};

enum class VerifyDepth {
  sizes,      // files are there with their sizes; nothing is read
  checksums,  // everything is read
};

// The files of this backup alone, without a lock; that it has no manifest is a finding. Advances
// `progress`, but does not begin it. Throws `config` for an encrypted backup that cannot be
// decrypted here.
VerifyReport verify_files(const server::Server& server, const catalogue::BackupInfo& backup,
                          VerifyDepth depth, std::size_t worker_count, Progress& progress);

// With everything that it builds on, when it is incremental. Throws `config` for backups that
// cannot be verified (snapshots, incomplete ones, encrypted ones without the means to decrypt
// them), telling why; `conflict` when the backup is being deleted.
VerifyReport verify_backup(const server::Server& server, const catalogue::BackupInfo& backup,
                           std::size_t worker_count, Progress& progress);

}  // namespace barman::verify

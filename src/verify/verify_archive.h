// The whole WAL archive of a server, read record by record: would PostgreSQL replay it?
//
// Segments are taken in runs without a gap, each timeline for itself, and cut into pieces for
// several workers; a record that crosses the end of a piece is read to its end. A gap is told and
// is no damage: WAL of backups that are kept for ever stands alone. Nothing is changed.
//
// A server that fails leaves a last segment that ends anywhere, even in the middle of a record.
// Timeline history files tell where the next timeline left this one: up to there every record must
// be whole, and nobody replays what is unfinished behind it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "catalogue/minimal_wal.h"
#include "server/server.h"
#include "verify/verify_wal.h"
#include "wal/wal_file_name.h"

namespace barman::verify {

struct VerifyWalRequest {
  wal::SegmentSize segment_size;
  std::optional<std::uint64_t> system_id;
  std::optional<int> server_major;
  // Names of segments, both included; unset: no limit.
  std::optional<std::string> first;
  std::optional<std::string> last;
  std::size_t worker_count = 1;
};

struct WalGap {
  std::string first;
  std::string last;
  std::uint64_t count = 0;
};

struct ArchiveVerdict {
  std::uint64_t wal_count = 0;
  std::uint64_t record_count = 0;
  // Both in the order of the archive.
  std::vector<VerifyFinding> findings;
  std::vector<WalGap> gaps;
  // Where the server began to run with wal_level = minimal.
  std::vector<catalogue::MinimalWal> minimal;
};

// Throws `interrupted`, and whatever the index says that cannot be read.
ArchiveVerdict verify_wal_archive(const server::Server& server, const VerifyWalRequest& request,
                                  Progress& progress);

}  // namespace barman::verify

// A base backup over the replication protocol (BASE_BACKUP): the server sends one tar archive for
// each tablespace and then the manifest. Both wire forms, one COPY an archive before PostgreSQL 15
// and one COPY with typed messages since, look the same to the visitor.
//
// While receive() runs, a second thread reads from the connection and hands the data over in
// batches of about 1 MiB through a bounded queue, so that receiving overlaps with what the visitor
// does; the visitor is called in the thread of receive() only. Memory: at most kQueueCapacity + 2
// batches. The WAL is not part of the backup: it comes by streaming or archiving.
//
// Throws SqlError with the server's text (missing REPLICATION privilege, no free WAL sender),
// `connection` when the session is lost, `corrupt` for what is not the protocol or not a complete
// backup (replication/backup_sequence.h), `interrupted`.
// After an exception the connection is unusable.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/digest.h"
#include "base/fd.h"
#include "base/interrupt.h"
#include "base/throttle.h"
#include "compression/algorithm.h"
#include "postgres/connection.h"
#include "replication/backup_sequence.h"
#include "replication/silence_limit.h"
#include "wal/lsn.h"

namespace barman::replication {

enum class CheckpointMode { spread, fast };
// Whether the server waits, at the end, until the required WAL is archived (if it archives).
enum class WaitForArchive { no, yes };
// Whether the server puts a "tablespace_map" into the base archive instead of symbolic links.
enum class TablespaceMap { no, yes };

// Compression of the archives by the server, which then come as `base.tar.gz` and so on.
struct ServerCompression {
  compression::Algorithm algorithm = compression::Algorithm::zstd;  // or gzip, lz4
  std::optional<int> level;
  std::optional<int> worker_count;  // zstd only
};

struct BaseBackupRequest {
  std::string label = "pg_basebackup base backup";
  CheckpointMode checkpoint = CheckpointMode::spread;
  TransferLimit max_rate{};  // the server accepts 32 to 1048576 KiB/s
  TablespaceMap tablespace_map = TablespaceMap::no;
  WaitForArchive archive_wait = WaitForArchive::yes;
  // Not before PostgreSQL 15.
  std::optional<ServerCompression> compression;
  // No manifest before PostgreSQL 13, and none when not set.
  std::optional<DigestAlgorithm> manifest_checksums = DigestAlgorithm::crc32c;
  // Incremental, since PostgreSQL 17: the manifest of the backup that this one builds on. It is
  // uploaded first; the server refuses when it has no WAL summaries since then.
  std::optional<std::filesystem::path> parent_manifest;
  // A spread checkpoint and the wait for archiving are silent for minutes; a dead host is noticed
  // by TCP keepalive anyway. look() is called in the thread of begin(), or in that of the receiver.
  SilenceLimit silence{};
};

// The command in the syntax of the server's version.
std::string base_backup_command(const BaseBackupRequest& request, int server_version);

class BaseBackupStream {
 public:
  static constexpr std::size_t kBatchSize = std::size_t{1} << 20;
  static constexpr std::size_t kQueueCapacity = 8;

  // `connection` is a replication session; it must outlive the stream and be used by nobody else.
  BaseBackupStream(postgres::Connection& connection, BaseBackupRequest request,
                   Interrupt interrupt = {});
  BaseBackupStream(const BaseBackupStream&) = delete;
  BaseBackupStream& operator=(const BaseBackupStream&) = delete;
  ~BaseBackupStream() = default;

  // Sends the command; returns when the checkpoint is done and the server begins to send.
  const BackupBegin& begin();
  // Delivers everything; returns when the server confirms the end of the backup.
  BackupEnd receive(BaseBackupVisitor& visitor);
  // All notices so far.
  const std::vector<std::string>& notices() const { return notices_; }

 private:
  class Receiver;
  class Delivery;

  void upload_manifest(const std::filesystem::path& path);
  void start();

  postgres::Connection& connection_;
  BaseBackupRequest request_;
  Interrupt interrupt_;
  BackupBegin begin_;
  std::vector<std::string> notices_;
};

}  // namespace barman::replication

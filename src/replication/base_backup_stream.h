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
// `connection` when the session is lost, `corrupt` for what is not the protocol, `interrupted`.
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
#include "postgres/connection.h"
#include "replication/silence_limit.h"
#include "wal/lsn.h"

namespace barman::replication {

enum class CheckpointMode { spread, fast };
// Whether the server waits, at the end, until the required WAL is archived (if it archives).
enum class ArchiveWait { no, yes };
// Whether the server puts a "tablespace_map" into the base archive instead of symbolic links.
enum class TablespaceMap { no, yes };

// Compression of the archives by the server, which then come as `base.tar.gz` and so on.
struct ServerCompression {
  std::string algorithm;  // gzip, lz4, zstd
  std::optional<int> level;
  std::optional<int> worker_count;  // zstd only
};

struct BaseBackupRequest {
  std::string label = "pg_basebackup base backup";
  CheckpointMode checkpoint = CheckpointMode::spread;
  std::uint32_t max_rate_kbps = 0;  // 0 = unlimited; the server accepts 32 to 1048576
  TablespaceMap tablespace_map = TablespaceMap::no;
  ArchiveWait archive_wait = ArchiveWait::yes;
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

// An archive of the backup: the data directory (oid 0) or a tablespace.
struct BackupArchive {
  std::uint32_t oid = 0;
  // On the server; empty for the data directory. A relative one ("pg_tblspc/16384") is an in-place
  // tablespace, whose files belong below the data directory.
  std::string location;
  std::optional<std::uint64_t> size_bytes;  // the server's estimate, rounded to KiB
  bool is_base() const { return oid == 0; }
  bool is_in_place() const { return !location.empty() && location.front() != '/'; }
};

struct BackupBegin {
  wal::Lsn lsn;
  wal::TimelineId timeline;
  std::vector<BackupArchive> archives;  // in the order they will come
};

struct BackupEnd {
  wal::Lsn lsn;
  wal::TimelineId timeline;
  // The server found pages with wrong checksums (SQLSTATE XX001): its final message. Details are in
  // the notices. All data was received.
  std::optional<std::string> checksum_failure;
};

// What receive() delivers, in this order: for each archive begin, write…, end; then the manifest.
class BaseBackupVisitor {
 public:
  virtual ~BaseBackupVisitor() = default;
  virtual void begin_archive(const BackupArchive& archive) = 0;
  virtual void write_archive(Bytes data) = 0;
  virtual void end_archive() = 0;
  virtual void begin_manifest() = 0;
  virtual void write_manifest(Bytes data) = 0;
  virtual void end_manifest() = 0;
  // The server's running total of archive bytes, about once a second (since PostgreSQL 15).
  virtual void on_server_progress(std::uint64_t) {}
  // A NOTICE or WARNING of the server, e.g. about page checksums or waiting for archiving.
  virtual void on_notice(const std::string&) {}
};

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

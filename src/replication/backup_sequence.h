// What a base backup consists of, and in which order: a state machine over what the server sends.
// docs/formats/replication_messages.md. Pure.
//
//   archive, archive, …   each that was announced, once, in the order of the announcement, under
//                         its own name; the data directory is the last
//   manifest              once, behind all archives
//   end                   the only state in which finish() does not throw
//
// With ManifestUse::none (asked for by the caller) the end comes after the archives. Everything
// else, data outside of a part included, throws `corrupt`. Whether the content of the parts is
// complete is for the visitor to find out: archives end with tar's two blocks of zeroes (since
// PostgreSQL 15), the manifest with its checksum.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "replication/messages.h"
#include "wal/lsn.h"

namespace barman::replication {

// An archive of the backup: the data directory (oid 0) or a tablespace.
struct BackupArchive {
  std::uint32_t oid = 0;
  // On the server; empty for the data directory. "pg_tblspc/16384" is an in-place tablespace, whose
  // files belong below the data directory. Nothing else is relative: see require_announcement().
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

// Throws `corrupt` unless this is a list that PostgreSQL can announce: tablespaces with distinct
// OIDs and possible locations, then the data directory.
void require_announcement(const std::vector<BackupArchive>& archives);
// Throws `corrupt` when the end lies before the beginning.
void require_end(const BackupBegin& begin, const BackupEnd& end);
// A primary, asked after the backup, has come to `current`. Throws `corrupt` when the end lies
// beyond: WAL that never comes would be awaited.
void require_reached(const BackupEnd& end, wal::Lsn current);

// What is delivered, in this order: for each archive begin, write…, end; then the manifest.
class BaseBackupVisitor {
 public:
  virtual ~BaseBackupVisitor() = default;
  virtual void begin_archive(const BackupArchive& archive) = 0;
  virtual void write_archive(Bytes data) = 0;
  virtual void end_archive() = 0;
  virtual void begin_manifest() = 0;
  virtual void write_manifest(Bytes data) = 0;
  virtual void end_manifest() = 0;
  // A NOTICE or WARNING of the server, e.g. about page checksums or waiting for archiving.
  virtual void on_notice(const std::string&) {}
  // The same text before, when it is a WARNING: among others of links and special files that are
  // not sent.
  virtual void on_warning(const std::string&) {}
};

enum class ManifestUse { none, required };

class BackupSequence {
 public:
  // `archive_extension` is that of typed messages: ".tar", ".tar.gz". Both references must live
  // longer.
  BackupSequence(const std::vector<BackupArchive>& archives, ManifestUse manifest,
                 std::string archive_extension, BaseBackupVisitor& visitor);

  // A message of PostgreSQL 15 and later.
  void take(const BackupMessage& message);
  // A COPY of older versions begins: the next archive, or the manifest.
  void begin_part();
  void take_data(Bytes data);
  // Everything was sent.
  void finish();

 private:
  enum class Part { none, archive, manifest, end };

  void on(const ArchiveBegin& begin);
  void on(const ManifestBegin&);
  void on(const BackupData& data) { take_data(data.data); }
  void on(const BackupProgress& progress);
  void begin_archive();
  void begin_manifest();
  void end_part();
  std::string archive_name(const BackupArchive& archive) const;

  const std::vector<BackupArchive>& archives_;
  const ManifestUse manifest_;
  const std::string extension_;
  BaseBackupVisitor& visitor_;
  Part part_ = Part::none;
  std::size_t archive_count_ = 0;  // begun
  bool has_manifest_ = false;      // begun
};

}  // namespace barman::replication

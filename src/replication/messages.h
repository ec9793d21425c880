// The messages inside CopyData of the replication protocol: docs/formats/replication_messages.md.
// Pure functions from bytes to values and back. What is decoded points into the message's bytes.
// Decoders throw `corrupt` for a truncated or unknown message.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <variant>

#include "base/fd.h"
#include "wal/lsn.h"

namespace barman::replication {

// Microseconds since 2000-01-01 00:00 UTC, the clock of the protocol.
std::int64_t postgres_clock_now();

// Server to client while WAL is streamed.
struct WalData {
  wal::Lsn begin;       // of `data`
  wal::Lsn server_end;  // the end of the server's WAL
  Bytes data;
};
struct Keepalive {
  wal::Lsn server_end;
  bool reply_requested = false;
};
using WalMessage = std::variant<WalData, Keepalive>;
WalMessage decode_wal_message(Bytes message);

// Client to server: the standby status update. An Lsn of 0 means "not known".
struct StandbyStatus {
  wal::Lsn written;
  wal::Lsn flushed;
  wal::Lsn applied;
  std::int64_t clock = 0;  // postgres_clock_now()
  bool reply_requested = false;
};
inline constexpr std::size_t kStandbyStatusSize = 34;
std::array<std::byte, kStandbyStatusSize> encode_standby_status(const StandbyStatus& status);

// Server to client during BASE_BACKUP, since PostgreSQL 15.
struct ArchiveBegin {
  std::string_view name;      // "base.tar", "16384.tar"
  std::string_view location;  // of the tablespace; "" for the data directory
};
struct ManifestBegin {};
// Content of the archive or manifest that began last.
struct BackupData {
  Bytes data;
};
struct BackupProgress {
  std::uint64_t bytes_done = 0;
};
using BackupMessage = std::variant<ArchiveBegin, ManifestBegin, BackupData, BackupProgress>;
BackupMessage decode_backup_message(Bytes message);

}  // namespace barman::replication

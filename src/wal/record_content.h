// What some records of the write-ahead log say: transactions that end, restore points, tablespaces
// that are created, and the wal_level of the server (docs/formats/wal_segment.md; PostgreSQL
// src/include/access/xact.h, xlog_internal.h, xlogrecord.h; the same from 13 to 18).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/timestamp.h"
#include "wal/record_checker.h"

namespace barman::wal {

// The end of a transaction, the moment at which a recovery can stop.
struct TransactionEnd {
  // Since the epoch of Unix; PostgreSQL's clock when it ended.
  std::int64_t microseconds = 0;
  // Unset when it was prepared, and the record is too long to tell which one ends.
  std::optional<std::uint32_t> transaction;
  bool is_commit = false;
};

std::optional<TransactionEnd> find_transaction_end(const RecordView& record);

// The name of a restore point.
std::optional<std::string> find_restore_point(const RecordView& record);

// CREATE TABLESPACE: a recovery makes a link from pg_tblspc/<oid> to this location, whatever link
// is there, and writes what follows to it. Not those in place, which have no location
// (src/include/commands/tablespace.h, xl_tblspc_create_rec).
struct CreatedTablespace {
  std::uint32_t oid = 0;
  std::string location;
};
std::optional<CreatedTablespace> find_created_tablespace(const RecordView& record);

// Whether the record tells the wal_level, and that it is "minimal" or more. A server writes such a
// record when it was started with another level (XLOG_PARAMETER_CHANGE), with each checkpoint since
// 17 (XLOG_CHECKPOINT_REDO).
struct LevelRecord {
  bool is_minimal = false;
  // Where the level begins; else it holds still.
  bool is_change = false;
};
std::optional<LevelRecord> find_wal_level(const RecordView& record);

}  // namespace barman::wal

// What records of the write-ahead log say of changes that may be regretted: files of relations that
// a transaction drops, makes or fills, rows that it deletes or updates, databases that go
// (docs/formats/wal_records.md). Of pages only those of catalogues are read. Formats of 13 to 18;
// what is cut off, damaged or of a version that is not known gives nothing.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "wal/record_checker.h"

namespace barman::wal {

inline constexpr std::uint8_t kStorageManager = 2;
inline constexpr std::uint8_t kDatabaseManager = 4;
inline constexpr std::uint8_t kHeap2Manager = 9;
inline constexpr std::uint8_t kHeapManager = 10;
inline constexpr std::uint8_t kHashManager = 12;
inline constexpr std::uint8_t kBrinManager = 17;

// The files of a relation: base/<database>/<number>, or of a tablespace.
struct FileOfRelation {
  std::uint32_t tablespace = 0;
  std::uint32_t database = 0;
  std::uint32_t number = 0;
  friend constexpr auto operator<=>(const FileOfRelation&, const FileOfRelation&) = default;
};

// How a transaction ends.
struct FinishedTransaction {
  bool is_commit = false;
  // It was prepared before (PREPARE TRANSACTION), and held its locks until now.
  bool is_prepared = false;
  // Of a prepared one: its own, not that of COMMIT PREPARED.
  std::uint32_t transaction = 0;
  // Since the epoch of Unix; PostgreSQL's clock.
  std::int64_t microseconds = 0;
  std::vector<std::uint32_t> subtransactions;
  // Those of temporary tables are never told.
  std::vector<FileOfRelation> dropped;
};
std::optional<FinishedTransaction> find_finished_transaction(const RecordView& record);

// The first block that a record changes.
struct ChangedBlock {
  FileOfRelation relation;
  std::uint8_t fork = 0;
  std::uint32_t number = 0;
};
std::optional<ChangedBlock> find_changed_block(const RecordView& record);

// overwritten: in place, whether its transaction ends or not.
enum class RowChange { none, inserted, deleted, updated, overwritten };
RowChange row_change_of(const RecordView& record);
// Where in its block the row of a single insert, delete or overwriting is; only of a record that is
// whole.
std::optional<std::uint16_t> find_row_number(const RecordView& record);

// Of a record that inserts one row: its columns, as they lie behind the row's header. nullopt when
// only an image of the page has them.
std::optional<Bytes> find_inserted_columns(const RecordView& record);
// The first block as the record leaves it, decompressed if wal_compression is on; empty when it has
// no image of it.
std::vector<std::byte> find_page_image(const RecordView& record);

// Whether it writes a page as a whole, as those who build relations do.
bool is_page_image(const RecordView& record);
// The same because of a hint in it, by whoever has read it.
bool is_hint_image(const RecordView& record);

std::optional<FileOfRelation> find_created_storage(const RecordView& record);

// Its files are gone with this record, before the transaction ends.
struct DroppedDatabase {
  std::uint32_t oid = 0;
  std::vector<std::uint32_t> tablespaces;
};
std::optional<DroppedDatabase> find_dropped_database(const RecordView& record);
// A copy of a database, in a tablespace: CREATE DATABASE, or one that is moved there.
struct CreatedDatabase {
  std::uint32_t oid = 0;
  std::uint32_t tablespace = 0;
};
std::optional<CreatedDatabase> find_created_database(const RecordView& record);

}  // namespace barman::wal

#include "wal/change_records.h"

#include <algorithm>

#include "wal/record_fields.h"

namespace barman::wal {
namespace {

// 2000-01-01, where PostgreSQL's timestamps begin.
constexpr std::int64_t kEpochOfPostgres = 946684800LL * 1000000;
constexpr std::uint8_t kKindMask = 0xF0;

// The headers of a record's parts (src/include/access/xlogrecord.h).
constexpr std::uint8_t kLastBlockId = 32;
constexpr std::uint8_t kShortDataId = 255;
constexpr std::uint8_t kLongDataId = 254;
constexpr std::uint8_t kOriginId = 253;
constexpr std::uint8_t kTopTransactionId = 252;
constexpr std::uint8_t kForkMask = 0x0F;
constexpr std::uint8_t kHasImage = 0x10;
constexpr std::uint8_t kSameRelation = 0x80;
// Of an image; before 15 there is one bit for "compressed".
constexpr std::uint8_t kHasHole = 0x01;
constexpr std::uint8_t kCompressedBefore15 = 0x02;
constexpr std::uint8_t kCompressedSince15 = 0x1C;

FileOfRelation take_relation(RecordFields& fields) {
  FileOfRelation file;
  file.tablespace = fields.take<std::uint32_t>();
  file.database = fields.take<std::uint32_t>();
  file.number = fields.take<std::uint32_t>();
  return file;
}

void pass_over_image(RecordFields& fields, int major) {
  fields.skip(2 * sizeof(std::uint16_t));  // length, offset of the hole
  const auto info = fields.take<std::uint8_t>();
  const std::uint8_t compressed = major < 15 ? kCompressedBefore15 : kCompressedSince15;
  if ((info & kHasHole) != 0 && (info & compressed) != 0) fields.skip(sizeof(std::uint16_t));
}

// `id` is taken already.
ChangedBlock take_block(RecordFields& fields, int major, const FileOfRelation& before) {
  const auto flags = fields.take<std::uint8_t>();
  fields.skip(sizeof(std::uint16_t));  // length of the data
  if ((flags & kHasImage) != 0) pass_over_image(fields, major);
  ChangedBlock block = {.relation = before, .fork = static_cast<std::uint8_t>(flags & kForkMask)};
  if ((flags & kSameRelation) == 0) block.relation = take_relation(fields);
  block.number = fields.take<std::uint32_t>();
  return block;
}

// The record's own data, which is the end of it; nullopt when the record is not whole.
std::optional<Bytes> find_own_data(const RecordView& record) {
  if (!record.is_content_whole()) return std::nullopt;
  RecordFields fields(record.content);
  FileOfRelation relation;
  while (!fields.is_bad() && !fields.rest().empty()) {
    const auto id = fields.take<std::uint8_t>();
    if (id <= kLastBlockId) {
      relation = take_block(fields, record.server_major, relation).relation;
    } else if (id == kOriginId) {
      fields.skip(sizeof(std::uint16_t));
    } else if (id == kTopTransactionId) {
      fields.skip(sizeof(std::uint32_t));
    } else if (id == kShortDataId || id == kLongDataId) {
      const std::uint64_t size = id == kShortDataId ? std::uint64_t{fields.take<std::uint8_t>()}
                                                    : std::uint64_t{fields.take<std::uint32_t>()};
      if (fields.is_bad() || size > fields.rest().size()) return std::nullopt;
      return record.content.last(static_cast<std::size_t>(size));
    } else {
      return std::nullopt;
    }
  }
  return std::nullopt;
}

// Lists begin with the number of their items. A number that the rest cannot hold makes all bad.
std::size_t take_count(RecordFields& fields, std::size_t item_size) {
  const auto count = fields.take<std::uint32_t>();
  if (count > fields.rest().size() / item_size) {
    fields.skip(fields.rest().size() + std::uint64_t{1});
    return 0;
  }
  return count;
}

enum class EndingKind { commit, abort, prepared_commit, prepared_abort };

std::optional<EndingKind> ending_of(const RecordView& record) {
  constexpr std::uint8_t kTransactionKindMask = 0x70;
  if (record.manager != kTransactionManager) return std::nullopt;
  switch (record.info & kTransactionKindMask) {
    case 0x00:
      return EndingKind::commit;
    case 0x20:
      return EndingKind::abort;
    case 0x30:
      return EndingKind::prepared_commit;
    case 0x40:
      return EndingKind::prepared_abort;
    default:
      return std::nullopt;
  }
}

// xl_xact_xinfo and what follows it (src/backend/access/rmgrdesc/xactdesc.c, ParseCommitRecord()).
void take_details(RecordFields& fields, int major, bool is_prepared, FinishedTransaction& end) {
  constexpr std::uint32_t kHasDatabase = 1U << 0;
  constexpr std::uint32_t kHasSubtransactions = 1U << 1;
  constexpr std::uint32_t kHasDroppedFiles = 1U << 2;
  constexpr std::uint32_t kHasMessages = 1U << 3;
  constexpr std::uint32_t kIsPrepared = 1U << 4;
  constexpr std::uint32_t kHasDroppedStatistics = 1U << 8;
  constexpr std::size_t kFileSize = 3 * sizeof(std::uint32_t);
  constexpr std::size_t kMessageSize = 16;
  const std::size_t statistics_size = major < 18 ? 12 : 16;
  const auto parts = fields.take<std::uint32_t>();
  if ((parts & kHasDatabase) != 0) fields.skip(2 * sizeof(std::uint32_t));
  if ((parts & kHasSubtransactions) != 0) {
    end.subtransactions.resize(take_count(fields, sizeof(std::uint32_t)));
    for (std::uint32_t& child : end.subtransactions) child = fields.take<std::uint32_t>();
  }
  if ((parts & kHasDroppedFiles) != 0) {
    end.dropped.resize(take_count(fields, kFileSize));
    for (FileOfRelation& file : end.dropped) file = take_relation(fields);
  }
  if ((parts & kHasDroppedStatistics) != 0 && major >= 15) {
    fields.skip(take_count(fields, statistics_size) * statistics_size);
  }
  if ((parts & kHasMessages) != 0 && end.is_commit) {
    fields.skip(take_count(fields, kMessageSize) * kMessageSize);
  }
  if ((parts & kIsPrepared) != 0 && is_prepared) end.transaction = fields.take<std::uint32_t>();
}

}  // namespace

std::optional<FinishedTransaction> find_finished_transaction(const RecordView& record) {
  constexpr std::uint8_t kHasDetails = 0x80;
  const std::optional<EndingKind> ending = ending_of(record);
  if (!ending) return std::nullopt;
  const std::optional<Bytes> data = find_own_data(record);
  if (!data) return std::nullopt;
  const bool is_prepared =
      *ending == EndingKind::prepared_commit || *ending == EndingKind::prepared_abort;
  FinishedTransaction end = {
      .is_commit = *ending == EndingKind::commit || *ending == EndingKind::prepared_commit,
      .transaction = record.transaction};
  RecordFields fields(*data);
  const auto time = fields.take<std::int64_t>();
  if (fields.is_bad() || __builtin_add_overflow(time, kEpochOfPostgres, &end.microseconds)) {
    return std::nullopt;
  }
  if ((record.info & kHasDetails) != 0) {
    take_details(fields, record.server_major, is_prepared, end);
  }
  if (fields.is_bad()) return std::nullopt;
  return end;
}

std::optional<ChangedBlock> find_changed_block(const RecordView& record) {
  RecordFields fields(record.content);
  const auto id = fields.take<std::uint8_t>();
  if (fields.is_bad() || id > kLastBlockId) return std::nullopt;
  const ChangedBlock block = take_block(fields, record.server_major, {});
  if (fields.is_bad()) return std::nullopt;
  return block;
}

RowChange row_change_of(const RecordView& record) {
  constexpr std::uint8_t kRowMask = 0x70;
  const std::uint8_t kind = record.info & kRowMask;
  if (record.manager == kHeap2Manager) {
    constexpr std::uint8_t kMultiInsert = 0x50;
    return kind == kMultiInsert ? RowChange::inserted : RowChange::none;
  }
  if (record.manager != kHeapManager) return RowChange::none;
  switch (kind) {
    case 0x00:
      return RowChange::inserted;
    case 0x10:
      return RowChange::deleted;
    case 0x20:  // and without a new entry in indexes
    case 0x40:
      return RowChange::updated;
    case 0x70:
      return RowChange::overwritten;
    default:
      return RowChange::none;
  }
}

std::optional<std::uint16_t> find_row_number(const RecordView& record) {
  const std::optional<Bytes> data = find_own_data(record);
  if (!data || record.manager != kHeapManager) return std::nullopt;
  RecordFields fields(*data);
  // xl_heap_insert and xl_heap_inplace begin with it, xl_heap_delete with xmax.
  if (row_change_of(record) == RowChange::deleted) fields.skip(sizeof(std::uint32_t));
  const auto number = fields.take<std::uint16_t>();
  if (fields.is_bad()) return std::nullopt;
  return number;
}

bool is_page_image(const RecordView& record) {
  constexpr std::uint8_t kImage = 0xB0;
  return record.manager == kXlogManager && (record.info & kKindMask) == kImage;
}

std::optional<FileOfRelation> find_created_storage(const RecordView& record) {
  constexpr std::uint8_t kCreate = 0x10;
  if (record.manager != kStorageManager || (record.info & kKindMask) != kCreate) {
    return std::nullopt;
  }
  const std::optional<Bytes> data = find_own_data(record);
  if (!data) return std::nullopt;
  RecordFields fields(*data);
  const FileOfRelation file = take_relation(fields);
  if (fields.is_bad()) return std::nullopt;
  return file;
}

std::optional<DroppedDatabase> find_dropped_database(const RecordView& record) {
  const std::uint8_t drop = record.server_major < 15 ? 0x10 : 0x20;
  if (record.manager != kDatabaseManager || (record.info & kKindMask) != drop) return std::nullopt;
  const std::optional<Bytes> data = find_own_data(record);
  if (!data) return std::nullopt;
  RecordFields fields(*data);
  DroppedDatabase dropped = {.oid = fields.take<std::uint32_t>()};
  dropped.tablespaces.resize(take_count(fields, sizeof(std::uint32_t)));
  for (std::uint32_t& oid : dropped.tablespaces) oid = fields.take<std::uint32_t>();
  if (fields.is_bad()) return std::nullopt;
  return dropped;
}

std::optional<CreatedDatabase> find_created_database(const RecordView& record) {
  constexpr std::uint8_t kCopied = 0x00;
  constexpr std::uint8_t kLogged = 0x10;  // since 15
  const std::uint8_t kind = record.info & kKindMask;
  const bool is_creation = kind == kCopied || (kind == kLogged && record.server_major >= 15);
  if (record.manager != kDatabaseManager || !is_creation) return std::nullopt;
  const std::optional<Bytes> data = find_own_data(record);
  if (!data) return std::nullopt;
  RecordFields fields(*data);
  CreatedDatabase created;
  created.oid = fields.take<std::uint32_t>();
  created.tablespace = fields.take<std::uint32_t>();
  if (fields.is_bad()) return std::nullopt;
  return created;
}

}  // namespace barman::wal

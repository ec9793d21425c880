#include "wal/change_records.h"

#include <algorithm>

#include "compression/page_image.h"
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
constexpr std::size_t kPageBytes = 8192;

using compression::PageCompression;

// Of an image; before 15 there is one bit for "compressed", which is pglz.
constexpr std::uint8_t kHasHole = 0x01;
constexpr std::uint8_t kCompressedBefore15 = 0x02;
constexpr std::uint8_t kPglzSince15 = 0x04;
constexpr std::uint8_t kLz4Since15 = 0x08;
constexpr std::uint8_t kZstdSince15 = 0x10;

std::optional<PageCompression> compression_of(std::uint8_t image_bits, int major) {
  if (major < 15) {
    return (image_bits & kCompressedBefore15) != 0 ? std::optional(PageCompression::pglz)
                                                   : std::nullopt;
  }
  if ((image_bits & kPglzSince15) != 0) return PageCompression::pglz;
  if ((image_bits & kLz4Since15) != 0) return PageCompression::lz4;
  if ((image_bits & kZstdSince15) != 0) return PageCompression::zstd;
  return std::nullopt;
}

FileOfRelation take_relation(RecordFields& fields) {
  FileOfRelation file;
  file.tablespace = fields.take<std::uint32_t>();
  file.database = fields.take<std::uint32_t>();
  file.number = fields.take<std::uint32_t>();
  return file;
}

// What the header of a block says of what lies behind all headers.
struct BlockParts {
  ChangedBlock block;
  std::uint16_t data_bytes = 0;
  bool has_image = false;
  std::optional<PageCompression> compression;
  std::uint16_t image_bytes = 0;
  std::uint16_t hole_offset = 0;
  // Of a compressed one; else it is what the image lacks of a page.
  std::uint16_t hole_bytes = 0;
};

void take_image_header(RecordFields& fields, int major, BlockParts& parts) {
  parts.has_image = true;
  parts.image_bytes = fields.take<std::uint16_t>();
  parts.hole_offset = fields.take<std::uint16_t>();
  const auto info = fields.take<std::uint8_t>();
  parts.compression = compression_of(info, major);
  if ((info & kHasHole) != 0 && parts.compression) parts.hole_bytes = fields.take<std::uint16_t>();
}

// `id` is taken already.
BlockParts take_block_parts(RecordFields& fields, int major, const FileOfRelation& before) {
  const auto flags = fields.take<std::uint8_t>();
  BlockParts parts;
  parts.data_bytes = fields.take<std::uint16_t>();
  if ((flags & kHasImage) != 0) take_image_header(fields, major, parts);
  parts.block = {.relation = before, .fork = static_cast<std::uint8_t>(flags & kForkMask)};
  if ((flags & kSameRelation) == 0) parts.block.relation = take_relation(fields);
  parts.block.number = fields.take<std::uint32_t>();
  return parts;
}

ChangedBlock take_block(RecordFields& fields, int major, const FileOfRelation& before) {
  return take_block_parts(fields, major, before).block;
}

// Image and data of the first block, which lie behind all headers; nullopt when the record is not
// whole, or has no block.
struct FirstBlock {
  BlockParts parts;
  Bytes image;
  Bytes data;
};
std::optional<FirstBlock> find_first_block(const RecordView& record) {
  if (!record.is_content_whole()) return std::nullopt;
  RecordFields fields(record.content);
  std::optional<FirstBlock> first;
  FileOfRelation relation;
  std::uint64_t behind_headers = 0;
  while (!fields.is_bad() && fields.rest().size() > behind_headers) {
    const auto id = fields.take<std::uint8_t>();
    if (id <= kLastBlockId) {
      const BlockParts parts = take_block_parts(fields, record.server_major, relation);
      relation = parts.block.relation;
      behind_headers += std::uint64_t{parts.data_bytes} + parts.image_bytes;
      if (!first) first.emplace().parts = parts;
    } else if (id == kOriginId) {
      fields.skip(sizeof(std::uint16_t));
    } else if (id == kTopTransactionId) {
      fields.skip(sizeof(std::uint32_t));
    } else if (id == kShortDataId) {
      behind_headers += fields.take<std::uint8_t>();
    } else if (id == kLongDataId) {
      behind_headers += fields.take<std::uint32_t>();
    } else {
      return std::nullopt;
    }
  }
  const Bytes rest = fields.rest();
  if (!first || fields.is_bad() || rest.size() != behind_headers) return std::nullopt;
  first->image = rest.first(first->parts.image_bytes);
  first->data = rest.subspan(first->parts.image_bytes, first->parts.data_bytes);
  return first;
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
      .is_prepared = is_prepared,
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

// xl_heap_header, and the row without its header of 23 bytes: the bitmap of nulls, then columns.
std::optional<Bytes> find_inserted_columns(const RecordView& record) {
  constexpr std::size_t kRowHeader = 23;
  constexpr std::size_t kOffsetOfColumns = 4;
  if (record.manager != kHeapManager || row_change_of(record) != RowChange::inserted)
    return std::nullopt;
  const std::optional<FirstBlock> first = find_first_block(record);
  if (!first || first->data.size() <= kOffsetOfColumns) return std::nullopt;
  const auto columns = static_cast<std::size_t>(first->data[kOffsetOfColumns]);
  const Bytes row = first->data.subspan(kOffsetOfColumns + 1);
  if (columns < kRowHeader || columns - kRowHeader > row.size()) return std::nullopt;
  return row.subspan(columns - kRowHeader);
}

// The hole between the pointers and the rows is left out, of compressed ones, too.
std::vector<std::byte> find_page_image(const RecordView& record) {
  const std::optional<FirstBlock> first = find_first_block(record);
  if (!first || !first->parts.has_image) return {};
  const BlockParts& parts = first->parts;
  Bytes image = first->image;
  std::vector<std::byte> decompressed;
  if (parts.compression) {
    if (parts.hole_bytes > kPageBytes) return {};
    decompressed.resize(kPageBytes - parts.hole_bytes);
    if (!compression::decompress_page(*parts.compression, image, decompressed)) return {};
    image = decompressed;
  }
  const std::size_t hole = parts.hole_offset;
  if (image.size() > kPageBytes || hole > image.size()) return {};
  std::vector<std::byte> page(kPageBytes);
  std::ranges::copy(image.first(hole), page.begin());
  const Bytes behind = image.subspan(hole);
  std::ranges::copy(behind, page.end() - static_cast<std::ptrdiff_t>(behind.size()));
  return page;
}

bool is_page_image(const RecordView& record) {
  constexpr std::uint8_t kImage = 0xB0;
  return record.manager == kXlogManager && (record.info & kKindMask) == kImage;
}

bool is_hint_image(const RecordView& record) {
  constexpr std::uint8_t kHintImage = 0xA0;
  return record.manager == kXlogManager && (record.info & kKindMask) == kHintImage;
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

#include "wal/record_content.h"

#include <algorithm>
#include <string_view>

#include "wal/record_fields.h"

namespace barman::wal {
namespace {

// Of XLOG.
constexpr std::uint8_t kParameterChange = 0x60;
constexpr std::uint8_t kRestorePoint = 0x70;
constexpr std::uint8_t kCheckpointRedo = 0xE0;
// Of Transaction, without the flags.
constexpr std::uint8_t kCommit = 0x00;
constexpr std::uint8_t kAbort = 0x20;
constexpr std::uint8_t kCommitPrepared = 0x30;
constexpr std::uint8_t kAbortPrepared = 0x40;
constexpr std::uint8_t kTransactionMask = 0x70;
constexpr std::uint8_t kHasInfo = 0x80;

// xl_parameter_change: five limits, the level and two flags; before 12 without max_wal_senders.
constexpr std::size_t kLevelOffset = 5 * sizeof(std::uint32_t);
constexpr std::size_t kOldLevelOffset = 4 * sizeof(std::uint32_t);
constexpr std::size_t kParametersSize = 6 * sizeof(std::uint32_t) + 2;
constexpr std::uint32_t kMinimal = 0;
// xl_restore_point: the time, then MAXFNAMELEN bytes of the name.
constexpr std::size_t kNameOffset = sizeof(std::int64_t);
constexpr std::size_t kNameSize = 64;
// 2000-01-01, where PostgreSQL's timestamps begin.
constexpr std::int64_t kPostgresEpoch = 946684800LL * 1000000;

// The record's own data, behind the headers of its parts; cut where the kept content ends. Nothing
// when the record refers to blocks: such records are of no interest here.
std::optional<Bytes> main_data(const RecordView& record) {
  constexpr std::uint8_t kShort = 255;
  constexpr std::uint8_t kLong = 254;
  constexpr std::uint8_t kOrigin = 253;
  constexpr std::uint8_t kTopTransaction = 252;
  RecordFields fields(record.content);
  while (!fields.is_bad()) {
    std::uint64_t size = 0;
    switch (fields.take<std::uint8_t>()) {
      case kShort:
        size = fields.take<std::uint8_t>();
        break;
      case kLong:
        size = fields.take<std::uint32_t>();
        break;
      case kOrigin:
        fields.skip(sizeof(std::uint16_t));
        continue;
      case kTopTransaction:
        fields.skip(sizeof(std::uint32_t));
        continue;
      default:
        return std::nullopt;
    }
    if (fields.is_bad()) break;
    const std::uint64_t here = std::min<std::uint64_t>(size, fields.rest().size());
    return fields.rest().first(static_cast<std::size_t>(here));
  }
  return std::nullopt;
}

// In the records that end a prepared transaction its number is told behind the lists.
std::optional<std::uint32_t> find_prepared(RecordFields fields, std::uint8_t info, bool is_commit) {
  constexpr std::uint32_t kHasDatabase = 1U << 0;
  constexpr std::uint32_t kHasChildren = 1U << 1;
  constexpr std::uint32_t kHasFiles = 1U << 2;
  constexpr std::uint32_t kHasInvalidations = 1U << 3;
  constexpr std::uint32_t kIsPrepared = 1U << 4;
  constexpr std::uint32_t kHasStatistics = 1U << 8;
  if ((info & kHasInfo) == 0) return std::nullopt;
  const auto parts = fields.take<std::uint32_t>();
  const auto skip_list = [&](std::uint32_t part, std::uint64_t item_size) {
    if ((parts & part) == 0) return;
    fields.skip(fields.take<std::uint32_t>() * item_size);
  };
  // Statistics have items of 12 bytes, and of 16 since 18: not worth a guess.
  if ((parts & kIsPrepared) == 0 || (parts & kHasStatistics) != 0) return std::nullopt;
  if ((parts & kHasDatabase) != 0) fields.skip(2 * sizeof(std::uint32_t));
  skip_list(kHasChildren, sizeof(std::uint32_t));
  skip_list(kHasFiles, 3 * sizeof(std::uint32_t));
  if (is_commit) skip_list(kHasInvalidations, 4 * sizeof(std::uint32_t));
  const auto transaction = fields.take<std::uint32_t>();
  return fields.is_bad() ? std::nullopt : std::optional(transaction);
}

}  // namespace

std::optional<TransactionEnd> find_transaction_end(const RecordView& record) {
  if (record.manager != kTransactionManager) return std::nullopt;
  const std::uint8_t kind = record.info & kTransactionMask;
  const bool is_prepared = kind == kCommitPrepared || kind == kAbortPrepared;
  const bool is_commit = kind == kCommit || kind == kCommitPrepared;
  if (!is_commit && kind != kAbort && kind != kAbortPrepared) return std::nullopt;
  const std::optional<Bytes> data = main_data(record);
  if (!data) return std::nullopt;
  RecordFields fields(*data);
  const auto time = fields.take<std::int64_t>();
  TransactionEnd end = {.is_commit = is_commit};
  // No server writes a time that no Unix time can tell: the record is damaged.
  if (fields.is_bad() || __builtin_add_overflow(time, kPostgresEpoch, &end.microseconds)) {
    return std::nullopt;
  }
  end.transaction = is_prepared ? find_prepared(fields, record.info, is_commit)
                                : std::optional(record.transaction);
  return end;
}

std::optional<std::string> find_restore_point(const RecordView& record) {
  if (record.manager != kXlogManager || (record.info & 0xF0) != kRestorePoint) return std::nullopt;
  const std::optional<Bytes> data = main_data(record);
  if (!data || data->size() < kNameOffset + kNameSize) return std::nullopt;
  const std::string_view name(reinterpret_cast<const char*>(data->data()) + kNameOffset, kNameSize);
  return std::string(name.substr(0, name.find('\0')));
}

std::optional<CreatedTablespace> find_created_tablespace(const RecordView& record) {
  constexpr std::uint8_t kCreate = 0x00;
  if (record.manager != kTablespaceManager || (record.info & 0xF0) != kCreate) return std::nullopt;
  const std::optional<Bytes> data = main_data(record);
  if (!data) return std::nullopt;
  RecordFields fields(*data);
  CreatedTablespace created = {.oid = fields.take<std::uint32_t>()};
  if (fields.is_bad()) return std::nullopt;
  const std::string_view location = as_text(fields.rest());
  created.location = location.substr(0, location.find('\0'));
  if (created.location.empty()) return std::nullopt;
  return created;
}

std::optional<LevelRecord> find_wal_level(const RecordView& record) {
  if (record.manager != kXlogManager) return std::nullopt;
  const std::uint8_t kind = record.info & 0xF0;
  if (kind != kParameterChange && kind != kCheckpointRedo) return std::nullopt;
  const std::optional<Bytes> data = main_data(record);
  if (!data) return std::nullopt;
  RecordFields fields(*data);
  if (kind == kParameterChange) {
    fields.skip(data->size() < kParametersSize ? kOldLevelOffset : kLevelOffset);
  }
  const auto level = fields.take<std::uint32_t>();
  if (fields.is_bad()) return std::nullopt;
  return LevelRecord{.is_minimal = level == kMinimal, .is_change = kind == kParameterChange};
}

}  // namespace barman::wal

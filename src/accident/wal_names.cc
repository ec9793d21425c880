#include "accident/wal_names.h"

#include <optional>
#include <vector>

namespace barman::accident {
namespace {

// OIDs below are those of the system, whose schemas have the same names everywhere.
constexpr std::uint32_t kPublicSchema = 2200;

template <typename Map>
void add_later(Map& names, Map&& later, std::size_t most) {
  for (auto& [key, value] : later) {
    const auto known = names.find(key);
    if (known == names.end()) {
      if (names.size() < most) names.emplace(key, std::move(value));
    } else if (value.is_latest || !known->second.is_latest) {
      known->second = std::move(value);
    }
  }
}

}  // namespace

void WalNames::learn(const wal::RecordView& record, const wal::ChangedBlock& block) {
  const std::uint32_t catalogue = block.relation.number;
  const bool is_wanted = catalogue == postgres::kClassCatalogue ||
                         catalogue == postgres::kNamespaceCatalogue ||
                         catalogue == postgres::kDatabaseCatalogue;
  if (!is_wanted || block.fork != 0) return;
  const std::uint32_t database = block.relation.database;
  const bool is_class = catalogue == postgres::kClassCatalogue;
  std::map<Key, postgres::NamedRow>& rows =
      catalogue == postgres::kDatabaseCatalogue ? databases_ : schemas_;
  if (const std::optional<Bytes> columns = wal::find_inserted_columns(record)) {
    if (is_class) {
      if (const auto row = postgres::class_row_of(*columns, record.server_major))
        keep(database, *row);
    } else if (const auto row = postgres::named_row_of(*columns)) {
      keep({database, row->oid}, *row, rows);
    }
  }
  const std::vector<std::byte> page = wal::find_page_image(record);
  if (page.empty()) return;
  if (is_class) {
    postgres::visit_class_rows(page, record.server_major,
                               [&](const postgres::ClassRow& row) { keep(database, row); });
  } else {
    postgres::visit_named_rows(page, [&](const postgres::NamedRow& row) {
      keep({database, row.oid}, row, rows);
    });
  }
}

void WalNames::keep(std::uint32_t database, const postgres::ClassRow& row) {
  // Views have none; catalogues are no loss that somebody asks for.
  if (row.file_number < postgres::kFirstUserNumber || row.common.name.empty()) return;
  const Key key(database, row.file_number);
  const auto known = relations_.find(key);
  if (known != relations_.end() && known->second.is_latest && !row.common.is_latest) return;
  if (known == relations_.end() && relations_.size() >= kMaxNames) return;
  relations_[key] = {.name = row.common.name,
                     .schema_oid = row.schema_oid,
                     .kind = row.kind,
                     .is_latest = row.common.is_latest};
}

void WalNames::keep(const Key& key, const postgres::NamedRow& row,
                    std::map<Key, postgres::NamedRow>& rows) {
  const auto known = rows.find(key);
  if (known != rows.end() && known->second.is_latest && !row.is_latest) return;
  if (row.name.empty() || (known == rows.end() && rows.size() >= kMaxNames)) return;
  rows[key] = row;
}

void WalNames::add(WalNames&& later) {
  add_later(relations_, std::move(later.relations_), kMaxNames);
  add_later(schemas_, std::move(later.schemas_), kMaxNames);
  add_later(databases_, std::move(later.databases_), kMaxNames);
}

const NamedFile* WalNames::find_relation(std::uint32_t database, std::uint32_t number) const {
  const auto found = relations_.find({database, number});
  return found == relations_.end() ? nullptr : &found->second;
}

std::string WalNames::schema_name(std::uint32_t database, std::uint32_t oid) const {
  const auto found = schemas_.find({database, oid});
  if (found != schemas_.end()) return found->second.name;
  return oid == kPublicSchema ? "public" : "";
}

std::string WalNames::database_name(std::uint32_t oid) const {
  const auto found = databases_.find({0, oid});
  return found == databases_.end() ? "" : found->second.name;
}

}  // namespace barman::accident

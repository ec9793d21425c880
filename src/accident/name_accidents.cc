#include "accident/name_accidents.h"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/log.h"
#include "base/log_components.h"
#include "postgres/catalogue_rows.h"
#include "postgres/control_file.h"
#include "stored/backup_chain.h"

namespace barman::accident {
namespace {

using postgres::ClassRow;
using postgres::NamedRow;

constexpr std::uint32_t kDefaultTablespace = 1663;
constexpr std::uint32_t kGlobalTablespace = 1664;
constexpr std::size_t kMaxControlFile = 8192;

struct KnownRelation {
  std::string name;
  std::string kind;
  bool is_latest = false;
};
using KnownRelations = std::map<std::uint32_t, KnownRelation>;  // by file number

// One backup, complete, as far as it can be read here and there.
class CatalogueOfBackup {
 public:
  CatalogueOfBackup(const server::Server& server, const catalogue::BackupInfo& backup)
      : major_(backup.version.value_or(0) / 10000),
        chain_(stored::BackupChain::open(server.catalogue(), backup,
                                         {.interrupt = server.interrupt()})),
        trees_(chain_.complete_trees()) {
    for (const stored::BackupTree& tree : trees_) {
      if (tree.is_data_directory() && tree.content->has_random_access()) data_ = tree.content.get();
    }
    if (data_ == nullptr) return;
    const std::string control = stored::read_content(*data_, "global/pg_control", kMaxControlFile);
    catalog_version_ = postgres::parse_control_file(as_bytes(control)).catalog_version;
    const auto map = read_map("global");
    visit_pages(number_of(map, postgres::kDatabaseCatalogue), "global", [&](Bytes page) {
      postgres::visit_named_rows(page, [&](const NamedRow& row) { keep(row, databases_); });
    });
  }

  std::string database_name(std::uint32_t oid) const {
    const auto found = databases_.find(oid);
    return found == databases_.end() ? "" : found->second.name;
  }

  void describe(ChangedRelation& relation) {
    if (data_ == nullptr) return;
    const KnownRelations& known = relations_of(relation.file.database);
    if (const auto found = known.find(relation.file.number); found != known.end()) {
      relation.name = found->second.name;
      relation.kind = found->second.kind;
    }
    relation.size_bytes = find_size(relation.file);
  }

 private:
  static void keep(const NamedRow& row, std::map<std::uint32_t, NamedRow>& rows) {
    const auto [place, is_new] = rows.emplace(row.oid, row);
    if (!is_new && row.is_latest) place->second = row;
  }

  std::map<std::uint32_t, std::uint32_t> read_map(const std::string& directory) const {
    const std::string path = directory + "/pg_filenode.map";
    if (!data_->has_file(path)) return {};
    const std::string content = stored::read_content(*data_, path);
    return postgres::parse_file_map(as_bytes(content));
  }
  static std::uint32_t number_of(const std::map<std::uint32_t, std::uint32_t>& map,
                                 std::uint32_t oid) {
    const auto found = map.find(oid);
    return found == map.end() ? oid : found->second;
  }

  void visit_pages(std::uint32_t number, const std::string& directory,
                   const std::function<void(Bytes page)>& visit) const {
    const std::string path = fmt::format("{}/{}", directory, number);
    if (!data_->has_file(path)) return;
    const std::unique_ptr<stored::ContentFile> file = data_->open(path);
    std::array<std::byte, 8192> page{};
    for (std::uint64_t at = 0; file->read_at(at, page) == page.size(); at += page.size()) {
      visit(page);
    }
  }

  const KnownRelations& relations_of(std::uint32_t database) {
    const auto [place, is_new] = relations_.try_emplace(database);
    if (is_new) read_relations(fmt::format("base/{}", database), place->second);
    return place->second;
  }

  void read_relations(const std::string& directory, KnownRelations& relations) const {
    std::vector<ClassRow> rows;
    std::uint32_t schemas_number = postgres::kNamespaceCatalogue;
    visit_pages(number_of(read_map(directory), postgres::kClassCatalogue), directory,
                [&](Bytes page) {
                  postgres::visit_class_rows(page, major_, [&](const ClassRow& row) {
                    if (row.common.oid == postgres::kNamespaceCatalogue && row.common.is_latest) {
                      schemas_number = row.file_number;
                    }
                    if (row.file_number != 0) rows.push_back(row);
                  });
                });
    std::map<std::uint32_t, NamedRow> schemas;
    visit_pages(schemas_number, directory, [&](Bytes page) {
      postgres::visit_named_rows(page, [&](const NamedRow& row) { keep(row, schemas); });
    });
    for (const ClassRow& row : rows) {
      const auto schema = schemas.find(row.schema_oid);
      KnownRelation known = {.name = schema == schemas.end()
                                         ? row.common.name
                                         : schema->second.name + "." + row.common.name,
                             .kind = postgres::relation_kind_text(row.kind),
                             .is_latest = row.common.is_latest};
      const auto [place, is_new] = relations.emplace(row.file_number, known);
      if (!is_new && known.is_latest) place->second = std::move(known);
    }
  }

  std::optional<std::uint64_t> find_size(const wal::FileOfRelation& file) const {
    if (file.tablespace == kDefaultTablespace) {
      return size_in(*data_, fmt::format("base/{}/{}", file.database, file.number));
    }
    if (file.tablespace == kGlobalTablespace) {
      return size_in(*data_, fmt::format("global/{}", file.number));
    }
    for (const stored::BackupTree& tree : trees_) {
      if (tree.oid != file.tablespace || !tree.content->has_random_access()) continue;
      return size_in(*tree.content, fmt::format("PG_{}_{}/{}/{}", major_, catalog_version_,
                                                file.database, file.number));
    }
    return std::nullopt;
  }

  // Files of one gigabyte, "16384", "16384.1" …
  static std::optional<std::uint64_t> size_in(const stored::ContentTree& tree,
                                              const std::string& path) {
    if (!tree.has_file(path)) return std::nullopt;
    std::uint64_t sum = tree.open(path)->size_bytes();
    for (unsigned number = 1; tree.has_file(fmt::format("{}.{}", path, number)); ++number) {
      sum += tree.open(fmt::format("{}.{}", path, number))->size_bytes();
    }
    return sum;
  }

  const int major_;
  const stored::BackupChain chain_;
  const std::vector<stored::BackupTree> trees_;
  const stored::ContentTree* data_ = nullptr;
  std::uint32_t catalog_version_ = 0;
  std::map<std::uint32_t, NamedRow> databases_;
  std::map<std::uint32_t, KnownRelations> relations_;
};

void name_accident(CatalogueOfBackup& names, Accident& accident) {
  accident.database_name = names.database_name(accident.database);
  for (ChangedRelation& relation : accident.relations) names.describe(relation);
  // Tables first, the largest in front.
  const auto rank = [](const ChangedRelation& relation) {
    const bool is_table = relation.kind == "table" || relation.kind == "materialized view";
    return std::tuple(!relation.is_dropped, relation.deleted_rows + relation.updated_rows == 0,
                      !is_table);
  };
  std::ranges::stable_sort(accident.relations,
                           [&](const ChangedRelation& a, const ChangedRelation& b) {
                             if (rank(a) != rank(b)) return rank(a) < rank(b);
                             const std::uint64_t rows_of_a = a.deleted_rows + a.updated_rows;
                             const std::uint64_t rows_of_b = b.deleted_rows + b.updated_rows;
                             if (rows_of_a != rows_of_b) return rows_of_a > rows_of_b;
                             return a.size_bytes.value_or(0) > b.size_bytes.value_or(0);
                           });
}

}  // namespace

void name_accidents(const server::Server& server, std::vector<Accident>& accidents) {
  std::map<std::string, std::vector<Accident*>> by_backup;
  for (Accident& accident : accidents) {
    if (!accident.backup_id.empty()) by_backup[accident.backup_id].push_back(&accident);
  }
  for (const auto& [id, hit] : by_backup) {
    try {
      CatalogueOfBackup names(server, server.catalogue().resolve(id));
      for (Accident* accident : hit) name_accident(names, *accident);
    } catch (const Error& error) {  // Names are a comfort; what happened is told without them.
      if (error.kind() == ErrorKind::interrupted) throw;
      log::warning(log::kServerComponent, "names in backup {} cannot be read: {}", id,
                   error.describe());
    }
  }
}

}  // namespace barman::accident

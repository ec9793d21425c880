#include "accident/name_accidents.h"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "accident/picked_tree.h"
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

using Schemas = std::map<std::uint32_t, NamedRow>;  // by OID

bool is_nameless(const Accident& accident) {
  return accident.database_name.empty() ||
         std::ranges::any_of(accident.relations,
                             [](const ChangedRelation& relation) { return relation.name.empty(); });
}

std::string with_schema(const std::string& schema, const std::string& name) {
  return schema.empty() ? name : schema + "." + name;
}

stored::BackupChain open_chain(const server::Server& server, const std::string& id) {
  return stored::BackupChain::open(server.catalogue(), server.catalogue().resolve(id),
                                   {.interrupt = server.interrupt(), .cipher = server.cipher()});
}

// One backup, complete, as far as it can be read here and there.
class CatalogueOfBackup {
 public:
  CatalogueOfBackup(const stored::BackupChain& chain, std::vector<stored::BackupTree> trees,
                    const WalNames& names)
      : major_(chain.backup().version.value_or(0) / 10000),
        trees_(std::move(trees)),
        names_(names) {
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
    return found == databases_.end() ? names_.database_name(oid) : found->second.name;
  }

  void describe(ChangedRelation& relation) {
    const std::uint32_t database = relation.file.database;
    if (data_ != nullptr) {
      const KnownRelations& known = relations_of(database);
      relation.size_bytes = find_size(relation.file);
      if (const auto found = known.find(relation.file.number); found != known.end()) {
        relation.name = found->second.name;
        relation.kind = found->second.kind;
        return;
      }
    }
    const NamedFile* const told = names_.find_relation(database, relation.file.number);
    if (told == nullptr) return;
    relation.name = with_schema(schema_name(database, told->schema_oid), told->name);
    relation.kind = postgres::relation_kind_text(told->kind);
  }

 private:
  std::string schema_name(std::uint32_t database, std::uint32_t oid) const {
    const std::string told = names_.schema_name(database, oid);
    const auto schemas = schemas_.find(database);
    if (!told.empty() || schemas == schemas_.end()) return told;
    const auto found = schemas->second.find(oid);
    return found == schemas->second.end() ? "" : found->second.name;
  }

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
    if (is_new) read_relations(fmt::format("base/{}", database), place->second, schemas_[database]);
    return place->second;
  }

  void read_relations(const std::string& directory, KnownRelations& relations,
                      Schemas& schemas) const {
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
    visit_pages(schemas_number, directory, [&](Bytes page) {
      postgres::visit_named_rows(page, [&](const NamedRow& row) { keep(row, schemas); });
    });
    for (const ClassRow& row : rows) {
      const auto schema = schemas.find(row.schema_oid);
      KnownRelation known = {
          .name = with_schema(schema == schemas.end() ? "" : schema->second.name, row.common.name),
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
  const std::vector<stored::BackupTree> trees_;
  const WalNames& names_;
  const stored::ContentTree* data_ = nullptr;
  std::uint32_t catalog_version_ = 0;
  std::map<std::uint32_t, NamedRow> databases_;
  std::map<std::uint32_t, KnownRelations> relations_;
  std::map<std::uint32_t, Schemas> schemas_;
};

void name_accident(CatalogueOfBackup& names, Accident& accident) {
  if (accident.database_name.empty())
    accident.database_name = names.database_name(accident.database);
  for (ChangedRelation& relation : accident.relations) {
    if (relation.name.empty() || !relation.size_bytes) names.describe(relation);
  }
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

using ByBackup = std::map<std::string, std::vector<Accident*>>;

ByBackup by_backup(std::vector<Accident>& accidents) {
  ByBackup sorted;
  for (Accident& accident : accidents) sorted[accident.backup_id].push_back(&accident);
  return sorted;
}

// Names are a comfort; what happened is told without them.
void name_if_possible(const std::string& id, const std::function<void()>& name) {
  try {
    name();
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    log::warning(log::kServerComponent, "names in backup {} cannot be read: {}", id,
                 error.describe());
  }
}

// Of what the accidents are about.
struct WantedFiles {
  std::set<std::string, std::less<>> directories;  // "base/5"
  std::set<std::string, std::less<>> numbers;

  explicit WantedFiles(const std::vector<Accident*>& accidents) {
    for (const Accident* accident : accidents) {
      directories.insert(fmt::format("base/{}", accident->database));
      for (const ChangedRelation& relation : accident->relations) {
        directories.insert(fmt::format("base/{}", relation.file.database));
        numbers.insert(std::to_string(relation.file.number));
      }
    }
  }
  bool is_held(std::string_view path) const {
    const auto [directory, name] = parts_of(path);
    if (directory == "global") {
      return name == "pg_control" || name == "pg_filenode.map" ||
             name == std::to_string(postgres::kDatabaseCatalogue);
    }
    return directories.contains(directory) &&
           (name == "pg_filenode.map" || name == std::to_string(postgres::kClassCatalogue) ||
            name == std::to_string(postgres::kNamespaceCatalogue));
  }
  bool is_listed(std::string_view path) const {
    const std::string_view name = parts_of(path).second;
    return numbers.contains(name.substr(0, name.find('.')));
  }

 private:
  static std::pair<std::string_view, std::string_view> parts_of(std::string_view path) {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string_view::npos) return {"", path};
    return {path.substr(0, slash), path.substr(slash + 1)};
  }
};

}  // namespace

void name_accidents(const server::Server& server, const WalNames& names,
                    std::vector<Accident>& accidents) {
  for (const auto& [id, hit] : by_backup(accidents)) {
    name_if_possible(id, [&, backup = id, &unnamed = hit] {
      if (backup.empty()) return;
      const stored::BackupChain chain = open_chain(server, backup);
      CatalogueOfBackup catalogue(chain, chain.complete_trees(), names);
      for (Accident* accident : unnamed) name_accident(catalogue, *accident);
    });
  }
  // Of no backup, or of one that cannot be opened.
  for (Accident& accident : accidents) {
    if (accident.database_name.empty())
      accident.database_name = names.database_name(accident.database);
    for (ChangedRelation& relation : accident.relations) {
      const NamedFile* const told =
          names.find_relation(relation.file.database, relation.file.number);
      if (told == nullptr || !relation.name.empty()) continue;
      relation.name =
          with_schema(names.schema_name(relation.file.database, told->schema_oid), told->name);
      relation.kind = postgres::relation_kind_text(told->kind);
    }
  }
}

void name_by_reading_through(const server::Server& server, const WalNames& names,
                             std::vector<Accident>& accidents, Progress& progress) {
  for (const auto& [id, hit] : by_backup(accidents)) {
    if (id.empty() || std::ranges::none_of(hit, [](const Accident* accident) {
          return is_nameless(*accident) && accident->kind != AccidentKind::rewritten;
        })) {
      continue;
    }
    name_if_possible(id, [&, backup = id, &unnamed = hit] {
      const stored::BackupChain chain = open_chain(server, backup);
      if (chain.is_incremental() || chain.has_random_access()) return;
      const WantedFiles wanted(unnamed);
      progress.begin(fmt::format("names in backup {}", backup),
                     static_cast<std::uint64_t>(
                         std::max<std::int64_t>(chain.backup().cluster_size.value_or(0), 0)));
      std::vector<stored::BackupTree> trees = chain.complete_trees();
      for (stored::BackupTree& tree : trees) {
        tree.content = std::make_shared<PickedTree>(
            *tree.content, [&](std::string_view path) { return wanted.is_held(path); },
            [&](std::string_view path) { return wanted.is_listed(path); }, progress,
            server.interrupt());
      }
      progress.end();
      CatalogueOfBackup catalogue(chain, std::move(trees), names);
      for (Accident* accident : unnamed) name_accident(catalogue, *accident);
    });
  }
}

}  // namespace barman::accident

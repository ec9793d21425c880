#include "accident/live_names.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "base/log_components.h"
#include "postgres/catalogue_rows.h"
#include "postgres/connection.h"
#include "postgres/conninfo.h"
#include "postgres/queries.h"

namespace barman::accident {
namespace {

constexpr postgres::ConnectionLimits kNameLimits = {.connect_timeout = std::chrono::seconds(5),
                                                    .statement_timeout = std::chrono::seconds(10)};

bool has_nameless(const Accident& accident) {
  return std::ranges::any_of(accident.relations, [&](const ChangedRelation& relation) {
    return relation.name.empty() &&
           (!relation.is_dropped || accident.kind == AccidentKind::truncated);
  });
}

// Truncated relations are still there, with other files.
void name_new_files(const std::map<std::uint32_t, postgres::RelationName>& names,
                    Accident& accident) {
  if (!has_nameless(accident)) return;
  std::vector<ChangedRelation> known;
  for (const wal::FileOfRelation& file : accident.new_files) {
    const auto found = names.find(file.number);
    if (found == names.end()) continue;
    known.push_back({.file = file,
                     .name = found->second.name,
                     .kind = postgres::relation_kind_text(found->second.kind)});
  }
  accident.relations.insert(accident.relations.begin(), known.begin(), known.end());
}

void name_relations(const server::Server& server, const std::string& database,
                    const std::vector<Accident*>& accidents) {
  const std::string conninfo = postgres::make_sql_conninfo(
      postgres::in_database(server.config().conninfo.value_or(""), database));
  postgres::Connection connection =
      postgres::Connection::open(conninfo, kNameLimits, server.interrupt());
  const auto names = postgres::query_relation_names(connection);
  for (Accident* accident : accidents) {
    name_new_files(names, *accident);
    for (ChangedRelation& relation : accident->relations) {
      const auto found = names.find(relation.file.number);
      if (found == names.end() || relation.is_dropped || !relation.name.empty()) continue;
      relation.name = found->second.name;
      relation.kind = postgres::relation_kind_text(found->second.kind);
    }
  }
}

void ask(const server::Server& server, std::vector<Accident>& accidents) {
  postgres::Connection connection = server.connect(kNameLimits);
  const auto databases = postgres::query_database_names(connection);
  std::map<std::string, std::vector<Accident*>> by_database;
  for (Accident& accident : accidents) {
    const auto found = databases.find(accident.database);
    if (found == databases.end()) continue;
    if (accident.database_name.empty()) accident.database_name = found->second;
    if (has_nameless(accident)) by_database[found->second].push_back(&accident);
  }
  for (const auto& [database, hit] : by_database) name_relations(server, database, hit);
}

}  // namespace

void ask_for_names(const server::Server& server, std::vector<Accident>& accidents) {
  const bool is_asked = std::ranges::any_of(accidents, [](const Accident& accident) {
    return accident.database_name.empty() || has_nameless(accident);
  });
  if (!is_asked || !server.config().conninfo) return;
  try {
    ask(server, accidents);
  } catch (const Error& error) {  // Names are a comfort; the server may be what was lost.
    if (error.kind() == ErrorKind::interrupted) throw;
    log::info(log::kServerComponent, "the server cannot be asked for names: {}", error.describe());
  }
}

}  // namespace barman::accident

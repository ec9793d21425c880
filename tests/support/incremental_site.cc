#include "support/incremental_site.h"

#include <gtest/gtest.h>

namespace barman::test {
namespace {

namespace fs = std::filesystem;

StreamingSite::Options summarizing(int major, const Settings& more) {
  return {
      .postgres = {.major = major, .settings = {{"summarize_wal", "on"}}, .tablespaces = {"ts"}},
      .server = more};
}

}  // namespace

IncrementalSite::IncrementalSite(int major, const Settings& more)
    : StreamingSite(summarizing(major, more)) {
  start_receiver();
  postgres.query("CREATE TABLE changing (id int PRIMARY KEY, text text)");
  postgres.query(
      "INSERT INTO changing SELECT g, repeat('x', 500) FROM generate_series(1, 20000) g");
  postgres.query("CREATE TABLE still AS SELECT g AS id FROM generate_series(1, 50000) g");
  postgres.query(
      "CREATE TABLE there TABLESPACE ts AS SELECT g AS id, repeat('t', 300) AS text "
      "FROM generate_series(1, 5000) g");
  archive_a_segment();
}

std::string IncrementalSite::take_incremental(const std::string& parent) {
  const CommandResult result = barman.run({"backup", "--wait", "--incremental", parent, "main"});
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_EQ(result.err, "");
  return listed_backups().front();
}

Rows IncrementalSite::tablespaces() const {
  return postgres.query("SELECT spcname, oid FROM pg_tablespace WHERE oid > 10000 ORDER BY oid");
}

void IncrementalSite::make_tablespace(const std::string& name) const {
  const fs::path location = postgres.tablespace_directory(name);
  fs::create_directories(location);
  postgres.query("CREATE TABLESPACE " + name + " LOCATION '" + location.string() + "'");
}

void IncrementalSite::promote() {
  postgres.stop();
  write_text(postgres.data_directory() / "standby.signal", "");
  postgres.start();
  postgres.promote();
  start_receiver();
  archive_a_segment();
}

std::map<std::string, Rows> all_rows(const PostgresServer& postgres) {
  std::map<std::string, Rows> rows;
  for (const Row& table :
       postgres.query("SELECT relname FROM pg_class WHERE relkind = 'r' AND relpersistence = 'p' "
                      "AND relnamespace = 'public'::regnamespace ORDER BY 1")) {
    rows[table[0]] = postgres.query(
        "SELECT count(*), md5(string_agg(t::text, ',' ORDER BY t::text)) FROM " + table[0] + " t");
  }
  return rows;
}

Restored::Restored(IncrementalSite& site, const std::string& id,
                   const std::vector<std::string>& options)
    : data(place.path() / "data") {
  std::vector<std::string> arguments = {"restore"};
  for (const Row& row : site.tablespaces()) {
    arguments.insert(arguments.end(), {"--tablespace", row[0] + ":" + tablespace(row[0]).string()});
  }
  arguments.insert(arguments.end(), options.begin(), options.end());
  arguments.insert(arguments.end(), {"main", id, data.string()});
  result = site.barman.run(arguments);
}

}  // namespace barman::test

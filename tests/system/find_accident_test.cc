// What was done by SQL is found in the WAL, and the command that is told brings it back.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/postgres_version.h"
#include "support/session.h"
#include "support/streaming_site.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;
using Words = std::vector<std::string>;

std::string database_conninfo(const PostgresServer& postgres, const std::string& database) {
  return postgres.conninfo() + " dbname=" + database;
}

class FindAccident : public testing::TestWithParam<int> {
 protected:
  FindAccident()
      : site_({.postgres = {.major = GetParam(),
                            .settings = {{"max_prepared_transactions", "2"}},
                            .tablespaces = {"fast"}}}) {
    site_.start_receiver();
    site_.archive_a_segment();
  }

  // In one transaction; returns its number.
  std::string act(const std::string& sql, const std::string& end = "COMMIT") {
    Session session(site_.postgres.conninfo());
    session.query("BEGIN");
    const std::string xid = session.value("SELECT pg_current_xact_id()");
    session.query(sql);
    session.query(end);
    return xid;
  }
  void archive_all() {
    site_.wait_until_acknowledged();
    site_.barman.run({"archive-wal", "main"});
  }
  nlohmann::json find(const Words& options = {}) {
    Words words = {"-f", "json", "find-accident", "main", "--min-rows", "1000"};
    words.insert(words.end(), options.begin(), options.end());
    const CommandResult result = site_.barman.run(words);
    EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
    return nlohmann::json::parse(result.out).at("main");
  }
  // "dropped 745 4 files", "rows_changed 746 -5000 +0".
  static std::string line_of(const nlohmann::json& accident) {
    const std::string kind = accident.at("kind");
    const nlohmann::json& xid = accident.at("xid");
    std::string text = kind;
    if (!xid.is_null()) text += fmt::format(" {}", xid.get<std::uint32_t>());
    if (kind == "rows_changed") {
      return text + fmt::format(" -{} +{}", accident.at("deleted_rows").get<int>(),
                                accident.at("updated_rows").get<int>());
    }
    if (kind == "database_dropped") return text;
    return text + fmt::format(" {} files", accident.at("dropped_files").get<int>());
  }
  static Words lines_of(const nlohmann::json& found) {
    Words lines;
    for (const nlohmann::json& accident : found.at("accidents")) {
      lines.push_back(line_of(accident));
    }
    return lines;
  }
  // Numbers that no test can know: "*" stands for them.
  static Words with_wildcards(Words lines, const Words& expected) {
    for (std::size_t i = 0; i < std::min(lines.size(), expected.size()); ++i) {
      if (expected[i].find('*') == std::string::npos) continue;
      const std::size_t begin = lines[i].find(' ') + 1;
      const std::size_t end = std::min(lines[i].find(' ', begin), lines[i].size());
      lines[i].replace(begin, end - begin, "*");
    }
    return lines;
  }
  // What the restored server answers after the command of an accident.
  std::string before(const nlohmann::json& accident, const std::string& database,
                     const std::string& sql, const std::string& first = "SELECT 1") {
    for (const char* name : {"data", "fast"}) fs::remove_all(place_.path() / name);
    Words words = accident.at("command");
    EXPECT_EQ(words.front(), "barman");
    words.erase(words.begin());
    std::replace(words.begin(), words.end(), std::string("DEST"),
                 (place_.path() / "data").string());
    words.insert(words.end(), {"--tablespace", "fast:" + (place_.path() / "fast").string()});
    const CommandResult result = site_.barman.run(words);
    EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
    PostgresServer restored({.major = GetParam(), .data_directory = place_.path() / "data"});
    restored.wait_until_primary();
    Session session(database_conninfo(restored, database));
    session.query("SET lock_timeout = '20s'");
    session.query(first);
    return session.value(sql);
  }

  StreamingSite site_;
  TempDir place_;
};

INSTANTIATE_TEST_SUITE_P(Postgres, FindAccident, testing::ValuesIn(all_majors()));

TEST_P(FindAccident, TellsWhatWasDoneAndWhatBringsItBack) {
  const PostgresServer& postgres = site_.postgres;
  postgres.query(
      "CREATE TABLE orders (id int PRIMARY KEY, note text);"
      "INSERT INTO orders SELECT i, 'order ' || i FROM generate_series(1, 300) i;"
      "CREATE SCHEMA old;"
      "CREATE TABLE old.a (id int PRIMARY KEY, t text); CREATE TABLE old.b (id int);"
      "CREATE TABLE parts (id int) PARTITION BY RANGE (id);"
      "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);"
      "CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (100) TO (200);"
      "INSERT INTO parts SELECT generate_series(1, 199);"
      "CREATE TABLE many AS SELECT i AS id, 'x' AS t FROM generate_series(1, 5000) i;"
      "CREATE TABLE grown (id int PRIMARY KEY, gone int, t text);"
      "INSERT INTO grown SELECT i, i, 'x' FROM generate_series(1, 3000) i;"
      "CREATE TABLE prepared (id int); CREATE TABLE kept (id int);"
      "CREATE TABLE anew (id int); INSERT INTO anew VALUES (1);"
      "CREATE INDEX many_id ON many (id)");
  postgres.query("CREATE DATABASE shop");
  postgres.query("CREATE DATABASE moved");
  Session(database_conninfo(postgres, "shop"))
      .query("CREATE TABLE goods AS SELECT generate_series(1, 7) AS id");
  const std::string backup = site_.take_backup();

  Words expected;
  const auto expect = [&](const std::string& kind, const std::string& xid,
                          const std::string& rest) {
    expected.push_back(fmt::format("{} {} {}", kind, xid, rest));
  };
  expect("dropped", act("DROP TABLE orders"), "4 files");
  expect("dropped", act("DROP SCHEMA old CASCADE"), "5 files");
  expect("truncated", act("TRUNCATE parts"), "2 files");
  // Not done after all, or nothing of it lasts.
  act("DROP TABLE kept", "ROLLBACK");
  act("CREATE TEMP TABLE t (id int); INSERT INTO t SELECT generate_series(1, 2000);"
      "DELETE FROM t; DROP TABLE t");
  act("CREATE TABLE short (id int, t text); DROP TABLE short");
  expect("rows_changed",
         act("DELETE FROM many WHERE id <= 1000; SAVEPOINT a;"
             "DELETE FROM many WHERE id <= 2000; ROLLBACK TO a; SAVEPOINT b;"
             "DELETE FROM many WHERE id <= 1500"),
         "-1500 +0");
  const std::string from = postgres.value("SELECT clock_timestamp()");
  expect("rows_changed", act("DELETE FROM many"), "-3500 +0");
  const std::string to = postgres.value("SELECT clock_timestamp()");
  act("DELETE FROM grown WHERE id < 10");
  expect("rows_changed", act("UPDATE grown SET t = 'y'"), "-0 +2991");
  expect("rewritten", act("ALTER TABLE grown ALTER id TYPE bigint"), "4 files");
  act("ALTER TABLE grown DROP gone");
  postgres.query("VACUUM FULL grown");
  expect("rewritten", "*", "4 files");
  expect("rewritten", act("REINDEX TABLE grown"), "2 files");
  expect("rewritten", act("CLUSTER grown USING grown_pkey"), "4 files");
  expect("dropped", act("DROP INDEX many_id"), "1 files");
  expect("dropped", act("DROP TABLE anew; CREATE TABLE anew AS SELECT 2 AS id"), "1 files");
  expect("dropped", act("DROP TABLE prepared", "PREPARE TRANSACTION 'p'"), "1 files");
  postgres.query("COMMIT PREPARED 'p'");
  expect("truncated", act("TRUNCATE grown"), "4 files");
  // What no backup knows: the WAL has its name.
  postgres.query(
      "CREATE SCHEMA later; CREATE TABLE later.made (id int PRIMARY KEY);"
      "INSERT INTO later.made SELECT generate_series(1, 9)");
  expect("dropped", act("DROP TABLE later.made"), "2 files");
  postgres.query("CREATE DATABASE brief");
  postgres.query("DROP DATABASE brief");
  expected.emplace_back("database_dropped *");
  postgres.query("ALTER DATABASE moved SET TABLESPACE fast");
  postgres.query("DROP DATABASE shop");
  expected.emplace_back("database_dropped *");
  archive_all();

  const nlohmann::json found = find({"--all"});
  EXPECT_EQ(with_wildcards(lines_of(found), expected), expected);
  for (const nlohmann::json& accident : found.at("accidents")) {
    EXPECT_EQ(accident.at("backup"), backup) << accident;
  }
  const nlohmann::json& first = found.at("accidents").front();
  EXPECT_EQ(first.at("database"), "postgres");
  EXPECT_EQ(first.at("relations").front().at("name"), "public.orders");
  EXPECT_EQ(first.at("relations").front().at("kind"), "table");
  EXPECT_EQ(first.at("relations").front().at("size_bytes"), 16384);
  EXPECT_EQ(found.at("accidents").at(4).at("relations").front().at("name"), "public.many");
  EXPECT_EQ(found.at("accidents").back().at("database"), "shop");
  // The backup has other files of it, the server knows the newest.
  const nlohmann::json& truncated = found.at("accidents").at(expected.size() - 4);
  EXPECT_THAT(truncated.at("relations").dump(), HasSubstr("\"public.grown\""));
  const nlohmann::json& late = found.at("accidents").at(expected.size() - 3);
  EXPECT_THAT(late.at("relations").dump(), HasSubstr("\"later.made\""));
  EXPECT_EQ(late.at("relations").front().at("kind"), "table");
  EXPECT_EQ(found.at("accidents").at(expected.size() - 2).at("database"), "brief");
  EXPECT_EQ(lines_of(find({"--from", from, "--to", to})), Words{expected.at(4)});

  const CommandResult text = site_.barman.run({"find-accident", "main"});
  EXPECT_EQ(text.exit_code, 0);
  EXPECT_THAT(text.out, HasSubstr("before it: barman restore main auto DEST --target-lsn "));
  EXPECT_THAT(text.out, Not(HasSubstr("rewritten")));
  EXPECT_THAT(text.out, HasSubstr("ROLLBACK PREPARED with what SELECT gid FROM pg_prepared_xacts"));
  if (GetParam() != kUsualMajor) return;

  const nlohmann::json& accidents = found.at("accidents");
  EXPECT_EQ(before(accidents.front(), "postgres", "SELECT count(*) FROM orders"), "300");
  EXPECT_EQ(before(accidents.back(), "shop", "SELECT count(*) FROM goods"), "7");
  EXPECT_EQ(before(accidents.at(1), "postgres",
                   "SELECT count(*) FROM pg_class WHERE relnamespace = 'old'::regnamespace"),
            "3")
      << "DROP SCHEMA CASCADE: two tables and an index";
  EXPECT_EQ(before(accidents.at(2), "postgres", "SELECT count(*) FROM parts"), "199");
  EXPECT_EQ(before(late, "postgres", "SELECT count(*) FROM later.made"), "9");
  const auto prepared = std::ranges::find_if(accidents, [](const nlohmann::json& accident) {
    return accident.at("relations").dump().find("\"public.prepared\"") != std::string::npos;
  });
  ASSERT_NE(prepared, accidents.end());
  EXPECT_EQ(prepared->at("prepared"), true);
  EXPECT_EQ(before(*prepared, "postgres", "SELECT count(*) FROM prepared", "ROLLBACK PREPARED 'p'"),
            "0");

  // What cannot be read may hold an accident: that there is none is never said then.
  const std::string lsn = accidents.front().at("lsn");
  const std::uint64_t place = std::stoull(lsn.substr(2), nullptr, 16);
  const std::string damaged = fmt::format("0000000100000000{:08X}", place >> 20);
  const fs::path file = site_.server_directory() / "wals" / damaged.substr(0, 16) / damaged;
  const auto page = static_cast<std::streamoff>(place % (1U << 20) / 8192 * 8192);
  std::fstream(file, std::ios::in | std::ios::out).seekp(page) << "no page header";
  const CommandResult doubtful = site_.barman.run({"find-accident", "main"});
  EXPECT_EQ(doubtful.exit_code, 1);
  EXPECT_THAT(doubtful.out, HasSubstr("not known: WAL file '" + damaged + "'"));
}

}  // namespace
}  // namespace barman::test

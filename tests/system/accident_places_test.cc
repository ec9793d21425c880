// find-accident where the WAL or the backups are not as simple as that: several timelines, gaps,
// encryption, no backup at all.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "encryption/test_support.h"
#include "support/catalogue_files.h"
#include "support/incremental_site.h"
#include "support/old_catalogue.h"
#include "support/postgres_version.h"
#include "support/streaming_site.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;
using encryption::TestKeyring;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using Words = std::vector<std::string>;

constexpr const char* kOrders =
    "CREATE TABLE orders (id int PRIMARY KEY);"
    "INSERT INTO orders SELECT generate_series(1, 300)";

void archive_all(StreamingSite& site) {
  site.wait_until_acknowledged();
  site.barman.run({"archive-wal", "main"});
}

json find_in(StreamingSite& site, int exit_code = 0, const Words& options = {}) {
  archive_all(site);
  Words words = {"-f", "json", "find-accident", "main"};
  words.insert(words.end(), options.begin(), options.end());
  const CommandResult result = site.barman.run(words);
  EXPECT_EQ(result.exit_code, exit_code) << result.out << result.err;
  return json::parse(result.out).at("main");
}

std::string first_name(const json& accident) {
  const json& name = accident.at("relations").front().at("name");
  return name.is_null() ? "" : name.get<std::string>();
}

// After the command of an accident.
std::string rows_before(StreamingSite& site, const json& accident, const std::string& table) {
  const TempDir place;
  Words words = accident.at("command");
  words.erase(words.begin());
  std::ranges::replace(words, std::string("DEST"), (place.path() / "data").string());
  if (!site.postgres.query("SELECT 1 FROM pg_tablespace WHERE spcname = 'ts'").empty())
    words.insert(words.end(), {"--tablespace", "ts:" + (place.path() / "ts").string()});
  const CommandResult result = site.barman.run(words);
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  PostgresServer restored({.data_directory = place.path() / "data"});
  restored.wait_until_primary();
  return restored.value("SELECT count(*) FROM " + table);
}

TEST(FindAccidentIn, SeveralTimelinesKnowsOnWhichItWasAndBringsItBack) {
  IncrementalSite site;
  site.postgres.query(kOrders);
  site.postgres.query("CREATE TABLE parts AS SELECT generate_series(1, 7) AS id");
  site.take_backup();
  site.postgres.query("DROP TABLE parts");
  site.wait_until_acknowledged();
  site.promote();
  site.postgres.query("INSERT INTO orders VALUES (1000)");
  site.postgres.query("DROP TABLE orders");
  const json accidents = find_in(site).at("accidents");
  ASSERT_EQ(accidents.size(), 2U) << accidents;
  EXPECT_EQ(accidents.at(0).at("timeline"), 1);
  EXPECT_EQ(first_name(accidents.at(0)), "public.parts");
  EXPECT_EQ(accidents.at(1).at("timeline"), 2);
  EXPECT_EQ(first_name(accidents.at(1)), "public.orders");
  EXPECT_EQ(rows_before(site, accidents.at(0), "parts"), "7");
  EXPECT_EQ(rows_before(site, accidents.at(1), "orders"), "301");
}

TEST(FindAccidentIn, WalWithAGapTellsTheGapAndWhatIsBesideIt) {
  StreamingSite site;
  site.start_receiver();
  site.postgres.query(kOrders);
  site.archive_a_segment();
  site.take_backup();
  site.postgres.query("DROP TABLE orders");
  site.archive_a_segment();
  const std::string lost = site.postgres.value("SELECT pg_walfile_name(pg_current_wal_lsn())");
  site.postgres.query("CREATE TABLE between (id int)");
  site.archive_a_segment();
  site.postgres.query("DROP TABLE between");
  archive_all(site);
  ASSERT_TRUE(fs::remove(site.server_directory() / "wals" / lost.substr(0, 16) / lost));
  ASSERT_EQ(site.barman.run({"rebuild-xlogdb", "main"}).exit_code, 0);
  const json found = find_in(site, 1);
  EXPECT_THAT(found.at("unread").dump(), HasSubstr("WAL is missing from " + lost + " to " + lost));
  ASSERT_EQ(found.at("accidents").size(), 2U) << found;
  EXPECT_EQ(first_name(found.at("accidents").at(0)), "public.orders");
  EXPECT_EQ(rows_before(site, found.at("accidents").at(0), "orders"), "300");
  // An empty answer about a time of which there is no WAL is none.
  const CommandResult later = site.barman.run(
      {"find-accident", "main", "--from", "2130-01-01 00:00", "--to", "2130-01-02 00:00"});
  EXPECT_THAT(later.out, HasSubstr("not here: the WAL that is here ends with"));
  const CommandResult earlier = site.barman.run(
      {"find-accident", "main", "--from", "2001-01-01 00:00", "--to", "2001-01-02 00:00"});
  EXPECT_EQ(earlier.exit_code, 1) << earlier.err;
  EXPECT_THAT(earlier.out, HasSubstr("not known: the WAL that is here begins with"));
}

// For the name of a table that only the backup has, all of the backup is read.
TEST(FindAccidentIn, WhatIsEncryptedHasNames) {
  const TestKeyring keyring;
  StreamingSite site({.postgres = {.settings = {{"wal_compression", "on"}}},
                      .server = {{"backup_compression", "gzip"},
                                 {"compression", "zstd"},
                                 {"encryption", "gpg"},
                                 {"encryption_key_id", TestKeyring::kKey},
                                 {"encryption_passphrase_command", "echo open sesame"}}});
  site.start_receiver();
  site.postgres.query(kOrders);
  site.archive_a_segment();
  site.take_backup();
  // So that the WAL that is read does not have the row with its name: the first change of its page
  // behind a checkpoint brings an image of the page, and commits tell from where on to read.
  site.postgres.query("ANALYZE orders");
  for (int i = 0; i < 5; ++i) {
    site.postgres.query("SELECT txid_current()");
    site.archive_a_segment();
  }
  const std::string from = site.postgres.value("SELECT clock_timestamp()");
  site.postgres.query("DROP TABLE orders");
  const json accidents = find_in(site, 0, {"--from", from}).at("accidents");
  ASSERT_EQ(accidents.size(), 1U) << accidents;
  EXPECT_EQ(first_name(accidents.at(0)), "public.orders");
  EXPECT_EQ(accidents.at(0).at("relations").front().at("size_bytes"), 16384);
  EXPECT_EQ(rows_before(site, accidents.at(0), "orders"), "300");
  EXPECT_THAT(site.barman.log(), Not(HasSubstr("open sesame")));
}

// Where only the image of a page of pg_class has the name, and wal_compression has compressed that.
struct PageCase {
  int major = 0;
  std::string compression;
};
std::string name_of_page_case(const testing::TestParamInfo<PageCase>& info) {
  return std::to_string(info.param.major) + info.param.compression;
}
std::vector<PageCase> list_page_cases() {
  std::vector<PageCase> cases;
  for (const int major : all_majors()) cases.push_back({major, "on"});
  for (const char* form : {"pglz", "lz4", "zstd"}) cases.push_back({15, form});
  return cases;
}
class FindAccidentInPages : public testing::TestWithParam<PageCase> {};
INSTANTIATE_TEST_SUITE_P(Forms, FindAccidentInPages, testing::ValuesIn(list_page_cases()),
                         name_of_page_case);

TEST_P(FindAccidentInPages, ThatAreCompressedKnowsNames) {
  PostgresOptions postgres = {.major = GetParam().major,
                              .settings = {{"wal_compression", GetParam().compression}}};
  // The others are built without lz4 and zstd.
  if (GetParam().compression != "on") postgres.bin_directory = get_debian_version().bin_directory;
  StreamingSite site({.postgres = postgres});
  site.start_receiver();
  site.archive_a_segment();
  site.postgres.query("CHECKPOINT");
  site.postgres.query("CREATE TABLE orders (id int PRIMARY KEY)");
  site.postgres.query("DROP TABLE orders");
  const json accidents = find_in(site).at("accidents");
  ASSERT_EQ(accidents.size(), 1U) << accidents;
  EXPECT_EQ(first_name(accidents.at(0)), "public.orders");
}

TEST(FindAccidentIn, AServerWithoutABackupTellsWhatTheWalHas) {
  StreamingSite site;
  site.start_receiver();
  site.archive_a_segment();
  site.postgres.query(kOrders);
  site.postgres.query("DROP TABLE orders");
  archive_all(site);
  const CommandResult result = site.barman.run({"find-accident", "main"});
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_THAT(result.err, AllOf(HasSubstr("WARNING: Server 'main' has no backup"),
                                HasSubstr("HINT: Take one with 'barman backup main'")));
  EXPECT_THAT(result.out,
              AllOf(HasSubstr("DROPPED: 2 relation files"), HasSubstr("public.orders (table"),
                    HasSubstr("no backup leads to the moment before it")));
  const CommandResult wrong =
      site.barman.run({"find-accident", "main", "--from", "2026-13-01 10:00:00"});
  EXPECT_EQ(wrong.exit_code, 1);
  EXPECT_THAT(wrong.err, HasSubstr("there is no month 13"));
}

// A script would take an empty answer for "nothing happened".
TEST(FindAccidentIn, AServerWithoutWalTellsThatNothingIsKnown) {
  BarmanHome barman;
  barman.add_section("main", {{"conninfo", "host=/nonexistent user=barman connect_timeout=2"},
                              {"streaming_conninfo", "host=/nonexistent user=streaming"},
                              {"backup_method", "postgres"},
                              {"archiver", "on"}});
  const OldCatalogue catalogue(barman.server_directory("main"), old_layouts().back());
  catalogue.add_all();
  const fs::path wals = barman.server_directory("main") / "wals";
  fs::remove_all(wals);
  fs::create_directory(wals);
  write_text(wals / "main-xlog.db", "");
  const CommandResult result = barman.run({"find-accident", "main"});
  EXPECT_EQ(result.exit_code, 1) << result.out << result.err;
  EXPECT_THAT(result.out, AllOf(HasSubstr("\tno WAL is there to be read\n\tnot known: no WAL of "
                                          "server 'main' is archived"),
                                HasSubstr("'barman check main' tells why none arrives")));
}

}  // namespace
}  // namespace barman::test

// catalogue-check: whether everything is there that the catalogue promises, and what can be
// recovered.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "support/catalogue_files.h"
#include "support/streaming_site.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class CatalogueCheck : public testing::Test {
 protected:
  CatalogueCheck() {
    site_.start_receiver();
    site_.archive_a_segment();
    first_ = site_.take_backup();
    site_.archive_a_segment();
    site_.archive_a_segment();
    second_ = site_.take_backup();
    site_.stop_receiver();
    site_.barman.run({"archive-wal", "main"});
  }

  CommandResult check(std::vector<std::string> options = {}) {
    options.insert(options.begin(), "catalogue-check");
    options.emplace_back("main");
    return site_.barman.run(options);
  }
  nlohmann::json check_json(int expected_exit_code) {
    const CommandResult result = site_.barman.run({"-f", "json", "catalogue-check", "main"});
    EXPECT_EQ(result.exit_code, expected_exit_code) << result.out;
    return nlohmann::json::parse(result.out).at("main");
  }
  fs::path data_file(const std::string& name) const {
    return site_.server_directory() / "base" / second_ / "data" / name;
  }

  StreamingSite site_;
  std::string first_;
  std::string second_;
};

// WAL and backups tell whose the catalogue is.
TEST_F(CatalogueCheck, ADamagedIdentityIsToldAndStopsNothing) {
  write_text(site_.server_directory() / "identity.json", "{}");
  const CommandResult result = check({});
  EXPECT_EQ(result.exit_code, 1) << result.out;
  EXPECT_THAT(result.out, HasSubstr("identity of the cluster: "));
  EXPECT_THAT(result.out, HasSubstr("Remove the file; the next backup writes it again."));
  EXPECT_EQ(site_.barman.run({"status", "main"}).exit_code, 0);
  EXPECT_EQ(site_.barman.run({"switch-wal", "--force", "main"}).exit_code, 0);
}

TEST_F(CatalogueCheck, AnIndexWithoutLinesIsToldByCheck) {
  const fs::path index = site_.server_directory() / "wals/main-xlog.db";
  write_text(index, "");
  EXPECT_THAT(site_.barman.run({"check", "main"}).out, HasSubstr("barman rebuild-xlogdb main"));
  EXPECT_EQ(site_.barman.run({"rebuild-xlogdb", "main"}).exit_code, 0);
  EXPECT_EQ(check({}).exit_code, 0);
}

TEST_F(CatalogueCheck, SoundCatalogueHasOneWindow) {
  const CommandResult result = check({"--deep"});
  EXPECT_EQ(result.exit_code, 0) << result.out;
  EXPECT_EQ(result.err, "");
  EXPECT_THAT(result.out, HasSubstr("\tresult: OK\n"));
  const nlohmann::json json = check_json(0);
  EXPECT_EQ(json.at("status"), "ok");
  EXPECT_EQ(json.at("continuous"), true);
  ASSERT_EQ(json.at("windows").size(), 1U);
  EXPECT_EQ(json.at("windows").at(0).at("first_backup"), first_);
  EXPECT_EQ(json.at("windows").at(0).at("backups"), 2);
  EXPECT_EQ(json.at("wal_files"), archived_wal_names(site_.barman, "main").size());
}

TEST_F(CatalogueCheck, FindsMissingWal) {
  // The one after the first backup, needed by nobody to be consistent.
  const std::string end_wal = read_backup_info(site_.barman, "main", first_).at("end_wal");
  std::string missing;
  for (const std::string& name : archived_wal_names(site_.barman, "main")) {
    if (name.size() == 24 && name > end_wal && missing.empty()) missing = name;
  }
  ASSERT_NE(missing, "");
  fs::remove(archived_wal(site_.barman, "main", missing));
  const nlohmann::json json = check_json(1);
  EXPECT_EQ(json.at("status"), "damaged");
  EXPECT_EQ(json.at("continuous"), false);
  EXPECT_EQ(json.at("windows").size(), 2U);
  EXPECT_EQ(json.at("holes").at(0).at("first"), missing);
  const CommandResult result = check();
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out, HasSubstr("ERROR: WAL " + missing + ": 1 segment is missing"));
  EXPECT_THAT(result.out, HasSubstr("the index has a line for it, but the file does not exist"));
}

TEST_F(CatalogueCheck, FindsDamagedFilesOfABackup) {
  const fs::path file = data_file("global/pg_control");
  {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(100);
    const int byte = stream.peek();
    stream.put(static_cast<char>(~byte));
  }
  EXPECT_EQ(check().exit_code, 0) << "the size is right";
  const CommandResult deep = check({"--deep"});
  EXPECT_EQ(deep.exit_code, 1);
  EXPECT_THAT(deep.out, HasSubstr("backup " + second_ +
                                  ": \"global/pg_control\" is damaged: its checksum is"));
  fs::resize_file(file, 10);
  EXPECT_THAT(check().out, HasSubstr("\"global/pg_control\" has 10 bytes instead of 8192"));
  fs::remove(file);
  EXPECT_THAT(check().out, HasSubstr("\"global/pg_control\" is missing"));
  fs::remove_all(data_file(""));
  EXPECT_THAT(check().out, HasSubstr("does not exist"));
  EXPECT_EQ(check().exit_code, 1);
}

TEST_F(CatalogueCheck, TellsACatalogueThatIsGone) {
  fs::rename(site_.server_directory(), site_.barman.home() / "elsewhere");
  const CommandResult result = check();
  EXPECT_EQ(result.exit_code, 1) << result.out;
  EXPECT_THAT(result.out, HasSubstr(site_.server_directory().string() + "\": it does not exist"));
}

TEST(CatalogueCheckOfArchives, LooksForThem) {
  StreamingSite site({.server = {{"backup_compression", "gzip"}}});
  site.start_receiver();
  site.archive_a_segment();
  const fs::path data = site.server_directory() / "base" / site.take_backup() / "data";
  const auto check = [&](const std::vector<std::string>& options) {
    std::vector<std::string> words = {"catalogue-check", "main"};
    words.insert(words.end(), options.begin(), options.end());
    return site.barman.run(words);
  };
  EXPECT_EQ(check({"--deep"}).exit_code, 0);
  EXPECT_THAT(check({"--deep"}).out, Not(HasSubstr("archives are there")));
  const CommandResult good = check({});
  EXPECT_EQ(good.exit_code, 0);
  EXPECT_THAT(good.out, HasSubstr("not looked at: backup"));
  EXPECT_THAT(good.out, HasSubstr("archives are there and were not read"));

  const fs::path archive = data / "base.tar.gz";
  const auto size = fs::file_size(archive);
  {
    std::fstream stream(archive, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(static_cast<std::streamoff>(size / 2));
    const int byte = stream.peek();
    stream.put(static_cast<char>(~byte));
  }
  EXPECT_EQ(check({"--deep"}).exit_code, 1);
  fs::resize_file(archive, 0);
  EXPECT_THAT(check({}).out, HasSubstr("is empty"));
  EXPECT_EQ(check({}).exit_code, 1);
  fs::remove(archive);
  EXPECT_THAT(check({}).out, AllOf(HasSubstr("is missing"), HasSubstr("recoverable: nothing")));
  EXPECT_EQ(check({}).exit_code, 1);
}

// Sound, and of no use for what happens from now on: that is told, with the moment and the cause.
TEST_F(CatalogueCheck, TellsThatTheWindowDoesNotMove) {
  const std::string last = archived_wal_names(site_.barman, "main").back();
  const CommandResult stopped = check();
  EXPECT_EQ(stopped.exit_code, 0);
  EXPECT_THAT(stopped.out, AllOf(HasSubstr("NOTICE: recovery window: it has not moved since 20"),
                                 HasSubstr(" (" + last +
                                           "), and does not move: no receive-wal is "
                                           "running, it was never started")));
  site_.start_receiver();
  EXPECT_THAT(check().out, Not(HasSubstr("has not moved")));
  // The slot goes, and the next receiver tells why it cannot go on.
  site_.stop_receiver();
  EXPECT_EQ(site_.barman.run({"receive-wal", "--drop-slot", "main"}).exit_code, 0);
  EXPECT_EQ(site_.barman.run({"receive-wal", "main"}).exit_code, 1);
  EXPECT_THAT(check().out, AllOf(HasSubstr("it has not moved since 20"),
                                 HasSubstr("replication slot 'barman' doesn't exist")));
}

TEST_F(CatalogueCheck, TouchesNothing) {
  fs::remove(site_.server_directory() / "wals" / "main-xlog.db");
  EXPECT_EQ(check().exit_code, 1);
  EXPECT_FALSE(fs::exists(site_.server_directory() / "wals" / "main-xlog.db"));
}

}  // namespace
}  // namespace barman::test

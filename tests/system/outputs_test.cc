// What the commands print that other stories do not compare word by word: text and JSON of each, as
// it goes well and as it goes wrong. The expected texts are in tests/golden.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "base/text.h"
#include "support/catalogue_files.h"
#include "support/eventually.h"
#include "support/golden.h"
#include "support/old_catalogue.h"
#include "support/streaming_site.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

using testing::IsEmpty;

using Arguments = std::vector<std::string>;

class Outputs : public testing::Test {
 protected:
  explicit Outputs(StreamingSite::Options options = {}) : site_(std::move(options)) {
    words_.replace(site_.barman.directory().string(), "<DIR>");
    words_.replace(site_.postgres.directory().string(), "<PG>");
    words_.replace(std::to_string(site_.postgres.port()), "<PORT>");
    words_.replace(place_.path().string(), "<PLACE>");
    site_.start_receiver();
    site_.archive_a_segment();
    backup_ = site_.take_backup();
  }

  // So that a restore has an unfinished segment, whenever the backup ended.
  void begin_a_segment() const {
    site_.postgres.query("CREATE TABLE begun ()");
    const auto has_begun = [](const fs::directory_entry& file) {
      std::error_code renamed;
      return file.path().extension() == ".partial" && file.file_size(renamed) > 0 && !renamed;
    };
    ASSERT_TRUE(eventually([&] {
      return std::ranges::any_of(fs::directory_iterator(site_.server_directory() / "streaming"),
                                 has_begun);
    }));
  }

  // As text and as JSON; a command that changes something is repeated by `again`.
  void golden(const std::string& name, const Arguments& arguments,
              const std::function<void()>& again = {}) {
    SCOPED_TRACE(testing::PrintToString(arguments));
    expect_golden(name, shown(transcript(site_.barman.run(arguments))));
    if (again) again();
    Arguments as_json{"-f", "json"};
    as_json.insert(as_json.end(), arguments.begin(), arguments.end());
    expect_golden(name + "_json", shown(transcript(site_.barman.run(as_json))));
  }

  // What depends on the moment or on the version of PostgreSQL: how much there is of it, and how
  // many WAL files the receiver has brought until now.
  std::string shown(const std::string& text) const {
    static const std::vector<std::pair<std::regex, std::string>> rules = [] {
      std::vector<std::pair<std::regex, std::string>> list;
      for (
          const auto& [pattern, word] : std::initializer_list<std::pair<const char*, const char*>>{
              {R"re("\\t[0-9A-F]{24}")re", R"re("\t<WAL>")re"},
              {R"re(("\\t<WAL>")(, "\\t<WAL>")+)re", "$1"},
              {R"re(("<WAL>")(, "<WAL>")+)re", "$1"},
              {R"re(("(?:count|wal_files|pid|\w*size|\w+_time|bytes_to_\w+|number_of_wals|wal_num|wal_until_next_num)": )"?[\d.]+"?)re",
               "$1<N>"},
              {R"re(\b\d+(?= (?:WAL )?(?:files?|segments?|records?|pages?|receive-wal)\b))re",
               "<N>"},
              {R"re(((?:Number of WALs|Number of files) *: |WAL files: |wal_file: )\d+)re",
               "$1<N>"},
              {R"re(\(\d+\.\d+%\))re", "(<PERCENT>)"},
              {R"re((-<ID>-)[0-9a-f]{8}\.tar)re", "$1<SUM>.tar"}}) {
        list.emplace_back(std::regex(pattern), word);
      }
      return list;
    }();
    std::string result = words_(text);
    for (const auto& [pattern, word] : rules) result = std::regex_replace(result, pattern, word);
    return result;
  }

  fs::path data() const { return site_.server_directory() / "base" / backup_ / "data"; }

  TempDir place_;
  StreamingSite site_;
  Normalizer words_;
  std::string backup_;
};

TEST_F(Outputs, OfABackupAndItsWal) {
  golden("backup/one_more", {"backup", "--wait", "main"});
  golden("check-backup/done", {"check-backup", "main", "latest"});
  golden("check-backup/unknown", {"check-backup", "main", "20200101T000000"});
  golden("switch-wal/again", {"switch-wal", "--force", "--archive", "main"});
  const std::string wal = archived_wal_names(site_.barman, "main").back();
  golden("get-wal/into_directory", {"get-wal", "-o", place_.path().string(), "main", wal});
  golden("get-wal/no_such_wal", {"get-wal", "main", "0000000900000009000000F0"});
  golden("verify-wal/fine", {"verify-wal", "main"});
  golden("show-backup/no_such_backup", {"show-backup", "main", "20200101T000000"});
  golden("delete/no_such_backup", {"delete", "main", "20200101T000000"});
  golden("rebuild-xlogdb/done", {"rebuild-xlogdb", "main"});
  golden("lock-directory-cleanup/done", {"lock-directory-cleanup"});
  golden("put-wal/no_archive", {"put-wal", "main"});
}

TEST_F(Outputs, OfVerification) {
  golden("verify-backup/fine", {"verify-backup", "main", backup_});
  golden("generate-manifest/exists", {"generate-manifest", "main", backup_});
  begin_a_segment();
  golden("catalogue-check/fine", {"catalogue-check", "main"});
  golden("catalogue-check/deep", {"catalogue-check", "--deep", "main"});
  flip_bit(data() / "PG_VERSION", 0);
  golden("verify-backup/damaged", {"verify-backup", "main", backup_});
  fs::remove(data() / "PG_VERSION");
  golden("verify-backup/missing_file", {"verify-backup", "main", backup_});
  const fs::path wal =
      archived_wal(site_.barman, "main", archived_wal_names(site_.barman, "main").back());
  flip_bit(wal, 24);
  golden("verify-wal/foreign", {"verify-wal", "main"});
  fs::remove(wal);
  golden("verify-wal/missing", {"verify-wal", "main"});
  golden("catalogue-check/missing_wal", {"catalogue-check", "main"});
  fs::remove(data() / "backup_manifest");
  golden("generate-manifest/made", {"generate-manifest", "main", backup_},
         [&] { fs::remove(data() / "backup_manifest"); });
  fs::remove(data() / "backup_manifest");
  const fs::path info = site_.barman.server_directory("main") / "meta" / (backup_ + "-backup.info");
  write_text(info, replace_all(read_text(info), "status=DONE", "status=FAILED"));
  golden("generate-manifest/failed", {"generate-manifest", "main", backup_});
  EXPECT_FALSE(fs::exists(data() / "backup_manifest"));
}

TEST_F(Outputs, OfBackupsThatTravel) {
  golden("export-backup/done", {"export-backup", "main", backup_, place_.path().string()});
  golden("export-backup/unknown",
         {"export-backup", "main", "20200101T000000", place_.path().string()});
  const std::string file = fs::directory_iterator(place_.path())->path().string();
  words_.replace(file, "<FILE>");
  golden("import-backup/exists", {"import-backup", "main", file});
  const auto forget = [&] {
    // An imported one is kept until somebody says otherwise.
    site_.barman.run({"keep", "--release", "main", backup_});
    const CommandResult result = site_.barman.run({"delete", "main", backup_});
    EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  };
  forget();
  golden("import-backup/done", {"import-backup", "main", file}, forget);
  forget();
  golden("import-backup/no_file", {"import-backup", "main", "/nowhere/file.tar"});
  const std::string renamed = (place_.path() / "renamed.tar").string();
  fs::copy_file(file, renamed);
  golden("import-backup/renamed", {"import-backup", "main", renamed});
  write_text(file, "this is no tar");
  golden("import-backup/no_tar", {"import-backup", "main", file});
}

TEST_F(Outputs, OfARestore) {
  const std::string first = (place_.path() / "plain").string();
  begin_a_segment();
  golden("restore/planned",
         {"restore", "--dry-run", "--target-tli", "current", "main", backup_, first});
  golden("restore/unknown", {"restore", "main", "20200101T000000", first});
  golden("restore/local", {"restore", "main", backup_, first}, [&] { fs::remove_all(first); });
  golden("restore/not_empty", {"restore", "main", backup_, first});
  fs::remove_all(first);
  golden("restore/planned_again", {"restore", "--dry-run", "main", backup_, first});
}

TEST_F(Outputs, OfProcesses) {
  golden("list-processes/receiver", {"list-processes", "main"});
  golden("terminate-process/receiver", {"terminate-process", "main", "receive-wal"}, [&] {
    site_.stop_receiver();
    site_.start_receiver();
  });
  site_.stop_receiver();
  golden("list-processes/idle", {"list-processes", "main"});
}

// The document is long and much of it is of the moment: its keys are compared.
TEST_F(Outputs, OfDiagnose) {
  const CommandResult result = site_.barman.run({"diagnose"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.err, "");
  std::set<std::string> keys;
  const std::function<void(const json&, const std::string&)> walk = [&](const json& value,
                                                                        const std::string& path) {
    if (value.is_object()) {
      for (const auto& [key, member] : value.items()) {
        walk(member, path + "/" + (key == backup_ ? "<ID>" : key));
      }
    } else {
      keys.insert(path + ": " + value.type_name());
    }
  };
  walk(json::parse(result.out), "");
  std::string text;
  for (const std::string& key : keys) text += key + "\n";
  expect_golden("diagnose/keys", shown(text));
}

class ChainOutputs : public Outputs {
 protected:
  ChainOutputs() : Outputs({.postgres = {.major = 17, .settings = {{"summarize_wal", "on"}}}}) {}
};

TEST_F(ChainOutputs, OfIncrementalBackups) {
  golden("backup/incremental_of_unknown", {"backup", "--incremental", "20200101T000000", "main"});
  golden("consolidate/full", {"consolidate", "main", backup_});
  golden("backup/incremental", {"backup", "--wait", "--incremental", "last", "main"});
  golden("list-backups/chain", {"list-backups", "main"});
  // Two after the backup, at different times: a rate of WAL.
  site_.archive_a_segment();
  site_.archive_a_segment();
  golden("show-backup/incremental", {"show-backup", "main", "last"});
  golden("verify-backup/incremental", {"verify-backup", "main", "last"});
  begin_a_segment();
  golden("restore/planned_chain",
         {"restore", "--dry-run", "main", "last", (place_.path() / "chain").string()});
  golden("consolidate/done", {"consolidate", "main", "last"}, [&] {
    EXPECT_EQ(site_.barman.run({"backup", "--wait", "--incremental", "last", "main"}).exit_code, 0);
  });
  golden("delete/chain", {"delete", "--dry-run", "main", backup_});
}

// Backups and WAL without their files' content, of fixed names.
TEST(OldOutputs, OfTheCatalogue) {
  BarmanHome barman;
  barman.add_section("main", {{"conninfo", "host=127.0.0.1 port=1 user=b"},
                              {"streaming_conninfo", "host=127.0.0.1 port=1 user=b"},
                              {"backup_method", "postgres"},
                              {"archiver", "on"}});
  OldCatalogue catalogue(barman.server_directory("main"), old_layouts().back());
  catalogue.add_all();
  Normalizer words;
  words.replace(barman.directory().string(), "<DIR>");
  for (const std::string target : {"standalone", "data", "wal", "full"}) {
    for (const std::string format : {"console", "json"}) {
      const CommandResult result = barman.run(
          {"-f", format, "list-files", "--target", target, "main", OldCatalogue::kNewest});
      expect_golden("list-files/" + target + (format == "json" ? "_json" : ""),
                    words(transcript(result)));
    }
  }
}

}  // namespace
}  // namespace barman::test

// Catalogues of Barman 3.4 to 3.20, and of the oldest layout: ours lists, shows, keeps, checks,
// prunes and restores them, and writes nothing that Barman 3.20 refuses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "support/catalogue_files.h"
#include "support/old_catalogue.h"
#include "support/streaming_site.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using nlohmann::json;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

std::string layout_name(const testing::TestParamInfo<OldLayout>& layout) {
  return "v" + replace_all(layout.param.version, ".", "_");
}

class OldLayouts : public testing::TestWithParam<OldLayout> {
 protected:
  OldLayouts() {
    // A port that is refused at once: nothing here needs PostgreSQL.
    barman_.add_section("main", {{"conninfo", "host=127.0.0.1 port=1 user=nobody"},
                                 {"streaming_conninfo", "host=127.0.0.1 port=1 user=nobody"},
                                 {"backup_method", "postgres"},
                                 {"archiver", "on"}});
    catalogue_.add_all();
  }

  std::string run(const std::vector<std::string>& arguments) {
    const CommandResult result = barman_.run(arguments);
    EXPECT_EQ(result.exit_code, 0) << testing::PrintToString(arguments) << result.err;
    EXPECT_EQ(result.err, "") << testing::PrintToString(arguments);
    return result.out;
  }

  std::vector<std::string> listed() {
    std::vector<std::string> ids;
    for (const std::string& line : split(run({"list-backups", "--minimal", "main"}), '\n')) {
      if (!line.empty()) ids.insert(ids.begin(), line);
    }
    return ids;
  }

  std::string list_line(const std::string& id) {
    for (const std::string& line : split(run({"list-backups", "main"}), '\n')) {
      if (line.starts_with("main " + id)) return line;
    }
    return "";
  }

  // Whether Barman 3.20 can read all metadata.
  void expect_known_fields_only() const {
    const fs::path meta = barman_.server_directory("main") / "meta";
    for (const std::string& id : catalogue_.ids()) {
      if (!fs::exists(meta / (id + "-backup.info"))) continue;
      for (const auto& [key, value] : read_backup_info(barman_, "main", id)) {
        EXPECT_THAT(known_backup_fields(), Contains(key)) << id;
      }
    }
  }

  BarmanHome barman_;
  OldCatalogue catalogue_{barman_.server_directory("main"), GetParam()};
};

INSTANTIATE_TEST_SUITE_P(Barman, OldLayouts, testing::ValuesIn(old_layouts()), layout_name);

TEST_P(OldLayouts, AreListedAndShown) {
  EXPECT_EQ(listed(), catalogue_.ids());
  const bool has_names = !GetParam().missing_fields.contains("backup_name");
  EXPECT_EQ(list_line(OldCatalogue::kKept),
            fmt::format("main 20260901T000000{} - R - Tue Sep  1 00:00:05 2026 - Size: 12 B - WAL "
                        "Size: 8 B",
                        has_names ? " 'september'" : ""));
  EXPECT_EQ(list_line(OldCatalogue::kFailed), "main 20260910T000000 - F - FAILED");
  EXPECT_EQ(list_line(OldCatalogue::kWaiting),
            "main 20260915T000000 - F - Tue Sep 15 00:00:05 2026 - Size: 12 B - WAL Size: 4 B - "
            "WAITING_FOR_WALS");
  EXPECT_THAT(run({"show-backup", "main", OldCatalogue::kFailed}), HasSubstr("(boom)"));
  for (const std::string& id : catalogue_.ids()) {
    const json shown = json::parse(run({"-f", "json", "show-backup", "main", id}));
    EXPECT_EQ(shown["main"]["backup_id"], id);
  }
  if (GetParam().has_incrementals) {
    const json root = json::parse(run({"-f", "json", "show-backup", "main", OldCatalogue::kRoot}));
    EXPECT_EQ(root["main"]["catalog_information"]["children_backup_ids"],
              json::array({OldCatalogue::kChild}));
    EXPECT_THAT(list_line(OldCatalogue::kChild), HasSubstr(" - I - "));
  }
  const json diagnosis = json::parse(run({"diagnose"}));
  EXPECT_EQ(diagnosis["servers"]["main"]["backups"].size(), catalogue_.ids().size());
}

TEST_P(OldLayouts, AreListedFileByFile) {
  const std::string files = run({"list-files", "--target", "full", "main", OldCatalogue::kKept});
  EXPECT_THAT(files, HasSubstr((catalogue_.data(OldCatalogue::kKept) / "PG_VERSION\n").string()));
  EXPECT_THAT(files, HasSubstr("16384/PG_15/1\n"));
  EXPECT_THAT(files, HasSubstr(OldCatalogue::wal(4) + "\n"));
  EXPECT_THAT(files, Not(HasSubstr(OldCatalogue::wal(1))));
  // What repmgr relies on: with the metadata inside the backup it comes first.
  if (!GetParam().has_metadata_directory) {
    EXPECT_THAT(files, testing::StartsWith(catalogue_.backup_info(OldCatalogue::kKept).string()));
  }
}

TEST_P(OldLayouts, KeepTheirKeeps) {
  EXPECT_THAT(run({"keep", "--status", "main", OldCatalogue::kKept}), HasSubstr("Keep: full"));
  EXPECT_EQ(barman_.run({"delete", "main", OldCatalogue::kKept}).exit_code, 1);
  run({"keep", "--target", "standalone", "main", OldCatalogue::kKept});
  EXPECT_THAT(run({"keep", "--status", "main", OldCatalogue::kKept}),
              HasSubstr("Keep: standalone"));
  run({"keep", "--release", "main", OldCatalogue::kKept});
  EXPECT_THAT(run({"keep", "--status", "main", OldCatalogue::kKept}), HasSubstr("Keep: nokeep"));
  run({"keep", "--target", "full", "main", OldCatalogue::kNewest});
  EXPECT_EQ(read_text(barman_.server_directory("main") / "meta" /
                      (std::string(OldCatalogue::kNewest) + "-keep")),
            "full");
}

TEST_P(OldLayouts, AreExtendedInTheNewPlace) {
  run({"check-backup", "main", OldCatalogue::kWaiting});
  const Fields fields = read_backup_info(barman_, "main", OldCatalogue::kWaiting);
  EXPECT_EQ(fields.at("status"), "DONE");
  EXPECT_EQ(fields.at("begin_wal"), OldCatalogue::wal(8));
  EXPECT_EQ(fields.at("tablespaces"), "[('t1', 16384, '/srv/tbs1')]");
  EXPECT_EQ(fields.at("xlog_segment_size"), "16777216");
  // In the old place is a copy, for those who look there.
  EXPECT_EQ(problem_of_old_copy(barman_, "main", OldCatalogue::kWaiting,
                                catalogue_.base(OldCatalogue::kWaiting) / "backup.info"),
            "");
  expect_known_fields_only();
  EXPECT_EQ(listed(), catalogue_.ids());
}

TEST_P(OldLayouts, ArePruned) {
  const CommandResult deleted = barman_.run({"delete", "main", OldCatalogue::kRoot});
  EXPECT_EQ(deleted.exit_code, 0) << deleted.err;
  EXPECT_FALSE(fs::exists(catalogue_.base(OldCatalogue::kRoot)));
  EXPECT_FALSE(fs::exists(catalogue_.backup_info(OldCatalogue::kRoot)));
  EXPECT_FALSE(fs::exists(catalogue_.base(OldCatalogue::kChild)));
  EXPECT_THAT(archived_wal_names(barman_, "main"), Contains(OldCatalogue::wal(4)));
  run({"keep", "--release", "main", OldCatalogue::kKept});
  run({"delete", "main", OldCatalogue::kKept});
  // The boundary is the next backup that is complete.
  EXPECT_EQ(archived_wal_names(barman_, "main").front(), OldCatalogue::wal(8));
  // Lines of three or four columns may stay: 3.20 reads them, too.
  EXPECT_THAT(read_text(barman_.server_directory("main") / "wals" / "main-xlog.db"),
              testing::StartsWith(OldCatalogue::wal(8) + "\t4\t"));
  EXPECT_FALSE(fs::exists(barman_.server_directory("main") / "wals" / "xlog.db"));
  barman_.set("main", "retention_policy", "REDUNDANCY 1");
  run({"check-backup", "main", OldCatalogue::kWaiting});
  EXPECT_THAT(barman_.run({"cron"}).out,
              HasSubstr("Enforcing retention policy: removing backup 20260915T000000"));
  EXPECT_EQ(listed(), (std::vector<std::string>{OldCatalogue::kFailed, OldCatalogue::kNewest}));
  expect_known_fields_only();
}

// A backup of today moved into the old layout, as if it had been taken then.
class OldBackup : public testing::TestWithParam<OldLayout> {};

INSTANTIATE_TEST_SUITE_P(Barman, OldBackup, testing::ValuesIn(old_layouts()), layout_name);

TEST_P(OldBackup, IsRestored) {
  StreamingSite site;
  site.postgres.query("CREATE TABLE rows AS SELECT generate_series(1, 100) AS id");
  site.start_receiver();
  site.archive_a_segment();
  const std::string id = site.take_backup();
  site.stop_receiver();
  Fields fields = read_backup_info(site.barman, "main", id);
  std::vector<IndexedWal> wals = read_wal_index(site.barman, "main");
  const OldCatalogue old(site.server_directory(), GetParam());
  fs::remove(site.server_directory() / "wals" / "main-xlog.db");
  fs::remove_all(site.server_directory() / "meta");
  if (GetParam().has_pgdata_directory) {
    fs::rename(site.server_directory() / "base" / id / "data", old.data(id));
    // Segments of another size than 16 MiB were not known then.
    old.write_backup_info(id, fields);
    write_text(old.backup_info(id), read_text(old.backup_info(id)) + "xlog_segment_size=1048576\n");
  } else {
    old.write_backup_info(id, fields);
  }
  old.write_index(wals);
  const TempDir target;
  const fs::path destination = target.path() / "data";
  const CommandResult restored =
      site.barman.run({"restore", "--target-immediate", "main", "latest", destination.string()});
  ASSERT_EQ(restored.exit_code, 0) << restored.out << restored.err;
  PostgresServer server({.data_directory = destination});
  server.wait_until("pg_is_wal_replay_paused() OR NOT pg_is_in_recovery()");
  EXPECT_EQ(server.value("SELECT sum(id) FROM rows"), "5050");
}

}  // namespace
}  // namespace barman::test

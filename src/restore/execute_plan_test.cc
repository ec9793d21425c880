#include "restore/execute_plan.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "base/anonymous_file.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "base/text.h"
#include "compression/test_support.h"
#include "restore/planned_restore_test_support.h"
#include "restore/restore_marker.h"

namespace barman::restore {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class ExecutePlan : public PlannedRestore {};

TEST_F(ExecutePlan, MakesACompleteDataDirectory) {
  const ExecutedRestore executed = execute(plan());
  EXPECT_EQ(content("pg/base/1/1259"), std::string(600'000, 'x'));
  EXPECT_EQ(content("pg/base/1/empty"), "");
  EXPECT_EQ(content("pg/global/pg_control"), "control");
  EXPECT_FALSE(exists("pg/global/pg_control.restoring"));
  EXPECT_EQ(content("new_tbs/PG_15_202209061/5/1"), "in a tablespace");
  EXPECT_EQ(fs::read_symlink(root_ / "pg/pg_tblspc/16384"), root_ / "new_tbs");
  EXPECT_EQ(content("pg/.barman-recover.info"), "status=DONE\n");
  EXPECT_EQ(content("pg/backup_manifest.20261121T014251"), content("data/backup_manifest"));
  EXPECT_FALSE(exists("pg/backup_manifest"));
  EXPECT_TRUE(exists("pg/log"));
  EXPECT_FALSE(exists("pg/log/today.log"));
  EXPECT_FALSE(exists("pg/standby.signal"));
  EXPECT_EQ(mode_of(root_ / "pg"), 0700U);
  EXPECT_EQ(mode_of(root_ / "pg/base/1/1259"), 0600U);
  EXPECT_EQ(fs::last_write_time(root_ / "pg/base/1/1259"),
            fs::last_write_time(root_ / "data/base/1/1259"));
  EXPECT_THAT(executed.missing_files, ElementsAre("pg_hba.conf", "pg_ident.conf"));
}

TEST_F(ExecutePlan, GroupAccessIsThatOfTheClusterWhateverTheUmask) {
  for (const char* const name :
       {"data/global/pg_control", "data/postgresql.conf", "data/postgresql.auto.conf"}) {
    fs::permissions(root_ / name, fs::perms(0640));
  }
  fs::permissions(root_ / "data/base", fs::perms(0750));
  RestorePlan asked = plan();
  asked.recovery = {.is_written = true,
                    .settings_file = "postgresql.auto.conf",
                    .settings = "recovery_target = 'immediate'\n",
                    .signal_file = "recovery.signal"};
  const mode_t umask_before = ::umask(077);
  execute(asked);
  ::umask(umask_before);
  for (const char* const name :
       {"pg", "pg/pg_wal", "pg/pg_wal/archive_status", "pg/pg_tblspc", "pg/base", "new_tbs"}) {
    EXPECT_EQ(mode_of(root_ / name), 0750U) << name;
  }
  for (const char* const name :
       {"pg/global/pg_control", "pg/.barman-recover.info", "pg/pg_wal/000000010000000000000002",
        "pg/postgresql.conf", "pg/postgresql.conf.origin", "pg/postgresql.auto.conf",
        "pg/recovery.signal"}) {
    EXPECT_EQ(mode_of(root_ / name), 0640U) << name;
  }
}

TEST_F(ExecutePlan, EveryPlaceIsMarkedUntilTheRestoreIsComplete) {
  RestorePlan asked = plan();
  asked.marker = {.server_name = "main",
                  .backup_id = asked.backup_id,
                  .destination = root_ / "pg",
                  .tablespaces = {{16384, root_ / "new_tbs"}},
                  .staging_wal = root_ / "staging"};
  asked.wal.directory = root_ / "staging";
  asked.wal.files[0].size_bytes = 12;  // fails there
  EXPECT_THROW(execute(asked), Error);
  for (const char* const name : {"pg", "new_tbs", "staging"}) {
    EXPECT_EQ(find_restore_marker(root_ / name), asked.marker) << name;
  }
  asked.wal.files[0].size_bytes = 11;
  asked.updates_existing = true;
  execute(asked);
  for (const char* const name : {"pg", "new_tbs", "staging"}) {
    EXPECT_EQ(find_restore_marker(root_ / name), std::nullopt) << name;
  }
}

TEST_F(ExecutePlan, AFileThatAnotherClusterSharesIsNotWritten) {
  execute(plan());
  fs::create_directories(root_ / "live");
  write_file_durably(root_ / "pg/base/1/1259", std::string(600'000, 'z'), 0600);
  fs::create_hard_link(root_ / "pg/base/1/1259", root_ / "live/1259");
  RestorePlan again = plan();
  again.updates_existing = true;
  execute(again);
  EXPECT_EQ(content("pg/base/1/1259"), std::string(600'000, 'x'));
  EXPECT_EQ(content("live/1259"), std::string(600'000, 'z'));
}

TEST_F(ExecutePlan, CopiesWalAndMarksItAsArchived) {
  execute(plan());
  EXPECT_EQ(content("pg/pg_wal/000000010000000000000002"), "segment two");
  EXPECT_TRUE(exists("pg/pg_wal/archive_status/000000010000000000000002.done"));
}

TEST_F(ExecutePlan, TellsEachStep) {
  execute(plan());
  EXPECT_THAT(
      messages_.infos,
      ElementsAre("Copying the base backup.", "\t16384, tbs1, " + (root_ / "new_tbs").string(),
                  "Copying required WAL segments.", "Generating archive status files",
                  "Identify dangerous settings in destination directory."));
}

TEST_F(ExecutePlan, NeutralisesSettingsInIncludedFilesToo) {
  RestorePlan asked = plan();
  asked.recovery = {.is_written = true,
                    .settings_file = "postgresql.auto.conf",
                    .settings = "recovery_target = 'immediate'\n",
                    .signal_file = "recovery.signal"};
  const ExecutedRestore executed = execute(asked);
  EXPECT_THAT(content("pg/postgresql.conf"), HasSubstr("\narchive_command = false\n"));
  EXPECT_EQ(content("pg/postgresql.conf.origin"), content("data/postgresql.conf"));
  EXPECT_EQ(content("pg/postgresql.auto.conf"), "# auto\n\nrecovery_target = 'immediate'\n");
  EXPECT_EQ(content("pg/conf.d/10.conf"), "#BARMAN#recovery_target_action = pause\n");
  EXPECT_THAT(
      executed.configuration.changes,
      ElementsAre(SettingNote{"postgresql.conf", 2, "archive_command", "false"},
                  SettingNote{"conf.d/10.conf", 1, "recovery_target_action", std::nullopt}));
  EXPECT_THAT(executed.configuration.warnings,
              ElementsAre(SettingNote{"postgresql.conf", 4, "include_dir", "'conf.d'"}));
  EXPECT_TRUE(exists("pg/recovery.signal"));
}

TEST_F(ExecutePlan, RefusesADamagedFileAndLeavesNoControlFile) {
  write_file_durably(root_ / "data/base/1/1259", std::string(599'999, 'x') + "y", 0600);
  try {
    execute(plan());
    FAIL() << "the damage was not noticed";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::corrupt);
    EXPECT_THAT(error.describe(), HasSubstr("Failure copying base backup: "));
    EXPECT_THAT(error.describe(), HasSubstr("base/1/1259\" is damaged"));
  }
  EXPECT_FALSE(exists("pg/global/pg_control"));
}

TEST_F(ExecutePlan, NoticesAFileThatShrinksMeanwhile) {
  RestorePlan asked = plan();
  asked.wal.files[0].size_bytes = 12;
  EXPECT_THROW(execute(asked), Error);
  EXPECT_FALSE(exists("pg/global/pg_control"));
}

TEST_F(ExecutePlan, FillsPartialSegmentsUp) {
  RestorePlan asked = plan();
  asked.wal.partials = {{root_ / "wals/000000010000000000000002", "000000010000000000000003", 11}};
  asked.wal.segment_size = wal::SegmentSize{std::uint64_t{1} << 20};
  execute(asked);
  EXPECT_EQ(fs::file_size(root_ / "pg/pg_wal/000000010000000000000003"), std::uint64_t{1} << 20);
  EXPECT_TRUE(exists("pg/pg_wal/archive_status/000000010000000000000003.done"));
}

class ScanTrees : public ExecutePlan {
 protected:
  std::vector<std::string> problems() {
    manifest_ = stored::ManifestIndex::load(root_ / "data/backup_manifest");
    return copy::scan_trees(plan().trees, &*manifest_, {}).problems;
  }
};

TEST_F(ScanTrees, CountsWhatWillBeCopied) {
  manifest_ = stored::ManifestIndex::load(root_ / "data/backup_manifest");
  const copy::TreeScan scan = copy::scan_trees(plan().trees, &*manifest_, {});
  EXPECT_TRUE(scan.problems.empty());
  // Without the log and the signal file, with the manifest.
  EXPECT_EQ(scan.file_count, 9U);
}

TEST_F(ScanTrees, FindsMissingAndTruncatedFilesBeforeAnythingIsCopied) {
  fs::remove(root_ / "data/base/1/empty");
  fs::resize_file(root_ / "tbs/PG_15_202209061/5/1", 3);
  EXPECT_THAT(problems(), ElementsAre("\"pg_tblspc/16384/PG_15_202209061/5/1\" has 3 bytes instead "
                                      "of 15",
                                      "\"base/1/empty\" is missing"));
}

TEST_F(ScanTrees, DoesNotMissWhatIsLeftOutAnyway) {
  fs::remove(root_ / "data/log/today.log");
  EXPECT_TRUE(problems().empty());
}

TEST_F(ScanTrees, RefusesLinksThatNobodyKnows) {
  fs::create_symlink("/etc", root_ / "data/pg_tblspc/99999");
  EXPECT_THROW(problems(), Error);
}

TEST_F(ScanTrees, NoticesADamagedManifest) {
  std::string text = content("data/backup_manifest");
  text[text.find("1259")] = '2';
  write_file_durably(root_ / "data/backup_manifest", text, 0600);
  EXPECT_THROW(problems(), Error);
}

TEST_F(ExecutePlan, DecompressesWalWhateverTheIndexSays) {
  const std::string segment = "000000010000000000000003";
  const fs::path packed = root_ / "wals" / segment;
  const std::string text = "the content of a segment";
  {
    const Fd plain = open_anonymous_file(root_);
    write_full(plain, as_bytes(text), "plain");
    const Fd target = open_file(packed, O_WRONLY | O_CREAT | O_TRUNC);
    compression::compress_file(plain, compression::Algorithm::lz4, target.get());
  }
  RestorePlan given = plan();
  given.wal.files.push_back({packed, segment, fs::file_size(packed)});
  execute(given);
  EXPECT_EQ(content("pg/pg_wal/" + segment), text);
  EXPECT_TRUE(exists("pg/pg_wal/archive_status/" + segment + ".done"));
}

}  // namespace
}  // namespace barman::restore

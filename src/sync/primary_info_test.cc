#include "sync/primary_info.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>

#include <fmt/format.h>

#include "base/test_support.h"

namespace barman::sync {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view kConfig =
    R"("config": {"name": "main", "compression": "gzip",
        "basebackups_directory": "/srv/main/base", "wals_directory": "/srv/main/wals"})";

class PrimaryInfoFile : public testing::Test {
 protected:
  PrimaryInfo read(const std::string& text) {
    put_file(path_, text);
    const Fd file = open_file(path_, O_RDONLY);
    names_.clear();
    read_primary_info(file, path_, {});
    // Once more: each reading begins at the beginning.
    return read_primary_info(file, path_, [&](const wal_archive::WalIndexEntry& entry) {
      names_.push_back(entry.name);
    });
  }
  std::string refusal(const std::string& text) {
    try {
      read(text);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::corrupt);
      return error.describe();
    }
    return "";
  }
  std::string document(const std::string& backups, const std::string& wals) const {
    return R"({"last_position": 78, "last_name": "000000010000000000000003", "backups": {)" +
           backups + R"(}, "wals": [)" + wals + "], \"version\": \"3.20.1\", " +
           std::string(kConfig) + "}";
  }

  TemporaryDirectory directory_;
  const std::filesystem::path path_ = directory_.path() / "primary.info";
  std::vector<std::string> names_;
};

TEST_F(PrimaryInfoFile, TellsBackupsAndWal) {
  const PrimaryInfo info = read(document(
      R"("20261102T000001": {"backup_id": "20261102T000001", "status": "DONE",
           "mode": "postgres", "begin_time": "Mon Nov  2 00:00:01 2026",
           "begin_time_iso": "2026-11-02 00:00:01.250000+02:00", "end_time": null,
           "backup_label": "'START WAL LOCATION: 0/2000028\\nLABEL: x\\n'",
           "children_backup_ids": "20261103T000001,20261104T000001", "size": 4711,
           "copy_stats": {"copy_time": 1.5}, "included_files": ["/etc/a.conf"],
           "tablespaces": [["ts", 16384, "/srv/ts"]], "begin_wal": "000000010000000000000002"},
         "20261101T000001": {"status": "WAITING_FOR_WALS"})",
      R"({"compression": "gzip", "encryption": null, "name": "000000010000000000000002",
          "size": 100, "time": 1.25},
         {"compression": null, "encryption": null, "name": "00000002.history", "size": 5,
          "time": 2})"));
  EXPECT_EQ(info.last_name, "000000010000000000000003");
  EXPECT_EQ(info.last_position, 78U);
  EXPECT_EQ(info.compression, "gzip");
  EXPECT_EQ(info.basebackups_directory, "/srv/main/base");
  EXPECT_EQ(info.wal_count, 2U);
  EXPECT_THAT(names_, ElementsAre("000000010000000000000002", "00000002.history"));
  ASSERT_EQ(info.backups.size(), 2U);
  EXPECT_EQ(info.backups[0].status, catalogue::BackupStatus::waiting_for_wals);
  const catalogue::BackupInfo* const backup = info.find_backup({"20261102T000001"});
  ASSERT_NE(backup, nullptr);
  EXPECT_EQ(backup->mode, "postgres");
  EXPECT_EQ(backup->backup_label, "START WAL LOCATION: 0/2000028\nLABEL: x\n");
  EXPECT_EQ(backup->children_backup_ids.size(), 2U);
  EXPECT_EQ(backup->size, 4711);
  EXPECT_EQ(backup->begin_time->microseconds % 1'000'000, 250000);
  EXPECT_EQ(backup->copy_stat("copy_time"), 1.5);
  EXPECT_THAT(backup->included_files, ElementsAre("/etc/a.conf"));
  ASSERT_EQ(backup->tablespaces.size(), 1U);
  EXPECT_EQ(backup->tablespaces[0].oid, 16384U);
  EXPECT_EQ(backup->end_time, std::nullopt);
}

TEST_F(PrimaryInfoFile, ForeignBytesAreChecked) {
  EXPECT_THAT(refusal(""), HasSubstr("is damaged"));
  EXPECT_THAT(refusal("[]"), HasSubstr("it has no object 'config'"));
  EXPECT_THAT(refusal(document(R"("../../etc": {"status": "DONE"})", "")),
              HasSubstr("'../../etc' is no backup"));
  EXPECT_THAT(refusal(document("", R"({"name": "../x", "size": 1, "time": 1})")),
              HasSubstr("'../x' is no name of a WAL file"));
  EXPECT_THAT(refusal(document("", R"({"name": "00000002.history", "size": "1", "time": 1})")),
              HasSubstr("the size of WAL file 00000002.history is missing"));
  for (const std::string time : {"-1", "1e300", "null"}) {
    EXPECT_THAT(
        refusal(document("", R"({"name": "00000002.history", "size": 1, "time": )" + time + "}")),
        HasSubstr("the time of WAL file 00000002.history is missing"));
  }
  EXPECT_THAT(refusal(document(R"("20261102T000001": {"status": "DONE", "x": )" +
                                   std::string(500, '[') + std::string(500, ']') + "}",
                               "")),
              HasSubstr("nested too deeply"));
  EXPECT_THAT(refusal(R"({"backups": {}, "wals": [], "config": {"wals_directory": "/w",
                          "basebackups_directory": "base"}})"),
              HasSubstr("the primary has no local basebackups_directory ('base')"));
}

TEST_F(PrimaryInfoFile, OfAPrimaryInABucketIsNotTakenForDamaged) {
  try {
    read(R"({"backups": {}, "wals": [], "config": {"wals_directory": "/w",
             "basebackups_directory": "s3://bucket/path"}})");
    FAIL() << "not refused";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    EXPECT_THAT(error.describe_with_hint(),
                testing::AllOf(HasSubstr("the primary node has a bucket as basebackups_directory, "
                                         "s3://bucket/path: nothing is copied from there"),
                               HasSubstr("'basebackups_directory = s3://bucket/path', 'active = "
                                         "false'")));
  }
}

// Minutes, when each one is looked for among all others.
TEST_F(PrimaryInfoFile, MayHaveManyBackups) {
  const int count = 50'000 / stride(5);
  std::string backups;
  for (int i = 0; i < count; ++i) {
    backups += fmt::format("{}\"{:08}T{:06}\": {{\"status\": \"DONE\"}}", i > 0 ? "," : "",
                           20200101 + i / 1000, i % 1000);
  }
  const std::clock_t begun = std::clock();  // of this process: what others do beside it is left out
  const PrimaryInfo info = read(document(backups, ""));
  EXPECT_EQ(info.backups.size(), static_cast<std::size_t>(count));
  for (const catalogue::BackupInfo& backup : info.backups) {
    ASSERT_EQ(info.find_backup(backup.id), &backup);
  }
  EXPECT_LT((std::clock() - begun) / CLOCKS_PER_SEC, count / 500);
}

TEST_F(PrimaryInfoFile, BackupsAreNamedOnceAndOfOneKind) {
  const std::string backup = R"("20261102T000001": {"status": "DONE"})";
  EXPECT_THAT(refusal(document(backup + "," + backup, "")), HasSubstr("is there twice"));
  for (const std::string value : {"1", "null", "[]", "[{}]", "\"x\""}) {
    EXPECT_NE(refusal(document("\"20261102T000001\": " + value, "")), "") << value;
  }
  EXPECT_THAT(refusal(document(R"("20261102T000001": {"begin_wal": "../../evil"})", "")),
              HasSubstr("\"../../evil\" is not the name of a WAL segment"));
}

}  // namespace
}  // namespace barman::sync

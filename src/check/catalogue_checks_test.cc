// What `check` says of the catalogue: of ages, with the clock where the test wants it, and of
// directories and files that are something else.
#include <filesystem>
#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalogue/test_support.h"
#include "check/check_server.h"
#include "wal_archive/test_support.h"

namespace barman::check {
namespace {

namespace fs = std::filesystem;

using testing::HasSubstr;

constexpr std::int64_t kSecond = 1'000'000;

class CatalogueChecks : public testing::Test {
 protected:
  CatalogueChecks() {
    test_.config.last_backup_maximum_age = config::Interval{.hours = 1};
    catalogue::BackupInfo backup = catalogue::make_backup(
        "20261121T000000", wal_archive::wal_name(1), wal_archive::wal_name(1));
    backup.end_time = end_;
    test_.make().catalogue().save(backup);
    put_file(test_.make().catalogue().data_directory(backup.id) / "PG_VERSION", "15\n");
  }

  // PostgreSQL is not asked: the server has no conninfo.
  CheckResult row(const std::string& label, Timestamp now) {
    test_.clock = WallClock::at(now);
    return rows().at(label);
  }
  std::map<std::string, CheckResult> rows() {
    std::map<std::string, CheckResult> rows;
    wal_archive::RecordedMessages messages;
    check_server(test_.make(), std::chrono::seconds(30), messages,
                 [&](const CheckResult& result) { rows[result.label] = result; });
    return rows;
  }

  const Timestamp end_ = parse_timestamp("2026-11-21 00:10:00+00:00")->time;
  wal_archive::TestServer test_;
};

TEST_F(CatalogueChecks, ABackupMayBeAsOldAsTheMaximumAge) {
  const CheckResult last_moment =
      row("backup maximum age", {.microseconds = end_.microseconds + 3600 * kSecond});
  EXPECT_TRUE(last_moment.ok);
  EXPECT_EQ(last_moment.hint, "interval provided: 1 hour, latest backup age: 1 hour");
  const CheckResult too_late =
      row("backup maximum age", {.microseconds = end_.microseconds + 3600 * kSecond + 1});
  EXPECT_FALSE(too_late.ok);
  EXPECT_FALSE(too_late.is_critical);
}

// Until then no later backup would be missed.
TEST_F(CatalogueChecks, ABackupOfTheFutureHasNoAge) {
  const CheckResult early =
      row("backup maximum age", {.microseconds = end_.microseconds - 3 * 3600 * kSecond});
  EXPECT_FALSE(early.ok);
  EXPECT_EQ(early.hint,
            "interval provided: 1 hour, latest backup age: unknown, its time is 3 hours ahead of "
            "this host's clock: one of them is wrong");
  const CheckResult other_clock =
      row("backup maximum age", {.microseconds = end_.microseconds - 60 * kSecond});
  EXPECT_TRUE(other_clock.ok);
  EXPECT_THAT(other_clock.hint, HasSubstr("latest backup age: less than one second"));
}

TEST_F(CatalogueChecks, WhatIsSomethingElseIsARowAndTheOthersAreStillAsked) {
  const catalogue::CatalogueLocations locations = test_.make().locations();
  const auto replace_by_file = [](const fs::path& path) {
    fs::remove_all(path);
    put_file(path, "x");
  };
  fs::remove_all(locations.wal_index_path());
  fs::create_directories(locations.wal_index_path());
  const auto with_index = rows();
  EXPECT_THAT(with_index.at("WAL index").hint, HasSubstr("it is a directory where a regular file"));
  EXPECT_TRUE(with_index.contains("minimum redundancy requirements"));
  fs::remove_all(locations.wal_index_path());

  replace_by_file(locations.streaming_directory);
  const auto with_file = rows();
  EXPECT_FALSE(with_file.at("directories").ok);
  EXPECT_THAT(with_file.at("streaming WALs directory").hint, HasSubstr("Not a directory"));
  EXPECT_TRUE(with_file.contains("archiver errors"));

  replace_by_file(locations.basebackups_directory);
  const auto without_backups = rows();
  EXPECT_THAT(without_backups.at("readable backups").hint, HasSubstr("Not a directory"));
  EXPECT_TRUE(without_backups.contains("archiver errors"));
  EXPECT_EQ(measure_last_backup(test_.make()).backup_size_bytes, 0U);
}

}  // namespace
}  // namespace barman::check

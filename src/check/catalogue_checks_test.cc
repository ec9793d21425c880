// What `check` says of ages, with the clock where the test wants it.
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "catalogue/test_support.h"
#include "check/check_server.h"
#include "wal_archive/test_support.h"

namespace barman::check {
namespace {

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
    std::map<std::string, CheckResult> rows;
    wal_archive::RecordedMessages messages;
    check_server(test_.make(), std::chrono::seconds(30), messages,
                 [&](const CheckResult& result) { rows[result.label] = result; });
    return rows.at(label);
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

}  // namespace
}  // namespace barman::check

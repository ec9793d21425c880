#include "facts/disk_space.h"

#include <gtest/gtest.h>

namespace barman::facts {
namespace {

using catalogue::BackupInfo;

constexpr double kNow = 1'800'000'000;
constexpr double kDay = 86400;

BackupInfo backup_of(double days_ago, std::int64_t size) {
  BackupInfo backup;
  backup.end_time = from_epoch_seconds(kNow - days_ago * kDay);
  backup.size = size;
  return backup;
}

// A file of 10 bytes a day, for so many days.
wal_archive::WalLines daily_wal(int days) {
  return [days](const wal_archive::WalIndexVisitor& visitor) {
    for (int day = 1; day <= days; ++day) {
      wal_archive::WalIndexLine line;
      line.size_bytes = 10;
      line.mtime = kNow - day * kDay;
      visitor(line);
    }
  };
}

constexpr FileSystemSpace kSpace = {.total_bytes = 4000, .free_bytes = 1000, .may_compress = false};

TEST(DiskSpaceOfAServer, IsToldWithTheDaysThatItWillDo) {
  const DiskSpace disk =
      measure_growth(kSpace, {backup_of(10, 500), backup_of(3, 400)}, daily_wal(10), kNow);
  EXPECT_DOUBLE_EQ(disk.days, 10);
  EXPECT_DOUBLE_EQ(disk.bytes_a_day.value(), 100);
  EXPECT_DOUBLE_EQ(disk.days_until_full().value(), 10);
  EXPECT_EQ(
      describe_space(disk),
      "1000 B of 3.9 KiB free (25 %); full in about 10 days at 100 B a day (mean of 10 days), "
      "unless older backups go");
}

TEST(DiskSpaceOfAServer, CountsTheLastWeeksOnly) {
  const DiskSpace disk = measure_growth(kSpace, {backup_of(100, 1'000'000)}, daily_wal(100), kNow);
  EXPECT_DOUBLE_EQ(disk.days, 28);
  EXPECT_DOUBLE_EQ(disk.bytes_a_day.value(), 10);
}

TEST(DiskSpaceOfAServer, IsNotReckonedFromLessThanADay) {
  const DiskSpace disk = measure_growth(kSpace, {backup_of(0.5, 500)}, daily_wal(0), kNow);
  EXPECT_EQ(disk.bytes_a_day, std::nullopt);
  EXPECT_EQ(describe_space(disk), "1000 B of 3.9 KiB free (25 %)");
}

}  // namespace
}  // namespace barman::facts

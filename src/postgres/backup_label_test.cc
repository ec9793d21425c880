#include "postgres/backup_label.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace barman::postgres {
namespace {

constexpr std::string_view kLabel15 =
    "START WAL LOCATION: 0/2000028 (file 000000010000000000000002)\n"
    "CHECKPOINT LOCATION: 0/2000060\n"
    "BACKUP METHOD: streamed\n"
    "BACKUP FROM: primary\n"
    "START TIME: 2026-11-21 05:27:30 UTC\n"
    "LABEL: pg_basebackup base backup\n"
    "START TIMELINE: 1\n";

TEST(BackupLabel, ReadsARealOne) {
  const BackupLabel label = parse_backup_label(kLabel15);
  EXPECT_EQ(wal::format_lsn(label.start_wal_location), "0/2000028");
  EXPECT_EQ(label.start_wal_file, "000000010000000000000002");
  EXPECT_EQ(wal::format_lsn(label.checkpoint_location), "0/2000060");
  EXPECT_EQ(label.backup_method, "streamed");
  EXPECT_EQ(label.backup_from, "primary");
  EXPECT_EQ(label.label, "pg_basebackup base backup");
  EXPECT_EQ(label.start_timeline.value, 1U);
  EXPECT_EQ(label.start_time_text, "2026-11-21 05:27:30 UTC");
  ASSERT_TRUE(label.start_time);
  EXPECT_EQ(format_iso(*label.start_time), "2026-11-21 05:27:30+00:00");
  EXPECT_FALSE(label.incremental_from_lsn);
}

TEST(BackupLabel, ReadsIncrementalLines) {
  const BackupLabel label = parse_backup_label(
      std::string(kLabel15) + "INCREMENTAL FROM LSN: 0/1F000028\nINCREMENTAL FROM TLI: 3\n");
  EXPECT_EQ(wal::format_lsn(label.incremental_from_lsn.value()), "0/1F000028");
  EXPECT_EQ(label.incremental_from_timeline->value, 3U);
}

TEST(BackupLabel, TakesTheTimelineFromTheSegmentWhenThereIsNoLine) {
  const BackupLabel label = parse_backup_label(
      "START WAL LOCATION: 1/28 (file 000000070000000100000000)\r\n"
      "CHECKPOINT LOCATION: 1/60\r\n");
  EXPECT_EQ(label.start_timeline.value, 7U);
}

TEST(BackupLabel, KeepsColonsInTheLabel) {
  EXPECT_EQ(parse_backup_label(std::string(kLabel15) + "LABEL: a: b: c\n").label, "a: b: c");
}

TEST(BackupLabel, DoesNotInventATimeForAnUnknownZone) {
  std::string text(kLabel15);
  text.replace(text.find("UTC"), 3, "XYZT");
  const BackupLabel label = parse_backup_label(text);
  EXPECT_FALSE(label.start_time);
  EXPECT_EQ(label.start_time_text, "2026-11-21 05:27:30 XYZT");
}

TEST(BackupLabel, RejectsWhatPostgresCouldNotStartFrom) {
  EXPECT_THROW(parse_backup_label(""), Error);
  EXPECT_THROW(parse_backup_label("CHECKPOINT LOCATION: 0/2000060\n"), Error);
  EXPECT_THROW(
      parse_backup_label("START WAL LOCATION: 0/2000028 (file 000000010000000000000002)\n"), Error);
  EXPECT_THROW(parse_backup_label("START WAL LOCATION: 0/2000028\nCHECKPOINT LOCATION: 0/1\n"),
               Error);
  EXPECT_THROW(parse_backup_label("START WAL LOCATION: 0/28 (file 0001)\n"), Error);
  EXPECT_THROW(parse_backup_label(std::string(kLabel15) + "START TIMELINE: 0\n"), Error);
  EXPECT_THROW(parse_backup_label(std::string(kLabel15) + "CHECKPOINT LOCATION: x\n"), Error);
}

}  // namespace
}  // namespace barman::postgres

#include "output/table_views.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"

namespace barman::output {
namespace {

using catalogue::BackupStatus;
using catalogue::BackupType;
using catalogue::RetentionStatus;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr const char* kGaps = "Gaps in the WAL are not shown; see catalogue-check.";

Timestamp moment_of(std::string_view text) { return parse_timestamp(text).value().time; }

TableStyle style_of(std::size_t width, bool has_utf8 = false) {
  return {.terminal = {.width = width, .has_utf8 = has_utf8},
          .now = moment_of("2026-11-21 12:00:00+00:00"),
          .paint = [](std::string_view text, Color) { return std::string(text); }};
}
TableStyle painted(std::size_t width) {
  TableStyle style = style_of(width);
  style.paint = [](std::string_view text, Color color) {
    const std::string name = color == Color::green ? "g" : color == Color::red ? "r" : "y";
    return name + "(" + std::string(text) + ")";
  };
  return style;
}

std::vector<BackupListRow> table_rows() {
  return {{.id = {"20261121T014946"}, .status = BackupStatus::failed},
          {.id = {"20261121T014915"},
           .name = "nightly",
           .status = BackupStatus::done,
           .sizes = BackupListSizes{.end_time = moment_of("2026-11-21 01:49:16.5+00:00"),
                                    .size_bytes = 40'276'048,
                                    .own_wal_size_bytes = 16'777'216},
           .retention = RetentionStatus::valid},
          {.id = {"20261111T015053"},
           .type = BackupType::rsync,
           .status = BackupStatus::done,
           .sizes = BackupListSizes{.end_time = moment_of("2026-11-11 01:50:54+00:00"),
                                    .size_bytes = 23'383'244,
                                    .wal_size_bytes = 33'075},
           .retention = RetentionStatus::obsolete}};
}

facts::RecoverySpan sample_span() {
  return {
      .begin = moment_of("2026-11-11 00:00:00+00:00"),
      .end = moment_of("2026-11-21 00:00:00+00:00"),
      .backups = {moment_of("2026-11-11 00:00:00+00:00"), moment_of("2026-11-16 00:00:00+00:00"),
                  moment_of("2026-11-20 00:00:00+00:00")}};
}

TEST(ShortAge, HasTheTwoLargestUnits) {
  EXPECT_EQ(short_age(-5), "0s");
  EXPECT_EQ(short_age(59), "59s");
  EXPECT_EQ(short_age(60), "1m");
  EXPECT_EQ(short_age(3599), "59m");
  EXPECT_EQ(short_age(3600), "1h 0m");
  EXPECT_EQ(short_age(86'399), "23h 59m");
  EXPECT_EQ(short_age(86'400 * 9 + 3600 * 4), "9d 4h");
}

TEST(RecoveryBar, HasAMarkWhereEachBackupEnds) {
  EXPECT_THAT(recovery_bar(sample_span(), style_of(55)),
              ElementsAre("Recovery window: 10d 0h (3 backups, * each)",
                          "*==========================*=====================*=====",
                          "2026-11-11 00:00:00+00:00     2026-11-21 00:00:00+00:00", kGaps));
}

TEST(RecoveryBar, UsesLineDrawingWhereItCanBeShown) {
  const std::vector<std::string> lines = recovery_bar(sample_span(), style_of(42, true));
  EXPECT_THAT(lines[0], HasSubstr("● each"));
  EXPECT_EQ(display_width(lines[1]), 42U);
  EXPECT_THAT(lines[1], ::testing::StartsWith("●━━"));
  EXPECT_THAT(lines[1], ::testing::EndsWith("●━━━━"));
}

TEST(RecoveryBar, FitsNarrowAndWideTerminals) {
  EXPECT_THAT(recovery_bar(sample_span(), style_of(11)),
              ElementsAre("Recovery window: 10d 0h (3 backups, * each)", "*====*===*=",
                          "2026-11-11 00:00:00+00:00 to", "2026-11-21 00:00:00+00:00", kGaps));
  EXPECT_THAT(recovery_bar(sample_span(), style_of(1))[1], "*");
  EXPECT_THAT(recovery_bar(sample_span(), style_of(5000))[1], SizeIs(120));
}

TEST(RecoveryBar, OfOneMomentAndOfNothing) {
  const Timestamp end = moment_of("2026-11-21 01:00:00+00:00");
  const facts::RecoverySpan moment = {.begin = end, .end = end, .backups = {end}};
  EXPECT_THAT(recovery_bar(moment, style_of(5)),
              ElementsAre("Recovery window: 0s (1 backup, * each)", "*====",
                          "2026-11-21 01:00:00+00:00 to", "2026-11-21 01:00:00+00:00", kGaps));
  EXPECT_THAT(recovery_bar(std::nullopt, painted(80)),
              ElementsAre("Recovery window: y(none, there is no usable backup)"));
}

TEST(BackupTable, ShowsEverythingOnAWideTerminal) {
  const std::vector<std::string> lines =
      backup_table("main", table_rows(), sample_span(), style_of(140));
  ASSERT_THAT(lines, SizeIs(9));
  EXPECT_EQ(lines[0],
            "Server  ID               Name     Type   Status  End                            Age"
            "      Size   Own WAL  Later WAL  Retention");
  EXPECT_EQ(lines[1], "main    20261121T014946           full   FAILED");
  EXPECT_EQ(lines[2],
            "main    20261121T014915  nightly  full   DONE    2026-11-21 01:49:16+00:00  10h 10m"
            "  22.4 MiB  16.0 MiB        0 B  VALID")
      << "the size is that of the backup's files, as backup and show-backup say it";
  EXPECT_EQ(lines[3],
            "main    20261111T015053           rsync  DONE    2026-11-11 01:50:54+00:00  10d 10h"
            "  22.3 MiB       0 B   32.3 KiB  OBSOLETE");
  EXPECT_EQ(lines[4], "");
  EXPECT_THAT(lines[5], HasSubstr("Recovery window: 10d 0h"));
}

TEST(BackupTable, SaysOfABackupThatItCannotBeRestored) {
  std::vector<BackupListRow> rows = table_rows();
  rows[1].is_restorable = false;
  rows[1].is_abandoned = true;
  EXPECT_THAT(backup_table("main", rows, std::nullopt, style_of(160))[2],
              HasSubstr("  DONE, not restorable  "));
}

TEST(BackupTable, FitsEightyColumnsAndLess) {
  EXPECT_EQ(backup_table("main", table_rows(), sample_span(), style_of(80))[2],
            "20261121T014915  nightly  full   DONE    10h 10m  22.4 MiB        0 B  VALID");
  EXPECT_EQ(backup_table("main", table_rows(), sample_span(), style_of(62))[2],
            "20261121T014915  nightly  DONE    10h 10m  22.4 MiB  VALID");
  EXPECT_EQ(backup_table("main", table_rows(), sample_span(), style_of(10))[2],
            "20261121T014915  DONE    10h 10m");
}

TEST(BackupTable, ColoursStatusAndRetention) {
  const std::vector<std::string> lines =
      backup_table("main", table_rows(), sample_span(), painted(140));
  EXPECT_THAT(lines[1], HasSubstr("r(FAILED)"));
  EXPECT_THAT(lines[2], HasSubstr("g(DONE)  "));
  EXPECT_THAT(lines[2], ::testing::EndsWith("  VALID"));
  EXPECT_THAT(lines[3], ::testing::EndsWith("  y(OBSOLETE)"));
}

TEST(BackupTable, OfAServerWithoutBackups) {
  EXPECT_THAT(backup_table("main", {}, std::nullopt, style_of(80)),
              ElementsAre("Server main: no backups"));
}

facts::ServerSummary good_server() {
  return {.name = "main",
          .has_live_values = true,
          .postgres_version = "17.6",
          .is_receiver_running = true,
          .backup_count = 3,
          .last_backup_end = moment_of("2026-11-21 09:30:00+00:00"),
          .redundancy = 3,
          .minimum_redundancy = 2,
          .span = sample_span()};
}

TEST(StatusTable, PutsServersSideBySide) {
  const std::vector<facts::ServerSummary> servers = {
      good_server(),
      {.name = "down",
       .has_live_values = true,
       .is_receiver_running = false,
       .is_archiving = true,
       .minimum_redundancy = 1},
      {.name = "old", .state = facts::ServerState::inactive}};
  EXPECT_THAT(
      status_table(servers, style_of(100)),
      ElementsAre(
          "Server          PostgreSQL   WAL                     Backups  Last backup  Redundancy  "
          "Window",
          "main            17.6         receiver                      3   2h 30m ago         3/2  "
          "10d 0h",
          "down            unreachable  no receiver, archiving        0        never         0/1  "
          "  none",
          "old (inactive)  -            -                             0        never         0/0  "
          "  none"));
  for (const std::string& line : status_table(servers, style_of(80))) {
    EXPECT_LE(display_width(line), 80U) << line;
  }
}

TEST(StatusTable, ColoursWhatNeedsAttention) {
  facts::ServerSummary bad = good_server();
  bad.postgres_version.reset();
  bad.is_receiver_running = false;
  bad.minimum_redundancy = 4;
  bad.span.reset();
  bad.last_backup_end.reset();
  EXPECT_THAT(
      status_table({bad}, painted(200))[1],
      ::testing::MatchesRegex("main +r\\(unreachable\\) +r\\(no receiver\\) +3 +y\\(never\\)"
                              " +r\\(3/4\\) +y\\(none\\)"));
  EXPECT_THAT(status_table({good_server()}, painted(200))[1],
              ::testing::MatchesRegex("main +17.6 +g\\(receiver\\) +3 +2h 30m ago +g\\(3/2\\)"
                                      " +10d 0h"));
}

}  // namespace
}  // namespace barman::output

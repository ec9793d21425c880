#include "restore/recovery_target.h"

#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace barman::restore {
namespace {

using testing::HasSubstr;

std::string refusal_of_target(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    return error.message();
  }
  return "";
}

std::string refusal_of_parsing(const TargetRequest& request) {
  return refusal_of_target([&] { parse_target(request); });
}

TEST(RecoveryTarget, NeedsWalUpToTheEndOfTheBackupOnlyWhenImmediate) {
  catalogue::BackupInfo backup;
  backup.end_wal = "000000010000000000000003";
  RecoveryTarget immediate;
  immediate.immediate = true;
  EXPECT_EQ(last_number_needed(immediate, backup), 3U);
  RecoveryTarget lsn;
  lsn.lsn = wal::Lsn{0x5000001};
  EXPECT_EQ(last_number_needed(lsn, backup), std::nullopt);
  EXPECT_EQ(last_number_needed({}, backup), std::nullopt);
}

// PostgreSQL reads the setting as C does: "0100" would be 64, "0x10" be 16.
TEST(RecoveryTarget, ATransactionIsADecimalNumberForPostgresToo) {
  EXPECT_EQ(parse_target({.xid = "100"}).xid, "100");
  EXPECT_EQ(parse_target({.xid = "0100"}).xid, "100");
  EXPECT_EQ(parse_target({.xid = "18446744073709551615"}).xid, "18446744073709551615");
  for (const char* const wrong : {"", "0", "000", "-1", "+1", " 1", "0x10", "1e3",
                                  "18446744073709551616", "99999999999999999999"}) {
    EXPECT_THAT(refusal_of_parsing({.xid = wrong}), HasSubstr("Invalid transaction ID")) << wrong;
  }
}

TEST(RecoveryTarget, ANameIsOneThatARestorePointMayHave) {
  EXPECT_EQ(refusal_of_parsing({.name = std::string(63, 'x')}), "");
  EXPECT_EQ(refusal_of_parsing({.name = "it's % \"one\""}), "");
  for (const std::string& wrong : {std::string(), std::string(64, 'x'), std::string("a\nb")}) {
    EXPECT_THAT(refusal_of_parsing({.name = wrong}), HasSubstr("Invalid restore point name"));
  }
}

TEST(RecoveryTarget, ThereIsOneAndATimelineBesideIt) {
  const std::vector<TargetRequest> targets = {
      {.time = "2026-11-21"}, {.xid = "5"}, {.lsn = "0/1"}, {.name = "x"}, {.immediate = true}};
  for (const TargetRequest& target : targets) {
    TargetRequest both = target;
    both.timeline = wal::parse_timeline_target("2");
    EXPECT_EQ(refusal_of_target([&] { refuse_multiple_targets(both); }), "");
    EXPECT_TRUE(parse_target(target).is_pitr());
    for (const TargetRequest& other : targets) {
      if (&other == &target) continue;
      both = target;
      if (other.time) both.time = other.time;
      if (other.xid) both.xid = other.xid;
      if (other.lsn) both.lsn = other.lsn;
      if (other.name) both.name = other.name;
      both.immediate = both.immediate || other.immediate;
      EXPECT_EQ(refusal_of_target([&] { refuse_multiple_targets(both); }),
                "You cannot specify multiple targets for the recovery operation");
    }
  }
  EXPECT_TRUE(parse_target({.timeline = wal::parse_timeline_target("2")}).is_pitr());
  EXPECT_FALSE(parse_target({.exclusive = true, .action = "pause"}).is_pitr());
}

TEST(RecoveryTarget, MayBeTheEndOfTheBackupAndNothingBeforeIt) {
  catalogue::BackupInfo backup;
  backup.end_time = parse_timestamp("2026-11-21 01:43:14+00:00")->time;
  backup.end_xlog = wal::Lsn{0x3000100};
  const auto refusal = [&](const TargetRequest& request) {
    return refusal_of_target([&] { refuse_impossible_target(parse_target(request), backup); });
  };
  EXPECT_EQ(refusal({.time = "2026-11-21 01:43:14+00:00"}), "");
  EXPECT_EQ(refusal({.time = "2026-11-21 02:43:14+01:00"}), "");
  EXPECT_THAT(refusal({.time = "2026-11-21 02:43:13.9+01:00"}), HasSubstr("before the backup end"));
  EXPECT_EQ(refusal({.lsn = "0/3000100"}), "");
  EXPECT_THAT(refusal({.lsn = "0/30000FF"}), HasSubstr("before the backup end LSN 0/3000100"));
  EXPECT_EQ(refusal({.action = "pause"}),
            "Can't enable recovery target action when PITR is not required");
  EXPECT_EQ(refusal({.timeline = wal::parse_timeline_target("2"), .action = "pause"}), "");
}

TEST(RecoveryTarget, OldServersDoNotKnowAll) {
  catalogue::BackupInfo backup;
  const auto refusal = [&](int version, const TargetRequest& request) {
    backup.version = version;
    return refusal_of_target([&] { refuse_impossible_target(parse_target(request), backup); });
  };
  EXPECT_THAT(refusal(90624, {.lsn = "0/1"}), HasSubstr("recovery_target_lsn"));
  EXPECT_EQ(refusal(100000, {.lsn = "0/1"}), "");
  EXPECT_THAT(refusal(90426, {.xid = "5", .action = "promote"}), HasSubstr("'promote'"));
  EXPECT_EQ(refusal(90426, {.xid = "5", .action = "pause"}), "");
  EXPECT_EQ(refusal(90500, {.xid = "5", .action = "promote"}), "");
}

TEST(RecoveryTarget, IsToldInOneOrder) {
  RecoveryTarget target = parse_target(
      {.time = "2026-11-21 01:43:14+00:00", .timeline = wal::parse_timeline_target("latest")});
  EXPECT_EQ(describe_target(target, wal::TimelineId{3}),
            "time: '2026-11-21 01:43:14+00:00', timeline: '3'");
  EXPECT_EQ(describe_target(parse_target({.lsn = "0/3000100"}), wal::TimelineId{3}),
            "lsn: '0/3000100'");
  EXPECT_EQ(describe_target(parse_target({.name = "x"}), std::nullopt), "name: 'x'");
  EXPECT_EQ(describe_target(parse_target({.immediate = true}), std::nullopt), "immediate: True");
}

}  // namespace
}  // namespace barman::restore

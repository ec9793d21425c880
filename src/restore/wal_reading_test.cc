#include "restore/wal_reading.h"

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/error.h"
#include "wal/test_support.h"
#include "wal/wal_file_name.h"

namespace barman::restore {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr std::int64_t kPostgresEpoch = 946684800LL * 1000000;
constexpr std::int64_t kSecond = 1000000;

template <typename T>
std::string bytes_of(T value) {
  std::string text(sizeof value, '\0');
  wal::store(text, 0, value);
  return text;
}

std::string with_length(const std::string& data) {
  return "\xFF" + bytes_of(static_cast<std::uint8_t>(data.size())) + data;
}

// 20 segments with a transaction each, which ends in second 100 * segment and has that number as
// its ID; a restore point in segment 18.
class ReadWal : public testing::Test {
 protected:
  ReadWal() {
    directory_ = fs::temp_directory_path() / fmt::format("barman-wal-reading-{}", ::getpid());
    fs::remove_all(directory_);
    fs::create_directories(directory_);
    begin_ = builder_.next_record();
    for (std::uint32_t i = 1; i <= 20; ++i) {
      builder_.add_record(5000);
      commit(i);
      if (i == 18) {
        std::string name = "noon";
        name.resize(64);
        builder_.add_record_with(with_length(bytes_of(std::int64_t{0}) + name), 0, 0x70);
      }
      builder_.add_record(300);
      if (i < 20) builder_.add_switch();
    }
    end_ = builder_.position();
  }
  ~ReadWal() override { fs::remove_all(directory_); }

  void commit(std::uint32_t number) {
    last_commit_ = builder_.next_record();
    const std::int64_t time = number * 100 * kSecond - kPostgresEpoch;
    builder_.add_record_with(with_length(bytes_of(time)), 1, 0, number);
  }
  void set_level(std::uint32_t level) {
    builder_.add_record_with(with_length(std::string(20, 'x') + bytes_of(level) + "ab"), 0, 0x60);
  }

  void store_files() {
    std::string bytes = builder_.bytes();
    bytes.resize((bytes.size() + wal::kSegment - 1) / wal::kSegment * wal::kSegment);
    for (std::uint64_t i = 0; i * wal::kSegment < bytes.size(); ++i) {
      const std::string name =
          wal::segment_name({.timeline = {1}, .number = i + 1}, {.bytes = wal::kSegment});
      std::ofstream(directory_ / name, std::ios::binary)
          << bytes.substr(static_cast<std::size_t>(i * wal::kSegment), wal::kSegment);
      WalFileCopy copy = {.source = directory_ / name, .name = name, .size_bytes = wal::kSegment};
      plan_.wal.files.push_back(copy);
      plan_.replay.files.push_back({.number = i + 1, .copy = copy});
    }
    plan_.wal.total_bytes = bytes.size();
    plan_.backup_id = catalogue::BackupId{"20261121T014251"};
    plan_.replay.timeline = {1};
    plan_.replay.begin = {begin_};
    plan_.replay.consistent_at = {begin_ + 5000};
    plan_.replay.segment_size = {.bytes = wal::kSegment};
  }

  WalReading read(const RecoveryTarget& target) const {
    NoProgress progress;
    const Interrupt interrupt;
    return read_wal(plan_.replay, target, {},
                    {.worker_count = 3, .progress = progress, .interrupt = interrupt});
  }
  std::string refusal(const RecoveryTarget& target) {
    try {
      judge_wal(read(target), target, plan_);
      return "";
    } catch (const Error& error) {
      return error.describe() + " | " + error.hint();
    }
  }
  static RecoveryTarget at_second(std::int64_t second) {
    RecoveryTarget target;
    target.time = Timestamp{.microseconds = second * kSecond};
    return target;
  }

  fs::path directory_;
  wal::WalBuilder builder_;
  std::uint64_t begin_ = 0;
  std::uint64_t end_ = 0;
  std::uint64_t last_commit_ = 0;
  RestorePlan plan_;
};

TEST_F(ReadWal, FindsEachKindOfTarget) {
  store_files();
  EXPECT_EQ(read(at_second(1650)).target_segment, 17U);
  // PostgreSQL stops at the first transaction behind the time; with --exclusive, not before it.
  EXPECT_EQ(read(at_second(1700)).target_segment, 18U);
  RecoveryTarget exclusive = at_second(1700);
  exclusive.exclusive = true;
  EXPECT_EQ(read(exclusive).target_segment, 17U);
  RecoveryTarget name;
  name.name = "noon";
  EXPECT_EQ(read(name).target_segment, 18U);
  RecoveryTarget xid;
  // The upper bits are an epoch.
  xid.xid = "4294967315";
  EXPECT_EQ(read(xid).target_segment, 19U);
  // The transaction itself is the last one, unless it is excluded.
  EXPECT_EQ(read(xid).last_transaction_lsn, read(xid).target_record);
  RecoveryTarget before_xid = xid;
  before_xid.exclusive = true;
  EXPECT_LT(read(before_xid).last_transaction_lsn, read(before_xid).target_record);
  RecoveryTarget lsn;
  lsn.lsn = wal::Lsn{5 * wal::kSegment + 4000};
  EXPECT_EQ(read(lsn).target_segment, 5U);
  for (const RecoveryTarget& target : {at_second(1650), exclusive, name, xid, lsn}) {
    EXPECT_EQ(refusal(target), "");
  }
  EXPECT_THAT(plan_.warnings, IsEmpty());
}

TEST_F(ReadWal, TellsTheLastReachableMoment) {
  store_files();
  const std::string refused = refusal(at_second(2000));
  EXPECT_THAT(refused,
              AllOf(HasSubstr("The requested target time 1970-01-01 00:33:20+00:00 is not in the "
                              "WAL of this backup"),
                    HasSubstr("the WAL ends at " + wal::format_lsn({end_})),
                    HasSubstr("(LSN " + wal::format_lsn({last_commit_}) + ")"),
                    HasSubstr("--skip-wal-check")));
  RecoveryTarget target;
  target.xid = "99";
  EXPECT_THAT(refusal(target), HasSubstr("The requested transaction 99 is not"));
  target = {};
  target.name = "midnight";
  EXPECT_THAT(refusal(target), HasSubstr("The requested restore point 'midnight' is not"));
  target = {};
  target.lsn = wal::Lsn{end_};
  target.lsn_text = "A";
  EXPECT_THAT(refusal(target), HasSubstr("The requested target LSN A is not"));
  EXPECT_EQ(refusal({}), "");
  EXPECT_EQ(plan_.wal.files.size(), 20U);
  // More WAL may come for a standby, and with get-wal.
  plan_.replay.may_more_come = true;
  EXPECT_EQ(refusal(at_second(2000)), "");
  ASSERT_EQ(plan_.warnings.size(), 1U);
}

TEST_F(ReadWal, NamesTheRestorePointsThereAre) {
  store_files();
  RecoveryTarget target;
  target.name = "Noon";
  EXPECT_EQ(read(target).restore_points, std::vector<std::string>{"noon"});
  EXPECT_THAT(refusal(target),
              HasSubstr("| Did you mean 'noon'? Its restore points: 'noon'. PostgreSQL would end"));
  target.name = "midnight";
  EXPECT_THAT(refusal(target), HasSubstr("| Its restore points: 'noon'. PostgreSQL would end"));
  EXPECT_THAT(read(at_second(2000)).restore_points, IsEmpty());
}

TEST_F(ReadWal, TellsWhichTimelineIsFollowed) {
  store_files();
  RecoveryTarget target;
  target.name = "noon";
  plan_.restored.timeline = wal::TimelineId{1};
  EXPECT_EQ(refusal(target), "");
  EXPECT_THAT(plan_.end_text, Not(HasSubstr("timeline")));
  plan_.restored.timeline = wal::TimelineId{3};
  EXPECT_EQ(refusal(target), "");
  EXPECT_THAT(plan_.end_text, HasSubstr(" along timeline 1, the first restore point"));
  target.name = "on the other one";
  EXPECT_THAT(refusal(target), AllOf(HasSubstr("is not in the WAL of this backup along timeline 1"),
                                     HasSubstr("--target-tli current stays on")));
}

TEST_F(ReadWal, RefusesATargetBeforeTheEndOfTheBackup) {
  store_files();
  plan_.replay.consistent_at = {10 * wal::kSegment};
  RecoveryTarget xid;
  xid.xid = "3";
  EXPECT_THAT(refusal(xid), HasSubstr("before the end of backup '20261121T014251'"));
}

TEST_F(ReadWal, RefusesAStretchOfMinimalWal) {
  builder_.add_switch();
  const std::uint64_t last = builder_.next_record();
  builder_.add_record(100);
  const std::uint64_t minimal = builder_.next_record();
  set_level(0);
  commit(50);
  set_level(1);
  commit(60);
  store_files();
  const std::string refused = refusal({});
  EXPECT_THAT(refused, AllOf(HasSubstr("wal_level = minimal from " + wal::format_lsn({minimal})),
                             HasSubstr("--target-lsn " + wal::format_lsn({last}))));
  EXPECT_EQ(refusal(at_second(5500)), refused);
  plan_.replay.may_more_come = true;
  EXPECT_EQ(refusal({}), refused);
  plan_.replay.may_more_come = false;
  EXPECT_EQ(refusal(at_second(1800)), "");
  // What the hint advises.
  RecoveryTarget lsn;
  lsn.lsn = wal::Lsn{last};
  EXPECT_EQ(refusal(lsn), "");
}

TEST_F(ReadWal, CopiesTheWholeRecordOfATargetLsn) {
  builder_.add_switch();
  const std::uint64_t target = builder_.next_record();
  // Longer than two segments.
  builder_.add_record(2 * wal::kSegment + 5000);
  builder_.add_record(100);
  builder_.add_switch();
  builder_.add_record(100);
  store_files();
  ASSERT_EQ(plan_.wal.files.size(), 24U);
  RecoveryTarget lsn;
  lsn.lsn = wal::Lsn{target - 1};
  EXPECT_EQ(refusal(lsn), "");
  EXPECT_EQ(plan_.wal.files.size(), 23U);
  EXPECT_EQ(plan_.wal.total_bytes, 23 * wal::kSegment);
}

TEST_F(ReadWal, TellsWhereDamageEndsIt) {
  store_files();
  const auto damage = [&](std::uint64_t number) {
    std::fstream file(plan_.replay.files.at(number - 1).copy.source,
                      std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(3000);
    file << "damage";
  };
  damage(18);
  EXPECT_EQ(refusal(at_second(1600)), "");
  EXPECT_THAT(refusal(at_second(1900)), HasSubstr("what follows is damaged: WAL file "));
  EXPECT_EQ(refusal({}), "");
  ASSERT_FALSE(plan_.warnings.empty());
  EXPECT_THAT(plan_.warnings.back(), HasSubstr("Recovery ends at "));
  damage(1);
  EXPECT_THAT(refusal({}), HasSubstr("cannot be made consistent"));
}

TEST_F(ReadWal, TakesWhatHasArrivedOfTheLastSegment) {
  store_files();
  ReplayFile& last = plan_.replay.files.back();
  last.is_partial = true;
  fs::resize_file(last.copy.source, 3000);
  const WalReading reading = read({});
  EXPECT_FALSE(reading.damage);
  EXPECT_GE(reading.end.value, 19 * wal::kSegment);
  EXPECT_LT(reading.end.value, end_);
}

}  // namespace
}  // namespace barman::restore

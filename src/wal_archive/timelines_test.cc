#include "wal_archive/timelines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "base/error.h"

namespace barman::wal_archive {
namespace {

using catalogue::BackupInfo;
using testing::AllOf;
using testing::HasSubstr;
using wal::TimelineId;

// Timeline 2 leaves 1 at 1000, and the backup ended behind that.
catalogue::Branches two_branches() {
  catalogue::Branches branches;
  branches.newest_archived = TimelineId{1};
  branches.last_segments = {{TimelineId{1}, "000000010000000000000009"},
                            {TimelineId{2}, "000000020000000000000001"}};
  branches.histories[TimelineId{2}] = {TimelineId{2}, {{TimelineId{1}, wal::Lsn{1000}, ""}}};
  return branches;
}

BackupInfo backup_on(std::uint32_t timeline, std::uint64_t end) {
  BackupInfo info;
  info.id = {"20261121T010000"};
  info.timeline = TimelineId{timeline};
  info.end_xlog = wal::Lsn{end};
  return info;
}

std::string refusal_of(const catalogue::Branches& branches, const BackupInfo& backup,
                       const std::string& requested, ErrorKind kind) {
  try {
    choose_timeline(branches, backup, wal::parse_timeline_target(requested), TimelineDefault::own);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << requested;
    return error.describe();
  }
  return "";
}

TEST(Timelines, AreNamedByANumberOrOneOfTwoWords) {
  const BackupInfo backup = backup_on(1, 500);
  for (const auto& [text, timeline] : {std::pair("1", 1U), std::pair("2", 2U),
                                       std::pair("latest", 2U), std::pair("current", 1U)}) {
    EXPECT_EQ(choose_timeline(two_branches(), backup, wal::parse_timeline_target(text),
                              TimelineDefault::own)
                  .timeline,
              TimelineId{timeline})
        << text;
  }
}

TEST(Timelines, WithoutARequestTheCallerDecides) {
  catalogue::Branches branches = two_branches();
  branches.newest_archived = TimelineId{2};
  const BackupInfo backup = backup_on(1, 500);
  const TimelineChoice own = choose_timeline(branches, backup, std::nullopt, TimelineDefault::own);
  EXPECT_EQ(own.timeline, TimelineId{1});
  EXPECT_EQ(own.setting, std::nullopt) << "nothing is written that nobody asked for";
  EXPECT_EQ(choose_timeline(branches, backup, std::nullopt, TimelineDefault::present).timeline,
            TimelineId{2});
}

TEST(Timelines, ThatCannotBeReachedAreRefusedWithTheirReason) {
  // It ended behind the place where timeline 2 went another way.
  EXPECT_THAT(
      refusal_of(two_branches(), backup_on(1, 1001), "2", ErrorKind::conflict),
      AllOf(HasSubstr("does not descend"), HasSubstr("ended at 0/3E9"), HasSubstr("behind 0/3E8")));
  EXPECT_EQ(refusal_of(two_branches(), backup_on(1, 1000), "2", ErrorKind::conflict), "");
  EXPECT_THAT(refusal_of(two_branches(), backup_on(2, 2000), "1", ErrorKind::conflict),
              HasSubstr("does not descend"));
  EXPECT_THAT(refusal_of(two_branches(), backup_on(1, 500), "3", ErrorKind::not_found),
              HasSubstr("00000003.history is not in the WAL archive"));
  catalogue::Branches branches = two_branches();
  branches.histories.clear();
  branches.damaged[TimelineId{2}] = "its third line is garbage";
  EXPECT_THAT(refusal_of(branches, backup_on(1, 500), "2", ErrorKind::corrupt),
              HasSubstr("its third line is garbage"));
}

TEST(Timelines, ABackupMustTellItsOwn) {
  BackupInfo backup;
  backup.id = {"20261121T010000"};
  EXPECT_THAT(refusal_of(two_branches(), backup, "current", ErrorKind::corrupt),
              HasSubstr("backup '20261121T010000' does not tell its timeline"));
  backup.begin_wal = "000000020000000000000001";
  EXPECT_EQ(timeline_of(backup), TimelineId{2});
}

}  // namespace
}  // namespace barman::wal_archive

#include "wal_archive/wal_selection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace barman::wal_archive {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::uint64_t kNoEnd = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t kSegment = std::uint64_t{16} << 20;

WalIndexEntry entry(std::string name) { return {.name = std::move(name), .size_bytes = kSegment}; }

std::vector<std::string> names_of(const std::vector<SelectedWal>& files) {
  std::vector<std::string> names;
  for (const SelectedWal& file : files) names.push_back(file.name);
  return names;
}

postgres::TimelineHistory third_timeline() {
  // 1 until segment 4, 3 from there on; 2 is a side branch.
  return {.timeline = wal::TimelineId{3},
          .ancestors = {{.timeline = wal::TimelineId{1},
                         .switch_lsn = wal::Lsn{4 * kSegment + 100},
                         .reason = "x"}}};
}

WalSelectionRequest request_for(std::vector<TimelineSpan> spans) {
  return {.spans = std::move(spans),
          .required = {.timeline = wal::TimelineId{1}, .first = 2, .last = 3}};
}

TEST(WalSelection, FollowsTheAncestry) {
  EXPECT_THAT(list_spans(third_timeline(), wal::TimelineId{1}, 2, {}),
              ElementsAre(TimelineSpan{wal::TimelineId{1}, 2, 4},
                          TimelineSpan{wal::TimelineId{3}, 4, kNoEnd}));
}

TEST(WalSelection, StartsOnTheTimelineOfTheBackup) {
  EXPECT_THAT(list_spans(third_timeline(), wal::TimelineId{3}, 9, {}),
              ElementsAre(TimelineSpan{wal::TimelineId{3}, 9, kNoEnd}));
}

TEST(WalSelection, LeavesSideBranchesAndOlderWalOutAndTakesAllHistories) {
  const WalSelection selection = select_wal(
      {entry("00000002.history"), entry("00000003.history"), entry("000000010000000000000001"),
       entry("000000010000000000000002"), entry("000000010000000000000002.00000028.backup"),
       entry("000000010000000000000003"), entry("000000010000000000000004"),
       entry("000000010000000000000005"), entry("000000020000000000000004"),
       entry("000000030000000000000004"), entry("000000030000000000000005")},
      {}, request_for(list_spans(third_timeline(), wal::TimelineId{1}, 2, {})));
  EXPECT_THAT(names_of(selection.files),
              ElementsAre("00000002.history", "00000003.history", "000000010000000000000002",
                          "000000010000000000000002.00000028.backup", "000000010000000000000003",
                          "000000010000000000000004", "000000030000000000000004",
                          "000000030000000000000005"));
  EXPECT_EQ(selection.last_segment, (wal::Segment{wal::TimelineId{3}, 5}));
  EXPECT_FALSE(selection.first_gap);
  EXPECT_FALSE(selection.missing_for_consistency);
}

TEST(WalSelection, NeverTakesAPartialForACompleteSegment) {
  WalSelectionRequest request = request_for({{wal::TimelineId{1}, 2, kNoEnd}});
  request.partial_files = PartialFiles::take;
  const WalSelection selection = select_wal(
      {entry("000000010000000000000002"), entry("000000010000000000000003"),
       entry("000000010000000000000003.partial"), entry("000000010000000000000004.partial")},
      {}, request);
  EXPECT_THAT(selection.partials, ElementsAre(SelectedWal{"000000010000000000000004.partial",
                                                          "000000010000000000000004", kSegment}));
}

TEST(WalSelection, LeavesPartialsOutWhenNotAskedFor) {
  const WalSelection selection = select_wal({entry("000000010000000000000002.partial")}, {},
                                            request_for({{wal::TimelineId{1}, 2, kNoEnd}}));
  EXPECT_THAT(selection.partials, IsEmpty());
  EXPECT_THAT(selection.files, IsEmpty());
}

TEST(WalSelection, GoesOnWithWhatIsReceivedAndNotArchived) {
  WalSelectionRequest request =
      request_for(list_spans(third_timeline(), wal::TimelineId{1}, 2, {}));
  request.partial_files = PartialFiles::take;
  const auto received = [](const std::string& name) {
    return ReceivedWal{.path = "/s/" + name, .size_bytes = kSegment};
  };
  const WalSelection selection = select_wal(
      {entry("00000003.history"), entry("000000010000000000000002"),
       entry("000000010000000000000003"), entry("000000010000000000000004.partial")},
      {received("00000003.history"), received("000000010000000000000003"),
       received("000000010000000000000004.partial"), received("000000030000000000000004"),
       received("000000030000000000000005.partial"), received("000000030000000000000007.partial"),
       received("000000010000000000000004.00000028.backup"), received("notes.txt")},
      request);
  EXPECT_THAT(names_of(selection.files),
              ElementsAre("00000003.history", "000000010000000000000002",
                          "000000010000000000000003", "000000030000000000000004"));
  EXPECT_EQ(selection.files.back().received_path, "/s/000000030000000000000004");
  // What was received wins over what was archived of the same segment; 7 is behind a gap.
  EXPECT_THAT(
      selection.partials,
      ElementsAre(SelectedWal{"000000010000000000000004.partial", "000000010000000000000004",
                              kSegment, "/s/000000010000000000000004.partial"},
                  SelectedWal{"000000030000000000000005.partial", "000000030000000000000005",
                              kSegment, "/s/000000030000000000000005.partial"}));
  EXPECT_EQ(selection.last_segment, (wal::Segment{wal::TimelineId{3}, 4}));
}

TEST(WalSelection, TellsThatTheBackupEndsInAPartialFile) {
  WalSelectionRequest request = request_for({{wal::TimelineId{1}, 2, kNoEnd}});
  request.partial_files = PartialFiles::take;
  const WalSelection selection =
      select_wal({entry("000000010000000000000002")},
                 {{.path = "/s/000000010000000000000003.partial", .size_bytes = 1}}, request);
  EXPECT_TRUE(selection.is_consistency_partial);
  EXPECT_FALSE(selection.missing_for_consistency);
}

TEST(WalSelection, FindsWhatIsMissing) {
  const std::vector<TimelineSpan> spans = {{wal::TimelineId{1}, 2, kNoEnd}};
  EXPECT_EQ(select_wal({entry("000000010000000000000002")}, {}, request_for(spans))
                .missing_for_consistency,
            (wal::Segment{wal::TimelineId{1}, 3}));
  const WalSelection gap =
      select_wal({entry("000000010000000000000002"), entry("000000010000000000000003"),
                  entry("000000010000000000000006")},
                 {}, request_for(spans));
  EXPECT_EQ(gap.first_gap, (wal::Segment{wal::TimelineId{1}, 4}));
  // What was received behind it says that it was there; a standby may still get it.
  WalSelectionRequest request = request_for(spans);
  const auto before_received = [&] {
    return select_wal({entry("000000010000000000000002"), entry("000000010000000000000003")},
                      {{.path = "/s/000000010000000000000005.partial", .size_bytes = 1}}, request)
        .first_gap;
  };
  request.partial_files = PartialFiles::skip;
  EXPECT_FALSE(before_received());
  request.partial_files = PartialFiles::take;
  EXPECT_EQ(before_received(), (wal::Segment{wal::TimelineId{1}, 4}));
}

TEST(WalSelection, NoticesStoredEncodings) {
  WalIndexEntry compressed = entry("000000010000000000000002");
  compressed.compression = "gzip";
  compressed.size_bytes = 5;
  compressed.encryption = "gpg";
  const WalSelection selection =
      select_wal({compressed}, {}, request_for({{wal::TimelineId{1}, 2, kNoEnd}}));
  ASSERT_TRUE(selection.encrypted);
  EXPECT_EQ(selection.encrypted->name, "000000010000000000000002");
}

}  // namespace
}  // namespace barman::wal_archive

#include "catalogue/backup_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalogue/test_support.h"

namespace barman::catalogue {
namespace {

using testing::ElementsAre;

BackupInfo taken(const std::string& id, std::string_view begin, std::uint64_t lsn,
                 std::uint32_t timeline = 1) {
  BackupInfo info = make_backup(id, "", "");
  info.begin_time = parse_timestamp(begin)->time;
  info.begin_xlog = wal::Lsn{lsn};
  info.timeline = wal::TimelineId{timeline};
  return info;
}

std::vector<std::string> order_of(std::vector<BackupInfo> backups) {
  std::vector<std::string> ids;
  for (const BackupInfo* const backup : in_order_of_age(backups)) ids.push_back(backup->id.value);
  return ids;
}

TEST(BackupOrder, FollowsMomentsThroughTheRepeatedHour) {
  // The second one was taken 45 minutes after the first.
  EXPECT_THAT(order_of({taken("20261025T021500", "2026-10-25 02:15:00+01:00", 900),
                        taken("20261025T023000", "2026-10-25 02:30:00+02:00", 500),
                        taken("20261025T040000", "2026-10-25 04:00:00+01:00", 950)}),
              ElementsAre("20261025T023000", "20261025T021500", "20261025T040000"));
}

TEST(BackupOrder, DoesNotBelieveAClockThatWentBackWhileIdsAndWalWentOn) {
  EXPECT_THAT(order_of({taken("20261101T120000", "2026-11-01 12:00:00+00:00", 500),
                        taken("20261101T120001", "2026-11-01 09:00:00+00:00", 900),
                        taken("20261101T120002", "2026-11-01 10:00:00+00:00", 700, 2)}),
              ElementsAre("20261101T120000", "20261101T120001", "20261101T120002"));
}

TEST(BackupOrder, BelievesIdsAndClockWhenAServerWasPutBack) {
  EXPECT_THAT(order_of({taken("20261101T120000", "2026-11-01 12:00:00+00:00", 900),
                        taken("20261101T130000", "2026-11-01 13:00:00+00:00", 500)}),
              ElementsAre("20261101T120000", "20261101T130000"));
}

TEST(BackupOrder, DoesWithoutMomentsAndPlaces) {
  EXPECT_THAT(
      order_of({make_backup("20261101T120000", "", ""), make_backup("20261102T120000", "", ""),
                taken("20261103T120000", "2026-11-03 12:00:00+00:00", 500)}),
      ElementsAre("20261101T120000", "20261102T120000", "20261103T120000"));
}

}  // namespace
}  // namespace barman::catalogue

#include "verify/window_end.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalogue/last_reason.h"
#include "wal_archive/test_support.h"

namespace barman::verify {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

TEST(WindowEnd, AServerWithoutAReceiverDoesNotMove) {
  const wal_archive::TestServer site;
  const std::vector<Finding> findings = find_stopped_wal(site.make(), "");
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings.front().severity, Finding::Severity::notice);
  EXPECT_THAT(findings.front().reason,
              StartsWith("nothing is archived, and does not move: no receive-wal is running"));
  EXPECT_THAT(findings.front().next_step, HasSubstr("Run 'barman cron'"));
}

TEST(WindowEnd, AnArchiverThatFailsStopsItToo) {
  wal_archive::TestServer site;
  site.config.streaming_archiver = false;
  EXPECT_THAT(find_stopped_wal(site.make(), ""), IsEmpty());
  catalogue::keep_last_reason(site.config.backup_directory, "archive-wal",
                              Error(ErrorKind::io, "the disk is full"));
  const std::vector<Finding> findings = find_stopped_wal(site.make(), "");
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_THAT(findings.front().reason, HasSubstr("archive-wal fails: the disk is full"));
}

TEST(WindowEnd, NothingIsExpectedOfAServerThatIsNotInService) {
  wal_archive::TestServer site;
  site.config.active = false;
  EXPECT_THAT(find_stopped_wal(site.make(), ""), IsEmpty());
  site.config.active = true;
  site.config.primary_ssh_command = "ssh primary";
  EXPECT_THAT(find_stopped_wal(site.make(), ""), IsEmpty());
}

}  // namespace
}  // namespace barman::verify

#include "output/restore_views.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"

namespace barman::output {
namespace {

using restore::RecoveryTarget;
using restore::TargetAction;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::string told(const RecoveryTarget& target) {
  return join(recovery_lines(target, "LSN 0/5000060", "postgresql.auto.conf"), "\n");
}

TEST(RecoveryLines, TellWhatToDoWhereRecoveryPauses) {
  RecoveryTarget target;
  EXPECT_THAT(told(target), HasSubstr("that one must not come back"));
  target.xid = "750";
  EXPECT_THAT(told(target),
              AllOf(HasSubstr("end at LSN 0/5000060"), HasSubstr("lock_timeout"),
                    HasSubstr("pg_wal_replay_resume()"), HasSubstr("--delta-restore")));
  target.action = TargetAction::promote;
  EXPECT_THAT(told(target), AllOf(HasSubstr("takes changes"), Not(HasSubstr("pauses"))));
  target.action = TargetAction::shutdown;
  // It has the WAL behind that point, and would replay it without the target.
  EXPECT_THAT(told(target),
              HasSubstr("shuts down. To go on from there, add \"recovery_target_action = "
                        "'promote'\" to postgresql.auto.conf and start it"));
  EXPECT_THAT(told(target), HasSubstr("leave recovery.signal where it is"));
}

TEST(RecoveryLines, OfATimelineAloneEndInANewOne) {
  RecoveryTarget target;
  target.timeline = wal::TimelineTarget{};
  EXPECT_THAT(told(target), AllOf(HasSubstr("new timeline"), Not(HasSubstr("pauses"))));
}

}  // namespace
}  // namespace barman::output

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

restore::RestoreResult result_with(const RecoveryTarget& target) {
  restore::RestoreResult result;
  result.target = target;
  result.end_text = "LSN 0/5000060";
  result.settings_file = "postgresql.auto.conf";
  return result;
}

std::string told(const restore::RestoreResult& result) {
  return join(recovery_lines(result), "\n");
}
std::string told(const RecoveryTarget& target) { return told(result_with(target)); }

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

TEST(RecoveryLines, DoNotPromiseAPauseWithoutHotStandby) {
  RecoveryTarget target;
  target.name = "noon";
  restore::RestoreResult result = result_with(target);
  result.hot_standby_off = {"postgresql.conf", 12, "hot_standby", "off"};
  EXPECT_THAT(told(result),
              AllOf(HasSubstr("hot_standby is off (postgresql.conf line 12)"),
                    HasSubstr("There PostgreSQL shuts down"), Not(HasSubstr("PostgreSQL pauses"))));
  result.target.action = TargetAction::promote;
  EXPECT_THAT(told(result), Not(HasSubstr("hot_standby")));
}

TEST(RecoveryLines, OfAStandbySayWhereItsWalComesFrom) {
  restore::RestoreResult result = result_with({});
  result.is_standby = true;
  EXPECT_THAT(told(result),
              AllOf(HasSubstr("This is a standby"), HasSubstr("set primary_conninfo"),
                    HasSubstr("--get-wal"), Not(HasSubstr("takes the place of the primary"))));
  result.uses_get_wal = true;
  EXPECT_THAT(told(result), HasSubstr("fetches what is archived here"));
}

TEST(RecoveryLines, OfATimelineAloneEndInANewOne) {
  RecoveryTarget target;
  target.timeline = wal::TimelineTarget{};
  EXPECT_THAT(told(target), AllOf(HasSubstr("new timeline"), Not(HasSubstr("pauses"))));
}

}  // namespace
}  // namespace barman::output

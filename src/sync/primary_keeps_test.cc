#include "sync/primary_keeps.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace barman::sync {
namespace {

using catalogue::BackupId;
using catalogue::KeepTarget;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

const BackupId kOne{"20260101T000000"};
const BackupId kTwo{"20260102T000000"};

TEST(PrimaryKeeps, AreSetHereOnceAndReleasedWithThePrimary) {
  // Not here yet.
  KeepChanges changes = plan_keeps({}, {{kOne, KeepTarget::full}}, {}, {});
  EXPECT_THAT(changes.set, IsEmpty());
  EXPECT_THAT(changes.known, ElementsAre(Pair(kOne, PrimaryKeep{KeepTarget::full, false})));
  // It came.
  changes = plan_keeps(changes.known, {{kOne, KeepTarget::full}}, {}, {kOne});
  EXPECT_THAT(changes.set, ElementsAre(Pair(kOne, KeepTarget::full)));
  EXPECT_THAT(changes.known, ElementsAre(Pair(kOne, PrimaryKeep{KeepTarget::full, true})));
  // Nothing more to do.
  const PrimaryKeeps known = changes.known;
  changes = plan_keeps(known, {{kOne, KeepTarget::full}}, {{kOne, KeepTarget::full}}, {kOne});
  EXPECT_THAT(changes.set, IsEmpty());
  EXPECT_EQ(changes.known, known);
  // Another kind.
  changes = plan_keeps(known, {{kOne, KeepTarget::standalone}}, {{kOne, KeepTarget::full}}, {kOne});
  EXPECT_THAT(changes.set, ElementsAre(Pair(kOne, KeepTarget::standalone)));
  // Released there.
  changes = plan_keeps(known, {}, {{kOne, KeepTarget::full}}, {kOne});
  EXPECT_THAT(changes.released, ElementsAre(kOne));
  EXPECT_THAT(changes.known, IsEmpty());
}

TEST(PrimaryKeeps, LeaveWhatSomebodyHasDoneHere) {
  // Kept here for other reasons: it stays when the primary releases its own.
  KeepChanges changes =
      plan_keeps({}, {{kOne, KeepTarget::full}}, {{kOne, KeepTarget::standalone}}, {kOne});
  EXPECT_THAT(changes.set, IsEmpty());
  changes = plan_keeps(changes.known, {}, {{kOne, KeepTarget::standalone}}, {kOne});
  EXPECT_THAT(changes.released, IsEmpty());
  EXPECT_THAT(plan_keeps({}, {}, {{kTwo, KeepTarget::full}}, {kTwo}).released, IsEmpty());
  // Released here, and kept there still.
  const PrimaryKeeps known = {{kOne, {KeepTarget::full, true}}};
  EXPECT_THAT(plan_keeps(known, {{kOne, KeepTarget::full}}, {}, {kOne}).set, IsEmpty());
}

TEST(PrimaryKeeps, AreReadFromWhatFindPrints) {
  EXPECT_THAT(parse_told_keeps("20260101T000000-keep full\n20260102T000000-keep standalone\n"
                               "x-keep full\n20260103T000000-keep \nnonsense\n"),
              ElementsAre(Pair(kOne, KeepTarget::full), Pair(kTwo, KeepTarget::standalone),
                          Pair(BackupId{"20260103T000000"}, KeepTarget::full)));
}

}  // namespace
}  // namespace barman::sync

#include "backup/deletion_preview.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalogue/test_support.h"

namespace barman::backup {
namespace {

using catalogue::BackupId;
using catalogue::BackupInfo;
using catalogue::make_backup;
using catalogue::make_incremental;
using catalogue::RetentionRule;
using catalogue::RetentionStatus;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::string segment(int number) { return fmt::format("0000000100000000{:08X}", number); }

// Backups from segments 2, 4 and 6; WAL 1 to 8 of 16 bytes each, and a history file.
class Preview : public testing::Test {
 protected:
  Preview() {
    facts_.server_name = "main";
    facts_.list.backups = {make_backup("20260101T000000", segment(2), segment(2)),
                           make_backup("20260102T000000", segment(4), segment(4)),
                           make_backup("20260103T000000", segment(6), segment(6))};
    facts_.is_enforced = true;
    for (int i = 1; i <= 8; ++i) names_.push_back(segment(i));
    names_.emplace_back("00000002.history");
  }

  void keep_newest(std::uint64_t count) {
    facts_.retention = {
        .rule = {.kind = RetentionRule::Kind::redundancy, .count = count},
        .annotations = facts_.annotations,
    };
  }
  wal_archive::WalLines lines() const {
    return [this](const wal_archive::WalIndexVisitor& visitor) {
      for (const std::string& name : names_) visitor({.name = name, .size_bytes = 16});
    };
  }
  DeletionPreview retention() const { return preview_retention(facts_, lines()); }
  DeletionPreview deletion(const std::string& id) const {
    return preview_deletion(facts_, BackupId{id}, lines());
  }

  static std::vector<std::string> actions(const DeletionPreview& preview) {
    std::vector<std::string> words;
    for (const BackupFate& fate : preview.backups) {
      EXPECT_FALSE(fate.reason.empty());
      words.emplace_back(fate.action == BackupFate::Action::keep     ? "keep"
                         : fate.action == BackupFate::Action::remove ? "remove"
                                                                     : "wait");
    }
    return words;
  }

  DeletionFacts facts_;
  std::vector<std::string> names_;
};

TEST_F(Preview, WithoutPolicyEverythingStays) {
  const DeletionPreview preview = retention();
  EXPECT_THAT(actions(preview), ElementsAre("keep", "keep", "keep"));
  EXPECT_EQ(preview.backups.front().reason, "there is no retention policy");
  EXPECT_THAT(preview.removed_wal, IsEmpty());
  EXPECT_EQ(preview.kept_wal_count, 9U);
  EXPECT_THAT(preview.wal_reasons, ElementsAre("no backup is deleted"));
}

TEST_F(Preview, RetentionReleasesWalBeforeTheOldestKeptBackup) {
  keep_newest(1);
  const DeletionPreview preview = retention();
  EXPECT_THAT(actions(preview), ElementsAre("keep", "remove", "remove"));
  ASSERT_THAT(preview.removed_wal, SizeIs(1));
  EXPECT_EQ(preview.removed_wal[0].first, segment(1));
  EXPECT_EQ(preview.removed_wal[0].last, segment(5));
  EXPECT_EQ(preview.removed_wal[0].count, 5U);
  EXPECT_EQ(preview.removed_wal[0].size_bytes, 80U);
  EXPECT_EQ(preview.kept_wal_count, 4U);
  EXPECT_THAT(preview.wal_reasons,
              ElementsAre("WAL from " + segment(6) + " on stays: backup 20260103T000000 needs it"));
}

TEST_F(Preview, PolicyThatIsNotEnforcedDeletesNothing) {
  keep_newest(1);
  facts_.is_enforced = false;
  const DeletionPreview preview = retention();
  EXPECT_THAT(actions(preview), ElementsAre("keep", "keep", "keep"));
  EXPECT_EQ(preview.backups.back().status, RetentionStatus::obsolete);
  EXPECT_THAT(preview.backups.back().reason, HasSubstr("not enforced"));
}

TEST_F(Preview, InterruptedDeletionsAreCompletedWithoutPolicy) {
  facts_.annotations.being_deleted = {BackupId{"20260101T000000"}};
  const DeletionPreview preview = retention();
  EXPECT_THAT(actions(preview), ElementsAre("keep", "keep", "remove"));
  EXPECT_THAT(preview.backups.back().reason, HasSubstr("interrupted"));
  EXPECT_EQ(preview.removed_wal.at(0).count, 3U);
}

TEST_F(Preview, SupersededFailuresGoWhenTheyAreToGo) {
  facts_.list.backups[1].status = catalogue::BackupStatus::failed;
  EXPECT_THAT(actions(retention()), ElementsAre("keep", "keep", "keep"));
  facts_.superseded_failures = {BackupId{"20260102T000000"}};
  EXPECT_THAT(actions(retention()), ElementsAre("keep", "remove", "keep"));
  facts_.deletion_doubt = "minimum_redundancy is not understood";
  EXPECT_THAT(actions(retention()), ElementsAre("keep", "keep", "keep"));
}

TEST_F(Preview, KeptBackupsStayWithTheirWal) {
  facts_.annotations.keeps = {{BackupId{"20260101T000000"}, catalogue::KeepTarget::standalone}};
  keep_newest(1);
  const DeletionPreview preview = retention();
  EXPECT_THAT(actions(preview), ElementsAre("keep", "remove", "keep"));
  EXPECT_EQ(preview.backups.back().status, RetentionStatus::keep_standalone);
  // 1, 3, 4, 5 go; 2 is the backup's own.
  ASSERT_THAT(preview.removed_wal, SizeIs(1));
  EXPECT_EQ(preview.removed_wal[0].count, 4U);
  EXPECT_THAT(preview.wal_reasons, testing::Contains(HasSubstr("standalone")));
}

TEST_F(Preview, DeleteTakesTheIncrementalsAlong) {
  BackupInfo child = make_incremental("20260102T120000", "20260102T000000");
  child.begin_wal = segment(5);
  child.end_wal = segment(5);
  facts_.list.backups.insert(facts_.list.backups.begin() + 2, child);
  const DeletionPreview preview = deletion("20260102T000000");
  EXPECT_THAT(actions(preview), ElementsAre("keep", "remove", "remove", "keep"));
  EXPECT_EQ(preview.backups[1].reason, "depends on 20260102T000000, which is deleted");
  EXPECT_THAT(preview.removed_wal, IsEmpty());
  EXPECT_THAT(preview.wal_reasons.at(0), HasSubstr("20260101T000000 needs them"));
}

TEST_F(Preview, DeleteThatIsRefusedShowsNothing) {
  facts_.minimum_redundancy = 3;
  const DeletionPreview preview = deletion("20260101T000000");
  ASSERT_TRUE(preview.refusal);
  EXPECT_THAT(preview.backups, IsEmpty());
}

TEST_F(Preview, UnreadableMetadataIsShown) {
  facts_.list.broken = {{.id = {"20251231T000000"}, .path = "x", .reason = "cannot parse"}};
  const DeletionPreview preview = retention();
  EXPECT_THAT(preview.backups.back().reason, HasSubstr("cannot parse"));
}

}  // namespace
}  // namespace barman::backup

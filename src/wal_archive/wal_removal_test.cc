#include "wal_archive/wal_removal.h"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalogue/test_support.h"
#include "storage/local_storage.h"
#include "wal/wal_file_name.h"
#include "wal_archive/test_support.h"

namespace barman::wal_archive {
namespace {

using Cause = WalRemovalInput::Cause;

catalogue::BackupInfo backup(int day, unsigned begin, unsigned end, unsigned timeline = 1,
                             catalogue::BackupStatus status = catalogue::BackupStatus::done) {
  return catalogue::make_backup("202611" + std::to_string(10 + day) + "T000000",
                                segment(begin, timeline), segment(end, timeline), status);
}

TEST(WalRemoval, RemovesWhatIsBeforeTheNextBackup) {
  const catalogue::BackupList list = {.backups = {backup(1, 3, 4), backup(2, 7, 8)}, .broken = {}};
  const WalRemovalPlan plan = plan_wal_removal({.list = list, .deleted = list.backups[0].id});
  EXPECT_TRUE(plan.removes(segment(1)));
  EXPECT_TRUE(plan.removes(segment(6)));
  EXPECT_TRUE(plan.removes(segment(6) + ".partial"));
  EXPECT_TRUE(plan.removes(segment(3) + ".00000028.backup"));
  EXPECT_FALSE(plan.removes(segment(7)));
  EXPECT_FALSE(plan.removes(segment(7) + ".00000028.backup"));
  EXPECT_FALSE(plan.removes(segment(1, 2)));
  EXPECT_FALSE(plan.removes("00000001.history"));
  EXPECT_FALSE(plan.removes("junk"));
}

TEST(WalRemoval, OlderBackupsStopIt) {
  const catalogue::BackupList list = {
      .backups = {backup(1, 3, 4), backup(2, 7, 8), backup(3, 10, 11)}, .broken = {}};
  EXPECT_FALSE(plan_wal_removal({.list = list, .deleted = list.backups[1].id}).is_removing);
  const std::set<catalogue::BackupId> standalone = {list.backups[0].id};
  EXPECT_FALSE(
      plan_wal_removal({.list = list, .deleted = list.backups[1].id, .standalone = standalone})
          .is_removing);
  const WalRemovalPlan plan = plan_wal_removal({.list = list,
                                                .deleted = list.backups[1].id,
                                                .standalone = standalone,
                                                .cause = Cause::retention});
  EXPECT_TRUE(plan.removes(segment(2)));
  EXPECT_FALSE(plan.removes(segment(3)));
  EXPECT_FALSE(plan.removes(segment(4)));
  EXPECT_FALSE(plan.removes(segment(4) + ".00000028.backup"));
  EXPECT_TRUE(plan.removes(segment(9)));
  EXPECT_FALSE(plan.removes(segment(10)));
}

TEST(WalRemoval, WithoutANewerBackupTheWalFromTheDeletedOneStays) {
  const catalogue::BackupList list = {.backups = {backup(1, 3, 4)}, .broken = {}};
  const WalRemovalPlan plan = plan_wal_removal({.list = list, .deleted = list.backups[0].id});
  EXPECT_TRUE(plan.removes(segment(2)));
  EXPECT_FALSE(plan.removes(segment(3)));
  const WalRemovalPlan all =
      plan_wal_removal({.list = list,
                        .deleted = list.backups[0].id,
                        .without_next = WalRemovalInput::WithoutNext::remove_all});
  EXPECT_TRUE(all.removes(segment(99, 3)));
  EXPECT_FALSE(all.removes("00000002.history"));
}

TEST(WalRemoval, AnUnknownBeginRemovesNothing) {
  const catalogue::BackupList list = {
      .backups = {catalogue::make_backup("20261111T000000", "", "",
                                         catalogue::BackupStatus::failed)},
      .broken = {}};
  EXPECT_FALSE(plan_wal_removal({.list = list, .deleted = list.backups[0].id}).is_removing);
  EXPECT_FALSE(plan_wal_removal({.list = list, .deleted = {"20261112T000000"}}).is_removing);
  EXPECT_FALSE(plan_first_backup_purge(list, list.backups[0], {}).is_removing);
}

TEST(WalRemoval, OlderRunningBackupsAreProtected) {
  const catalogue::BackupList list = {
      .backups = {catalogue::make_backup("20261110T000000", segment(2), "",
                                         catalogue::BackupStatus::started),
                  backup(1, 5, 6), backup(2, 8, 9)},
      .broken = {}};
  const WalRemovalPlan plan = plan_wal_removal({.list = list, .deleted = list.backups[1].id});
  EXPECT_TRUE(plan.removes(segment(1)));
  EXPECT_FALSE(plan.removes(segment(2)));
  EXPECT_FALSE(plan.removes(segment(7)));
}

TEST(WalRemoval, TheFirstBackupPurgesWhatIsBeforeIt) {
  catalogue::BackupList list = {
      .backups = {backup(1, 3, 4, 1, catalogue::BackupStatus::failed), backup(2, 7, 8)},
      .broken = {}};
  const WalRemovalPlan plan = plan_first_backup_purge(list, list.backups[1], {});
  EXPECT_TRUE(plan.removes(segment(6)));
  EXPECT_FALSE(plan.removes(segment(7)));
  list.backups[0].status = catalogue::BackupStatus::done;
  EXPECT_FALSE(plan_first_backup_purge(list, list.backups[1], {}).is_removing);
  list.backups[0].status = list.backups[1].status = catalogue::BackupStatus::failed;
  EXPECT_FALSE(plan_first_backup_purge(list, list.backups[1], {}).is_removing);
}

TEST(WalRemoval, NobodyNeedsWhatIsBeforeTheOldestBackupThatIsNotStandalone) {
  catalogue::BackupList list = {.backups = {backup(1, 2, 3), backup(2, 5, 6), backup(3, 8, 9)},
                                .broken = {}};
  WalRemovalPlan plan = plan_unneeded_wal(list, {});
  EXPECT_TRUE(plan.removes(segment(1)));
  EXPECT_FALSE(plan.removes(segment(2)));
  plan = plan_unneeded_wal(list, {list.backups[0].id});
  EXPECT_TRUE(plan.removes(segment(1)));
  EXPECT_FALSE(plan.removes(segment(3)));
  EXPECT_TRUE(plan.removes(segment(4)));
  EXPECT_FALSE(plan.removes(segment(5)));
  EXPECT_FALSE(plan_unneeded_wal({}, {}).is_removing);
  list.broken.push_back({.id = {"20261104T000000"}, .path = {}, .reason = "damaged"});
  EXPECT_FALSE(plan_unneeded_wal(list, {}).is_removing);
}

// What the third one needs nobody knows.
TEST(WalRemoval, RemovesNothingWhileABackupCannotBeRead) {
  const catalogue::BackupList list = {.backups = {backup(1, 3, 4), backup(2, 7, 8)},
                                      .broken = {{.id = catalogue::BackupId{"20261109T000000"},
                                                  .path = "/meta/20261109T000000-backup.info",
                                                  .reason = "\"backup.info\" is empty"}}};
  const WalRemovalPlan plan = plan_wal_removal({.list = list, .deleted = list.backups[0].id});
  EXPECT_FALSE(plan.is_removing);
  EXPECT_TRUE(plan.is_damage);
  EXPECT_THAT(plan.reason, testing::AllOf(testing::HasSubstr("20261109T000000"),
                                          testing::HasSubstr("\"backup.info\" is empty")));
  EXPECT_FALSE(plan_first_backup_purge(list, list.backups[0], {}).is_removing);
}

// A brute-force model: what each remaining backup needs is listed name by name, and none of it may
// be removed, whatever is deleted and why.
class RandomCatalogue {
 public:
  explicit RandomCatalogue(unsigned seed) : random_(seed) {
    unsigned position = 5;
    unsigned timeline = 1;
    const unsigned count = 1 + pick(7);
    for (unsigned i = 0; i < count; ++i) {
      if (pick(4) == 0) timeline = 1 + pick(3);
      position = pick(5) == 0 ? 5 + pick(20) : position + pick(6);
      catalogue::BackupInfo info =
          backup(static_cast<int>(i), position, position + pick(4), timeline,
                 static_cast<catalogue::BackupStatus>(1 + pick(5)));
      if (info.status == catalogue::BackupStatus::started ||
          info.status == catalogue::BackupStatus::failed) {
        if (pick(2) == 0) info.end_wal.reset();
        if (pick(4) == 0) info.begin_wal.reset();
      }
      if (info.status == catalogue::BackupStatus::done && pick(4) == 0) standalone_.insert(info.id);
      list_.backups.push_back(std::move(info));
    }
  }
  unsigned pick(unsigned limit) { return static_cast<unsigned>(random_() % limit); }

  void check() {
    const catalogue::BackupId deleted =
        list_.backups[pick(static_cast<unsigned>(list_.backups.size()))].id;
    const WalRemovalPlan plan =
        plan_wal_removal({.list = list_,
                          .deleted = deleted,
                          .standalone = standalone_,
                          .cause = pick(2) == 0 ? Cause::command : Cause::retention,
                          .without_next = static_cast<WalRemovalInput::WithoutNext>(pick(2))});
    removing_ += plan.is_removing ? 1 : 0;
    const WalRemovalPlan unneeded = plan_unneeded_wal(list_, standalone_);
    for (const catalogue::BackupInfo& info : list_.backups) {
      if (info.id == deleted || !info.needs_wal() || !info.begin_wal) continue;
      for (unsigned timeline = 1; timeline <= 4; ++timeline) {
        for (unsigned number = 0; number < 60; ++number) {
          const std::string name = segment(number, timeline);
          const bool is_in_range = info.end_wal && *info.begin_wal <= name && name <= *info.end_wal;
          const bool is_after = !standalone_.contains(info.id) && *info.begin_wal <= name;
          if (is_in_range || is_after) {
            ASSERT_FALSE(plan.removes(name)) << name << " for " << info.id.value;
            ASSERT_FALSE(unneeded.removes(name)) << name << " for " << info.id.value;
          }
          removed_ += plan.removes(name) ? 1 : 0;
        }
      }
    }
  }
  unsigned removing() const { return removing_; }
  unsigned removed() const { return removed_; }

 private:
  std::mt19937 random_;
  catalogue::BackupList list_;
  std::set<catalogue::BackupId> standalone_;
  unsigned removing_ = 0;
  unsigned removed_ = 0;
};

TEST(WalRemoval, NeverRemovesWhatARemainingBackupNeeds) {
  unsigned removing = 0;
  unsigned removed = 0;
  const unsigned count = 2000U / static_cast<unsigned>(stride(5));
  for (unsigned seed = 0; seed < count; ++seed) {
    RandomCatalogue catalogue(seed);
    catalogue.check();
    if (HasFatalFailure()) FAIL() << "seed " << seed;
    removing += catalogue.removing();
    removed += catalogue.removed();
  }
  // The model would also be content with a plan that never removes anything.
  EXPECT_GT(removing, count / 4);
  EXPECT_GT(removed, count / 2);
}

TEST(WalRemoval, TakesFilesThenLinesAndOnlyEmptyDirectories) {
  const TemporaryDirectory directory;
  const catalogue::CatalogueLocations locations =
      catalogue::default_locations("main", directory.path() / "main");
  const auto path = [&](const std::string& name) {
    return archived_wal_path(locations.wals_directory, name);
  };
  std::string index_text;
  const auto add = [&](const std::string& name) {
    put_file(path(name), "x");
    index_text += format_wal_index_entry({.name = name, .size_bytes = 1, .mtime = 1});
  };
  add(segment(0xFE));
  add(segment(0xFF));
  add(segment(0x100));
  put_file(path(segment(0xFD)), "not in the index");
  index_text += format_wal_index_entry({.name = segment(0xFC), .size_bytes = 1, .mtime = 1});
  put_file(locations.wal_index_path(), index_text);
  WalIndex index = WalIndex::open(locations);
  WalRemovalPlan plan = {.is_removing = true, .first_needed = segment(0xFF)};
  std::vector<std::string> seen;
  const auto observer = [&](const WalIndexEntry& entry) { seen.push_back(entry.name); };
  storage::LocalStorage storage(locations.wals_directory);
  EXPECT_EQ(remove_planned_wal(plan, index, storage, observer).count, 2U);
  EXPECT_THAT(seen, testing::ElementsAre(segment(0xFE), segment(0xFC)));
  EXPECT_FALSE(std::filesystem::exists(path(segment(0xFE))));
  EXPECT_TRUE(std::filesystem::exists(path(segment(0xFD))));
  EXPECT_TRUE(std::filesystem::exists(path(segment(0xFF))));
  EXPECT_EQ(index.find(segment(0xFE)), std::nullopt);
  EXPECT_EQ(index.find(segment(0xFC)), std::nullopt);
  plan.first_needed = segment(0x101);
  EXPECT_EQ(remove_planned_wal(plan, index, storage, {}).count, 2U);
  EXPECT_TRUE(std::filesystem::exists(path(segment(0xFF)).parent_path()));
  EXPECT_FALSE(std::filesystem::exists(path(segment(0x100)).parent_path()));
  EXPECT_EQ(get_file(locations.wal_index_path()), "");
}

}  // namespace
}  // namespace barman::wal_archive

#include "backup/delete_backup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file_lock.h"
#include "catalogue/locks.h"
#include "catalogue/test_support.h"
#include "server/server.h"
#include "wal_transfer/test_support.h"

namespace barman::backup {
namespace {

using catalogue::BackupId;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const BackupId kRoot{"20260101T000000"};
const BackupId kChild{"20260102T000000"};
const BackupId kGrandchild{"20260103T000000"};
const BackupId kOther{"20260104T000000"};
const BackupId kNewest{"20260105T000000"};

// A tree of three and two single backups. REDUNDANCY 1: the newest one is enough.
class Deletion : public testing::Test {
 protected:
  Deletion() {
    test_.config.retention_policy = config::RetentionPolicy{.count = 1};
    add(catalogue::make_backup(kRoot.value, wal_transfer::wal_name(1), wal_transfer::wal_name(1)));
    add(catalogue::make_incremental(kChild.value, kRoot.value));
    add(catalogue::make_incremental(kGrandchild.value, kChild.value));
    add(catalogue::make_backup(kOther.value, wal_transfer::wal_name(4), wal_transfer::wal_name(4)));
    add(catalogue::make_backup(kNewest.value, wal_transfer::wal_name(5),
                               wal_transfer::wal_name(5)));
  }

  void add(catalogue::BackupInfo info) {
    const server::Server server = test_.make();
    if (info.parent_backup_id) {
      catalogue::BackupInfo parent = server.catalogue().load_backup(*info.parent_backup_id);
      parent.children_backup_ids = {info.id};
      server.catalogue().save(parent);
    }
    server.catalogue().save(info);
    put_file(server.catalogue().data_directory(info.id) / "PG_VERSION", "15\n");
  }
  // A keep as Barman makes it: without any lock, in the moment in which `victim` is deleted.
  void keep_by_hook_of(const BackupId& victim, const BackupId& kept) {
    test_.config.pre_delete_script =
        "if [ $BARMAN_BACKUP_ID = " + victim.value + " ]; then printf full > " +
        (test_.make().locations().meta_directory / (kept.value + "-keep")).string() + "; fi";
  }
  FileLock share(const BackupId& id) const {
    return *FileLock::try_lock_shared(catalogue::backup_id_lock(test_.make().locks(), id));
  }
  bool remove(const BackupId& id) {
    const server::Server server = test_.make();
    return delete_backup(server, server.catalogue().load_backup(id), messages_);
  }
  void enforce() {
    const server::Server server = test_.make();
    catalogue::BackupListReader reader(server.catalogue());
    enforce_retention(server, reader, messages_);
  }
  // Those whose data and metadata are both there.
  std::vector<std::string> left() const {
    std::vector<std::string> ids;
    const server::Server server = test_.make();
    for (const catalogue::BackupInfo& backup : server.catalogue().list_backups().backups) {
      EXPECT_TRUE(
          std::filesystem::exists(server.catalogue().data_directory(backup.id) / "PG_VERSION"));
      EXPECT_FALSE(server.catalogue().is_being_deleted(backup.id));
      ids.push_back(backup.id.value);
    }
    return ids;
  }

  wal_transfer::TestServer test_;
  wal_transfer::RecordedMessages messages_;
};

TEST_F(Deletion, CountsFilesForTheBackupThatHasThemAlone) {
  const server::Server server = test_.make();
  const catalogue::Catalogue& catalogue = server.catalogue();
  const BackupId first{"20260106T000000"};
  const BackupId second{"20260107T000000"};
  for (const BackupId& id : {first, second}) {
    catalogue::BackupInfo info =
        catalogue::make_backup(id.value, wal_transfer::wal_name(6), wal_transfer::wal_name(6));
    info.mode = "rsync-concurrent";
    info.deduplicated_size = 0;
    add(info);
  }
  put_file(catalogue.data_directory(first) / "shared", "12345");
  std::filesystem::create_hard_link(catalogue.data_directory(first) / "shared",
                                    catalogue.data_directory(second) / "shared");
  EXPECT_TRUE(remove(first));
  EXPECT_EQ(catalogue.load_backup(second).deduplicated_size, 8);
  EXPECT_EQ(catalogue.load_backup(second).size, 8);
}

TEST_F(Deletion, RetentionRemovesWhatThePolicyDoesNotNeed) {
  enforce();
  EXPECT_THAT(left(), ElementsAre(kNewest.value));
  EXPECT_THAT(wal_transfer::list_names(test_.home.path()), Not(Contains(HasSubstr(".main-2026"))));
}

// What stands in the configuration is not understood, and the default lets everything go.
TEST_F(Deletion, NothingGoesByAGuess) {
  for (const char* option : {"retention_policy", "retention_policy_mode", "wal_retention_policy",
                             "minimum_redundancy"}) {
    messages_.lines.clear();
    test_.config.unusable_values = {
        {option, {.written = "two", .text = std::string("Ignoring ") + option}}};
    enforce();
    EXPECT_THAT(left(), testing::SizeIs(5)) << option;
    EXPECT_THAT(messages_.lines,
                Contains(HasSubstr("ERROR: No backup of server 'main' is deleted by a retention "
                                   "policy: Ignoring " +
                                   std::string(option))))
        << option;
  }
  EXPECT_FALSE(remove(kOther));
  EXPECT_THAT(left(), testing::SizeIs(5));
  EXPECT_THAT(messages_.lines, Contains(HasSubstr("its minimum_redundancy is not understood")));
  // A command says what it deletes: only the minimum speaks against it.
  test_.config.unusable_values = {{"retention_policy", {.written = "7 DAYS", .text = "x"}}};
  EXPECT_TRUE(remove(kOther));
}

TEST_F(Deletion, TheRecoveryWindowBeginsWhereTheClockSays) {
  test_.config.retention_policy =
      config::RetentionPolicy{.kind = config::RetentionPolicy::Kind::recovery_window, .count = 7};
  constexpr std::int64_t kWeek = std::int64_t{7} * 86400 * 1'000'000;
  const Timestamp end = parse_timestamp("2026-01-05 12:00:00+00:00")->time;
  const server::Server server = test_.make();
  catalogue::BackupInfo newest = server.catalogue().load_backup(kNewest);
  newest.end_time = end;
  server.catalogue().save(newest);
  // The newest backup has ended inside of the window: what is before it is needed, too.
  test_.clock = WallClock::at({.microseconds = end.microseconds + kWeek});
  enforce();
  EXPECT_THAT(left(), testing::SizeIs(5));
  test_.clock = WallClock::at({.microseconds = end.microseconds + kWeek + 1});
  enforce();
  EXPECT_THAT(left(), ElementsAre(kNewest.value));
}

TEST_F(Deletion, RetentionSeesAKeepThatCameAfterItsPlan) {
  keep_by_hook_of(kGrandchild, kOther);
  enforce();
  EXPECT_THAT(left(), ElementsAre(kOther.value, kNewest.value));
}

TEST_F(Deletion, RetentionStopsInATreeThatIsKeptMeanwhile) {
  keep_by_hook_of(kGrandchild, kRoot);
  enforce();
  EXPECT_THAT(left(), ElementsAre(kRoot.value, kChild.value, kNewest.value));
}

TEST_F(Deletion, AKeepDuringTheHookOfItsOwnBackupSavesIt) {
  keep_by_hook_of(kOther, kOther);
  enforce();
  EXPECT_THAT(left(), ElementsAre(kOther.value, kNewest.value));
  EXPECT_THAT(messages_.lines, Contains(HasSubstr("WARNING: Skipping delete of backup " +
                                                  kOther.value + " for server main")));
  test_.make().catalogue().remove_keep(kOther);
  test_.config.pre_delete_script.reset();
  EXPECT_TRUE(remove(kOther));
  EXPECT_THAT(left(), ElementsAre(kNewest.value));
}

TEST_F(Deletion, NobodyCanKeepTheRootOfATreeThatIsBeingTakenDown) {
  // The lock that `barman keep` takes first.
  const std::filesystem::path taken = test_.home.path() / "taken";
  test_.config.pre_delete_script =
      "if [ $BARMAN_BACKUP_ID = " + kGrandchild.value + " ]; then flock --shared --nonblock " +
      catalogue::backup_id_lock(test_.make().locks(), kRoot).string() + " touch " + taken.string() +
      "; echo $? > " + taken.string() + ".answer; fi";
  enforce();
  EXPECT_EQ(get_file(taken.string() + ".answer"), "1\n");
  EXPECT_FALSE(std::filesystem::exists(taken));
  EXPECT_THAT(left(), ElementsAre(kNewest.value));
}

TEST_F(Deletion, ReadersOfAnIncrementalKeepItsAncestors) {
  const FileLock reader = share(kGrandchild);
  enforce();
  EXPECT_THAT(left(), ElementsAre(kRoot.value, kChild.value, kGrandchild.value, kNewest.value));
  EXPECT_THAT(messages_.lines, Contains("WARNING: Another action is in progress for the backup " +
                                        kGrandchild.value +
                                        " of server main, skipping retention policy application"));
}

TEST_F(Deletion, ReadersOfARootKeepTheWholeTree) {
  const FileLock reader = share(kRoot);
  enforce();
  EXPECT_THAT(left(), ElementsAre(kRoot.value, kChild.value, kGrandchild.value, kNewest.value));
}

TEST_F(Deletion, ABackupThatChangedAfterThePlanStays) {
  // The newest one fails its check meanwhile: the other one is needed now.
  const server::Server server = test_.make();
  test_.config.pre_delete_script = "sed -i s/status=DONE/status=FAILED/ " +
                                   server.catalogue().backup_info_path(kNewest).string();
  enforce();
  EXPECT_THAT(left(), ElementsAre(kOther.value, kNewest.value));
}

TEST_F(Deletion, CommandDeletesATreeWholeOrNotAtAll) {
  {
    const FileLock reader = share(kRoot);
    EXPECT_FALSE(remove(kRoot));
  }
  EXPECT_THAT(messages_.lines,
              ElementsAre("ERROR: Another process is holding the lock for backup " + kRoot.value +
                              " of server main.\nHINT: Try again when it has ended. What runs is "
                              "shown by 'barman list-processes main'.",
                          "ERROR: Cannot delete backup (main " + kRoot.value + ")"));
  EXPECT_THAT(left(), testing::SizeIs(5));
  EXPECT_TRUE(remove(kRoot));
  EXPECT_THAT(left(), ElementsAre(kOther.value, kNewest.value));
}

TEST_F(Deletion, CommandStopsBeforeABackupThatIsKeptMeanwhile) {
  keep_by_hook_of(kChild, kRoot);
  EXPECT_FALSE(remove(kRoot));
  EXPECT_THAT(left(), ElementsAre(kRoot.value, kOther.value, kNewest.value));
}

}  // namespace
}  // namespace barman::backup

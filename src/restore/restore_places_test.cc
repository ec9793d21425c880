// What a restore may write besides its own directory, and what it must not destroy.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstring>
#include <functional>

#include "base/durable.h"
#include "base/error.h"
#include "base/test_interrupt.h"
#include "base/test_support.h"
#include "restore/clear_destination.h"
#include "restore/place_locks.h"
#include "restore/refuse_places.h"
#include "restore/restore_marker.h"
#include "restore/save_aside.h"
#include "stored/plain_tree.h"

namespace barman::restore {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST(RestoreMarker, KeepsThePlaces) {
  const RestoreMarker marker{.server_name = "main",
                             .backup_id = {"20261121T014251"},
                             .destination = "/srv/a\nb\\n",
                             .tablespaces = {{16384, "/ts:1"}, {16385, "/t\\s\n2"}},
                             .staging_wal = "/var/wal"};
  EXPECT_EQ(parse_restore_marker(format_restore_marker(marker)), marker);
  // As it was before it kept them.
  const auto old = parse_restore_marker("server_name=main\nbackup_id=20261121T014251\n");
  ASSERT_TRUE(old);
  EXPECT_TRUE(old->is_of("main", {"20261121T014251"}));
  EXPECT_EQ(parse_restore_marker("server_name=main\n"), std::nullopt);
  EXPECT_THAT(parse_restore_marker("server_name=m\nbackup_id=b\ntablespace=1:rel\ntablespace=x:/y\n"
                                   "staging_wal=rel\n"),
              testing::Optional(RestoreMarker{.server_name = "m", .backup_id = {"b"}}));
}

TEST(PlaceLocks, OneRestoreAtATime) {
  const TemporaryDirectory directory;
  const fs::path place = directory.path() / "pg";
  {
    const PlaceLocks held = PlaceLocks::take({place, place / "."});
    try {
      PlaceLocks::take({directory.path() / "other", place});
      FAIL() << "two restores at once";
    } catch (const Error& error) {
      EXPECT_THAT(error.message(), AllOf(HasSubstr("Another restore writes into"),
                                         HasSubstr(std::to_string(::getpid()))));
    }
    EXPECT_FALSE(fs::exists(directory.path() / "other" / kPlaceLockName));
  }
  EXPECT_TRUE(fs::is_empty(place));
  put_file(place / kPlaceLockName, "12345\n");  // of a restore that was killed
  PlaceLocks::take({place});
  EXPECT_TRUE(fs::is_empty(place));
}

// A cluster with one tablespace, and the directories of this host as they were found.
class RefusePlaces : public testing::Test {
 protected:
  RefusePlaces() {
    plan_.server_name = "main";
    plan_.backup_id = {"20261121T014251"};
    plan_.destination = "/srv/pg";
    plan_.updates_existing = true;
    plan_.tablespaces = {{.oid = 16384, .name = "ts", .location = "/srv/ts"}};
    facts_.destination = {.resolved = "/srv/pg", .exists = true, .is_directory = true};
    target() = {.resolved = "/srv/ts", .exists = true, .is_directory = true, .is_empty = false};
    request_.delta_restore = true;
  }
  DirectoryFacts& target() { return facts_.tablespace_targets["ts"]; }
  std::string refusal() const {
    try {
      refuse_places(facts_, request_, plan_);
    } catch (const Error& error) {
      return error.message() + "\n" + error.hint();
    }
    return "";
  }
  RestoreMarker marker() const {
    return {.server_name = "main",
            .backup_id = {"20261121T014251"},
            .destination = "/srv/pg",
            .tablespaces = {{16384, "/srv/ts"}}};
  }

  RestoreFacts facts_;
  RestoreRequest request_;
  RestorePlan plan_;
};

TEST_F(RefusePlaces, ADirectoryThatCannotBeLookedIntoIsRefusedByItsOwner) {
  facts_.barman_user = "barman";
  facts_.destination.is_readable = false;
  facts_.destination.owner_text = "'/srv/pg' belongs to postgres, mode 0700";
  EXPECT_THAT(refusal(), AllOf(HasSubstr("destination directory '/srv/pg' cannot be looked into"),
                               HasSubstr("belongs to postgres, mode 0700"),
                               HasSubstr("Give it to barman, or restore as its owner")));
}

TEST_F(RefusePlaces, WhoCannotWriteOnAnotherHostIsNamed) {
  facts_.destination.is_readable = false;
  facts_.destination.remote_user = "postgres";
  facts_.destination.owner_text = "'/srv/pg' belongs to root, mode drwx------";
  EXPECT_THAT(refusal(), AllOf(HasSubstr("cannot be looked into by 'postgres' on the destination "
                                         "host: '/srv/pg' belongs to root, mode drwx------"),
                               HasSubstr("Give it there to 'postgres'")));
  facts_.destination.is_readable = true;
  facts_.destination.is_writable = false;
  EXPECT_THAT(refusal(), AllOf(HasSubstr("cannot be written by 'postgres' on the destination host"),
                               HasSubstr("Create it there and give it to 'postgres'")));
  facts_.destination.remote_user = "";
  EXPECT_THAT(refusal(), HasSubstr("give it to the user that ssh logs in as"));
}

TEST_F(RefusePlaces, ADryRunAcceptsADirectoryThatIsToBeMade) {
  plan_.updates_existing = false;
  request_.delta_restore = false;
  target().is_empty = true;
  facts_.destination = {.resolved = "/srv/pg"};
  facts_.destination.is_writable = false;
  EXPECT_THAT(refusal(), HasSubstr("cannot be written by this user"));
  request_.dry_run = true;
  EXPECT_EQ(refusal(), "");
  warn_of_places_to_come(facts_, plan_);
  ASSERT_EQ(plan_.warnings.size(), 1U);
  EXPECT_THAT(plan_.warnings[0], HasSubstr("install -d -m 700"));
  // One that is there and is somebody else's is none that is to be made.
  facts_.destination.exists = true;
  facts_.destination.is_directory = true;
  EXPECT_THAT(refusal(), HasSubstr("cannot be written by this user"));
}

TEST_F(RefusePlaces, ADataDirectoryOfTheClusterMayBeRestoredOver) {
  plan_.updates_existing = false;
  request_.delta_restore = false;
  facts_.backup.systemid = "7";
  facts_.destination.is_empty = false;
  EXPECT_THAT(refusal(), Not(HasSubstr("--delta-restore")));
  facts_.destination.is_data_directory = true;
  facts_.destination.system_id = postgres::SystemId{7};
  EXPECT_THAT(refusal(), HasSubstr("--delta-restore"));
}

TEST_F(RefusePlaces, ATablespaceOfSomebodyElseIsNotWritten) {
  // That it holds nothing but directories of PostgreSQL does not make it ours.
  EXPECT_THAT(refusal(), AllOf(HasSubstr("'/srv/ts' for the tablespace 'ts' is not empty"),
                               HasSubstr("--tablespace 'ts:PLACE'")));
  facts_.destination.tablespace_links = {{16384, "/srv/elsewhere"}};
  EXPECT_THAT(refusal(), HasSubstr("--tablespace 'ts:/srv/elsewhere'"));
  facts_.destination.tablespace_links = {{16385, "/srv/ts"}};
  EXPECT_THAT(refusal(), HasSubstr("is not empty"));
}

TEST_F(RefusePlaces, TheTablespaceOfTheDestinationIs) {
  facts_.destination.tablespace_links = {{16384, "/srv/ts"}};
  EXPECT_EQ(refusal(), "");
  target().holds_tablespace_only = false;
  EXPECT_THAT(refusal(), HasSubstr("is not empty"));
  target().holds_tablespace_only = true;
  plan_.updates_existing = false;
  request_.delta_restore = false;
  EXPECT_THAT(refusal(), HasSubstr("is not empty"));
}

TEST_F(RefusePlaces, SoIsThatOfARestoreThatWasInterrupted) {
  request_ = {.resume = true};
  facts_.destination.interrupted_restore = marker();
  EXPECT_THAT(refusal(), HasSubstr("is not empty")) << "filled by others since";
  target().interrupted_restore = marker();
  EXPECT_EQ(refusal(), "");
  target().interrupted_restore->destination = "/srv/other";
  EXPECT_THAT(refusal(), HasSubstr("is not empty"));
  // A mark that was left says nothing once the destination is complete.
  request_ = {.delta_restore = true};
  target().interrupted_restore = marker();
  facts_.destination.interrupted_restore.reset();
  EXPECT_THAT(refusal(), HasSubstr("is not empty"));
}

TEST_F(RefusePlaces, NothingThatARunningServerUses) {
  facts_.destination.tablespace_links = {{16384, "/srv/ts"}};  // of a copied data directory
  facts_.destination.wal_link = "/srv/wal";
  facts_.live_clusters = {{.pid = 77, .data_directory = "/live", .places = {"/live", "/srv/ts"}}};
  EXPECT_THAT(refusal(), AllOf(HasSubstr("overlaps '/srv/ts'"), HasSubstr("pid 77")));
  facts_.live_clusters[0].places = {"/live", "/srv/wal"};
  EXPECT_THAT(refusal(), HasSubstr("'/srv/wal', where the WAL directory of '/srv/pg' leads"));
  facts_.live_clusters.clear();
  EXPECT_EQ(refusal(), "");
  facts_.catalogue_directories = {"/srv/wal/barman"};
  EXPECT_THAT(refusal(), HasSubstr("overlaps the backup catalogue"));
}

TEST_F(RefusePlaces, ATablespaceInTheDataDirectoryStaysThere) {
  target() = {.resolved = "/srv/pg/ts"};
  plan_.tablespaces[0].location = "/srv/pg/ts";
  EXPECT_EQ(refusal(), "");
  for (const char* const place : {"/srv/pg", "/srv", "/srv/pg/base", "/srv/pg/pg_wal/x"}) {
    target().resolved = place;
    EXPECT_THAT(refusal(), HasSubstr("lie one inside the other")) << place;
  }
}

TEST_F(RefusePlaces, OnlyTheRestoreOfThisBackupIsResumed) {
  request_ = {.resume = true};
  plan_.tablespaces.clear();
  EXPECT_THAT(refusal(), HasSubstr("it holds no interrupted restore"));
  facts_.destination.interrupted_restore = marker();
  EXPECT_EQ(refusal(), "");
  facts_.destination.interrupted_restore->backup_id = {"20261122T014251"};
  EXPECT_THAT(refusal(), HasSubstr("interrupted restore of backup '20261122T014251' of server"));
  facts_.destination.interrupted_restore = marker();
  facts_.destination.interrupted_restore->server_name = "other";
  EXPECT_THAT(refusal(), HasSubstr("of server 'other'"));
}

TEST_F(RefusePlaces, WhatLooksFullMayBeResumedAndIsSaid) {
  request_ = {};
  plan_.updates_existing = false;
  plan_.tablespaces.clear();
  facts_.destination.is_empty = false;
  EXPECT_THAT(refusal(), AllOf(HasSubstr("is not empty"), testing::Not(HasSubstr("--resume"))));
  facts_.destination.interrupted_restore = marker();
  EXPECT_THAT(refusal(), AllOf(HasSubstr("is not empty"), HasSubstr("--resume goes on")));
}

TEST_F(RefusePlaces, ADirectoryThatIsNotThisClustersIsNotMadeEqualToIt) {
  plan_.tablespaces.clear();
  facts_.destination.is_empty = false;
  EXPECT_THAT(refusal(), HasSubstr("it is not a PostgreSQL data directory"));
  facts_.destination.is_data_directory = true;
  facts_.destination.system_id = postgres::SystemId{7};
  facts_.backup.systemid = "8";
  EXPECT_THAT(refusal(), AllOf(HasSubstr("another cluster"), HasSubstr("identifier 7"),
                               HasSubstr("backup's is 8")));
  facts_.backup.systemid = "7";
  EXPECT_EQ(refusal(), "");
  // What a restore has left has no pg_control, and is ours.
  facts_.destination.is_data_directory = false;
  facts_.destination.interrupted_restore = marker();
  EXPECT_EQ(refusal(), "");
}

TEST_F(RefusePlaces, WhatIsNoDirectoryOrNotWritable) {
  plan_.tablespaces.clear();
  facts_.destination.is_directory = false;
  EXPECT_THAT(refusal(), HasSubstr("is not a directory"));
  facts_.destination = {.resolved = "/srv/pg", .is_writable = false};
  EXPECT_THAT(refusal(), HasSubstr("cannot be written"));
  facts_.destination.is_on_read_only_disk = true;
  EXPECT_THAT(refusal(), AllOf(HasSubstr("'/srv/pg' is on a file system that is mounted read-only"),
                               HasSubstr("Mount it for writing")));
}

TEST_F(RefusePlaces, TheCatalogueFromAboveAndFromBelow) {
  plan_.tablespaces.clear();
  for (const char* const catalogue : {"/srv", "/srv/pg", "/srv/pg/base/1"}) {
    facts_.catalogue_directories = {catalogue};
    EXPECT_THAT(refusal(), HasSubstr("overlaps the backup catalogue")) << catalogue;
  }
  facts_.catalogue_directories = {"/srv/pg2", "/srv/p"};
  EXPECT_EQ(refusal(), "");
}

TEST_F(RefusePlaces, TwoTablespacesOneInsideTheOther) {
  target() = {.resolved = "/srv/ts"};
  plan_.tablespaces.push_back({.oid = 16385, .name = "other", .location = "/srv/ts/other"});
  facts_.tablespace_targets["other"] = {.resolved = "/srv/ts/other"};
  EXPECT_THAT(refusal(), HasSubstr("tablespaces 'ts' and 'other' lie one inside the other"));
  facts_.tablespace_targets["other"] = {.resolved = "/srv/ts2"};
  EXPECT_EQ(refusal(), "");
}

// PostgreSQL removes the directory when recovery has ended, with all that is in it.
TEST_F(RefusePlaces, AStagingDirectoryServesNothingElse) {
  target() = {.resolved = "/srv/ts"};
  plan_.wal.directory = "/srv/wal";
  const auto refusal_at = [&](const char* place, bool is_empty = true) {
    facts_.staging_wal = {.resolved = place, .is_empty = is_empty};
    return refusal();
  };
  EXPECT_EQ(refusal_at("/srv/wal"), "");
  EXPECT_THAT(refusal_at("/srv/wal", false), HasSubstr("is not empty"));
  EXPECT_THAT(refusal_at("/srv"), HasSubstr("contains the destination directory"));
  EXPECT_THAT(refusal_at("/srv/pg/base"), HasSubstr("among the files of PostgreSQL"));
  EXPECT_EQ(refusal_at("/srv/pg/barman_wal"), "");
  EXPECT_THAT(refusal_at("/srv/ts/wal"), HasSubstr("tablespace 'ts' lie one inside the other"));
  // Of the restore that goes on.
  plan_.updates_existing = true;
  facts_.destination.interrupted_restore = marker();
  facts_.staging_wal = {.resolved = "/srv/wal", .is_empty = false};
  EXPECT_THAT(refusal(), HasSubstr("is not empty")) << "of somebody else";
  facts_.staging_wal->interrupted_restore = marker();
  EXPECT_EQ(refusal(), "");
}

TEST_F(RefusePlaces, DisksThatAreTooSmall) {
  request_ = {};
  plan_.updates_existing = false;
  target() = {.resolved = "/srv/ts", .device = 2, .available_bytes = 40};
  facts_.destination = {.resolved = "/srv/pg", .device = 1, .available_bytes = 60};
  plan_.total_bytes = 80;
  plan_.wal.total_bytes = 20;
  EXPECT_EQ(refusal(), "");
  plan_.wal.total_bytes = 21;
  EXPECT_THAT(refusal(), HasSubstr("Not enough free space for '/srv/pg'"));
  // WAL on a disk of its own.
  plan_.wal.directory = "/srv/wal";
  facts_.staging_wal = {.resolved = "/srv/wal", .device = 3, .available_bytes = 21};
  EXPECT_EQ(refusal(), "");
  facts_.staging_wal->available_bytes = 20;
  EXPECT_THAT(refusal(), HasSubstr("Not enough free space for WAL in '/srv/wal'"));
  // One disk counts once, however many directories it has.
  facts_.staging_wal.reset();
  plan_.wal.total_bytes = 0;
  plan_.total_bytes = 101;
  plan_.tablespaces.push_back({.oid = 16385, .name = "other", .location = "/srv/other"});
  facts_.tablespace_targets["other"] = {
      .resolved = "/srv/other", .device = 2, .available_bytes = 40};
  EXPECT_THAT(refusal(), HasSubstr("Not enough free space"));
  facts_.destination.shares_blocks_with_catalogue = true;
  EXPECT_EQ(refusal(), "");
}

std::string segment(std::uint64_t page_address) {
  std::string header(64, '\0');
  const auto put = [&](std::size_t offset, std::uint64_t value, std::size_t size) {
    std::memcpy(header.data() + offset, &value, size);
  };
  put(0, 0xD116, 2);
  put(2, 2, 2);
  put(4, 1, 4);
  put(8, page_address, 8);
  put(32, std::uint64_t{1} << 24, 4);
  return header;
}

// A data directory that is to be brought to the state of a backup.
class ClearDestination : public testing::Test {
 protected:
  ClearDestination() {
    put_file(root_ / "backup/PG_VERSION", "17\n");
    put_file(root_ / "backup/base/1/1259", "pages");
    put_file(root_ / "backup/scripts/known", "of the backup");
    put_file(root_ / "pg/PG_VERSION", "17\n");
    put_file(root_ / "pg/global/pg_control", "control");
    put_file(root_ / "pg/base/1/1259", "changed");
    put_file(root_ / "pg/base/1/9999", "later");
    put_file(root_ / "pg/scripts/known", "changed");
    put_file(root_ / "pg/scripts/new", "mine");
    put_file(root_ / "pg/server.key", "the only one");
    put_file(root_ / "pg/log/today", "why it crashed");
    put_file(root_ / "pg/postgresql.conf.origin", "ours");
    plan_.destination = root_ / "pg";
    plan_.pg_wal_name = "pg_wal";
    plan_.updates_existing = true;
    plan_.trees = {{.source = std::make_shared<stored::PlainTree>(root_ / "backup"),
                    .destination = root_ / "pg",
                    .is_data_directory = true}};
  }
  std::vector<std::string> clear() { return clear_destination(plan_, {}); }
  fs::path saved(const fs::path& directory) const {
    for (const fs::directory_entry& entry : fs::directory_iterator(directory)) {
      if (entry.path().filename().string().starts_with(kSavedPrefix)) return entry.path();
    }
    return {};
  }

  const TemporaryDirectory directory_;
  const fs::path root_ = directory_.path();
  RestorePlan plan_;
};

TEST_F(ClearDestination, KeepsWhatIsNotPostgresOwn) {
  const std::vector<std::string> told = clear();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_THAT(told[0], AllOf(HasSubstr("'log'"), HasSubstr("'scripts/new'"),
                             HasSubstr("'server.key'"), HasSubstr(saved(root_ / "pg").string())));
  const fs::path kept = saved(root_ / "pg");
  EXPECT_EQ(read_file(kept / "server.key"), "the only one");
  EXPECT_EQ(read_file(kept / "scripts/new"), "mine");
  EXPECT_EQ(read_file(kept / "log/today"), "why it crashed");
  EXPECT_TRUE(fs::exists(root_ / "pg/scripts/known"));
  for (const char* const gone :
       {"base/1/9999", "global/pg_control", "postgresql.conf.origin", "postmaster.pid"}) {
    EXPECT_FALSE(fs::exists(root_ / "pg" / gone)) << gone;
  }
  // The next one has nothing to keep, and leaves alone what was kept.
  EXPECT_THAT(clear(), IsEmpty());
  EXPECT_EQ(read_file(kept / "server.key"), "the only one");
}

TEST_F(ClearDestination, KeepsWalThatIsNotInTheArchive) {
  const fs::path wal = root_ / "pg/pg_wal";
  put_file(wal / "000000010000000000000002", segment(0x2000000));
  put_file(wal / "000000010000000000000003", segment(0x3000000));
  put_file(wal / "000000010000000000000004", segment(0x1000000));  // kept for later use
  put_file(wal / "000000010000000000000005", std::string(64, '\0'));
  put_file(wal / "00000002.history", "1\t0/3000000\tno reason\n");
  put_file(wal / "archive_status/000000010000000000000002.done", "");
  put_file(wal / "000000010000000000000006", segment(0x6000000));
  put_file(wal / "archive_status/000000010000000000000006.ready", "");
  plan_.archived_here = {"000000010000000000000002", "000000010000000000000006"};
  const std::vector<std::string> told = clear();
  ASSERT_EQ(told.size(), 2U);
  EXPECT_THAT(told[0], AllOf(HasSubstr("3 WAL file(s) that are not in the archive"),
                             HasSubstr("000000010000000000000003")));
  const fs::path kept = saved(root_ / "pg") / "pg_wal";
  EXPECT_EQ(read_file(kept / "000000010000000000000003"), segment(0x3000000));
  EXPECT_TRUE(fs::exists(kept / "000000010000000000000006")) << "of another history, perhaps";
  EXPECT_TRUE(fs::exists(kept / "00000002.history"));
  EXPECT_FALSE(fs::exists(kept / "000000010000000000000002"));
  EXPECT_FALSE(fs::exists(kept / "000000010000000000000004"));
  EXPECT_TRUE(fs::is_empty(wal));
}

TEST_F(ClearDestination, ATablespaceInsideIsClearedAsATablespace) {
  put_file(root_ / "backup_ts/PG_17_1/5/1", "of the backup");
  put_file(root_ / "pg/tables/ts/PG_17_1/5/1", "changed");
  put_file(root_ / "pg/tables/ts/PG_17_1/5/2", "later");
  put_file(root_ / "pg/tables/notes", "mine");
  plan_.tablespaces = {{.oid = 16384, .name = "ts", .location = root_ / "pg/tables/ts"}};
  plan_.trees.insert(plan_.trees.begin(),
                     {.source = std::make_shared<stored::PlainTree>(root_ / "backup_ts"),
                      .destination = root_ / "pg/tables/ts"});
  clear();
  EXPECT_TRUE(fs::exists(root_ / "pg/tables/ts/PG_17_1/5/1"));
  EXPECT_FALSE(fs::exists(root_ / "pg/tables/ts/PG_17_1/5/2"));
  EXPECT_EQ(read_file(saved(root_ / "pg") / "tables/notes"), "mine");
}

TEST_F(ClearDestination, LinksGoAndWhatTheyLeadToStays) {
  put_file(root_ / "elsewhere/1259", "of somebody");
  const fs::path elsewhere = root_ / "elsewhere";
  fs::create_directory_symlink(elsewhere, root_ / "pg/base/2");
  fs::create_symlink(elsewhere / "1259", root_ / "pg/base/1/1260");
  // In the place of what the backup has, too.
  fs::remove_all(root_ / "pg/base/1");
  fs::create_directory_symlink(elsewhere, root_ / "pg/base/1");
  fs::remove(root_ / "pg/PG_VERSION");
  fs::create_symlink(elsewhere / "1259", root_ / "pg/PG_VERSION");
  clear();
  for (const char* const gone : {"base/1", "base/2", "PG_VERSION"}) {
    EXPECT_FALSE(fs::exists(fs::symlink_status(root_ / "pg" / gone))) << gone;
  }
  EXPECT_EQ(read_file(elsewhere / "1259"), "of somebody");
}

TEST_F(ClearDestination, ALinkToWalStaysAndItsDirectoryIsEmptied) {
  const fs::path wal = root_ / "wal_disk";
  put_file(wal / "000000010000000000000002", segment(0x2000000));
  put_file(wal / "000000010000000000000003", segment(0x3000000));
  put_file(wal / "archive_status/000000010000000000000002.done", "");
  put_file(wal / ".barman-restore", "the mark of this restore");
  fs::create_directory_symlink(wal, root_ / "pg/pg_wal");
  plan_.archived_here = {"000000010000000000000002"};
  clear();
  EXPECT_EQ(fs::read_symlink(root_ / "pg/pg_wal"), wal);
  EXPECT_FALSE(fs::exists(wal / "000000010000000000000002"));
  EXPECT_FALSE(fs::exists(wal / "000000010000000000000003"));
  EXPECT_FALSE(fs::exists(wal / "archive_status"));
  EXPECT_TRUE(fs::exists(wal / ".barman-restore"));
  // It was the last one that the server wrote.
  EXPECT_EQ(read_file(saved(root_ / "pg") / "pg_wal/000000010000000000000003.partial"),
            segment(0x3000000));
}

TEST_F(ClearDestination, WhatIsInTheWayOfAFileOrADirectoryGoes) {
  fs::remove(root_ / "pg/base/1/1259");
  put_file(root_ / "pg/base/1/1259/inside", "a directory");
  fs::remove_all(root_ / "pg/scripts");
  put_file(root_ / "pg/scripts", "a file");
  clear();
  EXPECT_FALSE(fs::exists(root_ / "pg/base/1/1259"));
  EXPECT_TRUE(fs::exists(root_ / "pg/base/1"));
  EXPECT_FALSE(fs::exists(root_ / "pg/scripts"));
  EXPECT_EQ(read_file(saved(root_ / "pg") / "scripts"), "a file");
}

TEST_F(ClearDestination, HiddenEntriesStayAtTheTopOnly) {
  put_file(root_ / "pg/.mark", "");
  put_file(root_ / "pg/.snapshot/1", "of the file system");
  put_file(root_ / "pg/base/.hidden", "");
  clear();
  EXPECT_TRUE(fs::exists(root_ / "pg/.mark"));
  EXPECT_TRUE(fs::exists(root_ / "pg/.snapshot/1"));
  EXPECT_FALSE(fs::exists(root_ / "pg/base/.hidden"));
}

TEST_F(ClearDestination, OtherClustersAndVersionsInATablespaceStay) {
  put_file(root_ / "backup_ts/PG_17_1/5/1", "of the backup");
  put_file(root_ / "ts/PG_17_1/5/2", "later");
  put_file(root_ / "ts/PG_17_1/6/1", "later");
  put_file(root_ / "ts/PG_16_1/5/1", "of another cluster");
  put_file(root_ / "ts/notes", "mine");
  plan_.tablespaces = {{.oid = 16384, .name = "ts", .location = root_ / "ts"}};
  plan_.trees.insert(plan_.trees.begin(),
                     {.source = std::make_shared<stored::PlainTree>(root_ / "backup_ts"),
                      .destination = root_ / "ts"});
  clear();
  EXPECT_FALSE(fs::exists(root_ / "ts/PG_17_1/5/2"));
  EXPECT_FALSE(fs::exists(root_ / "ts/PG_17_1/6"));
  EXPECT_EQ(read_file(root_ / "ts/PG_16_1/5/1"), "of another cluster");
  EXPECT_EQ(read_file(root_ / "ts/notes"), "mine");
}

TEST_F(ClearDestination, WhenItIsInterruptedNoServerStartsOnWhatIsLeft) {
  TestInterrupt interrupt;
  interrupt.request();
  EXPECT_THROW(clear_destination(plan_, interrupt.get()), Error);
  EXPECT_FALSE(fs::exists(root_ / "pg/global/pg_control"));
  EXPECT_TRUE(fs::exists(root_ / "pg/base/1/9999"));
  EXPECT_TRUE(fs::exists(root_ / "pg/server.key"));
}

TEST_F(ClearDestination, TheLockFileOfAServerThatHasCrashedIsNone) {
  constexpr const char* kBeyondAllPids = "99999999\n";
  put_file(root_ / "pg/postmaster.pid", kBeyondAllPids);
  clear();
  EXPECT_FALSE(fs::exists(root_ / "pg/postmaster.pid"));
  EXPECT_FALSE(fs::exists(root_ / "pg/global/pg_control"));
}

TEST_F(ClearDestination, StopsForAServerThatWasStartedMeanwhile) {
  put_file(root_ / "pg/postmaster.pid", std::to_string(::getppid()) + "\n");
  EXPECT_THROW(clear(), Error);
  EXPECT_TRUE(fs::exists(root_ / "pg/global/pg_control"));
  EXPECT_TRUE(fs::exists(root_ / "pg/server.key"));
}

}  // namespace
}  // namespace barman::restore

// What a restore may write besides its own directory, and what it must not destroy.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstring>
#include <functional>

#include "base/durable.h"
#include "base/error.h"
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

TEST_F(ClearDestination, StopsForAServerThatWasStartedMeanwhile) {
  put_file(root_ / "pg/postmaster.pid", std::to_string(::getppid()) + "\n");
  EXPECT_THROW(clear(), Error);
  EXPECT_TRUE(fs::exists(root_ / "pg/global/pg_control"));
  EXPECT_TRUE(fs::exists(root_ / "pg/server.key"));
}

}  // namespace
}  // namespace barman::restore

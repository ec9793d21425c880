// A replication slot that keeps no WAL any more, and a streaming connection that leads to another
// server than conninfo: what the receiver does, what check and status say, and what gets out of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/eventually.h"
#include "support/standby.h"
#include "support/streaming_site.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::string check_hint(BarmanHome& barman, const std::string& item) {
  const CommandResult result = barman.run({"-f", "json", "check", "main"});
  return nlohmann::json::parse(result.out).at("main").at(item).at("hint").get<std::string>();
}

std::string check_status(BarmanHome& barman, const std::string& item) {
  const CommandResult result = barman.run({"-f", "json", "check", "main"});
  return nlohmann::json::parse(result.out).at("main").at(item).at("status").get<std::string>();
}

class LostSlot : public testing::TestWithParam<int> {
 protected:
  explicit LostSlot(const Settings& server = {})
      : site({.postgres = {.major = GetParam(),
                           .settings = {{"wal_keep_size", "0"}, {"max_slot_wal_keep_size", "1MB"}}},
              .server = server}) {
    site.start_receiver();
    site.wait_until_acknowledged();
    site.postgres.query("CREATE TABLE t (id int)");
    site.stop_receiver();
  }

  void invalidate() {
    let_wal_go(site.postgres);
    ASSERT_EQ(site.postgres.value("SELECT wal_status FROM pg_replication_slots"), "lost");
  }
  std::string slot_status() {
    return site.postgres.value("SELECT wal_status FROM pg_replication_slots");
  }

  StreamingSite site;
};
INSTANTIATE_TEST_SUITE_P(Versions, LostSlot, testing::Values(13, 16, kUsualMajor, 18),
                         testing::PrintToStringParamName());

// One command gets out of it.
TEST_P(LostSlot, IsToldAndMendedByReset) {
  invalidate();
  const CommandResult receiver = site.barman.run({"receive-wal", "main"});
  EXPECT_EQ(receiver.exit_code, 1);
  const auto is_told =
      AllOf(HasSubstr("replication slot 'barman' keeps no WAL any more"),
            HasSubstr("Run 'barman receive-wal --reset main', then take a new base backup"));
  EXPECT_THAT(receiver.err, is_told);
  EXPECT_THAT(check_hint(site.barman, "replication_slot"), is_told);
  EXPECT_THAT(site.barman.run({"status", "main"}).out, is_told);

  const CommandResult reset = site.barman.run({"receive-wal", "--reset", "main"});
  EXPECT_EQ(reset.exit_code, 0) << reset.err;
  EXPECT_THAT(reset.out, HasSubstr("Creating replication slot 'barman'"));
  EXPECT_THAT(reset.err, AllOf(HasSubstr("WAL from 0/"), HasSubstr("has not been received"),
                               HasSubstr("Take a new base backup: 'barman backup main'")));
  EXPECT_NE(slot_status(), "lost");

  site.start_receiver();
  site.archive_a_segment();
  site.take_backup();
  EXPECT_EQ(check_status(site.barman, "replication_slot"), "OK");
  EXPECT_THAT(site.barman.run({"receive-wal", "--reset", "main"}).err, HasSubstr("still running"));
}

// The slot that PostgreSQL shows as active keeps nothing: the next pause would be a hole.
TEST_P(LostSlot, IsSeenWhileAReceiverOfAnotherKindUsesIt) {
  invalidate();
  if (GetParam() != 16 && GetParam() != 17) return;
  const TempDir place;
  BackgroundCommand other(
      {.argv = {find_tool(kUsualMajor, "pg_receivewal"), "--slot", "barman", "--directory",
                place.path(), "--dbname", site.postgres.conninfo("streaming_barman")}});
  site.postgres.wait_until("active FROM pg_replication_slots");
  EXPECT_THAT(check_hint(site.barman, "replication_slot"), HasSubstr("keeps no WAL any more"));
  other.kill(SIGINT);
  ASSERT_TRUE(other.wait());
}

class LostSlotAndAutomaticOne : public LostSlot {
 protected:
  LostSlotAndAutomaticOne() : LostSlot({{"create_slot", "auto"}}) {}
};
INSTANTIATE_TEST_SUITE_P(Versions, LostSlotAndAutomaticOne, testing::Values(kUsualMajor),
                         testing::PrintToStringParamName());

TEST_P(LostSlotAndAutomaticOne, IsMadeAnewAndTheGapTold) {
  invalidate();
  const CommandResult receiver = site.barman.run({"receive-wal", "main"});
  EXPECT_EQ(receiver.exit_code, 1);
  EXPECT_THAT(receiver.err, AllOf(HasSubstr("keeps no WAL any more"), HasSubstr("it is made anew"),
                                  HasSubstr("'barman receive-wal --reset main'")));
  // The receiver has not moved it to WAL that is gone.
  EXPECT_EQ(slot_status(), "reserved");
  EXPECT_EQ(site.barman.run({"receive-wal", "--reset", "main"}).exit_code, 0);
  site.start_receiver();
  site.archive_a_segment();
  site.take_backup();
}

// Dropped, and the WAL gone: --reset makes it and moves the position.
// An archive_command, or somebody, has kept what the slot has let go.
TEST(LostSlotBesideAnArchive, LosesNothingThatCameOtherwise) {
  const TempDir kept;
  StreamingSite site(
      {.postgres = {.settings = {{"wal_keep_size", "0"},
                                 {"max_slot_wal_keep_size", "1MB"},
                                 {"archive_mode", "on"},
                                 {"archive_command", "cp %p " + kept.path().string() + "/%f"}}}});
  site.start_receiver();
  site.wait_until_acknowledged();
  site.postgres.query("CREATE TABLE t (id int)");
  site.stop_receiver();
  let_wal_go(site.postgres);
  ASSERT_EQ(site.postgres.value("SELECT wal_status FROM pg_replication_slots"), "lost");
  ASSERT_TRUE(eventually([&] {
    return site.postgres.value(
               "SELECT pg_walfile_name(pg_current_wal_lsn() - "
               "pg_size_bytes(current_setting('wal_segment_size'))) <= last_archived_wal "
               "FROM pg_stat_archiver") == "t";
  }));
  const fs::path incoming = site.barman.server_directory("main") / "incoming";
  fs::create_directories(incoming);
  for (const auto& entry : fs::directory_iterator(kept.path())) {
    fs::copy(entry.path(), incoming / entry.path().filename());
  }
  site.barman.set("main", "archiver", "on");
  ASSERT_EQ(site.barman.run({"archive-wal", "main"}).exit_code, 0);
  const CommandResult reset = site.barman.run({"receive-wal", "--reset", "main"});
  EXPECT_EQ(reset.exit_code, 0) << reset.err;
  EXPECT_THAT(reset.err, Not(HasSubstr("has not been received")));
}

TEST(DroppedSlot, IsMadeByReset) {
  StreamingSite site({.postgres = {.settings = {{"wal_keep_size", "0"}}}});
  site.start_receiver();
  site.wait_until_acknowledged();
  site.postgres.query("CREATE TABLE t (id int)");
  const std::string lsn = site.postgres.value("SELECT pg_current_wal_flush_lsn()");
  ASSERT_TRUE(eventually([&] {
    return site.postgres.value("SELECT flush_lsn >= '" + lsn + "' FROM pg_stat_replication") == "t";
  }));
  site.stop_receiver();
  site.postgres.query("SELECT pg_drop_replication_slot('barman')");
  let_wal_go(site.postgres);
  const CommandResult reset = site.barman.run({"receive-wal", "--reset", "main"});
  EXPECT_EQ(reset.exit_code, 0) << reset.err;
  EXPECT_THAT(reset.out, AllOf(HasSubstr("Creating replication slot 'barman'"),
                               HasSubstr("Keeping partial file")));
  // What is in the partial segment is there.
  EXPECT_THAT(reset.err, HasSubstr("WAL from " + lsn.substr(0, lsn.size() - 2)));
  site.start_receiver();
  site.archive_a_segment();
  site.take_backup();
}

TEST(DroppedSlot, CostsNothingAsLongAsTheWalIsThere) {
  StreamingSite site;
  site.start_receiver();
  site.wait_until_acknowledged();
  site.stop_receiver();
  site.postgres.query("SELECT pg_drop_replication_slot('barman')");
  let_wal_go(site.postgres);
  const CommandResult reset = site.barman.run({"receive-wal", "--reset", "main"});
  EXPECT_EQ(reset.exit_code, 0) << reset.err;
  EXPECT_EQ(reset.err, "");
  EXPECT_THAT(reset.out, HasSubstr("nothing is lost"));
  site.start_receiver();
  site.archive_a_segment();
  EXPECT_EQ(site.lost_wal(), "");
}

// conninfo at a standby, for the load of backups, streaming_conninfo at its primary.
TEST(StreamingElsewhere, LooksForItsSlotWhereItStreams) {
  PostgresServer primary;
  const TempDir place;
  clone_as_standby(primary, place.path() / "standby");
  PostgresServer standby({.data_directory = place.path() / "standby"});
  BarmanHome barman;
  barman.add_streaming_server(
      "main", standby,
      {{"streaming_conninfo", primary.conninfo("streaming_barman")}, {"create_slot", "auto"}});
  for (int round = 0; round < 2; ++round) {
    BackgroundCommand receiver = barman.spawn_receiver("main", primary);
    primary.wait_until("active FROM pg_replication_slots WHERE slot_name = 'barman'");
    EXPECT_EQ(check_status(barman, "replication_slot"), "OK");
    EXPECT_EQ(check_status(barman, "receive_wal_running"), "OK");
    EXPECT_THAT(barman.run({"status", "main"}).out, HasSubstr("running, streaming"));
    receiver.kill(SIGINT);
    const auto ended = receiver.wait();
    ASSERT_TRUE(ended);
    EXPECT_THAT(ended->err, Not(HasSubstr("already exists")));
    primary.wait_until("NOT active FROM pg_replication_slots WHERE slot_name = 'barman'");
  }
}

}  // namespace
}  // namespace barman::test

// PostgreSQL that stops, crashes or cannot be reached while barman works with it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <ostream>

#include "support/catalogue_files.h"
#include "support/eventually.h"
#include "support/streaming_site.h"
#include "support/tcp_proxy.h"
#include "support/writer.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;

// ---------------------------------------------------------------------------------------- backup

enum class Outage { fast_stop, immediate_stop, kill_9 };

void bring_down(PostgresServer& postgres, Outage outage) {
  switch (outage) {
    case Outage::fast_stop:
      return postgres.stop(StopMode::fast);
    case Outage::immediate_stop:
      return postgres.stop(StopMode::immediate);
    case Outage::kill_9:
      return postgres.kill_9();
  }
}

std::string outage_name(Outage outage) {
  switch (outage) {
    case Outage::fast_stop:
      return "FastStop";
    case Outage::immediate_stop:
      return "ImmediateStop";
    case Outage::kill_9:
      return "Kill9";
  }
  return "";
}

void PrintTo(Outage outage, std::ostream* out) { *out << outage_name(outage); }

class BackupDuringOutage : public testing::TestWithParam<Outage> {};
INSTANTIATE_TEST_SUITE_P(Of, BackupDuringOutage,
                         testing::Values(Outage::fast_stop, Outage::immediate_stop, Outage::kill_9),
                         [](const auto& outage) { return outage_name(outage.param); });

TEST_P(BackupDuringOutage, FailsAndTheNextOneWorks) {
  StreamingSite site;
  site.start_receiver();
  site.archive_a_segment();
  BackgroundCommand backup(site.barman.request({"backup", "--bwlimit", "2048", "main"}));
  ASSERT_TRUE(eventually([&] { return site.is_copying(); }));
  bring_down(site.postgres, GetParam());
  const auto result = backup.wait();
  ASSERT_TRUE(result);
  EXPECT_EQ(result->exit_code, 1);
  EXPECT_THAT(result->err, HasSubstr("ERROR: Backup failed copying files"));
  EXPECT_THAT(result->err, AnyOf(HasSubstr("connection"), HasSubstr("shutting down")));
  const std::string failed = site.listed_backups().at(0);
  EXPECT_EQ(site.status_of(failed), "FAILED");
  EXPECT_THAT(read_backup_info(site.barman, "main", failed).at("error"),
              HasSubstr("failure copying files"));

  site.postgres.start();
  site.wait_until_acknowledged();
  EXPECT_TRUE(site.receiver().is_running()) << "receive-wal has not survived";
  const std::string next = site.take_backup();
  EXPECT_EQ(site.status_of(next), "DONE");
  EXPECT_EQ(site.backup_damage(next), "");
  EXPECT_EQ(site.lost_wal(), "");
}

TEST(BackupOfAStoppedServer, SaysThatItCannotConnect) {
  StreamingSite site;
  site.postgres.stop();
  const CommandResult backup = site.barman.run({"backup", "main"});
  EXPECT_EQ(backup.exit_code, 1);
  EXPECT_THAT(backup.err,
              HasSubstr("ERROR: Impossible to start the backup. Check the log for more details, or "
                        "run 'barman check main'"));
  EXPECT_THAT(site.barman.log(), HasSubstr(site.postgres.socket_directory().string()));
  EXPECT_TRUE(site.listed_backups().empty());
  const CommandResult receiver = site.barman.run({"receive-wal", "main"});
  EXPECT_EQ(receiver.exit_code, 1);
  EXPECT_THAT(receiver.err, HasSubstr("ERROR: Impossible to start WAL streaming"));
}

// The network between barman and PostgreSQL, for the streaming connection.
class BrokenNetwork : public testing::Test {
 protected:
  BrokenNetwork() : network_(site_.postgres.port()) {
    site_.barman.set("main", "streaming_conninfo", network_.conninfo("streaming_barman"));
  }

  StreamingSite site_;
  TcpProxy network_;
};

TEST_F(BrokenNetwork, FailsABackupCutInMidStream) {
  site_.start_receiver();
  site_.archive_a_segment();
  network_.cut_after(5 << 20);
  const CommandResult result = site_.barman.run({"backup", "main"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("ERROR: Backup failed copying files"));
  EXPECT_THAT(result.err, HasSubstr("connection"));
  EXPECT_TRUE(network_.is_cut());
  const std::string failed = site_.listed_backups().at(0);
  EXPECT_EQ(site_.status_of(failed), "FAILED");
  // The files stay for whoever wants to look, and are not taken for a backup.
  const CommandResult restore =
      site_.barman.run({"restore", "main", "latest", site_.barman.directory() / "nowhere"});
  EXPECT_EQ(restore.exit_code, 1);

  network_.pass();
  site_.wait_until_acknowledged();
  const std::string next = site_.take_backup();
  EXPECT_EQ(site_.backup_damage(next), "");
  EXPECT_EQ(site_.lost_wal(), "");
}

TEST_F(BrokenNetwork, IsTriedAgainByABackupThatMayRetry) {
  site_.start_receiver();
  site_.archive_a_segment();
  network_.cut_after(5 << 20);
  BackgroundCommand backup =
      site_.barman.spawn({"backup", "--wait", "--retry-times", "3", "--retry-sleep", "1", "main"});
  ASSERT_TRUE(eventually([&] { return network_.is_cut(); }));
  network_.pass();
  const auto result = backup.wait();
  ASSERT_TRUE(result);
  EXPECT_EQ(result->exit_code, 0) << result->err;
  const std::string id = site_.listed_backups().at(0);
  EXPECT_EQ(site_.status_of(id), "DONE");
  EXPECT_EQ(site_.backup_damage(id), "");
}

TEST_F(BrokenNetwork, InterruptsStreamingWithoutAGap) {
  Writer writer(site_.postgres);
  site_.start_receiver();
  for (int cut = 0; cut < 3; ++cut) {
    network_.cut_after(300'000);
    site_.postgres.query("CREATE TABLE bulk" + std::to_string(cut) +
                         " AS SELECT repeat(md5(g::text), 10) FROM generate_series(1, 4000) g");
    ASSERT_TRUE(eventually([&] { return network_.is_cut(); })) << cut;
    EXPECT_EQ(site_.lost_wal(), "") << "cut " << cut;
    network_.pass();
    site_.wait_until_acknowledged();
  }
  EXPECT_TRUE(site_.receiver().is_running());
  writer.stop();
  site_.wait_until_acknowledged();
  EXPECT_EQ(site_.lost_wal(), "");
  EXPECT_THAT(site_.receiver().err(), HasSubstr("WAL streaming was interrupted"));
}

TEST_F(BrokenNetwork, MayBeSlow) {
  network_.set_delay(std::chrono::milliseconds(50));
  site_.start_receiver();
  site_.postgres.query(
      "CREATE TABLE bulk AS SELECT repeat(md5(g::text), 10) FROM generate_series(1, 20000) g");
  site_.wait_until_acknowledged();
  EXPECT_EQ(site_.lost_wal(), "");
}

// No packet says that the peer is gone: only its silence does.
TEST_F(BrokenNetwork, IsNoticedWhenAConnectionOnlyStalls) {
  site_.start_receiver();
  const auto before = network_.connection_count();
  network_.stall();
  site_.postgres.query("CREATE TABLE t AS SELECT 1 AS id");
  ASSERT_TRUE(eventually(
      [&] {
        return site_.barman.log().find("no message from the server for") != std::string::npos;
      },
      std::chrono::seconds(90)));
  network_.pass();
  ASSERT_TRUE(
      eventually([&] { return network_.connection_count() > before; }, std::chrono::seconds(30)));
  site_.wait_until_acknowledged();
  EXPECT_EQ(site_.lost_wal(), "");
  EXPECT_TRUE(site_.receiver().is_running());
}

// ------------------------------------------------------------------------------------- streaming

class StreamingDuringOutages : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(PostgreSQL, StreamingDuringOutages, testing::Values(13, 17),
                         testing::PrintToStringParamName());

TEST_P(StreamingDuringOutages, GoesOnWithoutAGap) {
  StreamingSite site({.postgres = {.major = GetParam()}});
  Writer writer(site.postgres);
  site.start_receiver();
  for (const Outage outage : {Outage::kill_9, Outage::fast_stop, Outage::immediate_stop}) {
    SCOPED_TRACE(outage_name(outage));
    writer.wait_for_commits(20);
    site.postgres.query(
        "CREATE TABLE IF NOT EXISTS bulk (t text);"
        "INSERT INTO bulk SELECT repeat(md5(g::text), 10) FROM generate_series(1, 4000) g");
    bring_down(site.postgres, outage);
    EXPECT_TRUE(site.receiver().is_running());
    site.postgres.start();
    writer.wait_for_commits(5);
    site.wait_until_acknowledged();
    EXPECT_EQ(site.lost_wal(), "");
  }
  EXPECT_TRUE(site.receiver().is_running()) << site.receiver().err();
  site.archive_a_segment();
  EXPECT_EQ(site.lost_wal(), "");
  site.stop_receiver();
  EXPECT_THAT(site.receiver().err(), HasSubstr("WAL streaming was interrupted"));
}

TEST(StreamingDuringALongOutage, IsToldOnceAndEndsAtOnceOnRequest) {
  StreamingSite site;
  site.start_receiver();
  site.postgres.stop();
  ASSERT_TRUE(eventually([&] {
    return site.barman.log().find("WAL streaming was interrupted") != std::string::npos;
  }));
  // It waits for the server now.
  site.receiver().wait(std::chrono::seconds(3));
  ASSERT_TRUE(site.receiver().is_running());
  site.receiver().kill(SIGINT);
  const auto result = site.receiver().wait(std::chrono::seconds(5));
  ASSERT_TRUE(result) << "it does not end while the server is away";
  EXPECT_EQ(result->exit_code, 0);
  EXPECT_THAT(result->out, HasSubstr("SIGINT received. Terminate gracefully."));
}

}  // namespace
}  // namespace barman::test

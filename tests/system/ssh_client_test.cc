// barman-wal-archive and barman-wal-restore through a real sshd: by hand, as PostgreSQL's
// archive_command and restore_command, with the remote host gone, and killed.
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <optional>
#include <random>
#include <thread>

#include "base/error.h"
#include "base/process.h"
#include "support/barman_home.h"
#include "support/catalogue_files.h"
#include "support/eventually.h"
#include "support/postgres_server.h"
#include "support/ssh_server.h"
#include "support/streaming_site.h"
#include "support/tcp_proxy.h"
#include "support/temp_dir.h"
#include "support/wal_evidence.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string wal_name(unsigned number) {
  return fmt::format("0000000100000000000000{:02X}", number);
}

bool is_answering(const PostgresServer& postgres) {
  try {
    return postgres.value("SELECT 1") == "1";
  } catch (const Error&) {  // it starts
    return false;
  }
}

// A barman with the file archiver, reached through ssh; no PostgreSQL.
class SshClient : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!SshServer::is_available()) GTEST_SKIP() << SshServer::kUnavailable;
    barman.add_section("main", {{"conninfo", "host=/nowhere user=barman dbname=postgres"},
                                {"archiver", "on"},
                                {"backup_method", "postgres"},
                                {"streaming_conninfo", "host=/nowhere user=barman"}});
    ssh.emplace(barman);
    fs::create_directories(pg_wal() / "archive_status");
  }

  fs::path pg_wal() const { return directory.path() / "pg_wal"; }
  fs::path incoming() const { return barman.server_directory("main") / "incoming"; }
  fs::path spool() const { return directory.path() / "spool"; }
  // One megabyte that looks like no other.
  std::string put_wal_file(unsigned number, bool is_ready = true) {
    std::minstd_rand random(number);
    std::string bytes(300000, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random() >> 8U);
    const std::string content = wal_segment(wal_name(number), bytes);
    write_text(pg_wal() / wal_name(number), content);
    if (is_ready) write_text(pg_wal() / "archive_status" / (wal_name(number) + ".ready"), "");
    return content;
  }
  CommandRequest archive(unsigned number, std::vector<std::string> options = {}) const {
    options.insert(options.end(), {"--prefetch-cache-dir", (directory.path() / "cache").string()});
    std::vector<std::string> argv = ssh->argv("barman-wal-archive", options);
    argv.insert(argv.end(), {"main", (pg_wal() / wal_name(number)).string()});
    return {.argv = argv, .environment = ssh->environment()};
  }
  CommandRequest restore(const std::string& name, std::vector<std::string> options = {}) const {
    options.insert(options.end(), {"--spool-dir", spool().string()});
    std::vector<std::string> argv = ssh->argv("barman-wal-restore", options);
    argv.insert(argv.end(), {"main", name, destination().string()});
    return {.argv = argv, .environment = ssh->environment()};
  }
  fs::path destination() const { return directory.path() / "RECOVERYXLOG"; }
  std::vector<std::string> spooled() const {
    std::vector<std::string> names;
    for (const std::string& place : names_in(spool())) {
      for (const std::string& name : names_in(spool() / place)) {
        if (!name.starts_with('.')) names.push_back(name);
      }
    }
    return names;
  }

  TempDir directory;
  BarmanHome barman;
  std::optional<SshServer> ssh;
};

TEST_F(SshClient, TestOptionsPrintWhatTheOtherSideSays) {
  put_wal_file(1);
  CommandResult result = run_command(archive(1, {"--test"}));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "Ready to accept WAL files for the server main\n");
  result = run_command(restore(wal_name(1), {"-t"}));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "Ready to retrieve WAL files from the server main\n");
}

TEST_F(SshClient, EveryCompressionArrivesAndComesBack) {
  unsigned number = 1;
  const std::vector<std::vector<std::string>> choices = {{},
                                                         {"--md5"},
                                                         {"-z"},
                                                         {"-j", "--compression-level", "low"},
                                                         {"--xz"},
                                                         {"--snappy"},
                                                         {"--zstd", "--compression-level", "9"},
                                                         {"--lz4"},
                                                         {"-z", "--zstd", "--md5"}};
  for (const auto& options : choices) {
    const std::string content = put_wal_file(number, false);
    const CommandResult result = run_command(archive(number, options));
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.out + result.err, "");
    // Before and after it is archived.
    for (const char* form : {"", "--keep-compression", "--gzip", "--zstd", "--lz4"}) {
      const auto way = *form == '\0' ? std::vector<std::string>() : std::vector<std::string>{form};
      const CommandResult restored = run_command(restore(wal_name(number), way));
      EXPECT_EQ(restored.exit_code, 0) << restored.err;
      EXPECT_TRUE(read_text(destination()) == content) << number << form;
      barman.run({"archive-wal", "main"});
    }
    ++number;
  }
  EXPECT_EQ(indexed_wals(barman, "main").size(), choices.size());
  EXPECT_THAT(names_in(incoming()), IsEmpty());
}

TEST_F(SshClient, ExitCodesAreThoseOfBarman) {
  fs::create_directories(incoming());
  put_wal_file(1);
  CommandRequest request = archive(1);
  request.argv[request.argv.size() - 2] = "nobody";
  EXPECT_EQ(run_command(request).exit_code, 1);
  request = archive(1);
  request.argv.back() = pg_wal().string();
  EXPECT_EQ(run_command(request).exit_code, 2);
  request.argv.back() = (pg_wal() / "missing").string();
  EXPECT_EQ(run_command(request).exit_code, 2);
  request.argv.pop_back();
  CommandResult result = run_command(request);
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("the following arguments are required: WAL_PATH"));

  result = run_command(restore(wal_name(1)));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("ERROR: Remote 'barman get-wal' command has failed!"));
  EXPECT_FALSE(fs::exists(destination()));
  EXPECT_EQ(run_command(restore("no_name")).exit_code, 3);
  EXPECT_EQ(run_command(restore(wal_name(1), {"-z", "-j"})).exit_code, 2);
  request = restore(wal_name(1));
  request.argv.back() = pg_wal().string();
  EXPECT_EQ(run_command(request).exit_code, 3);
  request.argv.back() = (directory.path() / "missing" / "file").string();
  EXPECT_EQ(run_command(request).exit_code, 3);
}

TEST_F(SshClient, WalThatCannotBeReadIsNotTheEndOfTheWal) {
  put_wal_file(1);
  ASSERT_EQ(run_command(archive(1)).exit_code, 0);
  ASSERT_EQ(barman.run({"archive-wal", "main"}).exit_code, 0);
  const fs::path stored = barman.server_directory("main") / "wals/0000000100000000" / wal_name(1);
  write_text(stored, "\x1f\x8b\x08 no gzip");
  const CommandResult refused = barman.run({"get-wal", "main", wal_name(1)});
  EXPECT_EQ(refused.exit_code, 126) << refused.err;
  EXPECT_THAT(refused.err, HasSubstr(stored.string()));
  EXPECT_EQ(run_command(restore(wal_name(1))).exit_code, 2);
  EXPECT_FALSE(fs::exists(destination()));
}

TEST_F(SshClient, RemoteHostGoneIsNeverSuccessNorTheEndOfRecovery) {
  put_wal_file(1);
  ASSERT_EQ(run_command(archive(1)).exit_code, 0);
  ssh->stop();
  CommandResult result = run_command(archive(1));
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err, HasSubstr("ERROR: Connection problem with ssh\nHINT: 'ssh -p "));
  result = run_command(restore(wal_name(1)));
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_FALSE(fs::exists(destination()));
  ssh->start();
  EXPECT_EQ(run_command(restore(wal_name(1))).exit_code, 0);
}

TEST_F(SshClient, KilledArchiveLeavesNothingThatCouldBeArchived) {
  const std::string content = put_wal_file(1);
  for (const int delay_ms : {20, 60, 100, 150, 200}) {
    BackgroundCommand command(archive(1));
    std::this_thread::sleep_for(std::chrono::milliseconds(delay_ms));
    command.kill_group(SIGKILL);
    command.wait();
    for (const std::string& name : names_in(incoming())) {
      if (name.starts_with('.')) continue;
      EXPECT_EQ(name, wal_name(1));
      EXPECT_TRUE(read_text(incoming() / name) == content);
    }
  }
  EXPECT_EQ(run_command(archive(1)).exit_code, 0);
  EXPECT_TRUE(read_text(incoming() / wal_name(1)) == content);
}

TEST_F(SshClient, ParallelArchivesWhatWaitsAndBelievesContentOnly) {
  for (const unsigned number : {1U, 2U, 3U, 5U}) put_wal_file(number);
  CommandResult result = run_command(archive(1, {"-p", "4"}));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const std::vector<std::string> expected = {wal_name(1), wal_name(2), wal_name(3)};
  EXPECT_TRUE(eventually([&] { return names_in(incoming()) == expected; }));
  // It is told what has become of them: the last one is answered without another connection.
  EXPECT_EQ(run_command(archive(3, {"-p", "4"})).exit_code, 0);
  ssh->stop();
  result = run_command(archive(2, {"-p", "4"}));
  EXPECT_EQ(result.exit_code, 0) << "known without asking: " << result.err;
  // The same name with other content, as after initdb: the other side must be asked.
  write_text(pg_wal() / wal_name(3), std::string(1 << 20, 'x'));
  EXPECT_EQ(run_command(archive(3, {"-p", "4"})).exit_code, 3);
  EXPECT_EQ(run_command(archive(2)).exit_code, 3) << "without --parallel nothing is believed";
}

// As PostgreSQL's archiver does it: one after the other, and the marker changes its name.
TEST_F(SshClient, ParallelArchiveGoesOnSendingWhilePostgresAsks) {
  std::vector<std::string> contents;
  for (unsigned number = 1; number <= 20; ++number) contents.push_back(put_wal_file(number));
  const fs::path markers = pg_wal() / "archive_status";
  for (unsigned number = 1; number <= 20; ++number) {
    const CommandResult result = run_command(archive(number, {"-p", "6", "--zstd"}));
    ASSERT_EQ(result.exit_code, 0) << result.err;
    ASSERT_TRUE(fs::exists(incoming() / wal_name(number)));
    // Never more than was allowed.
    EXPECT_LE(names_in(incoming()).size(),
              number + 5 + names_in(incoming()).front().starts_with('.'));
    fs::rename(markers / (wal_name(number) + ".ready"), markers / (wal_name(number) + ".done"));
  }
  ASSERT_EQ(barman.run({"archive-wal", "main"}).exit_code, 0);
  for (unsigned number = 1; number <= 20; ++number) {
    ASSERT_EQ(run_command(restore(wal_name(number))).exit_code, 0);
    EXPECT_TRUE(read_text(destination()) == contents[number - 1]) << number;
  }
}

// Whatever is killed, a segment that was answered with 0 is there, with its content.
TEST_F(SshClient, KilledSenderOrSshNeverAnswersForWhatIsNotThere) {
  std::vector<std::string> contents;
  const fs::path markers = pg_wal() / "archive_status";
  const std::string cache = (directory.path() / "cache").string();
  std::minstd_rand random(7);
  unsigned archived = 0;
  for (unsigned number = 1; number <= 24; ++number) contents.push_back(put_wal_file(number));
  for (int attempt = 0; attempt < 300 && archived < 24; ++attempt) {
    BackgroundCommand command(archive(archived + 1, {"-p", "6"}));
    if (random() % 2 == 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(random() % 120));
      // The sender, its ssh processes, or the programs at the other side.
      const std::vector<pid_t> victims =
          random() % 3 == 0 ? list_processes("put-wal", barman.configuration_file().string())
                            : list_processes(cache);
      for (const pid_t pid : victims) ::kill(pid, SIGKILL);
    }
    const auto result = command.wait();
    if (!result || result->exit_code != 0) continue;
    const std::string name = wal_name(++archived);
    ASSERT_TRUE(fs::exists(incoming() / name)) << name;
    ASSERT_TRUE(read_text(incoming() / name) == contents[archived - 1]) << name;
    fs::rename(markers / (name + ".ready"), markers / (name + ".done"));
  }
  EXPECT_EQ(archived, 24U);
  for (const pid_t pid : list_processes(cache)) ::kill(pid, SIGKILL);
}

TEST_F(SshClient, CallsShareOneConnectionAsLongAsItLasts) {
  std::vector<std::string> contents;
  for (unsigned number = 1; number <= 4; ++number) contents.push_back(put_wal_file(number));
  for (unsigned number = 1; number <= 3; ++number) {
    ASSERT_EQ(run_command(archive(number)).exit_code, 0);
    ASSERT_EQ(run_command(restore(wal_name(number))).exit_code, 0);
    EXPECT_TRUE(read_text(destination()) == contents[number - 1]);
  }
  EXPECT_EQ(ssh->connections(), 1U);
  const std::vector<pid_t> kept = list_processes(ssh->environment().at("TMPDIR") + "/barman-ssh-");
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(fs::read_symlink(fmt::format("/proc/{}/cwd", kept[0])), "/");
  ssh->stop();
  ssh->start();
  // As the first one after a restart of the other host: there is no failure to tell of.
  const CommandResult archived = run_command(archive(4));
  EXPECT_EQ(archived.exit_code, 0) << archived.err;
  EXPECT_EQ(archived.err, "");
  ASSERT_EQ(run_command(restore(wal_name(4))).exit_code, 0);
  EXPECT_TRUE(read_text(destination()) == contents[3]);
}

TEST_F(SshClient, ConnectionIsNotSharedInADirectoryOfOthers) {
  put_wal_file(1);
  put_wal_file(2);
  const fs::path place =
      fs::path(ssh->environment().at("TMPDIR")) / fmt::format("barman-ssh-{}", ::geteuid());
  fs::create_directory(place);
  fs::permissions(place, fs::perms::all);
  ASSERT_EQ(run_command(archive(1)).exit_code, 0);
  ASSERT_EQ(run_command(archive(2)).exit_code, 0);
  EXPECT_EQ(ssh->connections(), 2U);
  EXPECT_TRUE(fs::is_empty(place));
}

TEST_F(SshClient, ParallelRestoreKeepsFetchingAhead) {
  std::vector<std::string> contents;
  for (unsigned number = 1; number <= 8; ++number) {
    contents.push_back(put_wal_file(number));
    ASSERT_EQ(run_command(archive(number)).exit_code, 0);
  }
  ASSERT_EQ(run_command(restore(wal_name(1), {"-p", "4"})).exit_code, 0);
  EXPECT_TRUE(read_text(destination()) == contents[0]);
  ASSERT_TRUE(eventually([&] { return spooled().size() == 3; }));
  EXPECT_THAT(spooled(), ElementsAre(wal_name(2), wal_name(3), wal_name(4)));
  // Taking one makes room for the next one, without another call.
  ASSERT_EQ(run_command(restore(wal_name(2), {"-p", "4"})).exit_code, 0);
  EXPECT_TRUE(read_text(destination()) == contents[1]);
  EXPECT_TRUE(eventually([&] { return spooled().size() == 3; }));
  ssh->stop();
  for (unsigned number = 3; number <= 5; ++number) {
    EXPECT_EQ(run_command(restore(wal_name(number), {"-p", "4"})).exit_code, 0);
    EXPECT_TRUE(read_text(destination()) == contents[number - 1]);
  }
  EXPECT_EQ(run_command(restore(wal_name(7), {"-p", "4"})).exit_code, 2);
}

TEST_F(SshClient, KilledRestoreNeverLeavesHalfASegmentInTheSpool) {
  std::vector<std::string> contents;
  for (unsigned number = 1; number <= 4; ++number) {
    contents.push_back(put_wal_file(number));
    ASSERT_EQ(run_command(archive(number)).exit_code, 0);
  }
  for (const int delay_ms : {30, 80, 150, 250, 400}) {
    BackgroundCommand command(restore(wal_name(1), {"-p", "4"}));
    std::this_thread::sleep_for(std::chrono::milliseconds(delay_ms));
    command.kill_group(SIGKILL);
    command.wait();
    for (const pid_t pid : list_processes(spool().string())) ::kill(pid, SIGKILL);
    for (const std::string& name : spooled()) {
      const std::string place = names_in(spool()).front();
      const auto number = static_cast<std::size_t>(std::stoi(name.substr(22), nullptr, 16));
      EXPECT_TRUE(read_text(spool() / place / name) == contents.at(number - 1)) << name;
    }
  }
  for (unsigned number = 1; number <= 4; ++number) {
    EXPECT_EQ(run_command(restore(wal_name(number), {"-p", "4"})).exit_code, 0);
    EXPECT_TRUE(read_text(destination()) == contents[number - 1]);
  }
}

// The network between the two hosts ends in the middle of what is sent.
class CutConnection : public SshClient {
 protected:
  void SetUp() override {
    SshClient::SetUp();
    if (IsSkipped()) return;
    network_.emplace(ssh->port());
    for (unsigned number = 1; number <= 4; ++number) {
      contents_.push_back(put_wal_file(number));
      ASSERT_EQ(run_command(archive(number)).exit_code, 0);
    }
  }
  CommandRequest restore_through(unsigned number, std::vector<std::string> options = {}) const {
    CommandRequest request = restore(wal_name(number), std::move(options));
    std::replace(request.argv.begin(), request.argv.end(), std::to_string(ssh->port()),
                 std::to_string(network_->port()));
    return request;
  }
  void expect_failure(const CommandRequest& request) {
    const CommandResult result = run_command(request);
    EXPECT_EQ(result.exit_code, 2) << result.err;
    EXPECT_THAT(result.err, HasSubstr("ERROR: Connection problem with ssh"));
    EXPECT_FALSE(fs::exists(destination()));
  }
  void expect_file(const CommandRequest& request, unsigned number) {
    const CommandResult result = run_command(request);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_TRUE(read_text(destination()) == contents_.at(number - 1)) << number;
    fs::remove(destination());
  }
  void expect_whole_spool() const {
    for (const std::string& name : spooled()) {
      const auto number = static_cast<std::size_t>(std::stoi(name.substr(22), nullptr, 16));
      EXPECT_TRUE(read_text(spool() / names_in(spool()).front() / name) == contents_.at(number - 1))
          << name;
    }
  }

  std::optional<TcpProxy> network_;
  std::vector<std::string> contents_;
};

TEST_F(CutConnection, LeavesNoHalfSegment) {
  network_->cut_after(300000);
  expect_failure(restore_through(1));
  EXPECT_TRUE(network_->is_cut());
  network_->pass();
  expect_file(restore_through(1), 1);
}

TEST_F(CutConnection, IsOvercomeWhenItIsShort) {
  network_->cut_after(300000);
  BackgroundCommand command(restore_through(1));
  ASSERT_TRUE(eventually([&] { return network_->is_cut(); }));
  network_->pass();
  const auto result = command.wait();
  ASSERT_TRUE(result);
  EXPECT_EQ(result->exit_code, 0) << result->err;
  EXPECT_TRUE(read_text(destination()) == contents_[0]);
}

TEST_F(CutConnection, LeavesNoHalfSegmentInTheSpool) {
  const std::vector<std::string> options = {"-p", "4"};
  network_->cut_after(300000);
  expect_failure(restore_through(1, options));
  network_->pass();
  // Now while the next ones are fetched in the background.
  network_->cut_after((1 << 20) + 700000);
  expect_file(restore_through(1, options), 1);
  ASSERT_TRUE(eventually([&] { return network_->is_cut(); }));
  expect_whole_spool();
  expect_failure(restore_through(4, options));
  expect_whole_spool();
  network_->pass();
  for (const unsigned number : {2U, 3U, 4U}) expect_file(restore_through(number, options), number);
  expect_whole_spool();
}

TEST_F(SshClient, PartialFilesAreDeliveredInParallelModeToo) {
  const std::string content = put_wal_file(1);
  const fs::path streaming = barman.server_directory("main") / "streaming";
  fs::create_directories(streaming);
  write_text(streaming / (wal_name(1) + ".partial"), content);
  EXPECT_EQ(run_command(restore(wal_name(1), {"-p", "3"})).exit_code, 1);
  EXPECT_EQ(run_command(restore(wal_name(1), {"-P", "-p", "3"})).exit_code, 0);
  EXPECT_TRUE(read_text(destination()) == content);
}

// PostgreSQL ends its recovery with a FATAL error when a segment is shorter.
TEST_F(SshClient, UnfinishedSegmentsArriveInFullSizeInEveryForm) {
  std::string expected = put_wal_file(1).substr(0, 10000);
  const fs::path streaming = barman.server_directory("main") / "streaming";
  fs::create_directories(streaming);
  write_text(streaming / (wal_name(1) + ".partial"), expected);
  expected.resize(1 << 20);
  for (const char* form : {"--keep-compression", "--gzip", "--bzip2", "--zstd", "--lz4"}) {
    EXPECT_EQ(run_command(restore(wal_name(1), {"-P", form})).exit_code, 0) << form;
    EXPECT_TRUE(read_text(destination()) == expected) << form;
  }
}

// A standby that recovers through a network which ends within a segment, again and again.
class CutRecovery : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Restoring, CutRecovery, ::testing::Values("", "-p 4"),
                         [](const auto& test) {
                           return std::string(*test.param == '\0' ? "singly" : "ahead");
                         });

TEST_P(CutRecovery, GoesOnWhenTheNetworkIsBack) {
  if (!SshServer::is_available()) GTEST_SKIP() << SshServer::kUnavailable;
  StreamingSite site;
  site.postgres.query("CREATE TABLE t (id bigint, text text)");
  site.start_receiver();
  site.archive_a_segment();
  site.take_backup();
  for (int i = 0; i < 4; ++i) {
    site.postgres.query("INSERT INTO t SELECT g, md5(g::text) FROM generate_series(1, 8000) g");
  }
  site.wait_until_acknowledged();
  ASSERT_EQ(site.barman.run({"archive-wal", "main"}).exit_code, 0);
  const SshServer ssh(site.barman);
  TcpProxy network(ssh.port());
  const TempDir place;
  std::string command =
      ssh.command("barman-wal-restore",
                  fmt::format("{} --spool-dir {}", GetParam(), (place.path() / "spool").string()));
  const std::string port = fmt::format("--port {} ", ssh.port());
  command.replace(command.find(port), port.size(), fmt::format("--port {} ", network.port()));
  const fs::path data = place.path() / "data";
  const CommandResult restored = site.barman.run(
      {"restore", "--get-wal", "--standby-mode", "--target-tli", "latest", "--restore-command",
       command + " main %f %p", "main", "latest", data.string()});
  ASSERT_EQ(restored.exit_code, 0) << restored.out << restored.err;
  write_text(data / "postgresql.auto.conf", read_text(data / "postgresql.auto.conf") +
                                                "\nwal_retrieve_retry_interval = '200ms'\n");
  network.cut_after(600000);
  PostgresServer standby(
      {.data_directory = data, .start = StartWait::processes, .environment = ssh.environment()});
  for (int cut = 0; cut < 3; ++cut) {
    ASSERT_TRUE(eventually([&] { return network.is_cut(); })) << standby.log();
    EXPECT_TRUE(standby.is_running()) << standby.log();
    network.pass();
    network.cut_after(1100000);
  }
  network.pass();
  ASSERT_TRUE(eventually([&] { return is_answering(standby); })) << standby.log();
  standby.wait_until("(SELECT count(*) FROM t) = 32000");
  EXPECT_EQ(standby.value("SELECT pg_is_in_recovery()"), "t");
}

// A recovery that is no standby's must not take a cut connection for the end of the WAL.
TEST(StoppedRecovery, GoesOnAfterTheNetworkWasGone) {
  if (!SshServer::is_available()) GTEST_SKIP() << SshServer::kUnavailable;
  StreamingSite site;
  site.postgres.query("CREATE TABLE t (id bigint, text text)");
  site.start_receiver();
  site.archive_a_segment();
  site.take_backup();
  for (int i = 0; i < 4; ++i) {
    site.postgres.query("INSERT INTO t SELECT g, md5(g::text) FROM generate_series(1, 8000) g");
  }
  site.wait_until_acknowledged();
  ASSERT_EQ(site.barman.run({"archive-wal", "main"}).exit_code, 0);
  const SshServer ssh(site.barman);
  TcpProxy network(ssh.port());
  const TempDir place;
  std::string command = ssh.command("barman-wal-restore", "");
  const std::string port = fmt::format("--port {} ", ssh.port());
  command.replace(command.find(port), port.size(), fmt::format("--port {} ", network.port()));
  const fs::path data = place.path() / "data";
  const CommandResult restored =
      site.barman.run({"restore", "--get-wal", "--target-tli", "latest", "--restore-command",
                       command + " main %f %p", "main", "latest", data.string()});
  ASSERT_EQ(restored.exit_code, 0) << restored.out << restored.err;
  network.cut_after(600000);
  PostgresServer again(
      {.data_directory = data, .start = StartWait::processes, .environment = ssh.environment()});
  ASSERT_TRUE(eventually([&] { return !again.is_running(); })) << again.log();
  EXPECT_TRUE(network.is_cut());
  EXPECT_THAT(again.log(), AllOf(HasSubstr("PostgreSQL stops its recovery"),
                                 Not(HasSubstr("selected new timeline"))));
  EXPECT_TRUE(fs::exists(data / "recovery.signal"));
  network.pass();
  again.start();
  again.wait_until_primary();
  EXPECT_EQ(again.value("SELECT count(*) FROM t"), "32000");
}

// The whole way: archive_command, backup, loss of the server, restore_command.
TEST(SshArchive, PostgresArchivesAndRecoversThroughSsh) {
  if (!SshServer::is_available()) GTEST_SKIP() << SshServer::kUnavailable;
  BarmanHome barman;
  const SshServer ssh(barman);
  TempDir directory;
  const std::string cache = "--prefetch-cache-dir " + (directory.path() / "cache").string();
  PostgresServer postgres(
      {.settings = {{"archive_mode", "on"},
                    {"archive_command",
                     ssh.command("barman-wal-archive", "--zstd -p 4 " + cache) + " main %p"}},
       .shape = {.wal_segment_megabytes = 1},
       .environment = ssh.environment()});
  barman.add_streaming_server(
      "main", postgres,
      {{"streaming_archiver", ""}, {"slot_name", ""}, {"archiver", "on"}, {"compression", "lz4"}});
  postgres.query(
      "CREATE TABLE t AS SELECT g AS id, md5(g::text) AS text FROM generate_series(1, 20000) g");
  ASSERT_EQ(barman.run({"cron"}).exit_code, 0);
  postgres.query("SELECT pg_switch_wal()");
  ASSERT_TRUE(eventually([&] {
    barman.run({"archive-wal", "main"});
    return !indexed_wals(barman, "main").empty();
  })) << postgres.log();
  const CommandResult backup = barman.run({"backup", "--wait", "main"});
  ASSERT_EQ(backup.exit_code, 0) << backup.out << backup.err;
  for (int i = 0; i < 5; ++i) {
    postgres.query("INSERT INTO t SELECT g, md5(g::text) FROM generate_series(1, 20000) g");
  }
  const std::string expected = postgres.value("SELECT count(*) FROM t");
  const std::string last = postgres.value("SELECT pg_walfile_name(pg_current_wal_lsn())");
  postgres.query("SELECT pg_switch_wal()");
  postgres.wait_until("(SELECT last_archived_wal >= '" + last + "' FROM pg_stat_archiver)");
  const CommandResult verified = barman.run({"verify-backup", "main", "latest"});
  EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
  postgres.stop();
  // Some of it is archived and compressed with lz4, the rest waits in incoming/ as zstd.
  const fs::path data = directory.path() / "data";
  const CommandResult restored =
      barman.run({"restore", "--get-wal", "--target-tli", "latest", "--restore-command",
                  ssh.command("barman-wal-restore",
                              "-P -p 4 --spool-dir " + (directory.path() / "spool").string()) +
                      " main %f %p",
                  "main", "latest", data.string()});
  ASSERT_EQ(restored.exit_code, 0) << restored.out << restored.err;
  PostgresServer recovered({.data_directory = data, .environment = ssh.environment()});
  recovered.wait_until_primary();
  EXPECT_EQ(recovered.value("SELECT count(*) FROM t"), expected) << recovered.log();
}

}  // namespace
}  // namespace barman::test

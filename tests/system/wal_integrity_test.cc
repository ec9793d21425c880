// The WAL archive as a whole: every record of it can be verified, and its index loses and doubles
// nothing, whoever writes to it and is killed meanwhile.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <signal.h>
#include <cstring>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "support/catalogue_files.h"
#include "support/eventually.h"
#include "support/standby.h"
#include "support/streaming_site.h"
#include "support/temp_dir.h"
#include "support/writer.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class VerifyWal : public testing::TestWithParam<const char*> {
 protected:
  VerifyWal() : site_({.server = {{"compression", GetParam()}}}) {
    site_.start_receiver();
    site_.archive_a_segment();
    site_.take_backup();
    Writer writer(site_.postgres);
    for (int i = 0; i < 4; ++i) {
      writer.wait_for_commits(20);
      // A record that does not fit into one segment.
      if (i == 1) {
        site_.postgres.query("SELECT pg_logical_emit_message(true, 'x', repeat('y', 1500000))");
      }
      site_.postgres.query("SELECT pg_switch_wal()");
    }
    writer.stop();
    site_.wait_until_acknowledged();
    site_.barman.run({"archive-wal", "main"});
    names_ = indexed_wals(site_.barman, "main");
  }

  fs::path archived(const std::string& name) const {
    return site_.server_directory() / "wals" / name.substr(0, 16) / name;
  }

  StreamingSite site_;
  std::vector<std::string> names_;
};

INSTANTIATE_TEST_SUITE_P(Stored, VerifyWal, testing::Values("", "zstd"), [](const auto& test) {
  return std::string(*test.param == '\0' ? "plain" : test.param);
});

TEST_P(VerifyWal, ReadsEveryRecordAndNamesWhatIsDamaged) {
  const CommandResult good = site_.barman.run({"verify-wal", "main"});
  EXPECT_EQ(good.exit_code, 0) << good.err;
  EXPECT_THAT(good.out, AllOf(HasSubstr(fmt::format("Checked {} WAL files (", names_.size())),
                              HasSubstr("WAL archive successfully verified")));
  EXPECT_EQ(good.err, "");

  const std::string victim = names_[names_.size() / 2];
  const std::string content = read_text(archived(victim));
  std::string damaged = content;
  // In the first kilobytes there are records, whatever the segment holds.
  damaged[200] = static_cast<char>(damaged[200] ^ 1);
  write_text(archived(victim), damaged);
  const CommandResult bad = site_.barman.run({"verify-wal", "main"});
  EXPECT_EQ(bad.exit_code, 1);
  EXPECT_THAT(bad.err, AllOf(HasSubstr("WAL file '" + victim + "': "),
                             HasSubstr("1 WAL files are damaged")));
  EXPECT_EQ(site_.barman.run({"verify-wal", "--to", names_.front(), "main"}).exit_code, 0);

  fs::remove(archived(victim));
  const CommandResult missing = site_.barman.run({"verify-wal", "main"});
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_THAT(missing.err, HasSubstr("it is in the index, but"));
  site_.barman.run({"rebuild-xlogdb", "main"});
  const CommandResult gap = site_.barman.run({"verify-wal", "main"});
  EXPECT_EQ(gap.exit_code, 1) << gap.out;
  EXPECT_THAT(gap.out, AllOf(HasSubstr("Gap: " + victim + " is not archived"),
                             Not(HasSubstr("successfully verified"))));
  EXPECT_THAT(gap.err, HasSubstr("WAL is missing from " + victim + " to " + victim));

  write_text(archived(victim), content);
  const CommandResult unindexed = site_.barman.run({"verify-wal", "main"});
  EXPECT_EQ(unindexed.exit_code, 1);
  EXPECT_THAT(unindexed.err, HasSubstr("run 'barman rebuild-xlogdb main'"));
  // A restore takes it nevertheless.
  const TempDir place;
  const CommandResult restored =
      site_.barman.run({"restore", "main", "latest", (place.path() / "data").string()});
  EXPECT_EQ(restored.exit_code, 0);
  EXPECT_THAT(restored.err,
              HasSubstr("WAL segment '" + victim + "' lies in the archive and is not"));
  EXPECT_TRUE(fs::exists(place.path() / "data" / "pg_wal" / names_.back()));
  site_.barman.run({"rebuild-xlogdb", "main"});
  EXPECT_THAT(site_.barman.run({"verify-wal", "main"}).out, Not(HasSubstr("Gap")));
}

// The primary fails while its standby receives a long record; the standby becomes the primary.
class FailOver : public testing::Test {
 protected:
  FailOver() {
    site_.start_receiver();
    site_.archive_a_segment();
    site_.take_backup();
    clone_as_standby(site_.postgres, place_.path() / "standby");
    PostgresServer standby({.data_directory = place_.path() / "standby"});
    site_.postgres.query("CREATE TABLE marks AS SELECT generate_series(1, 1000)");
    site_.wait_until_acknowledged();
    site_.postgres.query("INSERT INTO marks SELECT 0 FROM generate_series(1, 50)");
    segment_ = site_.postgres.value("SELECT pg_walfile_name(pg_current_wal_lsn())");
    standby.wait_until("EXISTS (SELECT FROM marks WHERE generate_series = 0)");
    standby.stop();
    site_.postgres.query("SELECT pg_logical_emit_message(true, 'x', repeat('y', 300000))");
    tear(standby);
    site_.postgres.kill_9();
    standby.start();
    standby.promote();
    site_.barman.set("main", "archiver", "on");
    fs::create_directories(site_.server_directory() / "incoming");
    archive(standby.data_directory() / "pg_wal" / "00000002.history");
    archive(standby.data_directory() / "pg_wal" / segment_, torn_);
    const std::string next = standby.value("SELECT pg_walfile_name(pg_switch_wal())");
    archive(standby.data_directory() / "pg_wal" / next);
    site_.barman.run({"archive-wal", "main"});
  }

  // As the standby has it: the rest of the file is from a segment that was recycled.
  void tear(const PostgresServer& standby) {
    torn_ = read_text(site_.postgres.data_directory() / "pg_wal" / segment_);
    const std::size_t record = torn_.find(std::string(1000, 'y'));
    ASSERT_NE(record, std::string::npos);
    for (std::size_t at = record + 100000; at < torn_.size(); ++at) torn_[at] = torn_[at - 65536];
    write_text(standby.data_directory() / "pg_wal" / segment_, torn_);
  }

  void archive(const fs::path& file) { archive(file, read_text(file)); }
  void archive(const fs::path& file, const std::string& content) {
    write_text(site_.server_directory() / "incoming" / file.filename(), content);
  }
  fs::path archived() const {
    return site_.server_directory() / "wals" / segment_.substr(0, 16) / segment_;
  }
  CommandResult verify_with(const std::string& content) {
    write_text(archived(), content);
    return site_.barman.run({"verify-wal", "main"});
  }

  StreamingSite site_;
  const TempDir place_;
  std::string segment_;
  std::string torn_;
};

TEST_F(FailOver, LeavesATornRecordThatItsHistoryExplains) {
  const CommandResult good = site_.barman.run({"verify-wal", "main"});
  EXPECT_EQ(good.exit_code, 0) << good.err;
  EXPECT_THAT(good.out, HasSubstr("WAL archive successfully verified"));
  EXPECT_EQ(read_text(archived()), torn_);

  std::string damaged = torn_;
  damaged[200] = static_cast<char>(damaged[200] ^ 1);
  EXPECT_THAT(verify_with(damaged).err, HasSubstr("WAL file '" + segment_ + "': "));
  std::string short_of_the_end = torn_;
  // Behind its first record, which follows the long header of the page and tells its length.
  constexpr std::size_t kLongHeader = 40;
  std::uint32_t length = 0;
  std::memcpy(&length, torn_.data() + kLongHeader, sizeof length);
  const std::size_t end = kLongHeader + (length + 7U) / 8U * 8U;
  ASSERT_LT(end, torn_.size());
  short_of_the_end.replace(end, std::string::npos, torn_.size() - end, '\0');
  EXPECT_THAT(verify_with(short_of_the_end).err,
              HasSubstr("the records end here, but a later timeline begins at"));
  EXPECT_EQ(verify_with(torn_).exit_code, 0);

  const fs::path history = site_.server_directory() / "wals" / "00000002.history";
  const std::string text = read_text(history);
  write_text(history, "1\tnowhere\n");
  EXPECT_THAT(
      site_.barman.run({"verify-wal", "main"}).err,
      AllOf(HasSubstr("WAL file '00000002.history': "), HasSubstr("WAL file '" + segment_ + "': "),
            HasSubstr("2 WAL files are damaged")));
  write_text(history, text);
  EXPECT_EQ(site_.barman.run({"verify-wal", "main"}).exit_code, 0);
}

// One command again and again, killed now and then.
class Hammer {
 public:
  Hammer(BarmanHome& barman, std::vector<std::string> arguments, unsigned seed)
      : barman_(barman), arguments_(std::move(arguments)), random_(seed) {
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }
  int kills() const { return kills_; }

 private:
  void run(const std::stop_token& stop) {
    std::uniform_int_distribution<int> pause(5, 250);
    while (!stop.stop_requested()) {
      BackgroundCommand command(barman_.request(arguments_));
      if (command.wait(milliseconds(pause(random_)))) continue;
      command.kill(SIGKILL);
      command.wait();
      ++kills_;
    }
  }

  BarmanHome& barman_;
  const std::vector<std::string> arguments_;
  std::mt19937 random_;
  std::atomic<int> kills_ = 0;
  std::jthread thread_;
};

// As archive_command does: one file after the other, each again until put-wal has answered 0; it is
// killed now and then.
class Sender {
 public:
  Sender(BarmanHome& barman, unsigned seed) : barman_(barman), random_(seed) {}
  int kills() const { return kills_; }

  void send(const std::string& name, const std::string& content) {
    write_text(place_.path() / name, content);
    run_checked({.argv = {"sh", "-c",
                          fmt::format("cd {0} && sha256sum --binary {1} > SHA256SUMS && tar -cf "
                                      "stream {1} SHA256SUMS",
                                      place_.path().string(), name)}});
    CommandRequest request = barman_.request({"put-wal", "main"});
    request.input = read_text(place_.path() / "stream");
    for (int attempt = 1; attempt < 30; ++attempt) {
      // It gets more time from attempt to attempt, however slow the machine is.
      std::uniform_int_distribution<int> pause(5, attempt * 100);
      BackgroundCommand command(request);
      auto result = command.wait(milliseconds(pause(random_)));
      if (!result) {
        command.kill(SIGKILL);
        result = command.wait();
        ++kills_;
      }
      if (result && result->exit_code == 0) return;
    }
    ADD_FAILURE() << name << " cannot be sent";
  }

 private:
  BarmanHome& barman_;
  const TempDir place_;
  std::mt19937 random_;
  int kills_ = 0;
};

TEST(WalIndex, LosesAndDoublesNothingUnderManyWritersAndKills) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  constexpr int kSegments = 600;
  BarmanHome barman;
  barman.add_section("main", {{"description", "main"},
                              {"conninfo", "host=/nonexistent user=nobody"},
                              {"archiver", "on"},
                              {"compression", "lz4"},
                              {"backup_method", "postgres"},
                              {"streaming_conninfo", "host=/nonexistent user=nobody"}});
  const fs::path incoming = barman.server_directory("main") / "incoming";
  fs::create_directories(incoming);
  std::set<std::string> sent;
  for (int i = 1; i <= kSegments; ++i) sent.insert(fmt::format("0000000100000000{:08X}", i));
  const auto content_of = [](const std::string& name) {
    const int number = std::stoi(name.substr(16), nullptr, 16);
    return wal_segment(name, std::string(20000, static_cast<char>('a' + number % 20)));
  };
  int kills = 0;
  Sender sender(barman, seed + 3);
  {
    Hammer first(barman, {"archive-wal", "main"}, seed);
    Hammer second(barman, {"archive-wal", "main"}, seed + 1);
    Hammer third(barman, {"rebuild-xlogdb", "main"}, seed + 2);
    // Some by put-wal, the others as rsync would.
    const auto is_sent = [](const std::string& name) { return name.ends_with('6'); };
    std::jthread sending([&] {
      for (const std::string& name : sent) {
        if (is_sent(name)) sender.send(name, content_of(name));
      }
    });
    for (const std::string& name : sent) {
      if (is_sent(name)) continue;
      write_text(incoming / ("." + name), content_of(name));
      fs::rename(incoming / ("." + name), incoming / name);
      std::this_thread::sleep_for(milliseconds(20));
    }
    sending.join();
    kills = first.kills() + second.kills() + third.kills();
  }
  EXPECT_GE(kills, 10) << "hardly anybody was killed";
  EXPECT_GE(sender.kills(), 5) << "put-wal was hardly ever killed";
  const CommandResult last = barman.run({"archive-wal", "main"});
  EXPECT_EQ(last.exit_code, 0) << last.err;
  for (const auto& left : fs::directory_iterator(incoming)) {
    EXPECT_TRUE(left.path().filename().string().starts_with('.')) << left.path();
  }
  EXPECT_TRUE(!fs::exists(barman.server_directory("main") / "errors") ||
              fs::is_empty(barman.server_directory("main") / "errors"));

  const std::vector<std::string> lines = indexed_wals(barman, "main");
  const std::set<std::string> names(lines.begin(), lines.end());
  EXPECT_EQ(lines.size(), names.size()) << "a line is there twice";
  EXPECT_EQ(names.size(), sent.size()) << "a line is lost";
  for (const std::string& name : sent) {
    EXPECT_TRUE(names.contains(name)) << name;
    if (!name.ends_with('7')) continue;
    EXPECT_TRUE(barman.run({"get-wal", "main", name}).out == content_of(name)) << name;
  }
}

// An archive that takes a while to look at; no PostgreSQL.
class BigArchive : public ::testing::Test {
 protected:
  void SetUp() override {
    barman_.add_section("main", {{"conninfo", "host=/nowhere user=barman dbname=postgres"},
                                 {"archiver", "on"},
                                 {"backup_method", "postgres"},
                                 {"streaming_conninfo", "host=/nowhere user=barman"}});
    for (unsigned log = 0; log < 40; ++log) {
      const fs::path directory = wals() / fmt::format("00000001{:08X}", log);
      fs::create_directories(directory);
      for (unsigned segment = 0; segment < 256; ++segment) {
        write_text(directory / fmt::format("00000001{:08X}{:08X}", log, segment), "wal");
      }
    }
    EXPECT_EQ(barman_.run({"rebuild-xlogdb", "main"}).exit_code, 0);
    complete_ = read_text(index());
    EXPECT_EQ(std::count(complete_.begin(), complete_.end(), '\n'), 40 * 256);
    // What a rebuild would change.
    old_ = complete_.substr(0, complete_.find('\n') + 1);
    write_text(index(), old_);
  }
  fs::path wals() const { return barman_.server_directory("main") / "wals"; }
  fs::path index() const { return wals() / "main-xlog.db"; }

  BarmanHome barman_;
  std::string complete_;
  std::string old_;
};

TEST_F(BigArchive, AKilledRebuildLeavesTheOldIndexOrTheNewOne) {
  int survivors = 0;
  for (int attempt = 0; attempt < 12; ++attempt) {
    BackgroundCommand command = barman_.spawn({"rebuild-xlogdb", "main"});
    std::this_thread::sleep_for(std::chrono::milliseconds(attempt * 60));
    command.kill(SIGKILL);
    command.wait();
    const std::string text = read_text(index());
    ASSERT_TRUE(text == old_ || text == complete_) << text.size();
    if (text == old_) ++survivors;
    write_text(index(), old_);
  }
  EXPECT_GT(survivors, 0) << "it was killed too late to prove anything";
  EXPECT_EQ(barman_.run({"rebuild-xlogdb", "main"}).exit_code, 0);
  EXPECT_TRUE(read_text(index()) == complete_);
}

TEST_F(BigArchive, AnInterruptedRebuildSaysSoAndCleansUp) {
  bool was_interrupted = false;
  for (int attempt = 0; attempt < 30 && !was_interrupted; ++attempt) {
    BackgroundCommand command = barman_.spawn({"rebuild-xlogdb", "main"});
    // As soon as it has begun with the new file.
    eventually([&] { return fs::exists(index().string() + ".tmp") || !command.is_running(); });
    command.kill(SIGINT);
    const auto result = command.wait();
    ASSERT_TRUE(result);
    EXPECT_FALSE(fs::exists(index().string() + ".tmp"));
    was_interrupted = result->exit_code != 0;
    if (was_interrupted) {
      EXPECT_THAT(result->err, HasSubstr("Process interrupted by user"));
      EXPECT_TRUE(read_text(index()) == old_);
    } else {
      EXPECT_TRUE(read_text(index()) == complete_);
    }
    write_text(index(), old_);
  }
  EXPECT_TRUE(was_interrupted);
}

}  // namespace
}  // namespace barman::test

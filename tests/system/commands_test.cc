// The commands around backups, word by word: what they print, where, and their exit codes. The
// expected texts are in tests/golden.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <regex>

#include "base/text.h"
#include "support/barman_home.h"
#include "support/catalogue_files.h"
#include "support/eventually.h"
#include "support/golden.h"
#include "support/postgres_server.h"
#include "support/privileges.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

using Arguments = std::vector<std::string>;

class Commands : public testing::Test {
 protected:
  Commands() {
    words_.replace(barman_.directory().string(), "<DIR>");
    words_.replace(postgres_.directory().string(), "<PG>");
    words_.replace(std::to_string(postgres_.port()), "<PORT>");
    words_.replace(barman_program().string(), "<PROGRAM>");
    barman_.add_streaming_server("main", postgres_, {{"description", "Main database"}});
  }

  // How many WAL files there are depends on how quick the receiver was.
  std::string without_counts(const std::string& text) const {
    const std::string words = words_(text);
    return std::regex_replace(words, std::regex("(\"count\": )\\d+|\\d+ files?(?=, )"), "$1<N>");
  }

  CommandResult golden(const std::string& name, const Arguments& arguments) {
    return golden_result(name, arguments, barman_.run(arguments));
  }

  // While the receiver has everything: PostgreSQL writes some WAL by itself now and then.
  void golden_at_rest(const std::string& name, const Arguments& arguments) {
    const auto position = [&] {
      return postgres_.query(
          "SELECT pg_current_wal_lsn() FROM pg_stat_replication "
          "HAVING bool_and(write_lsn = pg_current_wal_lsn())");
    };
    std::optional<CommandResult> result;
    ASSERT_TRUE(eventually([&] {
      const Rows before = position();
      if (before.empty()) return false;
      result = barman_.run(arguments);
      return position() == before;
    }));
    golden_result(name, arguments, *result);
  }

  CommandResult golden_result(const std::string& name, const Arguments& arguments,
                              const CommandResult& result) {
    SCOPED_TRACE(testing::PrintToString(arguments));
    expect_golden(name, words_(transcript(result)));
    return result;
  }

  std::string run(const Arguments& arguments) {
    const CommandResult result = barman_.run(arguments);
    EXPECT_EQ(result.exit_code, 0) << testing::PrintToString(arguments) << result.out;
    EXPECT_EQ(result.err, "") << testing::PrintToString(arguments);
    return result.out;
  }

  void begin_streaming() {
    run({"receive-wal", "--create-slot", "main"});
    receiver_.emplace(barman_.spawn_receiver("main", postgres_));
  }

  std::string back_up() {
    run({"backup", "--wait", "main"});
    return barman_.backup_ids("main").back();
  }

  // Closes a segment; it is in the archive afterwards.
  std::string next_wal() {
    const std::string out = run({"switch-wal", "--force", "--archive", "main"});
    return out.substr(std::string("The WAL file ").size(), 24);
  }

  // Until the receiver has all that PostgreSQL has written.
  void wait_for_receiver() {
    postgres_.wait_until(
        "(SELECT bool_and(write_lsn = pg_current_wal_lsn()) FROM pg_stat_replication)");
  }

  PostgresServer postgres_;
  BarmanHome barman_;
  Normalizer words_;
  std::optional<BackgroundCommand> receiver_;
};

TEST_F(Commands, TellWhatIsMissingBeforeAnythingIsSetUp) {
  barman_.set("main", "check_timeout", "3");
  golden("check/nothing_set_up", {"check", "main"});
  golden("check/nothing_set_up_json", {"-f", "json", "check", "main"});
  golden("check/nothing_set_up_nagios", {"check", "--nagios", "main"});
  golden("list-backups/none", {"list-backups", "main"});
  golden("list-backups/none_json", {"-f", "json", "list-backups", "main"});
  golden("status/no_backup", {"status", "main"});
  golden("replication-status/nobody", {"replication-status", "main"});
  golden("replication-status/nobody_json", {"-f", "json", "replication-status", "main"});
  golden("replication-status/nobody_minimal", {"replication-status", "--minimal", "main"});
  golden("backup/no_slot", {"backup", "main"});
  golden("receive-wal/no_slot", {"receive-wal", "main"});
  golden("receive-wal/drop_missing_slot", {"receive-wal", "--drop-slot", "main"});
  golden("show-backup/unknown", {"show-backup", "main", "latest"});
  golden("check/unknown_server", {"check", "nobody"});
  golden("check/unknown_server_nagios", {"check", "--nagios", "nobody"});
  EXPECT_THAT(barman_.backup_ids("main"), IsEmpty());
}

TEST_F(Commands, TellThatPostgresIsDown) {
  begin_streaming();
  back_up();
  postgres_.stop();
  receiver_->kill(SIGINT);  // it would wait for PostgreSQL to come back
  receiver_->wait();
  golden("check/postgres_down", {"check", "main"});
  golden("status/postgres_down", {"status", "main"});
  golden("backup/postgres_down", {"backup", "main"});
  golden("replication-status/postgres_down", {"replication-status", "main"});
  golden("switch-wal/postgres_down", {"switch-wal", "main"});
  golden("receive-wal/postgres_down", {"receive-wal", "main"});
}

TEST_F(Commands, ManageTheReplicationSlot) {
  golden("receive-wal/create_slot", {"receive-wal", "--create-slot", "main"});
  golden("receive-wal/create_slot_again", {"receive-wal", "--create-slot", "main"});
  golden("receive-wal/create_slot_again_json",
         {"-f", "json", "receive-wal", "--create-slot", "main"});
  golden("receive-wal/create_slot_if_not_exists",
         {"receive-wal", "--create-slot", "--if-not-exists", "main"});
  receiver_.emplace(barman_.spawn_receiver("main", postgres_));
  golden("receive-wal/already_running", {"receive-wal", "main"});
  golden("receive-wal/drop_active_slot", {"receive-wal", "--drop-slot", "main"});
  receiver_->kill(SIGINT);
  const CommandResult ended = receiver_->wait().value();
  EXPECT_EQ(ended.exit_code, 0);
  EXPECT_THAT(ended.out, StartsWith("Starting receive-wal for server main\n"));
  EXPECT_THAT(ended.out, HasSubstr("SIGINT received. Terminate gracefully.\n"));
  EXPECT_EQ(ended.err, "");
  postgres_.wait_until("NOT (SELECT active FROM pg_replication_slots)");
  golden("receive-wal/drop_slot", {"receive-wal", "--drop-slot", "main"});
}

TEST_F(Commands, ShowABackupAndItsServer) {
  begin_streaming();
  golden("backup/first", {"backup", "--wait", "--name", "nightly", "main"});
  next_wal();
  golden("list-backups/one", {"list-backups", "main"});
  golden("list-backups/one_json", {"-f", "json", "list-backups", "main"});
  golden("list-backups/one_minimal", {"list-backups", "--minimal", "main"});
  golden("show-backup/only", {"show-backup", "main", "latest"});
  golden("show-backup/only_json", {"-f", "json", "show-backup", "main", "nightly"});
  golden("check/fine", {"check", "main"});
  golden("check/fine_json", {"-f", "json", "check", "main"});
  golden("check/fine_nagios", {"check", "--nagios", "main"});
  golden("status/fine", {"status", "main"});
  golden("status/fine_json", {"-f", "json", "status", "main"});
  golden("list-servers/one", {"list-servers"});
  golden("list-servers/one_json", {"-f", "json", "list-servers"});
  golden("check-backup/fine", {"check-backup", "main", "latest"});
  wait_for_receiver();
  golden_at_rest("replication-status/receiver", {"replication-status", "main"});
  golden_at_rest("replication-status/receiver_json", {"-f", "json", "replication-status", "main"});
  golden_at_rest("replication-status/receiver_minimal",
                 {"replication-status", "--minimal", "main"});
  golden("replication-status/standbys", {"replication-status", "--target", "hot-standby", "main"});
  golden_at_rest("replication-status/wal_streamers_minimal",
                 {"replication-status", "--minimal", "--target", "wal-streamer", "main"});
  golden("show-servers/streaming", {"show-servers", "main"});
  golden("show-servers/streaming_json", {"-f", "json", "show-servers", "main"});
}

TEST_F(Commands, AreSilentWhenAskedTo) {
  begin_streaming();
  for (const Arguments& arguments :
       {Arguments{"backup", "--wait", "main"}, Arguments{"list-backups", "main"},
        Arguments{"show-backup", "main", "latest"}, Arguments{"status", "main"},
        Arguments{"check", "main"}, Arguments{"list-servers"},
        Arguments{"switch-wal", "--force", "--archive", "main"}, Arguments{"archive-wal", "main"},
        Arguments{"replication-status", "main"}, Arguments{"delete", "main", "latest"}}) {
    Arguments quiet{"-q"};
    quiet.insert(quiet.end(), arguments.begin(), arguments.end());
    EXPECT_EQ(run(quiet), "") << arguments[0];
  }
  const CommandResult refused = barman_.run({"-q", "show-backup", "main", "latest"});
  EXPECT_EQ(refused.err,
            "ERROR: Unknown backup 'latest' for server 'main'\n"
            "HINT: Server 'main' has no backups. Take one: 'barman backup main'.\n");
  EXPECT_EQ(refused.exit_code, 1);
}

TEST_F(Commands, CloseAndArchiveWal) {
  begin_streaming();
  golden("switch-wal/archive", {"switch-wal", "--force", "--archive", "main"});
  golden("switch-wal/force", {"switch-wal", "--force", "main"});
  golden("switch-wal/unknown_server", {"switch-wal", "nobody"});
  const auto closed_segments = [&] {
    std::size_t count = 0;
    for (const auto& entry :
         fs::directory_iterator(barman_.server_directory("main") / "streaming")) {
      if (entry.path().extension() != ".partial") ++count;
    }
    return count;
  };
  ASSERT_TRUE(eventually([&] { return closed_segments() == 1; }));
  wait_for_receiver();
  golden("archive-wal/one", {"archive-wal", "main"});
  EXPECT_EQ(closed_segments(), 0U);
  golden("archive-wal/nothing", {"archive-wal", "main"});
  golden("archive-wal/nothing_json", {"-f", "json", "archive-wal", "main"});
}

TEST_F(Commands, MoveWhatIsNoWalOutOfTheWay) {
  barman_.set("main", "archiver", "on");
  begin_streaming();
  const std::string wal = next_wal();
  const fs::path incoming = barman_.server_directory("main") / "incoming";
  const fs::path errors = barman_.server_directory("main") / "errors";
  fs::create_directories(incoming);
  write_text(incoming / "letter", "dear");
  write_text(incoming / wal, read_text(archived_wal(barman_, "main", wal)));
  write_text(incoming / "being-copied.tmp", "half");
  golden("archive-wal/unknown_object", {"archive-wal", "main"});
  EXPECT_FALSE(fs::exists(incoming / wal)) << "an identical duplicate";
  EXPECT_TRUE(fs::exists(incoming / "being-copied.tmp"));
  std::string changed = read_text(archived_wal(barman_, "main", wal));
  changed.back() ^= 1;
  write_text(incoming / wal, changed);
  golden("archive-wal/duplicate", {"archive-wal", "main"});
  std::vector<std::string> kinds;
  for (const auto& entry : fs::directory_iterator(errors)) {
    kinds.push_back(entry.path().extension().string());
  }
  EXPECT_THAT(kinds, testing::UnorderedElementsAre(".unknown", ".duplicate"));
  EXPECT_THAT(barman_.run({"check", "main"}).out,
              HasSubstr("\tarchiver errors: FAILED (unknown: 1, duplicates: 1)\n"));
}

TEST_F(Commands, HandOutWal) {
  begin_streaming();
  const std::string first = next_wal();
  const std::string second = next_wal();
  wait_for_receiver();
  const std::string content = read_text(archived_wal(barman_, "main", first));
  EXPECT_EQ(run({"get-wal", "main", first}), content);
  EXPECT_EQ(run({"-f", "json", "get-wal", "main", first}), content);
  EXPECT_EQ(run({"-q", "get-wal", "main", first}), content);
  EXPECT_EQ(run({"get-wal", "--peek", "5", "main", first}), first + "\n" + second + "\n");
  golden("get-wal/test", {"get-wal", "--test", "main", "any"});
  golden("get-wal/bad_name", {"get-wal", "main", "letter"});
  golden("get-wal/missing", {"get-wal", "main", "0000000900000009000000F0"});
  golden("get-wal/no_name", {"get-wal", "main"});

  const TempDir place;
  const fs::path file = place.path() / first;
  EXPECT_EQ(run({"get-wal", "-o", place.path().string(), "main", first}),
            "Sending WAL '" + first + "' for server 'main' into '" + file.string() + "' file\n");
  EXPECT_EQ(read_text(file), content);
  const CommandResult no_directory =
      barman_.run({"get-wal", "-o", (place.path() / "no").string(), "main", first});
  EXPECT_EQ(no_directory.exit_code, 3);
  EXPECT_THAT(no_directory.err, StartsWith("ERROR: Unable to open '" +
                                           (place.path() / "no" / first).string() + "' file: "));
  EXPECT_EQ(
      barman_.run({"get-wal", "-o", place.path().string(), "main", "0000000900000009000000F0"})
          .exit_code,
      1);
  EXPECT_FALSE(fs::exists(place.path() / "0000000900000009000000F0"));

  const std::string current = postgres_.value("SELECT pg_walfile_name(pg_current_wal_lsn())");
  EXPECT_EQ(barman_.run({"get-wal", "main", current}).exit_code, 1);
  // An empty one, the mark of the receiver, counts as missing.
  const fs::path received = barman_.server_directory("main") / "streaming" / (current + ".partial");
  postgres_.query("SELECT pg_create_restore_point('something to receive')");
  ASSERT_TRUE(eventually([&] { return fs::exists(received) && fs::file_size(received) > 0; }));
  wait_for_receiver();  // it has its full size before the content arrives
  // More may arrive meanwhile (PostgreSQL logs its running transactions by itself).
  EXPECT_TRUE(eventually([&] {
    const std::string before = read_text(received);
    return run({"get-wal", "--partial", "main", current}) == before;
  }));
}

TEST_F(Commands, DeleteABackupWithItsWal) {
  begin_streaming();
  const std::string first = back_up();
  const std::string first_wal = read_backup_info(barman_, "main", first).at("begin_wal");
  next_wal();
  const std::string second = back_up();
  const std::string second_wal = read_backup_info(barman_, "main", second).at("begin_wal");
  barman_.set("main", "minimum_redundancy", "2");
  golden("delete/minimum_redundancy", {"delete", "main", first});
  EXPECT_THAT(barman_.backup_ids("main"), ElementsAre(first, second));
  barman_.set("main", "minimum_redundancy", "1");
  golden("show-backup/older_of_two", {"show-backup", "main", first});
  golden("delete/oldest", {"delete", "main", "oldest"});
  EXPECT_THAT(barman_.backup_ids("main"), ElementsAre(second));
  EXPECT_FALSE(fs::exists(barman_.server_directory("main") / "meta" / (first + "-backup.info")));
  EXPECT_FALSE(fs::exists(archived_wal(barman_, "main", first_wal)));
  EXPECT_TRUE(fs::exists(archived_wal(barman_, "main", second_wal)));
  EXPECT_THAT(archived_wal_names(barman_, "main"), testing::Each(testing::Ge(second_wal)));
  golden("delete/unknown", {"delete", "main", first});
  golden("delete/last_with_redundancy", {"delete", "main", "latest"});
  barman_.set("main", "minimum_redundancy", "0");
  golden("delete/last_json", {"-f", "json", "delete", "main", second});
  EXPECT_THAT(barman_.backup_ids("main"), IsEmpty());
  EXPECT_EQ(run({"list-backups", "main"}), "");
}

TEST_F(Commands, KeepABackupWaitingUntilItsWalArrives) {
  run({"receive-wal", "--create-slot", "main"});
  {
    BackgroundCommand receiver = barman_.spawn_receiver("main", postgres_);
    next_wal();
    receiver.kill(SIGINT);
    receiver.wait();
  }
  // Without a receiver the check refuses; so it must run, and be held while the backup ends.
  receiver_.emplace(barman_.spawn_receiver("main", postgres_));
  receiver_->kill(SIGSTOP);
  golden("backup/waiting_for_wals", {"backup", "main"});
  const std::string id = barman_.backup_ids("main").at(0);
  EXPECT_EQ(read_backup_info(barman_, "main", id).at("status"), "WAITING_FOR_WALS");
  golden("list-backups/waiting_for_wals", {"list-backups", "main"});
  golden("backup/wait_timeout", {"backup", "--wait", "--wait-timeout", "1", "main"});
  receiver_->kill(SIGCONT);
  next_wal();
  EXPECT_EQ(run({"check-backup", "main", id}), "");
  EXPECT_EQ(read_backup_info(barman_, "main", id).at("status"), "DONE");
}

TEST_F(Commands, RunFromCron) {
  run({"receive-wal", "--create-slot", "main"});
  golden("cron/first", {"cron"});
  postgres_.wait_until(
      "EXISTS (SELECT FROM pg_stat_replication WHERE application_name = 'barman_receive_wal')");
  golden("receive-wal/already_running_by_cron", {"receive-wal", "main"});
  const std::string first = back_up();
  postgres_.query("SELECT pg_switch_wal()");
  const std::string second = back_up();
  const std::string begin_wal = read_backup_info(barman_, "main", second).at("begin_wal");
  const std::string first_wal = archived_wal_names(barman_, "main").front();
  ASSERT_TRUE(
      eventually([&] { return run({"cron"}) == "Starting WAL archiving for server main\n"; }));

  barman_.set("main", "retention_policy", "REDUNDANCY 1");
  golden("list-backups/obsolete", {"list-backups", "main"});
  golden("list-backups/obsolete_json", {"-f", "json", "list-backups", "main"});
  golden("status/retention", {"status", "main"});
  const std::size_t wal_count = archived_wal_names(barman_, "main").size();
  expect_golden("cron/dry_run", without_counts(run({"cron", "--dry-run"})));
  const std::string preview = run({"-f", "json", "cron", "--dry-run"});
  expect_golden("cron/dry_run_json", without_counts(preview));
  expect_golden("delete/dry_run", without_counts(run({"delete", "--dry-run", "main", first})));
  EXPECT_THAT(barman_.backup_ids("main"), ElementsAre(first, second));
  EXPECT_THAT(archived_wal_names(barman_, "main"), SizeIs(wal_count));
  golden("cron/retention", {"cron"});
  const auto wal_preview = nlohmann::json::parse(preview).at("main").at("wal");
  EXPECT_EQ(wal_preview.at("keep").at("count"), archived_wal_names(barman_, "main").size());
  EXPECT_EQ(wal_preview.at("delete").at(0).at("first"), first_wal);
  EXPECT_THAT(barman_.backup_ids("main"), ElementsAre(second));
  EXPECT_THAT(archived_wal_names(barman_, "main"), testing::Each(testing::Ge(begin_wal)));
  for (const IndexedWal& line : read_wal_index(barman_, "main")) EXPECT_GE(line.name, begin_wal);
  EXPECT_EQ(run({"check-backup", "main", second}), "");

  barman_.set("main", "active", "false");
  golden("cron/inactive", {"cron"});
  golden("receive-wal/create_slot_inactive", {"receive-wal", "--create-slot", "main"});
  golden("receive-wal/reset_inactive", {"receive-wal", "--reset", "main"});
  postgres_.wait_until(
      "NOT EXISTS (SELECT FROM pg_stat_replication WHERE application_name = 'barman_receive_wal')");
}

TEST_F(Commands, PrintARestore) {
  postgres_.query("ALTER SYSTEM SET archive_command = 'cp %p /srv/wal/%f'");
  postgres_.query("ALTER SYSTEM SET unix_socket_directories = '/run/postgresql'");
  postgres_.query("ALTER SYSTEM SET recovery_target_action = 'promote'");
  begin_streaming();
  back_up();
  postgres_.query("SELECT pg_create_restore_point('here')");
  const std::string position = postgres_.value("SELECT pg_current_wal_lsn()");
  next_wal();
  // What PostgreSQL writes by itself, sooner or later, is not part of the story.
  receiver_.reset();
  for (const fs::directory_entry& entry :
       fs::directory_iterator(barman_.server_directory("main") / "streaming")) {
    if (entry.path().extension() == ".partial") fs::resize_file(entry.path(), 0);
  }
  const TempDir place;
  words_.replace(place.path().string(), "<PLACE>");
  const std::string plain = (place.path() / "plain").string();
  golden("restore/plain", {"restore", "main", "latest", plain});
  golden("restore/not_empty", {"restore", "main", "latest", plain});
  golden("restore/lsn",
         {"restore", "--target-lsn", position, "main", "auto", (place.path() / "lsn").string()});
  golden("restore/name", {"restore", "--target-name", "here", "--target-action", "shutdown", "main",
                          "latest", (place.path() / "name").string()});
  golden("restore/get_wal",
         {"restore", "--get-wal", "main", "latest", (place.path() / "get_wal").string()});
  golden("restore/json",
         {"-f", "json", "restore", "main", "latest", (place.path() / "json").string()});
  golden("restore/no_zone", {"restore", "--skip-wal-check", "--target-time", "2130-01-01 00:00:00",
                             "main", "latest", (place.path() / "no_zone").string()});
  golden("restore/unknown_backup", {"restore", "main", "nightly", (place.path() / "a").string()});
  golden("restore/bad_tablespace_rule",
         {"restore", "--tablespace", "tbs9", "main", "latest", (place.path() / "a").string()});
  golden("restore/unknown_tablespace",
         {"restore", "--tablespace", "tbs9:/x", "main", "latest", (place.path() / "a").string()});
  golden("restore/colon", {"restore", "main", "latest", "db2:/srv/pg"});
  golden("restore/bad_time",
         {"restore", "--target-time", "notatime", "main", "latest", (place.path() / "a").string()});
  golden("restore/bad_action",
         {"restore", "--target-action", "dance", "main", "latest", (place.path() / "a").string()});
  EXPECT_FALSE(fs::exists(place.path() / "a"));
}

}  // namespace
}  // namespace barman::test

// What `doctor` prints is pasted as it stands, by a person who knows nothing else: afterwards
// `check` is OK.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "base/text.h"
#include "support/barman_home.h"
#include "support/postgres_server.h"
#include "support/postgres_version.h"
#include "support/ssh_server.h"
#include "support/streaming_site.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::Contains;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::Not;

using Cures = nlohmann::json;

constexpr int kMostRounds = 8;
constexpr const char* kSecret = "a:secret";
constexpr const char* kEscapedSecret = "a\\:secret";

Cures cures_of(BarmanHome& barman, const std::vector<std::string>& options = {}) {
  std::vector<std::string> arguments = {"-f", "json", "doctor"};
  arguments.insert(arguments.end(), options.begin(), options.end());
  arguments.emplace_back("main");
  const CommandResult result = barman.run(arguments);
  const Cures answer = Cures::parse(result.out, nullptr, false);
  if (answer.is_discarded() || !answer.contains("main")) {
    ADD_FAILURE() << result.out << result.err;
    return Cures::array();
  }
  EXPECT_EQ(result.exit_code, answer["main"]["cures"].empty() ? 0 : 1) << result.out;
  return answer["main"]["cures"];
}

std::set<std::string> checks_of(const Cures& cures) {
  std::set<std::string> checks;
  for (const auto& cure : cures)
    for (const auto& check : cure["checks"]) checks.insert(check);
  return checks;
}

// Somebody with a terminal on either host.
class Person {
 public:
  Person(BarmanHome& barman, PostgresServer& postgres) : barman_(barman), postgres_(postgres) {}

  void follow(const Cures& cures) {
    bool is_sql_done = false;
    for (const auto& cure : cures) {
      const std::string place = cure["place"];
      const std::vector<std::string> lines = cure["lines"];
      if (place == "pg_hba.conf") {
        let_in(lines);
      } else if (place == "psql") {
        if (!is_sql_done) run_script(cures);
        is_sql_done = true;
      } else if (place == "configuration" || place == "database_host") {
        ADD_FAILURE() << cure;
      } else {
        for (const std::string& line : lines) type(line);
      }
    }
  }

  // `barman doctor --sql main | psql`, then the passwords that it asks for, and the restart.
  void run_script(const Cures& cures) {
    const CommandResult script = barman_.run({"doctor", "--sql", "main"});
    EXPECT_EQ(script.exit_code, 1);
    const CommandResult result =
        run_command({.argv = {find_tool(kUsualMajor, "psql").string(), "-X", "-q", "-v",
                              "ON_ERROR_STOP=1", "-d", postgres_.conninfo(), "-f", "-"},
                     .input = script.out});
    EXPECT_EQ(result.exit_code, 0) << script.out << result.err;
    for (const std::string& line : split(result.out, '\n')) {
      const std::size_t command = line.find("\\password ");
      if (command == std::string::npos) continue;
      postgres_.query(fmt::format("ALTER ROLE {} PASSWORD '{}'",
                                  line.substr(command + std::string("\\password ").size()),
                                  kSecret));
    }
    for (const auto& cure : cures) {
      if (!cure["needs_restart"].get<bool>()) continue;
      EXPECT_THAT(result.out, HasSubstr("restart PostgreSQL"));
      return postgres_.restart();
    }
  }

 private:
  void let_in(const std::vector<std::string>& lines) {
    const fs::path file = postgres_.data_directory() / "pg_hba.conf";
    write_text(file, join(lines, "\n") + "\n" + read_text(file));
    postgres_.query("SELECT pg_reload_conf()");
  }

  void type(const std::string& line) {
    if (line.find(":*:") != std::string::npos) {
      const fs::path file = barman_.directory() / ".pgpass";
      const std::string text = fs::exists(file) ? read_text(file) : "";
      write_text(file, text + replace_all(line.substr(2), "PASSWORD", kEscapedSecret) + "\n");
      fs::permissions(file, fs::perms(0600));
      return;
    }
    // It waits for the line that was just typed.
    if (line.starts_with('#') || line.starts_with("(umask")) return;
    std::map<std::string, std::string> environment = barman_.environment_for_restore_command();
    environment["HOME"] = barman_.directory().string();
    const CommandResult result =
        run_command({.argv = {"sh", "-c", line}, .environment = environment});
    EXPECT_EQ(result.exit_code, 0) << line << "\n" << result.out << result.err;
  }

  BarmanHome& barman_;
  PostgresServer& postgres_;
};

TEST(Doctor, FromNothingToACheckThatIsOk) {
  PostgresServer postgres({.settings = {{"wal_level", "minimal"}, {"max_wal_senders", "0"}},
                           .authentication = Authentication::scram_sha_256});
  write_text(postgres.data_directory() / "pg_hba.conf", "local all postgres trust\n");
  postgres.query("SELECT pg_reload_conf()");
  BarmanHome barman;
  barman.add_streaming_server("main", postgres,
                              {{"conninfo", postgres.tcp_conninfo("doctor")},
                               {"streaming_conninfo", postgres.tcp_conninfo("doctor_stream")}});
  // Written by somebody who was in a hurry.
  const fs::path passwords = barman.directory() / ".pgpass";
  write_text(passwords, "elsewhere:5432:*:x:y\n");
  fs::permissions(passwords, fs::perms(0644));

  EXPECT_EQ(barman.run({"check", "main"}).exit_code, 1);
  fs::remove_all(barman.server_directory("main"));
  const Cures lost = cures_of(barman);
  EXPECT_EQ(checks_of(lost), std::set<std::string>{"directories"});
  EXPECT_THAT(lost.dump(), AllOf(HasSubstr("Is its disk mounted?"), Not(HasSubstr("install -d"))));
  for (const fs::path& place : {barman.home(), barman.directory()}) {
    EXPECT_TRUE(fs::remove(place / ".main-catalogue"));
  }
  Person person(barman, postgres);
  std::set<std::string> seen;
  Cures cures = cures_of(barman);
  EXPECT_FALSE(fs::exists(barman.server_directory("main"))) << "doctor changes nothing";
  for (int round = 0; round < kMostRounds && !cures.empty(); ++round) {
    seen.merge(checks_of(cures));
    person.follow(cures);
    cures = cures_of(barman);
  }
  EXPECT_THAT(cures, IsEmpty()) << cures;
  EXPECT_THAT(
      seen, AllOf(Contains("PostgreSQL"), Contains("PostgreSQL streaming"), Contains("directories"),
                  Contains("replication slot"), Contains("receive-wal running")));
  const CommandResult check = barman.run({"check", "main"});
  EXPECT_EQ(check.exit_code, 0) << check.out;
}

TEST(Doctor, GivesTheMissingRightsAndSaysHowLongArchiveCommandFails) {
  PostgresServer postgres({.settings = {{"archive_mode", "on"}, {"archive_command", "false"}}});
  postgres.query("CREATE ROLE doctor LOGIN; SELECT pg_switch_wal()");
  postgres.wait_until("failed_count > 0 FROM pg_stat_archiver");
  BarmanHome barman;
  barman.add_streaming_server("main", postgres,
                              {{"conninfo", postgres.conninfo("doctor")}, {"archiver", "on"}});
  Person person(barman, postgres);
  Cures cures = cures_of(barman);
  EXPECT_THAT(checks_of(cures), Contains("no access to backup functions"));
  EXPECT_THAT(cures.dump(), HasSubstr("pg_ls_archive_statusdir() TO doctor;"));
  person.run_script(cures);
  cures = cures_of(barman);
  EXPECT_THAT(checks_of(cures), Not(Contains("no access to backup functions")));
  EXPECT_THAT(checks_of(cures), Contains("continuous archiving"));
  EXPECT_THAT(cures.dump(), AllOf(HasSubstr("has never archived a file; "),
                                  HasSubstr(" on PostgreSQL's disk, which must not become full"),
                                  HasSubstr("barman-wal-archive --test ")));
}

TEST(Doctor, AppliesWhatIsHarmlessWhenItIsAsked) {
  PostgresServer postgres;
  BarmanHome barman;
  barman.add_streaming_server("main", postgres);
  EXPECT_THAT(checks_of(cures_of(barman)),
              AllOf(Contains("directories"), Contains("replication slot"),
                    Contains("receive-wal running")));
  EXPECT_EQ(postgres.value("SELECT count(*) FROM pg_replication_slots"), "0");

  const CommandResult applied = barman.run({"doctor", "--apply", "main"});
  EXPECT_THAT(applied.out, HasSubstr("# done: directories: "));
  EXPECT_TRUE(fs::exists(barman.server_directory("main") / "streaming"));
  postgres.wait_until("count(*) = 1 FROM pg_replication_slots WHERE active");
  EXPECT_EQ(barman.run({"switch-wal", "--archive", "main"}).exit_code, 0);
  EXPECT_THAT(cures_of(barman), IsEmpty());
  EXPECT_THAT(barman.run({"doctor", "main"}).out,
              MatchesRegex("Server main: nothing to cure\nDisk: .* free \\([0-9]+ %\\)\n"));
}

// Programs read what check prints; a person gets one line more.
TEST(Doctor, CheckNamesItOnATerminalOnly) {
  PostgresServer postgres;
  BarmanHome barman;
  barman.add_streaming_server("main", postgres);
  EXPECT_THAT(barman.run({"check", "main"}).out, Not(HasSubstr("doctor")));
  const CommandRequest check = barman.request({"check", "main"});
  const CommandResult on_terminal =
      run_command({.argv = {"script", "-qec", join(check.argv, " "), "/dev/null"},
                   .environment = check.environment});
  EXPECT_THAT(on_terminal.out, EndsWith("cure: barman doctor main\r\n"));
}

// The exit code is that of ssh, as scripts know it.
TEST(ClientTest, TellsWhyThereIsNoConnection) {
  if (!SshServer::is_available()) GTEST_SKIP() << SshServer::kUnavailable;
  BarmanHome barman;
  SshServer ssh(barman);
  ssh.stop();
  for (const std::string& program :
       std::vector<std::string>{"barman-wal-archive", "barman-wal-restore"}) {
    std::vector<std::string> argv = ssh.argv(program, {"--test"});
    argv.insert(argv.end(), {"main", "x"});
    if (program == "barman-wal-restore") argv.emplace_back("x");
    const CommandResult result = run_command({.argv = argv, .environment = ssh.environment()});
    EXPECT_EQ(result.exit_code, 255);
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err,
                AllOf(HasSubstr("ERROR: Connection problem with ssh: "),
                      HasSubstr("Connection refused"), HasSubstr("HINT: Check that sshd runs on")));
  }
}

// Each command that cannot connect says what lets it in.
TEST(Doctor, EveryCommandHasTheLineForPgHba) {
  PostgresServer postgres({.authentication = Authentication::scram_sha_256});
  write_text(postgres.data_directory() / "pg_hba.conf", "local all postgres trust\n");
  postgres.query("SELECT pg_reload_conf()");
  BarmanHome barman;
  barman.add_streaming_server("main", postgres,
                              {{"conninfo", postgres.tcp_conninfo("barman")},
                               {"streaming_conninfo", postgres.tcp_conninfo("streaming_barman")}});
  const CommandResult result = barman.run({"switch-wal", "main"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("host postgres barman 127.0.0.1/32 scram-sha-256"));
}

TEST(Init, WritesASectionThatOnlyNeedsWhatDoctorSays) {
  PostgresServer postgres;
  BarmanHome barman;
  const fs::path directory = barman.directory() / "conf.d";
  barman.set("barman", "configuration_files_directory", directory.string());
  const std::string port = std::to_string(postgres.port());
  const std::vector<std::string> init = {"init", "main", "--host", "127.0.0.1", "--port", port};
  EXPECT_THAT(barman.run(init).err, HasSubstr("mkdir '" + directory.string() + "'"));
  fs::create_directories(directory);
  fs::permissions(directory, fs::perms::owner_read | fs::perms::owner_exec);
  EXPECT_THAT(barman.run(init).err,
              HasSubstr("init main --host 127.0.0.1 --port " + port + " --print | sudo tee '"));
  fs::permissions(directory, fs::perms::owner_all);
  const CommandResult result = barman.run(init);
  EXPECT_EQ(result.exit_code, 1) << result.err;
  EXPECT_THAT(result.out, HasSubstr("host postgres barman 127.0.0.1/32 scram-sha-256"));
  EXPECT_THAT(result.out, HasSubstr("\tPostgreSQL: OK\n"));
  EXPECT_THAT(read_text(directory / "main.conf"), HasSubstr("[main]\n"));
  barman.run({"doctor", "--apply", "main"});
  EXPECT_EQ(barman.run({"switch-wal", "--archive", "main"}).exit_code, 0);
  EXPECT_EQ(barman.run({"check", "main"}).exit_code, 0);

  const CommandResult again = barman.run(init);
  EXPECT_EQ(again.exit_code, 1);
  EXPECT_THAT(again.err, HasSubstr("server 'main' is configured already"));
}

class DoctorOn : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Version, DoctorOn, testing::ValuesIn(all_majors()),
                         [](const auto& major) { return std::to_string(major.param); });

// Without roles and rights, up to a check that is OK.
TEST_P(DoctorOn, TheScriptMakesRolesAndRights) {
  PostgresServer postgres({.major = GetParam()});
  BarmanHome barman;
  barman.add_streaming_server("main", postgres,
                              {{"conninfo", postgres.conninfo("doctor")},
                               {"streaming_conninfo", postgres.conninfo("doctor_stream")}});
  Person person(barman, postgres);
  Cures cures = cures_of(barman);
  EXPECT_THAT(checks_of(cures), AllOf(Contains("PostgreSQL"), Contains("PostgreSQL streaming")));
  person.run_script(cures);
  // Only the rights that a backup needs.
  postgres.query("DROP ROLE doctor_stream; CREATE ROLE doctor_stream LOGIN REPLICATION");
  const std::string start = GetParam() >= 15 ? "pg_backup_start(text, boolean)"
                                             : "pg_start_backup(text, boolean, boolean)";
  postgres.query("REVOKE EXECUTE ON FUNCTION " + start +
                 " FROM doctor; REVOKE pg_read_all_settings FROM doctor");
  cures = cures_of(barman);
  EXPECT_THAT(cures.dump(), AllOf(HasSubstr(replace_all(start, ", ", ", ")),
                                  HasSubstr("GRANT pg_read_all_settings TO doctor;")));
  person.run_script(cures);
  barman.run({"doctor", "--apply", "main"});
  EXPECT_EQ(barman.run({"switch-wal", "--archive", "main"}).exit_code, 0);
  EXPECT_THAT(cures_of(barman), IsEmpty());
  EXPECT_EQ(barman.run({"check", "main"}).exit_code, 0);
}

// Worth having, and no failure: configuration files outside of the data directory.
TEST(Doctor, AdvisesTheRightsToKeepConfigurationFiles) {
  PostgresServer postgres;
  const TempDir etc;
  fs::create_directories(etc.path() / "conf.d");
  postgres.move_configuration_to(etc.path());
  BarmanHome barman;
  barman.add_streaming_server("main", postgres);
  barman.run({"doctor", "--apply", "main"});
  EXPECT_EQ(barman.run({"switch-wal", "--archive", "main"}).exit_code, 0);
  const CommandResult advice = barman.run({"doctor", "main"});
  EXPECT_EQ(advice.exit_code, 0) << advice.out;
  EXPECT_THAT(advice.out, AllOf(HasSubstr("Server main: nothing to cure\n"),
                                HasSubstr("worth having, and no failure"),
                                HasSubstr("GRANT pg_read_server_files TO barman;"),
                                HasSubstr("barman doctor --sql main")));
  EXPECT_THAT(cures_of(barman), IsEmpty());
  const CommandResult script = barman.run({"doctor", "--sql", "main"});
  EXPECT_EQ(script.exit_code, 0) << script.out;
  const CommandResult psql =
      run_command({.argv = {find_tool(kUsualMajor, "psql").string(), "-X", "-q", "-v",
                            "ON_ERROR_STOP=1", "-d", postgres.conninfo(), "-f", "-"},
                   .input = script.out});
  EXPECT_EQ(psql.exit_code, 0) << psql.err;
  EXPECT_THAT(barman.run({"doctor", "main"}).out, Not(HasSubstr("worth having")));
  EXPECT_THAT(barman.run({"backup", "--wait", "main"}).err, Not(HasSubstr("manually backup")));
}

// The line of each server comes first.
TEST(Doctor, ShowsAFleetAtAGlance) {
  PostgresServer postgres;
  BarmanHome barman;
  barman.add_streaming_server("main", postgres);
  barman.add_streaming_server("retired", postgres, {{"active", "false"}});
  barman.add_streaming_server("second", postgres, {{"slot_name", "second"}});
  barman.run({"doctor", "--apply", "main"});
  EXPECT_EQ(barman.run({"switch-wal", "--archive", "main"}).exit_code, 0);
  const CommandResult all = barman.run({"doctor", "all"});
  EXPECT_EQ(all.exit_code, 1);
  EXPECT_THAT(all.out, MatchesRegex("main     nothing to cure; disk [^\n]* free[^\n]*\n"
                                    "retired  not in use \\(active = false\\)\n"
                                    "second   [0-9]+ things to cure: [^\n]*replication slot[^\n]*\n"
                                    "\nServer second: (.|\n)*"));
  EXPECT_THAT(all.out, Not(HasSubstr("Server main")));
  EXPECT_THAT(all.out, Not(HasSubstr("Server retired")));
}

// What ssh itself says decides.
class DoctorOfSsh : public testing::Test {
 protected:
  DoctorOfSsh()
      : ssh_(barman_, {.more_configuration = "Match all\n  AuthorizedKeysFile " +
                                             (keys_.path() / "authorized").string() + "\n"}) {
    run_checked({.argv = {"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
                          (keys_.path() / "key").string()}});
    const std::vector<std::string> words = split(ssh_.shell(), ' ');
    barman_.add_streaming_server(
        "main", postgres_,
        {{"backup_method", "rsync"},
         {"ssh_command",
          fmt::format("/usr/bin/ssh -F /dev/null -o IdentityFile={0}/key -o IdentitiesOnly=yes -o "
                      "UserKnownHostsFile={0}/known -o StrictHostKeyChecking=yes {1} {2} {3}",
                      keys_.path().string(), words.at(1), words.at(2), words.at(3))}});
  }

  // A new host key is what another sshd on that port would have.
  void know_host(const std::string& key) {
    write_text(keys_.path() / "known", fmt::format("[127.0.0.1]:{} {}\n", ssh_.port(), key));
  }

  Cures ssh_cures() {
    Cures found = Cures::array();
    for (const auto& cure : cures_of(barman_))
      if (checks_of(Cures::array({cure})).contains("ssh")) found.push_back(cure);
    return found;
  }

  void type(const Cures& cures) {
    for (const auto& cure : cures) {
      for (const std::string line : cure["lines"]) {
        if (line.find("ssh-copy-id") != std::string::npos || line.starts_with("[ -e")) continue;
        const CommandResult result = run_command({.argv = {"sh", "-c", line}});
        EXPECT_EQ(result.exit_code, 0) << line << "\n" << result.err;
      }
    }
  }

  BarmanHome barman_;
  TempDir keys_;
  SshServer ssh_;
  PostgresServer postgres_;
};

TEST_F(DoctorOfSsh, TellsARefusedKeyFromAnotherHostKey) {
  if (!SshServer::is_available()) GTEST_SKIP() << SshServer::kUnavailable;
  // Not known.
  Cures cures = ssh_cures();
  EXPECT_THAT(cures.dump(), HasSubstr("is not known here"));
  // Changed.
  know_host(read_text(keys_.path() / "key.pub"));
  cures = ssh_cures();
  EXPECT_THAT(cures.dump(), AllOf(HasSubstr("has another host key than the known one"),
                                  HasSubstr("-R '[127.0.0.1]:")));
  write_text(keys_.path() / "authorized", read_text(keys_.path() / "key.pub"));
  type(cures);
  EXPECT_THAT(ssh_cures(), IsEmpty());
  // Refused.
  write_text(keys_.path() / "authorized", "");
  cures = ssh_cures();
  EXPECT_THAT(cures.dump(), AllOf(HasSubstr("the key of user "), HasSubstr("is not accepted there"),
                                  HasSubstr("ssh-copy-id "), Not(HasSubstr("\\r"))));
  write_text(keys_.path() / "authorized", read_text(keys_.path() / "key.pub"));
  type(cures);
  EXPECT_THAT(ssh_cures(), IsEmpty());
  ssh_.stop();
  EXPECT_THAT(ssh_cures().dump(), HasSubstr("sudo systemctl status ssh"));
}

}  // namespace
}  // namespace barman::test

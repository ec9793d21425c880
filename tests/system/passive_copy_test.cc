// How a passive node copies backups of files: what is here is not sent again, hard links of the
// primary are hard links here, several connections work at a time; and keeps travel, too.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/text.h"
#include "support/catalogue_files.h"
#include "support/eventually.h"
#include "support/privileges.h"
#include "support/ssh_server.h"
#include "support/streaming_site.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

using Arguments = std::vector<std::string>;

// A primary whose backups share their files, and a node that copies them through a relay that notes
// which files it is asked for.
class PassiveCopy : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!SshServer::is_available()) return;
    // Autovacuum changes files that backups share otherwise.
    primary_ = std::make_unique<StreamingSite>(StreamingSite::Options{
        .postgres = {.settings = {{"autovacuum", "off"}}, .tablespaces = {"ts"}},
        .server = {{"backup_method", "local-rsync"},
                   {"backup_options", "concurrent_backup"},
                   {"reuse_backup", "link"}}});
    ssh_.emplace(primary_->barman);
    primary_->postgres.query(
        "CREATE TABLE t TABLESPACE ts AS SELECT g AS id, repeat('x', 200) AS text "
        "FROM generate_series(1, 20000) g");
    primary_->start_receiver();
    primary_->archive_a_segment();
  }
  static void TearDownTestSuite() {
    ssh_.reset();
    primary_.reset();
  }
  void SetUp() override {
    if (!SshServer::is_available()) GTEST_SKIP() << SshServer::kUnavailable;
    relay_is("exec " + ssh_command() + " \"$@\"");
    passive_.add_section(
        "main", {{"primary_ssh_command", "sh " + relay().string()}, {"parallel_jobs", "3"}});
  }
  // The next test finds a primary without backups.
  void TearDown() override {
    if (!primary_) return;
    for (const std::string& id : primary_->listed_backups()) {
      EXPECT_EQ(primary_->barman.run({"delete", "main", id}).exit_code, 0) << id;
    }
  }
  std::string ssh_command() const {
    return "ssh -p " + std::to_string(ssh_->port()) + " " + user_name() + "@127.0.0.1";
  }
  fs::path relay() const { return place_.path() / "relay"; }
  // The names that are asked for, a file a connection.
  void relay_is(const std::string& otherwise) {
    const std::string names = (place_.path() / "names").string();
    fs::create_directories(names);
    write_text(relay(), "case \"$*\" in *no-recursion*) tee \"$(mktemp " + names + "/XXXXXX)\" | " +
                            ssh_command() + " \"$@\"; exit;; esac\n" + otherwise + "\n");
  }
  std::vector<std::string> asked() {
    std::vector<std::string> names;
    for (const fs::directory_entry& entry : fs::directory_iterator(place_.path() / "names")) {
      for (const std::string& name : split(read_text(entry.path()), '\0')) {
        if (!name.empty()) names.push_back(name);
      }
      fs::remove(entry.path());
    }
    return names;
  }
  CommandResult run(const Arguments& arguments) {
    CommandRequest request = passive_.request(arguments);
    request.environment.merge(ssh_->environment());
    return run_command(request);
  }
  // Asks the primary, and copies one backup.
  CommandResult copy(const std::string& id) {
    fs::create_directories(passive_.server_directory("main"));
    write_text(passive_.server_directory("main") / "primary.info",
               run({"sync-info", "--primary", "main"}).out);
    return run({"sync-backup", "main", id});
  }
  std::string status_of(const std::string& id) {
    return read_backup_info(passive_, "main", id).at("status");
  }
  fs::path base(const std::string& id) const {
    return passive_.server_directory("main") / "base" / id;
  }
  fs::path primary_base(const std::string& id) const {
    return primary_->server_directory() / "base" / id;
  }
  std::string table_file() const {
    const std::string path = primary_->postgres.value("SELECT pg_relation_filepath('t')");
    const std::string oid =
        primary_->postgres.value("SELECT oid FROM pg_tablespace WHERE spcname = 'ts'");
    return oid + "/" + path.substr(path.find("PG_"));
  }
  static ino_t inode_of(const fs::path& path) {
    struct stat status = {};
    EXPECT_EQ(::lstat(path.c_str(), &status), 0) << path;
    return status.st_ino;
  }
  void expect_same_files(const std::string& id) {
    const CommandResult result =
        run_command({.argv = {"diff", "-r", "--no-dereference", "-x", "backup.info",
                              primary_base(id).string(), base(id).string()}});
    EXPECT_EQ(result.exit_code, 0) << result.out;
  }

  static inline std::unique_ptr<StreamingSite> primary_;
  static inline std::optional<SshServer> ssh_;
  BarmanHome passive_;
  const TempDir place_;
};

TEST_F(PassiveCopy, SharesWhatThePrimarySharesAndAsksForTheRestOverSeveralConnections) {
  const std::string one = primary_->take_backup();
  primary_->postgres.query("CREATE TABLE more AS SELECT generate_series(1, 1000)");
  const std::string two = primary_->take_backup();
  ASSERT_EQ(inode_of(primary_base(one) / table_file()), inode_of(primary_base(two) / table_file()));

  EXPECT_EQ(copy(one).exit_code, 0);
  EXPECT_EQ(status_of(one), "DONE");
  expect_same_files(one);
  const auto connections =
      std::distance(fs::directory_iterator(place_.path() / "names"), fs::directory_iterator());
  EXPECT_EQ(connections, 1 + 3);  // the directories come first
  EXPECT_THAT(asked(), testing::Contains(table_file()));

  const CommandResult second = copy(two);
  EXPECT_EQ(second.exit_code, 0) << second.err;
  EXPECT_EQ(status_of(two), "DONE");
  expect_same_files(two);
  EXPECT_THAT(asked(), Not(testing::Contains(table_file())));
  EXPECT_EQ(inode_of(base(one) / table_file()), inode_of(base(two) / table_file()));
  EXPECT_NE(inode_of(base(one) / "data/global/pg_control"),
            inode_of(base(two) / "data/global/pg_control"));
  EXPECT_THAT(passive_.log(), HasSubstr("are shared with backup " + one));
  // Each stands alone.
  EXPECT_EQ(run({"delete", "main", one}).exit_code, 0);
  expect_same_files(two);
  const CommandResult whole = run({"catalogue-check", "--deep", "main"});
  EXPECT_THAT(whole.out, Not(HasSubstr("damaged")));
}

TEST_F(PassiveCopy, GoesOnWhereItWasCutOffAndProvesWhatWasHere) {
  const std::string id = primary_->take_backup();
  // The connection breaks when a part has come; the directories come over one of their own.
  const std::string whole = read_text(relay());
  const std::string names = (place_.path() / "names").string();
  write_text(relay(),
             "case \"$*\" in *no-recursion*)\n"
             "if mkdir " +
                 place_.path().string() + "/first 2>/dev/null; then exec " + ssh_command() +
                 " \"$@\"; fi\n" + ssh_command() + " \"$@\" | head -c 2500000; exit;; esac\nexec " +
                 ssh_command() + " \"$@\"\n");
  const CommandResult cut = copy(id);
  EXPECT_EQ(cut.exit_code, 1);
  EXPECT_THAT(cut.err, HasSubstr("failure syncing server main backup " + id));
  EXPECT_EQ(status_of(id), "FAILED");
  // One of those that came is not what it was, though its time and size say so.
  const fs::path version = base(id) / "data" / "PG_VERSION";
  std::vector<fs::path> arrived;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(base(id))) {
    if (entry.is_regular_file()) arrived.push_back(entry.path());
  }
  ASSERT_GT(arrived.size(), 20U);
  write_text(relay(), whole);
  const CommandResult again = copy(id);
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(status_of(id), "DONE");
  expect_same_files(id);
  const std::vector<std::string> names_again = asked();
  EXPECT_THAT(passive_.log(), HasSubstr(" files of backup " + id + " are here from an earlier "));
  std::size_t again_count = 0;
  for (const fs::path& path : arrived) {
    const std::string name = path.lexically_relative(base(id)).string();
    if (std::find(names_again.begin(), names_again.end(), name) != names_again.end()) ++again_count;
  }
  // No more than what each connection was at when it was cut off.
  EXPECT_LE(again_count, 3U * 2U) << testing::PrintToString(names_again);

  // What is here already is believed only when it proves to be the same.
  const fs::path info = passive_.server_directory("main") / "meta" / (id + "-backup.info");
  write_text(info, replace_all(read_text(info), "status=DONE", "status=FAILED"));
  const auto time = fs::last_write_time(version);
  const std::string text = read_text(version);
  write_text(version, std::string(text.size(), '9'));
  fs::last_write_time(version, time);
  const CommandResult proven = copy(id);
  EXPECT_EQ(proven.exit_code, 0) << proven.err;
  EXPECT_THAT(passive_.log(), HasSubstr("is copied once more, from its beginning: "));
  expect_same_files(id);
}

TEST_F(PassiveCopy, OfABackupThatIsDeletedMeanwhileSaysSoAndGoes) {
  const std::string gone = primary_->take_backup();
  const std::string other = primary_->take_backup();
  EXPECT_EQ(copy(other).exit_code, 0);
  std::string remove;
  for (const std::string& word : primary_->barman.request({"delete", "main", gone}).argv) {
    remove += " " + shell_quote(word);
  }
  relay_is("exec " + ssh_command() + " \"$@\"");
  write_text(relay(), "case \"$*\" in *no-recursion*)" + remove + " >/dev/null 2>&1;; esac\nexec " +
                          ssh_command() + " \"$@\"\n");
  const CommandResult result = copy(gone);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, testing::AllOf(HasSubstr("backup " + gone +
                                                   ": it was deleted on the primary node while it "
                                                   "was copied\n"),
                                         HasSubstr("HINT: The next 'barman cron' removes what has "
                                                   "arrived of it")));
  EXPECT_EQ(status_of(gone), "FAILED");
  const CommandResult cron = run({"cron"});
  EXPECT_EQ(cron.exit_code, 0) << cron.err;
  EXPECT_THAT(cron.out, HasSubstr("Removing what was copied of backup " + gone));
  ASSERT_TRUE(eventually([&] {
    return list_processes(passive_.configuration_file().string()).empty() &&
           !fs::exists(base(gone));
  }));
  EXPECT_EQ(status_of(other), "DONE");
}

TEST_F(PassiveCopy, KeepsWhatThePrimaryKeeps) {
  const std::string one = primary_->take_backup();
  EXPECT_EQ(primary_->barman.run({"keep", "--target", "full", "main", one}).exit_code, 0);
  const std::string two = primary_->take_backup();
  passive_.set("main", "retention_policy", "REDUNDANCY 1");
  const auto is_kept = [&](const std::string& id) {
    return run({"keep", "--status", "main", id}).out;
  };
  const auto cron_until = [&](const auto& condition) {
    return eventually(
        [&] {
          run({"cron"});
          // What it has started ends before it is asked again.
          eventually(
              [&] { return list_processes(passive_.configuration_file().string()).empty(); });
          return condition();
        },
        std::chrono::seconds(300));
  };
  // The policy does not need it, the primary keeps it: it comes, and stays.
  ASSERT_TRUE(cron_until([&] {
    const auto done = [&](const std::string& id) {
      return fs::exists(passive_.server_directory("main") / "meta" / (id + "-backup.info")) &&
             status_of(id) == "DONE";
    };
    return done(one) && done(two) && is_kept(one).find("full") != std::string::npos;
  })) << passive_.log();
  EXPECT_THAT(passive_.log(), HasSubstr("the primary node, reached by \"sh " + relay().string() +
                                        "\", tells 2 backups and "));
  EXPECT_EQ(primary_->barman.run({"keep", "--release", "main", one}).exit_code, 0);
  ASSERT_TRUE(cron_until([&] { return !fs::exists(base(one)); })) << passive_.log();
  EXPECT_EQ(status_of(two), "DONE");
  EXPECT_THAT(passive_.log(), HasSubstr("backup " + one +
                                        " of server 'main' is not kept any more, "
                                        "as on the primary node"));
}

}  // namespace
}  // namespace barman::test

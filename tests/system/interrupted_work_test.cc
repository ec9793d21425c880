// Long work is seen from elsewhere, with how far it is, and a real SIGINT tells what it leaves
// behind and what goes on with it. The work is slowed down by strace, so that there is time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <memory>
#include <optional>

#include <fmt/format.h>

#include "base/text.h"
#include "support/catalogue_files.h"
#include "support/eventually.h"
#include "support/fault_injection.h"
#include "support/incremental_site.h"
#include "support/privileges.h"
#include "support/ssh_server.h"
#include "support/temp_dir.h"
#include "support/terminal.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using Arguments = std::vector<std::string>;

constexpr std::chrono::milliseconds kDelay{15};

class InterruptedWork : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    site_ = std::make_unique<IncrementalSite>();
    full_ = site_->take_backup();
    site_->postgres.query("UPDATE changing SET text = 'second' WHERE id <= 100");
    last_ = site_->take_incremental(full_);
  }
  static void TearDownTestSuite() { site_.reset(); }

  static std::string shown(const Arguments& arguments, BarmanHome& barman = site_->barman) {
    return run_on_terminal(barman.request(arguments),
                           {.width = 200, .environment = {{"TERM", "dumb"}}})
        .out;
  }
  // `calls` take longer. It is interrupted when it is seen at work as `work`, a regular expression;
  // what it says then.
  static std::string interrupt(CommandRequest request, const std::string& calls,
                               const std::string& work, BarmanHome& barman = site_->barman) {
    BackgroundCommand running(with_delay(std::move(request), calls, kDelay));
    std::string processes;
    const bool is_seen = eventually([&] {
      processes = shown({"list-processes", "main"}, barman);
      return testing::Matches(ContainsRegex(work))(processes);
    });
    EXPECT_TRUE(is_seen) << work << " is not in:\n" << processes << running.err();
    EXPECT_THAT(processes, Not(HasSubstr("No active subprocesses")));
    EXPECT_THAT(shown({"status", "main"}, barman), ContainsRegex("Running: " + work));
    running.kill_group(SIGINT);
    const auto result = running.wait();
    if (!result) {
      ADD_FAILURE() << "it goes on";
      return "";
    }
    EXPECT_EQ(result->exit_code, 1) << result->err;
    EXPECT_THAT(result->err, HasSubstr("ERROR: Process interrupted by user (KeyboardInterrupt)\n"));
    EXPECT_THAT(shown({"list-processes", "main"}, barman), Not(ContainsRegex(work)));
    return result->err;
  }
  static std::string interrupt(const Arguments& arguments, const std::string& calls,
                               const std::string& work) {
    return interrupt(site_->barman.request(arguments), calls, work);
  }
  static CommandResult run(const Arguments& arguments) { return site_->barman.run(arguments); }

  static inline std::unique_ptr<IncrementalSite> site_;
  static inline std::string full_;
  static inline std::string last_;
};

TEST_F(InterruptedWork, OfVerifyBackupChangesNothing) {
  EXPECT_THAT(interrupt({"verify-backup", "main", full_}, "pread64",
                        "verify-backup of " + full_ + " \\(pid [0-9]+\\): verify: [0-9]+ % of "),
              HasSubstr("HINT: Nothing was changed, and no verdict was reached: 'barman "
                        "verify-backup main " +
                        full_ + "' begins anew.\n"));
  EXPECT_EQ(run({"verify-backup", "main", last_}).exit_code, 0);
}

TEST_F(InterruptedWork, OfConsolidateLeavesAFailedBackup) {
  const std::string text = interrupt({"consolidate", "main", last_}, "pwrite64,write",
                                     "consolidate of " + last_ + " .*consolidate: ");
  const std::string made = site_->listed_backups().front();
  ASSERT_NE(made, last_);
  EXPECT_EQ(site_->status_of(made), "FAILED");
  EXPECT_THAT(text, AllOf(HasSubstr("What was written stays, as backup " + made),
                          HasSubstr("'barman delete main " + made + "' removes it"),
                          HasSubstr("'barman consolidate main " + last_ + "' begins anew")));
  EXPECT_EQ(run({"delete", "main", made}).exit_code, 0);
}

TEST_F(InterruptedWork, OfExportAndImportLeavesNothing) {
  const TempDir place;
  const std::string directory = place.path().string();
  EXPECT_THAT(interrupt({"export-backup", "main", full_, directory}, "read,write",
                        "export-backup of " + full_ + " into .*export: [0-9]+ % of "),
              HasSubstr("HINT: Nothing is left in \"" + directory + "\""));
  EXPECT_TRUE(fs::is_empty(place.path()));

  ASSERT_EQ(run({"export-backup", "main", full_, directory}).exit_code, 0);
  const std::string file = fs::directory_iterator(place.path())->path().string();
  const std::string other = site_->take_backup();
  ASSERT_EQ(run({"export-backup", "main", other, directory}).exit_code, 0);
  std::string other_file;
  for (const auto& entry : fs::directory_iterator(place.path())) {
    if (entry.path().string() != file) other_file = entry.path().string();
  }
  ASSERT_EQ(run({"delete", "main", other}).exit_code, 0);
  EXPECT_THAT(interrupt({"import-backup", "main", other_file}, "read,write",
                        "import-backup from .*import: [0-9]+ % of "),
              HasSubstr("HINT: Nothing of it is left in the catalogue"));
  EXPECT_THAT(site_->listed_backups(), Not(testing::Contains(other)));
  const CommandResult imported = run({"import-backup", "main", other_file});
  EXPECT_EQ(imported.exit_code, 0) << imported.err;
}

TEST_F(InterruptedWork, OfArchiveWalTellsWhatWaits) {
  site_->receive_segments(12);
  const std::string text =
      interrupt({"archive-wal", "main"},
                "linkat,link,rename,renameat,unlink,unlinkat,fsync,fdatasync,pread64",
                "archive-wal \\(pid [0-9]+\\): [0-9]+ WAL files");
  EXPECT_THAT(text, ContainsRegex("HINT: What was archived stays; [0-9]+ WAL files? (is|are) "
                                  "archived by the next 'barman archive-wal main', or by cron\\."));
  EXPECT_EQ(run({"archive-wal", "main"}).exit_code, 0);
  EXPECT_EQ(site_->lost_wal(), "");
  site_->start_receiver();
}

TEST_F(InterruptedWork, OfARestoreIsResumed) {
  const TempDir place;
  const std::string data = (place.path() / "data").string();
  const Arguments restore = {"restore", "--tablespace", "ts:" + (place.path() / "ts").string(),
                             "main",    last_,          data};
  const std::string text = interrupt(restore, "pread64,pwrite64,write",
                                     "restore into " + data + " \\(pid [0-9]+\\): restore: ");
  EXPECT_THAT(text, HasSubstr("--resume"));
  Arguments resumed = restore;
  resumed.insert(resumed.begin() + 1, "--resume");
  const CommandResult result = run(resumed);
  ASSERT_EQ(result.exit_code, 0) << result.err;
}

// What reads only, or writes at its end: nothing is left behind.
struct ReadingWork {
  Arguments command;
  std::string calls;
  std::string work;
  std::string hint;
};
ReadingWork reading_work(const std::string& command, const std::string& backup) {
  const std::string calls = "pread64,read,openat,mmap";
  const std::string begun = command + " \\(pid [0-9]+\\)";
  if (command == "generate-manifest") {
    return {
        {command, "main", backup},
        calls,
        command + " of " + backup,
        "No manifest was written: 'barman generate-manifest main " + backup + "' begins anew.\n"};
  }
  if (command == "find-accident") {
    return {{command, "main"},
            calls,
            begun + ": Reading WAL: [0-9]+ % of ",
            "Nothing was changed, and nothing is known yet: 'barman find-accident main' begins "
            "anew; --from and --to read less WAL.\n"};
  }
  const std::string remains =
      "Nothing was changed, and no verdict was reached: 'barman " + command + " main' begins anew";
  if (command == "verify-wal") {
    return {{command, "main"}, calls, begun + ": verify WAL: [0-9]+ % of ", remains + "; --from "};
  }
  return {{command, "--deep", "main"}, calls, begun + ": .*[0-9]+ % of ", remains + ".\n"};
}

TEST_F(InterruptedWork, OfWhatReadsLeavesNothing) {
  // The one that PostgreSQL made would be in the way.
  const fs::path manifest = site_->base(full_) / "data/backup_manifest";
  const std::string content = read_text(manifest);
  for (const std::string command :
       {"catalogue-check", "find-accident", "verify-wal", "generate-manifest"}) {
    SCOPED_TRACE(command);
    const ReadingWork work = reading_work(command, full_);
    if (command == "generate-manifest") fs::remove(manifest);
    EXPECT_THAT(interrupt(work.command, work.calls, work.work), HasSubstr("HINT: " + work.hint));
    EXPECT_EQ(fs::exists(manifest), command != "generate-manifest");
    const CommandResult again = run(work.command);
    EXPECT_EQ(again.exit_code, 0) << again.out << again.err;
  }
  EXPECT_TRUE(fs::exists(manifest));
  write_text(manifest, content);
}

// It knows what the first one has.
struct SecondSite {
  explicit SecondSite(const BarmanHome& first) : ssh(first) {
    barman.add_section("main", {{"primary_ssh_command",
                                 fmt::format("ssh -p {} {}@127.0.0.1", ssh.port(), user_name())}});
    const CommandResult told = run({"sync-info", "--primary", "main"});
    EXPECT_EQ(told.exit_code, 0) << told.err;
    // As cron keeps it, which would begin to copy.
    fs::create_directories(barman.server_directory("main"));
    write_text(barman.server_directory("main") / "primary.info", told.out);
  }
  CommandRequest request(const Arguments& arguments) const {
    CommandRequest made = barman.request(arguments);
    made.environment.merge(ssh.environment());
    return made;
  }
  CommandResult run(const Arguments& arguments) const { return run_command(request(arguments)); }

  SshServer ssh;
  BarmanHome barman;
};

TEST_F(InterruptedWork, OfSyncBackupGoesOn) {
  if (!SshServer::is_available()) GTEST_SKIP() << SshServer::kUnavailable;
  SecondSite second(site_->barman);
  const std::string text =
      interrupt(second.request({"sync-backup", "main", full_}), "write,pwrite64",
                "sync-backup of " + full_ + " .*sync: [0-9]+ % of ", second.barman);
  EXPECT_THAT(text, HasSubstr("HINT: What was copied stays: 'barman sync-backup main " + full_ +
                              "', or the next cron, goes on with it."));
  const CommandResult result = second.run({"sync-backup", "main", full_});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(read_backup_info(second.barman, "main", full_).at("status"), "DONE");
}

TEST_F(InterruptedWork, OfSyncWalsGoesOn) {
  if (!SshServer::is_available()) GTEST_SKIP() << SshServer::kUnavailable;
  SecondSite second(site_->barman);
  ASSERT_EQ(second.run({"sync-backup", "main", full_}).exit_code, 0);
  const std::string text = interrupt(
      second.request({"sync-wals", "main"}), "write,pwrite64,openat,renameat,rename,linkat",
      "sync-wals \\(pid [0-9]+\\): sync: [0-9]+ % of ", second.barman);
  EXPECT_THAT(text, HasSubstr("HINT: The WAL that has come stays: 'barman sync-wals main', or the "
                              "next cron, goes on behind it.\n"));
  const CommandResult result = second.run({"sync-wals", "main"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(second.run({"verify-wal", "main"}).exit_code, 0);
}

}  // namespace
}  // namespace barman::test

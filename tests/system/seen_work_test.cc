// What a person at a terminal sees beside what programs read: work that runs elsewhere, the room of
// the disk, and what to do after a restore with a target.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <fmt/format.h>

#include "base/text.h"
#include "support/eventually.h"
#include "support/streaming_site.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

std::string run_on_terminal(BarmanHome& barman, const std::vector<std::string>& arguments) {
  std::vector<std::string> words;
  CommandRequest request = barman.request(arguments);
  for (const std::string& word : request.argv) words.push_back(shell_quote(word));
  request.argv = {"script", "--quiet", "--command", join(words, " "), "/dev/null"};
  request.environment["SHELL"] = "/bin/sh";
  request.environment["TERM"] = "dumb";
  return replace_all(run_command(request).out, "\r", "");
}

TEST(SeenWork, IsShownOnATerminal) {
  StreamingSite site;
  site.start_receiver();
  site.archive_a_segment();
  BackgroundCommand running = site.barman.spawn({"backup", "--bwlimit", "2048", "main"});
  std::string processes;
  ASSERT_TRUE(eventually([&] {
    processes = run_on_terminal(site.barman, {"list-processes", "main"});
    return processes.find(" % of ") != std::string::npos;
  })) << processes;
  EXPECT_THAT(processes, ContainsRegex("backup \\(pid [0-9]+\\): backup: [0-9]+ % of "));
  EXPECT_THAT(site.barman.run({"list-processes", "main"}).out, Not(HasSubstr(" % of ")))
      << "programs read this";
  EXPECT_THAT(run_on_terminal(site.barman, {"status", "main"}),
              AllOf(HasSubstr("Running: backup (pid "), ContainsRegex("Disk: .* free \\(")));
  EXPECT_THAT(run_on_terminal(site.barman, {"show-backup", "main", site.listed_backups().front()}),
              HasSubstr("Running: backup (pid "));
  running.kill(SIGINT);
  const auto result = running.wait();
  ASSERT_TRUE(result);
  EXPECT_THAT(result->err, AllOf(HasSubstr("What was copied stays, as backup "),
                                 HasSubstr("barman delete main ")));
  EXPECT_THAT(run_on_terminal(site.barman, {"list-processes", "main"}), Not(HasSubstr(" % of ")));
}

TEST(SeenWork, EndsWithWhatToDoAfterARestore) {
  StreamingSite site;
  site.start_receiver();
  site.archive_a_segment();
  site.take_backup();
  const TempDir place;
  const std::string shown = run_on_terminal(
      site.barman,
      {"restore", "--target-immediate", "main", "latest", (place.path() / "data").string()});
  EXPECT_THAT(shown, AllOf(HasSubstr("Recovery will end at the end of the backup."),
                           HasSubstr("SELECT pg_wal_replay_resume();"), HasSubstr("lock_timeout")));
}

}  // namespace
}  // namespace barman::test

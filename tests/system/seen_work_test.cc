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
#include "support/terminal.h"

namespace barman::test {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

// Lines that stay.
std::string shown(BarmanHome& barman, const std::vector<std::string>& arguments,
                  const std::string& terminal = "dumb") {
  return run_on_terminal(barman.request(arguments), {.environment = {{"TERM", terminal}}}).out;
}

TEST(SeenWork, IsShownOnATerminal) {
  StreamingSite site;
  site.start_receiver();
  site.archive_a_segment();
  BackgroundCommand running = site.barman.spawn({"backup", "--bwlimit", "2048", "main"});
  std::string processes;
  ASSERT_TRUE(eventually([&] {
    processes = shown(site.barman, {"list-processes", "main"});
    return processes.find(" % of ") != std::string::npos;
  })) << processes;
  EXPECT_THAT(processes, ContainsRegex("backup \\(pid [0-9]+\\): backup: [0-9]+ % of "));
  EXPECT_THAT(site.barman.run({"list-processes", "main"}).out, Not(HasSubstr(" % of ")))
      << "programs read this";
  EXPECT_THAT(shown(site.barman, {"status", "main"}),
              AllOf(HasSubstr("Running: backup (pid "), ContainsRegex("Disk: .* free \\(")));
  EXPECT_THAT(shown(site.barman, {"show-backup", "main", site.listed_backups().front()}),
              HasSubstr("Running: backup (pid "));
  running.kill(SIGINT);
  const auto result = running.wait();
  ASSERT_TRUE(result);
  EXPECT_THAT(result->err, AllOf(HasSubstr("What was copied stays, as backup "),
                                 HasSubstr("barman delete main ")));
  EXPECT_THAT(shown(site.barman, {"list-processes", "main"}), Not(HasSubstr(" % of ")));
}

TEST(SeenWork, EndsWithWhatToDoAfterARestore) {
  StreamingSite site;
  site.start_receiver();
  site.archive_a_segment();
  site.take_backup();
  const TempDir place;
  const std::string text = shown(site.barman, {"restore", "--target-immediate", "main", "latest",
                                               (place.path() / "data").string()});
  EXPECT_THAT(text, AllOf(HasSubstr("Recovery will end at the end of the backup."),
                          HasSubstr("SELECT pg_wal_replay_resume();"), HasSubstr("lock_timeout")));
}

// TERM=dumb: no movement of the cursor either, which NO_COLOR has nothing to do with.
TEST(SeenWork, MovesTheCursorWhereTheTerminalCan) {
  StreamingSite site;
  site.start_receiver();
  site.archive_a_segment();
  const auto backup = [&](const std::map<std::string, std::string>& environment) {
    const CommandResult result =
        run_on_terminal(site.barman.request({"backup", "main"}), {.environment = environment});
    EXPECT_EQ(result.exit_code, 0) << result.out;
    return result.out;
  };
  EXPECT_THAT(backup({{"TERM", "dumb"}}), Not(HasSubstr("\033")));
  EXPECT_THAT(backup({{"NO_COLOR", "1"}}), AllOf(HasSubstr("\r\033[K"), Not(HasSubstr("\033[3"))));
}

}  // namespace
}  // namespace barman::test

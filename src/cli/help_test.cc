// Help texts and manual pages of barman.
#include "command_line/help.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "base/text.h"
#include "cli/barman_program.h"
#include "cli/command_table.h"
#include "cli/commands.h"
#include "command_line/manual.h"

namespace barman::cli {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

const command_line::CommandSyntax* syntax_of(std::string_view command) {
  return barman_program().find_command(command);
}
std::string help_of(std::string_view command) {
  return command_line::help_text(barman_program(), syntax_of(command));
}

TEST(Version, BeginsWithAPlainVersionNumber) {
  EXPECT_THAT(barman_program().version,
              MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+ Barman by EnterpriseDB "
                           "\\(www\\.enterprisedb\\.com\\)"));
}

TEST(Help, ListsAvailableCommandsOnly) {
  const std::string text = command_line::help_text(barman_program());
  EXPECT_THAT(text, StartsWith("usage: barman "));
  EXPECT_THAT(text, HasSubstr("list-servers (list-server)"));
  EXPECT_THAT(text, EndsWith("\nBarman by EnterpriseDB (www.enterprisedb.com)\n"));
  for (const CommandSpec& command : command_table()) {
    const std::string row = "\n  " + std::string(command.name);
    if (!is_available(command.name)) {
      EXPECT_THAT(text, Not(HasSubstr(row))) << command.name;
    } else {
      EXPECT_THAT(text, HasSubstr(row));
    }
  }
}

TEST(Help, PutsCommandsIntoGroups) {
  const std::string text = command_line::help_text(barman_program());
  std::size_t place = 0;
  for (const command_line::CommandGroup& group : barman_program().groups) {
    const std::size_t found =
        text.find(fmt::format("\n{}, for example: barman ", group.title), place);
    ASSERT_NE(found, std::string::npos) << group.title;
    place = found;
  }
  EXPECT_EQ(barman_program().groups.size(), 5U);
  EXPECT_THAT(text, Not(HasSubstr("other commands")));
  for (const CommandSpec& command : command_table()) {
    if (!is_available(command.name)) continue;
    const std::string row = "\n  " + std::string(command.name);
    const auto ends_name = [&](std::size_t at) {
      return at != std::string::npos &&
             (text[at + row.size()] == ' ' || text[at + row.size()] == '\n');
    };
    int rows = 0;
    for (std::size_t at = text.find(row); at != std::string::npos; at = text.find(row, at + 1)) {
      if (ends_name(at)) ++rows;
    }
    EXPECT_EQ(rows, 1) << command.name;
  }
}

TEST(Help, TellsOfTimesZonesAndPauses) {
  const std::string text = help_of("restore");
  EXPECT_THAT(text, HasSubstr("'2026-11-30 14:05"));
  EXPECT_THAT(text, HasSubstr("Without a zone that of this host"));
  EXPECT_THAT(text, HasSubstr("pg_wal_replay_resume"));
}

TEST(Help, NamesEveryOptionOfEveryCommand) {
  for (const CommandSpec& command : command_table()) {
    const std::string text = help_of(command.name);
    for (const OptionSpec& option : command.options) {
      for (const std::string_view name : option.names) {
        if (!option.is_offered()) continue;
        EXPECT_THAT(text, HasSubstr("--" + std::string(name))) << command.name;
      }
    }
    EXPECT_THAT(text, EndsWith("Barman by EnterpriseDB (www.enterprisedb.com)\n"));
  }
}

TEST(Help, ExplainsWhatBarmanDoesNotHave) {
  for (const std::string_view name :
       {"catalogue-check", "verify-backup", "export-backup", "import-backup", "delete", "cron",
        "list-backups", "status"}) {
    const CommandSpec& command = *find_command(name);
    ASSERT_FALSE(command.description.empty()) << name;
    const std::string first_words(command.description.substr(0, 30));
    EXPECT_THAT(help_of(command.name), HasSubstr("\n\n" + first_words)) << name;
    EXPECT_THAT(command_line::command_man_page(barman_program(), *syntax_of(name)),
                HasSubstr("\n.SH DESCRIPTION\n"))
        << name;
  }
  EXPECT_THAT(help_of("delete"), HasSubstr("--dry-run"));
}

TEST(Help, FitsATerminal) {
  for (const CommandSpec& command : command_table()) {
    for (const std::string& line : split(help_of(command.name), '\n')) {
      EXPECT_LE(line.size(), 80U) << command.name << ": " << line;
    }
  }
}

TEST(Help, ShowsHowOptionsTakeValues) {
  const std::string text = help_of("backup");
  EXPECT_THAT(text, HasSubstr("  -j NJOBS, --jobs NJOBS"));
  EXPECT_THAT(text, HasSubstr("--reuse-backup [{copy,link,off}]"));
  EXPECT_THAT(help_of("switch-wal"), HasSubstr("(default: 30)"));
}

TEST(Usage, NamesThePositionals) {
  EXPECT_EQ(command_line::usage_text(barman_program(), syntax_of("list-backups")),
            "usage: barman list-backups [-h] [--minimal] [--table]\n"
            "                           server_name [server_name ...]\n");
}

TEST(ManPage, IsRoffWithoutRawDashes) {
  const std::string text =
      command_line::command_man_page(barman_program(), *syntax_of("list-backups"));
  EXPECT_THAT(text, StartsWith(".TH BARMAN\\-LIST\\-BACKUPS 1 "));
  EXPECT_THAT(text, HasSubstr(".B \\-\\-minimal\n"));
  EXPECT_THAT(text, HasSubstr("Also: barman list\\-backup\n"));
}

}  // namespace
}  // namespace barman::cli

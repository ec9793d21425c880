// The table views of list-backups and status on a pseudo-terminal, and the usual text everywhere
// else; where colours are unwelcome.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "base/text.h"
#include "support/catalogue_files.h"
#include "support/old_catalogue.h"
#include "support/temp_dir.h"
#include "support/terminal.h"

namespace barman::test {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;
using testing::SizeIs;

class Tables : public testing::Test {
 protected:
  Tables() {
    // A port that is refused at once: nothing here needs PostgreSQL.
    barman_.add_section("main", {{"conninfo", "host=127.0.0.1 port=1 user=nobody"},
                                 {"streaming_conninfo", "host=127.0.0.1 port=1 user=nobody"},
                                 {"backup_method", "postgres"},
                                 {"streaming_archiver", "on"},
                                 {"slot_name", "barman"},
                                 {"minimum_redundancy", "1"}});
    catalogue_.add_all();
  }

  std::vector<std::string> lines_on_terminal(const std::vector<std::string>& arguments,
                                             const std::string& locale, int width) {
    const CommandResult result = run_on_terminal(
        barman_.request(arguments), {.width = width, .environment = {{"LC_ALL", locale}}});
    EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
    std::vector<std::string> lines = split(result.out, '\n');
    if (!lines.empty() && lines.back().empty()) lines.pop_back();
    return lines;
  }

  std::string run(const std::vector<std::string>& arguments) {
    const CommandResult result = barman_.run(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result.out;
  }

  BarmanHome barman_;
  OldCatalogue catalogue_{barman_.server_directory("main"), old_layouts().back()};
};

TEST_F(Tables, ListBackupsHasColumnsAndABarOnATerminal) {
  const std::vector<std::string> ids =
      split(std::string(strip(run({"list-backups", "--minimal", "main"}))), '\n');
  const std::vector<std::string> lines =
      lines_on_terminal({"list-backups", "--table", "main"}, "C.UTF-8", 132);
  ASSERT_THAT(lines, SizeIs(ids.size() + 6));
  EXPECT_THAT(lines[0],
              MatchesRegex(
                  "Server  ID  .* Name .* Status .* End .* Age .* Size .* Own WAL .* Later WAL.*"));
  for (std::size_t i = 0; i < ids.size(); ++i) EXPECT_THAT(lines[i + 1], HasSubstr(ids[i]));
  const std::string all = join(lines, "\n");
  EXPECT_THAT(all, HasSubstr("\033[31mFAILED\033[0m"));
  EXPECT_THAT(all, HasSubstr("\033[32mDONE\033[0m"));
  EXPECT_THAT(all, HasSubstr("september"));
  EXPECT_THAT(lines[ids.size() + 2], MatchesRegex("Recovery window: .* backups, ● each\\)"));
  EXPECT_THAT(lines[ids.size() + 3], testing::StartsWith("\033[32m●"));
}

TEST_F(Tables, AreNarrowAsciiAndWithoutColoursWhereTheTerminalIs) {
  const std::vector<std::string> lines =
      lines_on_terminal({"--color", "never", "list-backups", "--table", "main"}, "C", 60);
  for (const std::string& line : lines) {
    EXPECT_LE(line.size(), 60U) << line;
    EXPECT_THAT(line, Not(HasSubstr("\033")));
    EXPECT_THAT(line, Not(HasSubstr("●")));
  }
  EXPECT_THAT(lines.at(lines.size() - 3), MatchesRegex("\\*[*=]{59}"));
}

TEST_F(Tables, StatusHasOneLineAServer) {
  const std::vector<std::string> lines =
      lines_on_terminal({"--color", "never", "status", "--table", "main"}, "C", 100);
  ASSERT_THAT(lines, SizeIs(2));
  EXPECT_THAT(lines[0], MatchesRegex("Server +PostgreSQL +WAL +Backups +Last backup +Redundancy +"
                                     "Window"));
  EXPECT_THAT(lines[1],
              MatchesRegex("main +unreachable +no receiver +[0-9]+ +[0-9]+d [0-9]+h ago +[0-9]+/1 +"
                           "[0-9dhm ]+"));
}

TEST_F(Tables, ElsewhereTheOptionChangesNothing) {
  EXPECT_EQ(run({"list-backups", "--table", "main"}), run({"list-backups", "main"}));
  EXPECT_EQ(run({"status", "--table", "main"}), run({"status", "main"}));
  EXPECT_EQ(run({"-f", "json", "list-backups", "--table", "main"}),
            run({"-f", "json", "list-backups", "main"}));
  EXPECT_THAT(
      join(lines_on_terminal({"-f", "json", "list-backups", "--table", "main"}, "C", 80), "\n"),
      HasSubstr("\"backup_id\": "));
  EXPECT_THAT(lines_on_terminal({"list-backups", "--minimal", "--table", "main"}, "C", 80).at(0),
              MatchesRegex("[0-9]{8}T[0-9]{6}"));
}

// https://no-color.org; an empty value counts as none.
TEST_F(Tables, HaveColoursWhereTheyAreWelcome) {
  const auto shown = [&](const std::vector<std::string>& arguments,
                         const std::map<std::string, std::string>& environment) {
    return run_on_terminal(barman_.request(arguments), {.environment = environment}).out;
  };
  const std::vector<std::vector<std::string>> commands = {
      {"list-backups", "--table", "main"}, {"check", "main"}, {"list-backups", "nosuch"}};
  for (const std::vector<std::string>& command : commands) {
    const std::string name = join(command, " ");
    EXPECT_THAT(shown(command, {}), HasSubstr("\033[3")) << name;
    EXPECT_THAT(shown(command, {{"NO_COLOR", "1"}}), Not(HasSubstr("\033"))) << name;
    EXPECT_THAT(shown(command, {{"TERM", "dumb"}}), Not(HasSubstr("\033"))) << name;
    std::vector<std::string> always = command;
    always.insert(always.begin(), {"--color", "always"});
    EXPECT_THAT(shown(always, {{"NO_COLOR", "1"}}), HasSubstr("\033[3"))
        << name << ", was asked for";
  }
}

// Programs read stderr, too.
TEST_F(Tables, AnUnknownServerIsAnsweredWithTheNamesForPeopleOnly) {
  const std::string shown = run_on_terminal(barman_.request({"list-backups", "mian"})).out;
  EXPECT_THAT(shown, HasSubstr("Unknown server 'mian'"));
  EXPECT_THAT(shown, HasSubstr("HINT: "));
  EXPECT_THAT(shown, HasSubstr("'main'"));
  const CommandResult piped = barman_.run({"list-backups", "mian"});
  EXPECT_EQ(piped.exit_code, 1);
  EXPECT_EQ(piped.err, "ERROR: Unknown server 'mian'\n");
}

// One form of dates in what is ours, in the zone of who looks, whatever the zone of the backup.
TEST_F(Tables, AndSurveysTellTheZone) {
  const auto shown = [&](const std::vector<std::string>& arguments) {
    CommandRequest request = barman_.request(arguments);
    request.environment["TZ"] = "XST-5:45";
    return run_on_terminal(request, {.width = 200}).out;
  };
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"list-backups", "--table", "main"}, {"catalogue-check", "main"}}) {
    const std::string text = shown(command);
    EXPECT_THAT(text, testing::ContainsRegex("[0-9]:[0-9][0-9](\\.[0-9]+)?\\+05:45"));
    EXPECT_THAT(
        text,
        Not(testing::ContainsRegex("[0-9]:[0-9][0-9]:[0-9][0-9](\\.[0-9]+)?([^0-9.+]|\\+00)")));
  }
}

}  // namespace
}  // namespace barman::test

#include "cli/barman_program.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "cli/command_table.h"
#include "command_line/help.h"
#include "command_line/parser.h"

namespace barman::cli {
namespace {

using command_line::ParsedArguments;
using command_line::ParsedLine;
using command_line::Request;
using command_line::UsageError;
using Words = std::vector<std::string>;

ParsedLine parse_command_line(const Words& words) {
  return command_line::parse_line(barman_program(), words);
}

ParsedLine parse_of(std::string_view command, Words arguments) {
  arguments.insert(arguments.begin(), std::string(command));
  return parse_command_line(arguments);
}
ParsedArguments parse(std::string_view command, const Words& arguments) {
  return parse_of(command, arguments).arguments;
}

std::string failure(std::string_view command, const Words& arguments) {
  try {
    parse(command, arguments);
  } catch (const UsageError& error) {
    return (error.command() != nullptr ? std::string(error.command()->name) + ": " : "") +
           error.what();
  }
  return "accepted";
}

// All that stderr gets.
std::string told(const Words& arguments) {
  try {
    parse_command_line(arguments);
  } catch (const UsageError& error) {
    return command_line::usage_error_text(barman_program(), error);
  }
  return "accepted";
}

std::string line_failure(const Words& arguments) {
  try {
    parse_command_line(arguments);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(ParseCommand, TakesOptionsAnywhere) {
  const ParsedArguments arguments =
      parse("get-wal", {"-P", "main", "--output-directory=/d", "00000001"});
  EXPECT_TRUE(arguments.is_set("partial"));
  EXPECT_EQ(arguments.get("server_name"), "main");
  EXPECT_EQ(arguments.get("wal_name"), "00000001");
  EXPECT_EQ(arguments.get("output_directory"), "/d");
}

TEST(ParseCommand, TakesBundledShortOptionsWithAValue) {
  for (const Words& words : {Words{"-Pp", "5", "main", "W"}, Words{"-Pp5", "main", "W"},
                             Words{"main", "W", "-P", "-p5"}}) {
    const ParsedArguments arguments = parse("get-wal", words);
    EXPECT_TRUE(arguments.is_set("partial"));
    EXPECT_EQ(arguments.find_integer("peek"), 5);
  }
}

TEST(ParseCommand, TakesUnambiguousPrefixes) {
  EXPECT_TRUE(parse("list-backups", {"--min", "main"}).is_set("minimal"));
  EXPECT_EQ(parse("backup", {"--retry-t", "3", "main"}).find_integer("retry_times"), 3);
  EXPECT_EQ(parse("backup", {"--jobs", "3", "main"}).find_integer("jobs"), 3);
}

TEST(ParseCommand, RefusesAmbiguousPrefixes) {
  EXPECT_EQ(failure("backup", {"--retry", "3", "main"}),
            "backup: ambiguous option: --retry could match --retry-times, --retry-sleep");
}

TEST(ParseCommand, LetsTheLastValueWin) {
  EXPECT_EQ(parse("backup", {"-j", "2", "--jobs=4", "main"}).get("jobs"), "4");
  EXPECT_EQ(parse("backup", {"--retry-times", "2", "--no-retry", "main"}).get("retry_times"), "0");
  EXPECT_EQ(parse("backup", {"--no-retry", "--retry-times", "2", "main"}).get("retry_times"), "2");
  EXPECT_EQ(parse("backup", {"--manifest", "--no-manifest", "main"}).choice_of("manifest"), false);
  EXPECT_EQ(parse("backup", {"--no-manifest", "--manifest", "main"}).choice_of("manifest"), true);
  EXPECT_EQ(parse("backup", {"main"}).choice_of("manifest"), std::nullopt);
  EXPECT_EQ(parse("get-wal", {"-z", "-j", "main", "W"}).get("compression"), "bzip2");
  EXPECT_EQ(parse("get-wal", {"-j", "-x", "main", "W"}).get("compression"), "gzip");
}

TEST(ParseCommand, CollectsTablespaces) {
  EXPECT_EQ(parse("restore", {"--tablespace", "a:/a", "main", "last", "--tablespace=b:/b", "/d"})
                .list("tablespace"),
            (Words{"a:/a", "b:/b"}));
}

TEST(ParseCommand, LetsReuseBackupStandWithoutAValue) {
  EXPECT_EQ(parse("backup", {"main", "--reuse-backup"}).get("reuse_backup"), "link");
  EXPECT_EQ(parse("backup", {"--reuse-backup", "--wait", "main"}).get("reuse_backup"), "link");
  EXPECT_EQ(parse("backup", {"--reuse-backup", "copy", "main"}).get("reuse_backup"), "copy");
  EXPECT_EQ(parse("backup", {"--reuse-backup=off", "main"}).get("reuse_backup"), "off");
  EXPECT_EQ(failure("backup", {"--reuse-backup", "main"}),
            "backup: argument --reuse-backup: invalid choice: 'main' (choose from 'copy', 'link', "
            "'off')");
}

TEST(ParseCommand, WantsServersSideBySide) {
  EXPECT_EQ(parse("list-backups", {"main", "arch", "--minimal"}).list("server_name"),
            (Words{"main", "arch"}));
  EXPECT_EQ(failure("list-backups", {"main", "--minimal", "arch"}), "unrecognized arguments: arch");
}

TEST(ParseCommand, EndsOptionsAtTwoDashes) {
  EXPECT_EQ(parse("list-backups", {"--", "--minimal"}).list("server_name"), (Words{"--minimal"}));
  EXPECT_EQ(parse("list-backups", {"a", "--", "b"}).list("server_name"), (Words{"a", "b"}));
}

TEST(ParseCommand, NamesMissingArguments) {
  EXPECT_EQ(failure("backup", {}), "backup: the following arguments are required: server_name");
  EXPECT_EQ(failure("show-backup", {"main"}),
            "show-backup: the following arguments are required: backup_id");
  EXPECT_EQ(failure("restore", {}),
            "restore: the following arguments are required: server_name, backup_id, "
            "destination_directory");
}

TEST(ParseCommand, RefusesBadValues) {
  EXPECT_EQ(failure("backup", {"-j", "0", "main"}),
            "backup: argument --jobs/-j: '0' is not a valid positive integer");
  EXPECT_EQ(failure("backup", {"-j", "x", "main"}),
            "backup: argument --jobs/-j: 'x' is not a valid input");
  EXPECT_EQ(failure("backup", {"--retry-times", "-1", "main"}),
            "backup: argument --retry-times: '-1' is not a valid non negative integer");
  EXPECT_EQ(failure("keep", {"--target", "bogus", "main", "last"}),
            "keep: argument --target: invalid choice: 'bogus' (choose from 'full', 'standalone')");
  EXPECT_EQ(failure("backup", {"--name", "latest", "main"}),
            "backup: argument --name: Backup name 'latest' is not allowed: reserved word");
}

TEST(ParseCommand, RefusesMissingAndSuperfluousValues) {
  EXPECT_EQ(failure("backup", {"main", "--jobs"}),
            "backup: argument --jobs/-j: expected one argument");
  EXPECT_EQ(failure("backup", {"--name", "--wait", "main"}),
            "backup: argument --name: expected one argument");
  EXPECT_EQ(failure("backup", {"main", "-j"}), "backup: argument --jobs/-j: expected one argument");
  EXPECT_EQ(failure("backup", {"--wait=3", "main"}),
            "backup: argument --wait/-w: ignored explicit argument '3'");
}

TEST(ParseCommand, TakesAValueThatBeginsWithADashWhenItHasBlanks) {
  EXPECT_EQ(parse("restore", {"--remote-ssh-command", "-o x host", "main", "last", "/d"})
                .get("remote_ssh_command"),
            "-o x host");
}

TEST(ParseCommand, TellsAllUnknownArguments) {
  EXPECT_EQ(failure("list-servers", {"-f", "json"}), "unrecognized arguments: -f json");
  EXPECT_EQ(failure("list-servers", {"--foo", "--bar=1"}), "unrecognized arguments: --foo --bar=1");
  EXPECT_EQ(failure("list-servers", {"-xyz"}), "unrecognized arguments: -xyz");
}

TEST(ParseCommand, FillsInDefaults) {
  EXPECT_EQ(parse("switch-wal", {"main"}).find_integer("archive_timeout"), 30);
  EXPECT_EQ(parse("replication-status", {"main"}).get("target"), "all");
  EXPECT_FALSE(parse("backup", {"main"}).has("jobs"));
}

TEST(ParseCommand, KnowsOptionsByTheirOldNames) {
  EXPECT_EQ(parse("restore", {"--snapshot-recovery-zone", "z", "m", "b", "/d"}).get("gcp_zone"),
            "z");
}

TEST(ParseCommand, StopsAtHelp) {
  EXPECT_EQ(parse_of("backup", {"--unknown", "-h"}).request, Request::help);
}

TEST(ParseLine, ReadsGlobalOptionsBeforeTheCommand) {
  const ParsedLine line = parse_command_line(
      {"-q", "-c", "/etc/x.conf", "--colour=never", "-f", "json", "list-server", "--minimal"});
  EXPECT_EQ(line.request, Request::run);
  EXPECT_TRUE(line.global.is_set("quiet"));
  EXPECT_EQ(line.global.find("config"), "/etc/x.conf");
  EXPECT_EQ(line.global.get("color"), "never");
  EXPECT_EQ(line.global.get("format"), "json");
  ASSERT_NE(line.command, nullptr);
  EXPECT_EQ(line.command->name, "list-servers");
  EXPECT_TRUE(line.arguments.is_set("minimal"));
}

TEST(ParseLine, KnowsHelpAndVersion) {
  EXPECT_EQ(parse_command_line({"-v"}).request, Request::version);
  EXPECT_EQ(parse_command_line({"--vers"}).request, Request::version);
  EXPECT_EQ(parse_command_line({"--help"}).request, Request::help);
  const ParsedLine line = parse_command_line({"list-servers", "--help"});
  EXPECT_EQ(line.request, Request::help);
  EXPECT_EQ(line.command->name, "list-servers");
  EXPECT_EQ(parse_command_line({}).command, nullptr);
}

TEST(ParseLine, RefusesUnknownCommands) {
  EXPECT_EQ(line_failure({"foo"}), "argument command: invalid choice: 'foo'");
  // Command names are not abbreviated.
  EXPECT_EQ(line_failure({"list-serv"}).find("argument command: invalid choice"), 0U);
}

TEST(ToldMistake, IsOneLineOfUsageAndTheReason) {
  EXPECT_EQ(told({"restore", "main"}),
            "usage: barman restore [OPTIONS] server_name backup_id destination_directory; barman "
            "help restore\n"
            "barman restore: error: the following arguments are required: backup_id, "
            "destination_directory\n");
  EXPECT_EQ(told({"--quit", "cron"}),
            "usage: barman [OPTIONS] COMMAND ...; barman help\n"
            "barman: error: unrecognized arguments: --quit. Did you mean '--quiet'?\n");
}

TEST(ToldMistake, NamesWhatWasMeant) {
  const auto suggestion = [](const Words& words) {
    const std::string text = told(words);
    const std::size_t begin = text.rfind(". ");
    return begin == std::string::npos ? text : text.substr(begin + 2);
  };
  EXPECT_EQ(suggestion({"restroe"}), "Did you mean 'restore'?\n");
  EXPECT_EQ(suggestion({"list-serv"}), "Did you mean 'list-server'?\n");
  EXPECT_EQ(suggestion({"frobnicate"}), "'barman help' lists the commands.\n");
  EXPECT_EQ(suggestion({"backup", "--wiat", "main"}), "Did you mean '--wait'?\n");
  EXPECT_EQ(suggestion({"backup", "--imediate-checkpoint", "main"}),
            "Did you mean '--immediate-checkpoint'?\n");
  EXPECT_EQ(suggestion({"restore", "--target-action", "promot", "m", "b", "/d"}),
            "Did you mean 'promote'?\n");
  EXPECT_EQ(suggestion({"-f", "jsno", "check", "main"}), "Did you mean 'json'?\n");
  EXPECT_EQ(told({"check", "main", "-q"}),
            "usage: barman check [OPTIONS] server_name [server_name ...]; barman help check\n"
            "barman: error: unrecognized arguments: -q. -q stands before the command: barman -q "
            "check ...\n");
}

// Each command, with each of its options mistyped by one letter.
TEST(ToldMistake, FitsALineForEveryCommandAndOption) {
  for (const command_line::CommandSyntax& command : barman_program().commands) {
    if (!command.is_available) continue;
    for (const OptionSpec& option : barman_program().arguments_of(&command).offered_options()) {
      const std::string name(option.names.front());
      if (name.size() < 3) continue;
      const std::string typed = "--" + name.substr(0, 1) + "_" + name.substr(1);
      Words words = {std::string(command.name), typed};
      for (const PositionalSpec& positional : command.arguments.positionals) {
        if (positional.arity != Arity::optional) words.emplace_back("x");
      }
      const std::string text = told(words);
      EXPECT_LE(text.size(), 330U) << text;
      EXPECT_NE(text.find("Did you mean '--" + name + "'?\n"), std::string::npos) << text;
      EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2) << text;
    }
  }
}

TEST(UnusedOptions, AreAnsweredAndNotOffered) {
  const ParsedLine line = parse_command_line(
      {"restore", "--combine-mode", "link", "--gcp-zone", "z", "main", "latest", "/d"});
  const Words told_of = command_line::unused_options(barman_program(), line);
  ASSERT_EQ(told_of.size(), 2U);
  EXPECT_EQ(told_of[0].find("--combine-mode has no effect: "), 0U);
  EXPECT_EQ(told_of[1].find("--gcp-zone/--snapshot-recovery-zone has no effect: "), 0U);
  EXPECT_TRUE(command_line::unused_options(barman_program(), parse_command_line({"backup", "main"}))
                  .empty());
  const std::string help =
      command_line::help_text(barman_program(), barman_program().find_command("restore"));
  EXPECT_EQ(help.find("--combine-mode"), std::string::npos);
  EXPECT_EQ(help.find("--snapshot-recovery-instance"), std::string::npos);
}

TEST(ParseLine, RefusesBadGlobalOptions) {
  EXPECT_EQ(line_failure({"--log-level", "info", "cron"}),
            "argument --log-level: invalid choice: 'info' (choose from 'NOTSET', 'DEBUG', 'INFO', "
            "'WARNING', 'ERROR', 'CRITICAL')");
  EXPECT_EQ(line_failure({"-f", "xml", "cron"}),
            "argument --format/-f: invalid choice: 'xml' (choose from 'console', 'json')");
  EXPECT_EQ(line_failure({"--nonsense", "cron"}), "unrecognized arguments: --nonsense");
}

TEST(ParseLine, RefusesGlobalOptionsAfterTheCommand) {
  EXPECT_EQ(line_failure({"list-servers", "-q"}), "unrecognized arguments: -q");
}

TEST(ParsedArguments, RefuseAKeyThatTheCommandDoesNotHave) {
  const ParsedArguments arguments = parse("keep", {"main", "latest", "-s"});
  EXPECT_TRUE(arguments.is_set("status"));
  EXPECT_FALSE(arguments.is_set("release"));
  EXPECT_EQ(arguments.find("target"), std::nullopt);
  EXPECT_THROW(arguments.is_set("statuz"), Error);
  EXPECT_THROW(arguments.find("dry-run"), Error);
  EXPECT_THROW(arguments.list("server"), Error);
  EXPECT_EQ(ParsedArguments().find("config"), std::nullopt);
}

}  // namespace
}  // namespace barman::cli

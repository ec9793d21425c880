// Help, manual pages and completion of the programs for database hosts.
#include "client/client_program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "client/wal_archive_program.h"
#include "client/wal_restore_program.h"
#include "command_line/completion.h"
#include "command_line/help.h"
#include "command_line/manual.h"
#include "command_line/parser.h"

namespace barman::client {
namespace {

using command_line::completion_script;
using command_line::OptionSpec;
using command_line::PositionalSpec;
using command_line::ProgramSpec;
using command_line::Shell;
using testing::HasSubstr;
using testing::StartsWith;

std::vector<const ProgramSpec*> client_programs() {
  return {&wal_archive_program(), &wal_restore_program()};
}

std::string refusal_of(const ProgramSpec& program, const std::vector<std::string>& words) {
  try {
    command_line::parse_line(program, words);
  } catch (const command_line::UsageError& error) {
    return command_line::usage_error_text(program, error);
  }
  return "accepted";
}

TEST(ClientManual, DescribesEachOptionAndArgument) {
  for (const ProgramSpec* program : client_programs()) {
    const std::string page = command_line::program_man_page(*program);
    const std::string help = command_line::help_text(*program);
    EXPECT_THAT(page, StartsWith(".TH BARMAN\\-WAL\\-"));
    EXPECT_THAT(page, HasSubstr(".SH DESCRIPTION\n"));
    EXPECT_THAT(page, HasSubstr(".B 0\nThe file is "));
    for (const OptionSpec& option : program->arguments.options) {
      const std::string name = "--" + std::string(option.names.front());
      EXPECT_THAT(page, HasSubstr(replace_all(name, "-", "\\-")));
      EXPECT_THAT(help, HasSubstr(name));
      EXPECT_FALSE(option.help.empty()) << name;
    }
    for (const PositionalSpec& positional : program->arguments.positionals) {
      EXPECT_THAT(page, HasSubstr("\n.B " + std::string(positional.metavar) + "\n"));
      EXPECT_FALSE(positional.help.empty()) << positional.metavar;
    }
    for (const std::string& line : split(help, '\n')) EXPECT_LE(line.size(), 80U) << line;
  }
}

TEST(ClientCompletion, KnowsEachOption) {
  for (const ProgramSpec* program : client_programs()) {
    const std::string bash = completion_script(*program, Shell::bash);
    const std::string zsh = completion_script(*program, Shell::zsh);
    const std::string fish = completion_script(*program, Shell::fish);
    const std::string name(program->name);
    EXPECT_THAT(bash, HasSubstr("complete -F _" + replace_all(name, "-", "_") + " " + name + "\n"));
    EXPECT_THAT(zsh, StartsWith("#compdef " + name + "\n"));
    for (const OptionSpec& option : program->arguments.options) {
      const std::string spelling(option.names.front());
      EXPECT_THAT(bash, HasSubstr("--" + spelling));
      EXPECT_THAT(zsh, HasSubstr("'--" + spelling +
                                 (command_line::takes_no_value(option.kind) ? "[" : "=[")));
      EXPECT_THAT(fish, HasSubstr("complete -c " + name + " -l " + spelling + " "));
    }
  }
}

TEST(ClientCompletion, OffersWhatAValueIs) {
  const ProgramSpec& program = wal_restore_program();
  EXPECT_THAT(completion_script(program, Shell::bash),
              HasSubstr("    --spool-dir) mapfile -t COMPREPLY < "
                        "<(compgen -d -- \"$current\")"));
  EXPECT_THAT(completion_script(program, Shell::zsh), HasSubstr("':WAL_DEST:_files'\n"));
  EXPECT_THAT(completion_script(program, Shell::zsh), HasSubstr("':BARMAN_HOST:_hosts'"));
  EXPECT_THAT(completion_script(program, Shell::fish),
              HasSubstr("__barman_wal_restore_at 3 --user -U"));
}

TEST(ClientProgram, TellsOnlyTheFirstMistake) {
  const std::string usage =
      "usage: barman-wal-restore [options] BARMAN_HOST SERVER_NAME WAL_NAME WAL_DEST\n"
      "barman-wal-restore: error: ";
  const auto refusal = [](const std::vector<std::string>& words) {
    return refusal_of(wal_restore_program(), words);
  };
  EXPECT_EQ(refusal({"host"}),
            usage + "the following arguments are required: SERVER_NAME, WAL_NAME, WAL_DEST\n");
  EXPECT_EQ(refusal({"h", "s", "w", "d", "more", "than"}),
            usage + "unrecognized arguments: more\n");
  EXPECT_EQ(refusal({"--what", "--ever", "h"}), usage + "unrecognized arguments: --what\n");
  EXPECT_EQ(refusal({"h", "s", "w", "d", "--use"}),
            usage + "argument --use: expected one argument\n");
  EXPECT_EQ(refusal({"h", "s", "w", "d", "-p", "x"}),
            usage + "argument --parallel: 'x' is not a valid non negative integer\n");
  EXPECT_EQ(refusal({"h", "s", "w", "d", "--lz4", "--zstd"}),
            usage + "argument --lz4: not allowed with argument --zstd\n");
}

TEST(ClientProgram, KnowsWhereBarmanIs) {
  const ProgramSpec& program = wal_archive_program();
  const auto line =
      command_line::parse_line(program, {"host", "-U", "me", "main", "--port=7", "p"});
  const RemoteBarman barman = remote_barman(line.arguments);
  EXPECT_EQ(barman.host, "host");
  EXPECT_EQ(barman.user, "me");
  EXPECT_EQ(barman.port, "7");
  EXPECT_EQ(barman.config_file, std::nullopt);
  EXPECT_EQ(barman.server, "main");
  EXPECT_EQ(remote_barman(command_line::parse_line(program, {"h", "s", "p"}).arguments).user,
            "barman");
}

}  // namespace
}  // namespace barman::client

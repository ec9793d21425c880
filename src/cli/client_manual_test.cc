#include "cli/client_manual.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"

namespace barman::cli {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(ClientManual, DescribesEachOptionAndArgument) {
  ASSERT_EQ(client_programs().size(), 2U);
  for (const client::ClientProgram* program : client_programs()) {
    const std::string page = client_man_page(*program);
    const std::string help = program->help();
    EXPECT_THAT(page, StartsWith(".TH BARMAN\\-WAL\\-"));
    EXPECT_THAT(page, HasSubstr(".SH DESCRIPTION\n"));
    EXPECT_THAT(page, HasSubstr(".B 0\nThe file is "));
    for (const client::ClientOption& option : program->all_options()) {
      const std::string name = "--" + std::string(option.name);
      EXPECT_THAT(page, HasSubstr(replace_all(name, "-", "\\-")));
      EXPECT_THAT(help, HasSubstr(name));
      EXPECT_FALSE(option.help.empty()) << name;
    }
    for (const client::ClientPositional& positional : program->positionals) {
      EXPECT_THAT(page, HasSubstr("\n.B " + std::string(positional.metavar) + "\n"));
      EXPECT_FALSE(positional.help.empty()) << positional.metavar;
    }
    for (const std::string& line : split(help, '\n')) EXPECT_LE(line.size(), 80U) << line;
  }
}

TEST(ClientCompletion, KnowsEachOption) {
  for (const client::ClientProgram* program : client_programs()) {
    const std::string bash = client_bash_completion(*program);
    const std::string zsh = client_zsh_completion(*program);
    const std::string fish = client_fish_completion(*program);
    const std::string name(program->name);
    EXPECT_THAT(bash, HasSubstr("complete -F _" + replace_all(name, "-", "_") + " " + name + "\n"));
    EXPECT_THAT(zsh, StartsWith("#compdef " + name + "\n"));
    for (const client::ClientOption& option : program->all_options()) {
      const std::string spelling(option.name);
      EXPECT_THAT(bash, HasSubstr("--" + spelling));
      EXPECT_THAT(zsh, HasSubstr("'--" + spelling + (option.metavar.empty() ? "[" : "=[")));
      EXPECT_THAT(fish, HasSubstr("complete -c " + name + " -l " + spelling + " "));
    }
  }
}

TEST(ClientCompletion, OffersWhatAValueIs) {
  const client::ClientProgram& program = *find_client_program("barman-wal-restore");
  EXPECT_THAT(client_bash_completion(program), HasSubstr("    --spool-dir) mapfile -t COMPREPLY < "
                                                         "<(compgen -d -- \"$current\")"));
  EXPECT_THAT(client_zsh_completion(program), HasSubstr("':WAL_DEST:_files'\n"));
  EXPECT_THAT(client_zsh_completion(program), HasSubstr("':BARMAN_HOST:_hosts'"));
  EXPECT_THAT(client_fish_completion(program), HasSubstr("__barman_wal_restore_at 3 --user -U"));
  EXPECT_EQ(find_client_program("barman"), nullptr);
}

}  // namespace
}  // namespace barman::cli

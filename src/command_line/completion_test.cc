// Completion of a program without commands, in the shells themselves.
#include "command_line/completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/process.h"

namespace barman::command_line {
namespace {

using ::testing::HasSubstr;

ProgramSpec sender() {
  return {
      .name = "send-it",
      .summary = "send something",
      .version = "send-it 1",
      .arguments = {
          .options =
              {{.names = {"help"}, .short_names = "h", .kind = ValueKind::help, .help = "help"},
               {.names = {"config"},
                .short_names = "c",
                .kind = ValueKind::text,
                .help = "it's a [file]: of yours",
                .metavar = "FILE",
                .words = "files"},
               {.names = {"directory"},
                .kind = ValueKind::text,
                .help = "where",
                .metavar = "DIR",
                .words = "directories"},
               {.names = {"form"},
                .kind = ValueKind::choice,
                .help = "how",
                .choices = {"plain", "tar"}},
               {.names = {"times"},
                .short_names = "t",
                .kind = ValueKind::positive,
                .help = "how often",
                .metavar = "N"},
               {.names = {"hidden"}, .help = "not built", .unused_because = "it is not built"}},
          .positionals = {{.key = "host", .metavar = "HOST", .help = "to", .words = "hosts"},
                          {.key = "path", .metavar = "PATH", .help = "what", .words = "files"}}}};
}

// Each option and each place, with words before and behind it.
TEST(CompletionOfOptions, BashSaysNothingToTheTerminal) {
  const std::string script = completion_script(sender(), Shell::bash);
  EXPECT_THAT(script, testing::Not(HasSubstr("hidden")));
  const ProcessResult pressed = run_process({.argv = {"bash", "--norc", "-c", script + R"sh(
compopt() { :; }
press() { COMP_WORDS=(send-it "$@"); COMP_CWORD=$#; _send_it; }
press -
printf 'option %s\n' "${COMPREPLY[@]}"
options=("${COMPREPLY[@]}")
for option in "${options[@]}" ''; do
  for words in '' '=' '= p' 'x' 'x y' 'x y z' '-'; do
    read -ra line <<<"$option $words"
    press "${line[@]}"
    press "${line[@]}" ''
  done
done
press --form ''
printf 'form %s\n' "${COMPREPLY[@]}"
press --form = t
printf 'form with t %s\n' "${COMPREPLY[@]}"
)sh"}});
  EXPECT_EQ(pressed.exit_code, 0);
  EXPECT_EQ(pressed.standard_error, "");
  for (const char* line : {"option --config\n", "option --form\n", "option -t\n", "form plain\n",
                           "form tar\n", "form with t tar\n"}) {
    EXPECT_THAT(pressed.standard_output, HasSubstr(line));
  }
}

TEST(CompletionOfOptions, FishSaysNothingToTheTerminal) {
  const ProcessResult pressed =
      run_process({.argv = {"fish", "-N", "-c", completion_script(sender(), Shell::fish) + R"sh(
for line in 'send-it ' 'send-it -' 'send-it --form ' 'send-it --config ' 'send-it x ' 'send-it x y '
    complete -C $line
end
)sh"}});
  EXPECT_EQ(pressed.exit_code, 0);
  EXPECT_EQ(pressed.standard_error, "");
  EXPECT_THAT(pressed.standard_output,
              testing::AllOf(HasSubstr("--config\tit's a [file]: of yours"),
                             HasSubstr("plain\thow\n"), HasSubstr("tar\thow\n")));
}

TEST(CompletionOfOptions, ZshReadsIt) {
  const ProcessResult read =
      run_process({.argv = {"zsh", "-fn", "-c", completion_script(sender(), Shell::zsh)}});
  EXPECT_EQ(read.exit_code, 0);
  EXPECT_EQ(read.standard_error, "");
}

}  // namespace
}  // namespace barman::command_line

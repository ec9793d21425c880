// Completion of barman in the shells themselves: <TAB> is pressed at each place of a command line,
// for every command and every option. Nothing may be told to the terminal, and what the table of
// commands offers must be among the candidates.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/durable.h"
#include "base/fd.h"
#include "base/process.h"
#include "base/test_support.h"
#include "base/text.h"
#include "cli/barman_program.h"
#include "command_line/completion.h"

namespace barman::cli {
namespace {

using command_line::CommandSyntax;
using command_line::Shell;

// A command line behind "barman", with the cursor at its end, and words that must be offered.
struct Place {
  std::string line;
  std::vector<std::string> offered;
};

std::vector<std::string> long_names(const CommandSyntax* command) {
  std::vector<std::string> names;
  for (const OptionSpec& option : barman_program().arguments_of(command).offered_options()) {
    names.push_back("--" + std::string(option.names.front()));
  }
  return names;
}

std::vector<std::string> command_names() {
  std::vector<std::string> names;
  for (const CommandSyntax& command : barman_program().commands) {
    if (command.is_available) names.emplace_back(command.name);
  }
  return names;
}

std::vector<std::string> words_of_kind(std::string_view kind) {
  if (kind == "servers") return {"main"};
  if (kind == "server_list") return {"all", "main"};
  if (kind == "backups") return {"latest", "last-failed", "main"};
  if (kind == "tasks") return {"receive-wal"};
  if (kind == "commands") return {"backup", "restore"};
  return {};
}

void add_values(const CommandSyntax* command, const std::string& before,
                std::vector<Place>& places) {
  for (const OptionSpec& option : barman_program().arguments_of(command).offered_options()) {
    if (command_line::takes_no_value(option.kind)) continue;
    const std::string name = "--" + std::string(option.names.front());
    const bool needs_equals = option.kind == ValueKind::optional_choice;
    Place place{.line = before + name + " ", .offered = {}};
    if (!needs_equals) place.offered.assign(option.choices.begin(), option.choices.end());
    places.push_back(place);
  }
}

std::vector<Place> all_places() {
  std::vector<Place> places = {{.line = "", .offered = command_names()},
                               {.line = "-", .offered = long_names(nullptr)},
                               {.line = "no-command ", .offered = {}},
                               {.line = "-c /etc/x list-backups ", .offered = {"all", "main"}}};
  add_values(nullptr, "", places);
  for (const CommandSyntax& command : barman_program().commands) {
    if (!command.is_available) continue;
    std::string line = std::string(command.name) + " ";
    places.push_back({.line = line + "-", .offered = long_names(&command)});
    add_values(&command, line, places);
    for (const PositionalSpec& positional : command.arguments.positionals) {
      places.push_back({.line = line, .offered = words_of_kind(positional.words)});
      line += "main ";
    }
    // One more than there are.
    places.push_back({.line = line, .offered = {}});
    places.push_back({.line = line + "--", .offered = long_names(&command)});
  }
  return places;
}

// A shell takes some ten milliseconds for each.
std::vector<Place> places_of_turn() {
  const std::vector<Place> all = all_places();
  std::vector<Place> places;
  for (auto place = all.begin() + first_of_stride(3); place < all.end(); place += stride(3)) {
    places.push_back(*place);
  }
  return places;
}

// "backup main ''"
std::string quoted(const std::string& line) {
  return line.empty() || line.ends_with(' ') ? line + "''" : line;
}

std::string quoted_lines(const std::vector<Place>& places) {
  std::string text;
  for (const Place& place : places) text += quoted(place.line) + "\n";
  return text;
}

// "== NUMBER" begins what was offered at a place; fish puts a description behind a tab.
std::map<std::size_t, std::set<std::string>> read_offers(const std::string& output) {
  std::map<std::size_t, std::set<std::string>> offers;
  std::size_t number = 0;
  for (const std::string& line : split(output, '\n')) {
    if (line.starts_with("== ")) {
      number = static_cast<std::size_t>(std::stoul(line.substr(3)));
      offers[number];
    } else if (!line.empty()) {
      offers[number].insert(line.substr(0, line.find('\t')));
    }
  }
  return offers;
}

void expect_offers(const std::vector<Place>& places, const std::string& output) {
  const auto offers = read_offers(output);
  ASSERT_EQ(offers.size(), places.size()) << output.substr(0, 2000);
  for (std::size_t i = 0; i < places.size(); ++i) {
    for (const std::string& word : places[i].offered) {
      EXPECT_TRUE(offers.at(i).contains(word)) << "barman " << places[i].line << ": " << word;
    }
  }
}

class CompletionInShells : public ::testing::Test {
 protected:
  std::string path(std::string_view name) const { return (directory_.path() / name).string(); }
  void write(std::string_view name, const std::string& text) const {
    write_file_durably(directory_.path() / name, text);
  }
  void write_script(std::string_view name, Shell shell) const {
    write(name, command_line::completion_script(barman_program(), shell));
  }
  ProcessResult run(std::vector<std::string> argv) const {
    return run_process({.argv = std::move(argv),
                        .environment = {{"COMPLETION_TEST", directory_.path().string()},
                                        {"HOME", directory_.path().string()}}});
  }

  const TemporaryDirectory directory_;
  const std::vector<Place> places_ = places_of_turn();
};

TEST_F(CompletionInShells, Bash) {
  write_script("barman.bash", Shell::bash);
  write("lines", quoted_lines(places_));
  write("press.bash", R"sh(
exec >$COMPLETION_TEST/offers
source $COMPLETION_TEST/barman.bash
barman() { echo main; }
compopt() { :; }   # wants a completion that is running
number=0
while IFS= read -r line; do
  eval "COMP_WORDS=(barman $line)"
  COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
  echo "== $number"
  _barman
  printf '%s\n' "${COMPREPLY[@]}"
  ((++number))
done <$COMPLETION_TEST/lines
)sh");
  const ProcessResult pressed = run({"bash", "--norc", path("press.bash")});
  EXPECT_EQ(pressed.exit_code, 0);
  EXPECT_EQ(pressed.standard_error, "");
  expect_offers(places_, read_file(path("offers"), kMaxSmallFile));
}

// bash makes three words of "--format=json".
TEST_F(CompletionInShells, BashTakesValuesBehindAnEqualsSign) {
  const std::vector<Place> places = {{.line = "--format = j", .offered = {"json"}},
                                     {.line = "--format =", .offered = {"console", "json"}},
                                     {.line = "--format = json cr", .offered = {"cron"}},
                                     {.line = "backup --reuse-backup =", .offered = {"copy"}},
                                     {.line = "=", .offered = {}},
                                     {.line = "= = ", .offered = {}}};
  write_script("barman.bash", Shell::bash);
  std::string script = "source $COMPLETION_TEST/barman.bash\nbarman() { :; }\n";
  for (std::size_t i = 0; i < places.size(); ++i) {
    script += fmt::format(
        "echo '== {}'; COMP_WORDS=(barman {}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _barman; "
        "printf '%s\\n' \"${{COMPREPLY[@]}}\"\n",
        i, quoted(places[i].line));
  }
  write("press.bash", script);
  const ProcessResult pressed = run({"bash", "--norc", path("press.bash")});
  EXPECT_EQ(pressed.standard_error, "");
  expect_offers(places, pressed.standard_output);
}

// In a terminal of zsh's own making, since completion functions run in its line editor only. One
// key asks for all places; compadd tells what it gets.
TEST_F(CompletionInShells, Zsh) {
  write_script("_barman", Shell::zsh);
  write("lines", quoted_lines(places_));
  write("press.zsh", R"sh(
fpath=($COMPLETION_TEST $fpath)
autoload -Uz compinit && compinit -u -D
barman() { echo main; }
compadd() {
  local -a hits
  if (( ${@[(I)-[OAD]*]} == 0 )); then
    builtin compadd -O hits "$@" 2>/dev/null
    (( $#hits )) && print -rl -- $hits >>$COMPLETION_TEST/offers
  fi
  builtin compadd "$@"
}
press() {
  eval "$_comp_setup"
  local text number=0
  : >>$COMPLETION_TEST/complaints
  for text in "${(@f)$(<$COMPLETION_TEST/lines)}"; do
    print "== $number" >>$COMPLETION_TEST/offers
    (( ++number ))
    eval "words=(barman $text)"
    CURRENT=$#words
    PREFIX=$words[CURRENT] SUFFIX= IPREFIX= ISUFFIX=
    _barman 2>>$COMPLETION_TEST/complaints
  done
  compstate[insert]= compstate[list]=
  print done >$COMPLETION_TEST/done
}
zle -C press complete-word press
bindkey '^T' press
print read''y
)sh");
  write("terminal.zsh", R"sh(
zmodload zsh/zpty || exit 3
zpty terminal zsh -f -i
zpty -w terminal "source $COMPLETION_TEST/press.zsh"
zpty -r -m terminal text '*ready*'
zpty -n -w terminal $'\x14'
repeat 3000; do
  [[ -f $COMPLETION_TEST/done ]] && break
  while zpty -r -t terminal text; do :; done
  sleep 0.02
done
zpty -d terminal
[[ -f $COMPLETION_TEST/done ]]
)sh");
  const ProcessResult pressed = run({"zsh", "-f", path("terminal.zsh")});
  ASSERT_EQ(pressed.exit_code, 0) << pressed.standard_output << pressed.standard_error;
  EXPECT_EQ(read_file(path("complaints"), kMaxSmallFile), "");
  expect_offers(places_, read_file(path("offers"), kMaxSmallFile));
}

// fish takes much longer to ask: only places with something to offer.
TEST_F(CompletionInShells, Fish) {
  std::vector<Place> places;
  std::ranges::copy_if(places_, std::back_inserter(places),
                       [](const Place& place) { return !place.offered.empty(); });
  write_script("barman.fish", Shell::fish);
  std::string script =
      "function barman; echo main; end\nsource $COMPLETION_TEST/barman.fish\nbegin\n";
  for (std::size_t i = 0; i < places.size(); ++i) {
    script += fmt::format("echo '== {}'; complete -C 'barman {}'\n", i, places[i].line);
  }
  write("press.fish", script + "end >$COMPLETION_TEST/offers\n");
  const ProcessResult pressed = run({"fish", "-N", path("press.fish")});
  EXPECT_EQ(pressed.exit_code, 0);
  EXPECT_EQ(pressed.standard_error, "");
  expect_offers(places, read_file(path("offers"), kMaxSmallFile));
}

}  // namespace
}  // namespace barman::cli

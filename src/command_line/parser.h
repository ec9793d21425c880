// Command lines, parsed with getopt_long(3) from the table of a program: unambiguous prefixes of
// long options, bundled short options, options between positionals, "--". Errors carry the exact
// text that users and scripts know.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "command_line/parsed_arguments.h"
#include "command_line/program_spec.h"

namespace barman::command_line {

// A command line that cannot be used: usage and "<program>: error: <message>" on stderr.
class UsageError : public std::runtime_error {
 public:
  // `command` nullptr: the error is one of the program, not of a command.
  UsageError(const CommandSyntax* command, const std::string& message)
      : std::runtime_error(message), command_(command), usage_of_(command) {}
  explicit UsageError(const std::string& message) : UsageError(nullptr, message) {}
  const CommandSyntax* command() const noexcept { return command_; }

  // Whose usage is shown, where that is another one.
  UsageError& with_usage_of(const CommandSyntax* command) {
    usage_of_ = command;
    return *this;
  }
  const CommandSyntax* usage_of() const noexcept { return usage_of_; }
  // A sentence with what was probably meant; nothing is done with it. Empty for none.
  UsageError& with_suggestion(std::string text) {
    suggestion_ = std::move(text);
    return *this;
  }
  const std::string& suggestion() const noexcept { return suggestion_; }

 private:
  const CommandSyntax* command_;
  const CommandSyntax* usage_of_;
  std::string suggestion_;
};

// A word that is no command.
UsageError unknown_command(const ProgramSpec& program, const std::string& name);

enum class Request { run, help, version };

struct ParsedLine {
  Request request = Request::run;
  // Of a program with commands: what stands before the command.
  ParsedArguments global;
  // nullptr: the program has none, none was given, or help for the program as a whole is asked for.
  const CommandSyntax* command = nullptr;
  // Of the command, or of a program without commands.
  ParsedArguments arguments;
};

// Options of the line that have no effect, a sentence each.
std::vector<std::string> unused_options(const ProgramSpec& program, const ParsedLine& line);

// `words` without the program's name. The result refers to `program`. Throws UsageError. Uses
// getopt's global state, so it is for one thread.
ParsedLine parse_line(const ProgramSpec& program, const std::vector<std::string>& words);

}  // namespace barman::command_line

// Command lines, parsed with getopt_long(3) from the table of a program: unambiguous prefixes of
// long options, bundled short options, options between positionals, "--". Errors carry the exact
// text that users and scripts know.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "command_line/parsed_arguments.h"
#include "command_line/program_spec.h"

namespace barman::command_line {

// A command line that cannot be used: usage and "<program>: error: <message>" on stderr.
class UsageError : public std::runtime_error {
 public:
  // `command` nullptr: the error is one of the program, not of a command.
  UsageError(const CommandSyntax* command, const std::string& message)
      : std::runtime_error(message), command_(command) {}
  explicit UsageError(const std::string& message) : UsageError(nullptr, message) {}
  const CommandSyntax* command() const noexcept { return command_; }

 private:
  const CommandSyntax* command_;
};

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

// `words` without the program's name. The result refers to `program`. Throws UsageError. Uses
// getopt's global state, so it is for one thread.
ParsedLine parse_line(const ProgramSpec& program, const std::vector<std::string>& words);

}  // namespace barman::command_line

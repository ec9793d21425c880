// Command lines, parsed with getopt_long(3) from the command table: unambiguous prefixes of long
// options, bundled short options, options between positionals, "--". Errors carry the exact text
// that users and scripts know and end the program with code 2.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command_table.h"

namespace barman::cli {

// What was given, by key (OptionSpec::key(), PositionalSpec::key), defaults filled in. Asking for a
// key that the command does not have is a bug of the program: Error(internal), so that a misspelt
// key is never an option that was not given.
class ParsedArguments {
 public:
  // Of no command: knows no keys and refuses none.
  ParsedArguments() = default;
  explicit ParsedArguments(const CommandSpec& spec);

  std::string command;

  bool has(std::string_view key) const;
  // Flags: the stored constant is "true".
  bool is_set(std::string_view key) const;
  // A pair of flags (--manifest / --no-manifest): nullopt when neither was given.
  std::optional<bool> choice_of(std::string_view key) const;
  std::optional<std::string> find(std::string_view key) const;
  // The value of a required positional or an option with a default.
  const std::string& get(std::string_view key) const;
  std::optional<std::int64_t> find_integer(std::string_view key) const;
  // All values of an accumulating option or a list positional.
  std::vector<std::string> list(std::string_view key) const;

  void set(std::string key, std::string value);
  void append(const std::string& key, std::string value);

 private:
  // nullptr when nothing was given.
  const std::vector<std::string>* find_values(std::string_view key) const;

  std::set<std::string, std::less<>> known_keys_;
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
};

struct GlobalArguments {
  std::optional<std::string> config_file;
  std::string color = "auto";
  std::optional<std::string> log_level;
  bool is_quiet = false;
  bool is_debug = false;
  std::string format = "console";
};

// A command line that cannot be used: usage and "<program>: error: <message>" on stderr, code 2.
class UsageError : public std::runtime_error {
 public:
  // `command` nullptr: the error is one of the program, not of a command.
  UsageError(const CommandSpec* command, const std::string& message)
      : std::runtime_error(message), command_(command) {}
  const CommandSpec* command() const noexcept { return command_; }

 private:
  const CommandSpec* command_;
};

enum class Request { run, help, version };

struct CommandLine {
  Request request = Request::run;
  GlobalArguments global;
  // nullptr: none was given, or help for the program as a whole is asked for.
  const CommandSpec* command = nullptr;
  ParsedArguments arguments;
};

// `arguments` without the program's name. Throws UsageError. Uses getopt's global state, so it is
// for one thread.
CommandLine parse_command_line(const std::vector<std::string>& arguments);

// The arguments of one command; used by parse_command_line(). `is_help_requested` is set by -h.
ParsedArguments parse_command_arguments(const CommandSpec& command,
                                        const std::vector<std::string>& arguments,
                                        bool& is_help_requested);

}  // namespace barman::cli

// What was given on a command line.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "command_line/program_spec.h"

namespace barman::command_line {

// By key (OptionSpec::key(), PositionalSpec::key), defaults filled in. Asking for a key that the
// program or command does not have is a bug of the program: Error(internal), so that a misspelt key
// is never an option that was not given.
class ParsedArguments {
 public:
  // Of no command: knows no keys and refuses none.
  ParsedArguments() = default;
  // `name` of the command, or of the program.
  ParsedArguments(std::string_view name, const ArgumentSpec& spec);

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

}  // namespace barman::command_line

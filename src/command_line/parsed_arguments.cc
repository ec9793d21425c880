#include "command_line/parsed_arguments.h"

#include <stdexcept>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"

namespace barman::command_line {

ParsedArguments::ParsedArguments(std::string_view name, const ArgumentSpec& spec) : command(name) {
  for (const OptionSpec& option : spec.options) known_keys_.insert(option.key());
  for (const PositionalSpec& positional : spec.positionals) {
    known_keys_.insert(std::string(positional.key));
  }
}

const std::vector<std::string>* ParsedArguments::find_values(std::string_view key) const {
  if (!command.empty() && !known_keys_.contains(key)) {
    throw Error(ErrorKind::internal,
                fmt::format("command '{}' has no argument '{}'", command, key));
  }
  const auto entry = values_.find(key);
  return entry == values_.end() || entry->second.empty() ? nullptr : &entry->second;
}

bool ParsedArguments::has(std::string_view key) const { return find_values(key) != nullptr; }

bool ParsedArguments::is_set(std::string_view key) const { return find(key) == "true"; }

std::optional<bool> ParsedArguments::choice_of(std::string_view key) const {
  if (!has(key)) return std::nullopt;
  return is_set(key);
}

std::optional<std::string> ParsedArguments::find(std::string_view key) const {
  const std::vector<std::string>* values = find_values(key);
  return values != nullptr ? std::optional(values->back()) : std::nullopt;
}

const std::string& ParsedArguments::get(std::string_view key) const {
  const std::vector<std::string>* values = find_values(key);
  if (values == nullptr) throw std::logic_error(fmt::format("no argument '{}'", key));
  return values->back();
}

std::optional<std::int64_t> ParsedArguments::find_integer(std::string_view key) const {
  const std::optional<std::string> text = find(key);
  return text ? parse_integer(strip(*text)) : std::nullopt;
}

std::vector<std::string> ParsedArguments::list(std::string_view key) const {
  const std::vector<std::string>* values = find_values(key);
  return values != nullptr ? *values : std::vector<std::string>();
}

void ParsedArguments::set(std::string key, std::string value) {
  values_.insert_or_assign(std::move(key), std::vector{std::move(value)});
}

void ParsedArguments::append(const std::string& key, std::string value) {
  values_[key].push_back(std::move(value));
}

}  // namespace barman::command_line

#include "cli/parser.h"

#include <getopt.h>

#include <algorithm>
#include <cstddef>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/argument_value.h"
#include "cli/commands.h"

namespace barman::cli {
namespace {

// Values of `option::val` that cannot be characters.
constexpr int kFirstLongOption = 1000;
constexpr int kPositional = 1;  // what getopt returns in "in order" mode
constexpr int kMissingValue = ':';
constexpr int kUnknownOption = '?';

// What one element of the command line turned out to be.
struct Found {
  enum class Kind { option, positional, unknown, end };
  Kind kind = Kind::end;
  const OptionSpec* option = nullptr;
  std::optional<std::string> value;
  std::string text;  // of a positional or an unknown option
};

// getopt_long over a list of options. One at a time: getopt keeps its state in globals.
class OptionReader {
 public:
  // Global options end at the first positional, which is the command.
  enum class Positionals { in_order, stop_at_first };

  OptionReader(const CommandSpec* command, const std::vector<OptionSpec>& options,
               const std::vector<std::string>& arguments, Positionals mode)
      : command_(command), arguments_(arguments) {
    // "+" and "-" must come first, then ":" (tell a missing value from an unknown option).
    short_names_ = mode == Positionals::stop_at_first ? "+:h" : "-:h";
    long_names_.push_back({"help", no_argument, nullptr, 'h'});
    help_.names = {"help"};
    help_.short_names = "h";
    for (const OptionSpec& option : options) add(option);
    long_names_.push_back({nullptr, 0, nullptr, 0});
    argv_.push_back(program_.data());
    for (std::string& argument : arguments_) argv_.push_back(argument.data());
    argv_.push_back(nullptr);
    opterr = 0;
    optind = 0;  // glibc: forget all earlier parsing
  }

  bool is_help(const Found& found) const { return found.option == &help_; }

  Found next() {
    const int begin = optind == 0 ? 1 : optind;
    const int code = ::getopt_long(argument_count(), argv_.data(), short_names_.c_str(),
                                   long_names_.data(), nullptr);
    if (code == -1) return {};
    if (code == kPositional) {
      return {.kind = Found::Kind::positional, .option = nullptr, .value = {}, .text = optarg};
    }
    if (code == kMissingValue) {
      throw UsageError(command_, fmt::format("argument {}: expected one argument",
                                             spec_of(optopt)->display_names()));
    }
    if (code == kUnknownOption) return unknown(begin);
    Found found = {.kind = Found::Kind::option, .option = spec_of(code), .value = {}, .text = {}};
    if (optarg != nullptr) found.value = checked_value(*found.option);
    if (found.option->kind == ValueKind::optional_choice && optarg == nullptr) take_value(found);
    return found;
  }

  // What is left after "--" or, with stop_at_first, from the first positional on.
  std::vector<std::string> rest() const {
    const auto first = static_cast<std::ptrdiff_t>(optind == 0 ? 0 : optind - 1);
    return {arguments_.begin() + std::min(first, std::ssize(arguments_)), arguments_.end()};
  }

 private:
  int argument_count() const { return static_cast<int>(argv_.size()) - 1; }

  void add(const OptionSpec& option) {
    const int has_value = option.kind == ValueKind::flag              ? no_argument
                          : option.kind == ValueKind::optional_choice ? optional_argument
                                                                      : required_argument;
    const int code = kFirstLongOption + static_cast<int>(options_.size());
    options_.push_back(&option);
    for (const std::string_view name : option.names) {
      long_names_.push_back({name.data(), has_value, nullptr, code});
    }
    for (const char name : option.short_names) {
      short_names_.push_back(name);
      if (has_value == required_argument) short_names_.push_back(':');
      short_codes_.emplace_back(name, code);
    }
  }

  const OptionSpec* spec_of(int code) const {
    if (code == 'h') return &help_;
    for (const auto& [name, long_code] : short_codes_) {
      if (name == code) code = long_code;
    }
    return options_.at(static_cast<std::size_t>(code - kFirstLongOption));
  }
  bool is_known(int code) const {
    return code >= kFirstLongOption || code == 'h' ||
           std::any_of(short_codes_.begin(), short_codes_.end(),
                       [code](const auto& entry) { return entry.first == code; });
  }

  // getopt takes whatever follows as the value; a following option means that it is missing.
  std::string checked_value(const OptionSpec& option) const {
    const std::string value = optarg;
    const bool is_own_element = argv_.at(static_cast<std::size_t>(optind - 1)) == optarg;
    const bool looks_like_option = value.size() > 1 && value.front() == '-' &&
                                   !parse_integer(value) && value.find(' ') == std::string::npos;
    if (is_own_element && looks_like_option) {
      throw UsageError(command_,
                       fmt::format("argument {}: expected one argument", option.display_names()));
    }
    return value;
  }

  // --reuse-backup takes the next element as its value unless that is an option.
  void take_value(Found& found) const {
    if (optind >= argument_count()) return;
    const std::string next = argv_.at(static_cast<std::size_t>(optind));
    if (next.size() > 1 && next.front() == '-') return;
    found.value = next;
    ++optind;
  }

  Found unknown(int begin) const {
    std::string element = argv_.at(static_cast<std::size_t>(begin));
    // A value given to a long option that takes none.
    if (optopt != 0 && is_known(optopt)) {
      const std::string value = element.substr(element.find('=') + 1);
      throw UsageError(command_, fmt::format("argument {}: ignored explicit argument '{}'",
                                             spec_of(optopt)->display_names(), value));
    }
    if (element.starts_with("--")) reject_ambiguous(element);
    return {.kind = Found::Kind::unknown, .option = nullptr, .value = {}, .text = element};
  }

  void reject_ambiguous(const std::string& element) const {
    const std::string_view prefix = std::string_view(element).substr(2, element.find('=') - 2);
    std::vector<std::string> candidates;
    for (const option& entry : long_names_) {
      if (entry.name != nullptr && std::string_view(entry.name).starts_with(prefix)) {
        candidates.push_back(fmt::format("--{}", entry.name));
      }
    }
    if (candidates.size() > 1) {
      throw UsageError(command_, fmt::format("ambiguous option: --{} could match {}", prefix,
                                             join(candidates, ", ")));
    }
  }

  const CommandSpec* command_;
  std::vector<std::string> arguments_;
  std::string program_ = "barman";
  std::vector<char*> argv_;
  std::string short_names_;
  std::vector<option> long_names_;
  std::vector<std::pair<int, int>> short_codes_;
  std::vector<const OptionSpec*> options_;
  OptionSpec help_;
};

// Stores a found option, after a look at its value.
void store_option(const CommandSpec* command, const Found& found, ParsedArguments& result) {
  const OptionSpec& option = *found.option;
  const std::string value = found.value.value_or(std::string(option.constant));
  if (const auto problem = value_problem(option.kind, option.choices, value)) {
    throw UsageError(command, fmt::format("argument {}: {}", option.display_names(), *problem));
  }
  if (option.repetition == Repetition::accumulate) {
    result.append(option.key(), value);
  } else {
    result.set(option.key(), value);
  }
}

// A positional argument, and the run of adjacent positionals that it belongs to.
struct Positional {
  std::string text;
  std::size_t run = 0;
};

// Gives positionals to their places; returns those that have none.
std::vector<std::string> store_positionals(const CommandSpec& command,
                                           const std::vector<Positional>& given,
                                           ParsedArguments& result) {
  std::size_t i = 0;
  std::vector<std::string> missing;
  for (const PositionalSpec& spec : command.positionals) {
    if (i == given.size()) {
      if (spec.arity != Arity::optional) missing.emplace_back(spec.metavar);
      continue;
    }
    const std::size_t run = given[i].run;
    do {
      const std::string& text = given[i++].text;
      if (const auto problem = value_problem(spec.kind, {}, text)) {
        throw UsageError(&command, fmt::format("argument {}: {}", spec.metavar, *problem));
      }
      result.append(std::string(spec.key), text);
      // A list of servers must be contiguous.
    } while (spec.arity == Arity::one_or_more && i < given.size() && given[i].run == run);
  }
  if (!missing.empty()) {
    throw UsageError(&command,
                     fmt::format("the following arguments are required: {}", join(missing, ", ")));
  }
  std::vector<std::string> superfluous;
  for (; i < given.size(); ++i) superfluous.push_back(given[i].text);
  return superfluous;
}

void store_defaults(const std::vector<OptionSpec>& options, ParsedArguments& result) {
  for (const OptionSpec& option : options) {
    if (option.default_text && !result.has(option.key())) {
      result.set(option.key(), std::string(*option.default_text));
    }
  }
}

[[noreturn]] void reject_command(const std::string& name) {
  const CommandSpec* known = find_command(name);
  if (known != nullptr) {
    throw UsageError(nullptr, fmt::format("argument command: command '{}' is not available in this "
                                          "version",
                                          name));
  }
  std::vector<std::string> names;
  for (const CommandSpec& command : command_table()) {
    if (is_available(command.name)) names.push_back(fmt::format("'{}'", command.name));
  }
  throw UsageError(nullptr, fmt::format("argument command: invalid choice: '{}' (choose from {})",
                                        name, join(names, ", ")));
}

GlobalArguments global_arguments(const ParsedArguments& values) {
  return {.config_file = values.find("config"),
          .color = values.get("color"),
          .log_level = values.find("log_level"),
          .is_quiet = values.is_set("quiet"),
          .is_debug = values.is_set("debug"),
          .format = values.get("format")};
}

}  // namespace

ParsedArguments::ParsedArguments(const CommandSpec& spec) : command(spec.name) {
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

ParsedArguments parse_command_arguments(const CommandSpec& command,
                                        const std::vector<std::string>& arguments,
                                        bool& is_help_requested) {
  ParsedArguments result(command);
  is_help_requested = false;
  OptionReader reader(&command, command.options, arguments, OptionReader::Positionals::in_order);
  std::vector<Positional> positionals;
  std::vector<std::string> unknown;
  std::size_t run = 0;
  for (Found found = reader.next(); found.kind != Found::Kind::end; found = reader.next()) {
    if (found.kind == Found::Kind::positional) {
      positionals.push_back({found.text, run});
      continue;
    }
    ++run;
    if (found.kind == Found::Kind::unknown) {
      // Each letter of a bundle is reported by getopt; the element is told once.
      if (unknown.empty() || unknown.back() != found.text) unknown.push_back(found.text);
    } else if (reader.is_help(found)) {
      is_help_requested = true;
      return result;
    } else {
      store_option(&command, found, result);
    }
  }
  for (const std::string& text : reader.rest()) positionals.push_back({text, run});
  for (std::string& text : store_positionals(command, positionals, result)) {
    unknown.push_back(std::move(text));
  }
  if (!unknown.empty()) {
    throw UsageError(nullptr, fmt::format("unrecognized arguments: {}", join(unknown, " ")));
  }
  store_defaults(command.options, result);
  return result;
}

CommandLine parse_command_line(const std::vector<std::string>& arguments) {
  CommandLine line;
  ParsedArguments values;
  std::vector<std::string> rest;
  {
    OptionReader reader(nullptr, global_options(), arguments,
                        OptionReader::Positionals::stop_at_first);
    for (Found found = reader.next(); found.kind != Found::Kind::end; found = reader.next()) {
      if (found.kind == Found::Kind::unknown) {
        throw UsageError(nullptr, fmt::format("unrecognized arguments: {}", found.text));
      }
      const bool is_version = !reader.is_help(found) && found.option->key() == "version";
      if (reader.is_help(found) || is_version) {
        line.request = is_version ? Request::version : Request::help;
        return line;
      }
      store_option(nullptr, found, values);
    }
    rest = reader.rest();
  }
  store_defaults(global_options(), values);
  line.global = global_arguments(values);
  if (rest.empty()) return line;
  line.command = find_command(rest.front());
  if (line.command == nullptr || !is_available(line.command->name)) {
    reject_command(rest.front());
  }
  rest.erase(rest.begin());
  bool is_help_requested = false;
  line.arguments = parse_command_arguments(*line.command, rest, is_help_requested);
  if (is_help_requested) line.request = Request::help;
  return line;
}

}  // namespace barman::cli

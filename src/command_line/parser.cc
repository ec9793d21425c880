#include "command_line/parser.h"

#include <getopt.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/nearest.h"
#include "base/text.h"
#include "command_line/argument_value.h"
#include "command_line/completion.h"

namespace barman::command_line {
namespace {

// Values of `option::val` that cannot be characters.
constexpr int kFirstLongOption = 1000;
constexpr int kPositional = 1;  // what getopt returns in "in order" mode
constexpr int kMissingValue = ':';
constexpr int kUnknownOption = '?';

// Whose arguments are parsed.
struct Owner {
  const ProgramSpec& program;
  const CommandSyntax* command = nullptr;

  bool reads_as(Reading reading) const { return program.reading == reading; }
  // The option in messages about its value.
  std::string label(const OptionSpec& option) const {
    return reads_as(Reading::argparse) ? option.display_names()
                                       : "--" + std::string(option.names.front());
  }
};

// What one element of the command line turned out to be.
struct Found {
  enum class Kind { option, positional, unknown, end };
  Kind kind = Kind::end;
  const OptionSpec* option = nullptr;
  std::optional<std::string> value;
  std::string text;  // of a positional or an unknown option
  std::vector<std::string> more_values = {};
};

// getopt_long over a list of options. One at a time: getopt keeps its state in globals.
class OptionReader {
 public:
  // Options of a program with commands end at the first positional, which is the command.
  enum class Positionals { in_order, stop_at_first };

  OptionReader(const Owner& owner, const std::vector<OptionSpec>& options,
               const std::vector<std::string>& words, Positionals mode)
      : owner_(owner), words_(words), name_(owner.program.name) {
    // "+" and "-" must come first, then ":" (tell a missing value from an unknown option).
    short_names_ = mode == Positionals::stop_at_first ? "+:" : "-:";
    for (const OptionSpec& option : options) add(option);
    long_names_.push_back({nullptr, 0, nullptr, 0});
    argv_.push_back(name_.data());
    for (std::string& word : words_) argv_.push_back(word.data());
    argv_.push_back(nullptr);
    opterr = 0;
    optind = 0;  // glibc: forget all earlier parsing
  }

  Found next() {
    const int begin = optind == 0 ? 1 : optind;
    const int code = ::getopt_long(argument_count(), argv_.data(), short_names_.c_str(),
                                   long_names_.data(), nullptr);
    if (code == -1) return {};
    if (code == kPositional) {
      return {.kind = Found::Kind::positional, .option = nullptr, .value = {}, .text = optarg};
    }
    const std::string element = argv_.at(static_cast<std::size_t>(begin));
    if (code == kMissingValue) {
      const bool as_given = owner_.reads_as(Reading::getopt);
      reject_missing_value(as_given ? element : spec_of(optopt)->display_names());
    }
    if (code == kUnknownOption) return unknown(element);
    Found found = {.kind = Found::Kind::option, .option = spec_of(code), .value = {}, .text = {}};
    if (optarg != nullptr) found.value = checked_value(*found.option);
    if (found.option->kind == ValueKind::optional_choice && optarg == nullptr) take_value(found);
    if (found.option->repetition == Repetition::several_values) take_more_values(found);
    return found;
  }

  // What is left after "--" or, with stop_at_first, from the first positional on.
  std::vector<std::string> rest() const {
    const auto first = static_cast<std::ptrdiff_t>(optind == 0 ? 0 : optind - 1);
    return {words_.begin() + std::min(first, std::ssize(words_)), words_.end()};
  }

 private:
  int argument_count() const { return static_cast<int>(argv_.size()) - 1; }

  void add(const OptionSpec& option) {
    const int has_value = takes_no_value(option.kind)                 ? no_argument
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
    for (const auto& [name, long_code] : short_codes_) {
      if (name == code) code = long_code;
    }
    return options_.at(static_cast<std::size_t>(code - kFirstLongOption));
  }
  bool is_known(int code) const {
    return code >= kFirstLongOption ||
           std::any_of(short_codes_.begin(), short_codes_.end(),
                       [code](const auto& entry) { return entry.first == code; });
  }

  [[noreturn]] void reject_missing_value(const std::string& name) const {
    throw UsageError(owner_.command, fmt::format("argument {}: expected one argument", name));
  }

  // getopt takes whatever follows as the value; a following option means that it is missing.
  std::string checked_value(const OptionSpec& option) const {
    const std::string value = optarg;
    if (owner_.reads_as(Reading::getopt)) return value;
    const bool is_own_element = argv_.at(static_cast<std::size_t>(optind - 1)) == optarg;
    const bool looks_like_option = value.size() > 1 && value.front() == '-' &&
                                   !parse_integer(value) && value.find(' ') == std::string::npos;
    if (is_own_element && looks_like_option) reject_missing_value(option.display_names());
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

  // Not of "--tags=a,b".
  void take_more_values(Found& found) const {
    if (argv_.at(static_cast<std::size_t>(optind - 1)) != optarg) return;
    while (optind < argument_count()) {
      const std::string next = argv_.at(static_cast<std::size_t>(optind));
      if (next.size() > 1 && next.front() == '-') return;
      found.more_values.push_back(next);
      ++optind;
    }
  }

  Found unknown(const std::string& element) const {
    if (owner_.reads_as(Reading::argparse)) {
      // A value given to a long option that takes none.
      if (optopt != 0 && is_known(optopt)) {
        const std::string value = element.substr(element.find('=') + 1);
        throw UsageError(owner_.command, fmt::format("argument {}: ignored explicit argument '{}'",
                                                     spec_of(optopt)->display_names(), value));
      }
      if (optopt == 0) reject_ambiguous(element);
    }
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
      throw UsageError(owner_.command, fmt::format("ambiguous option: --{} could match {}", prefix,
                                                   join(candidates, ", ")));
    }
  }

  Owner owner_;
  std::vector<std::string> words_;
  std::string name_;
  std::vector<char*> argv_;
  std::string short_names_;
  std::vector<option> long_names_;
  std::vector<std::pair<int, int>> short_codes_;
  std::vector<const OptionSpec*> options_;
};

void check_value(const Owner& owner, const OptionSpec& option, const std::string& value) {
  if (const auto problem = value_problem(option.kind, option.choices, value)) {
    throw UsageError(owner.command, fmt::format("argument {}: {}", owner.label(option), *problem))
        .with_suggestion(did_you_mean(value, option.choices));
  }
}

void store_option(const Owner& owner, const Found& found, ParsedArguments& result) {
  const OptionSpec& option = *found.option;
  const std::string value = found.value.value_or(std::string(option.constant));
  if (owner.reads_as(Reading::argparse)) check_value(owner, option, value);
  if (option.repetition == Repetition::accumulate) {
    result.append(option.key(), value);
  } else {
    result.set(option.key(), value);
  }
  for (const std::string& more : found.more_values) {
    if (owner.reads_as(Reading::argparse)) check_value(owner, option, more);
    result.append(option.key(), more);
  }
}

// A positional argument, and the run of adjacent positionals that it belongs to.
struct Positional {
  std::string text;
  std::size_t run = 0;
};

[[noreturn]] void reject_unknown(const Owner& owner, const std::vector<std::string>& words);

bool looks_like_option(const std::string& word) { return word.size() > 1 && word.front() == '-'; }

// Gives positionals to their places; returns those that have none. `unknown` has been found before.
std::vector<std::string> store_positionals(const Owner& owner, const ArgumentSpec& spec,
                                           const std::vector<Positional>& given,
                                           const std::vector<std::string>& unknown,
                                           ParsedArguments& result) {
  std::size_t i = 0;
  std::vector<std::string> missing;
  for (const PositionalSpec& positional : spec.positionals) {
    if (i == given.size()) {
      if (positional.arity != Arity::optional) missing.emplace_back(positional.metavar);
      continue;
    }
    const std::size_t run = given[i].run;
    do {
      const std::string& text = given[i++].text;
      if (const auto problem = value_problem(positional.kind, {}, text)) {
        throw UsageError(owner.command,
                         fmt::format("argument {}: {}", positional.metavar, *problem));
      }
      result.append(std::string(positional.key), text);
      // A list of servers must be contiguous.
    } while (positional.arity == Arity::one_or_more && i < given.size() && given[i].run == run);
  }
  if (!missing.empty()) {
    // A mistyped --help wants no server.
    if (std::ranges::any_of(unknown, looks_like_option)) reject_unknown(owner, unknown);
    throw UsageError(owner.command,
                     fmt::format("the following arguments are required: {}", join(missing, ", ")));
  }
  std::vector<std::string> superfluous;
  for (; i < given.size(); ++i) superfluous.push_back(given[i].text);
  return superfluous;
}

// "--jobs" of "--jobs=4".
std::string without_value(const std::string& word) { return word.substr(0, word.find('=')); }

// What may have been meant by a word that looks like an option.
std::string suggest_option(const Owner& owner, const std::string& word) {
  const std::string given = without_value(word);
  std::vector<std::string> names;
  for (const OptionSpec& option : owner.program.arguments_of(owner.command).offered_options()) {
    for (const std::string& name : spellings(option)) {
      if (name.starts_with("--")) names.push_back(name);
    }
  }
  for (const OptionSpec& option : owner.program.arguments.options) {
    const std::vector<std::string> global = spellings(option);
    if (owner.command == nullptr || std::ranges::find(global, given) == global.end()) continue;
    return fmt::format("{} stands before the command: {} {} {} ...", given, owner.program.name,
                       word, owner.command->name);
  }
  if (!given.starts_with("--")) return {};
  return did_you_mean(given, std::vector<std::string_view>(names.begin(), names.end()));
}

[[noreturn]] void reject_unknown(const Owner& owner, const std::vector<std::string>& words) {
  const bool tells_all = owner.reads_as(Reading::argparse);
  const auto option = std::ranges::find_if(words, looks_like_option);
  throw UsageError(
      fmt::format("unrecognized arguments: {}", tells_all ? join(words, " ") : words.front()))
      .with_usage_of(owner.command)
      .with_suggestion(option == words.end() ? "" : suggest_option(owner, *option));
}

void check_groups(const Owner& owner, const std::vector<OptionSpec>& options,
                  const std::vector<const OptionSpec*>& given) {
  const auto is_given = [&](const OptionSpec& option) {
    return std::ranges::find(given, &option) != given.end();
  };
  for (const OptionSpec& option : options) {
    if (option.group.empty() || !is_given(option)) continue;
    const auto first = std::ranges::find_if(options, [&](const OptionSpec& other) {
      return other.group == option.group && is_given(other);
    });
    if (&*first == &option) continue;
    throw UsageError(owner.command, fmt::format("argument {}: not allowed with argument {}",
                                                owner.label(option), owner.label(*first)));
  }
}

void store_defaults(const std::vector<OptionSpec>& options, ParsedArguments& result) {
  for (const OptionSpec& option : options) {
    if (option.default_text && !result.has(option.key())) {
      result.set(option.key(), std::string(*option.default_text));
    }
  }
}

// Options and positionals of a command, or of a program without commands. Stops at help or version.
Request parse_arguments(const Owner& owner, const ArgumentSpec& spec,
                        const std::vector<std::string>& words, ParsedArguments& result) {
  OptionReader reader(owner, spec.options, words, OptionReader::Positionals::in_order);
  std::vector<Positional> positionals;
  std::vector<std::string> unknown;
  std::vector<const OptionSpec*> given;
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
      if (owner.reads_as(Reading::getopt)) reject_unknown(owner, unknown);
      continue;
    }
    if (found.option->kind == ValueKind::help) return Request::help;
    if (found.option->kind == ValueKind::version) return Request::version;
    given.push_back(found.option);
    store_option(owner, found, result);
  }
  for (const std::string& text : reader.rest()) positionals.push_back({text, run});
  for (std::string& text : store_positionals(owner, spec, positionals, unknown, result)) {
    unknown.push_back(std::move(text));
  }
  if (!unknown.empty()) reject_unknown(owner, unknown);
  check_groups(owner, spec.options, given);
  if (owner.reads_as(Reading::getopt)) {
    for (const OptionSpec& option : spec.options) {
      if (takes_no_value(option.kind)) continue;
      for (const std::string& value : result.list(option.key())) check_value(owner, option, value);
    }
  }
  store_defaults(spec.options, result);
  return Request::run;
}

// The options before the command; `words` becomes what is left from the command on.
Request parse_global(const Owner& owner, std::vector<std::string>& words, ParsedArguments& result) {
  const std::vector<OptionSpec>& options = owner.program.arguments.options;
  OptionReader reader(owner, options, words, OptionReader::Positionals::stop_at_first);
  for (Found found = reader.next(); found.kind != Found::Kind::end; found = reader.next()) {
    if (found.kind == Found::Kind::unknown) reject_unknown(owner, {found.text});
    if (found.option->kind == ValueKind::help) return Request::help;
    if (found.option->kind == ValueKind::version) return Request::version;
    store_option(owner, found, result);
  }
  words = reader.rest();
  store_defaults(options, result);
  return Request::run;
}

}  // namespace

UsageError unknown_command(const ProgramSpec& program, const std::string& name) {
  if (program.find_command(name) != nullptr) {
    return UsageError(
        fmt::format("argument command: command '{}' is not available in this version", name));
  }
  std::vector<std::string_view> names;
  for (const CommandSyntax& command : program.commands) {
    if (!command.is_available) continue;
    names.push_back(command.name);
    names.insert(names.end(), command.aliases.begin(), command.aliases.end());
  }
  UsageError error(fmt::format("argument command: invalid choice: '{}'", name));
  const std::string nearest = did_you_mean(name, names);
  error.with_suggestion(nearest.empty() ? fmt::format("'{} help' lists the commands.", program.name)
                                        : nearest);
  return error;
}

std::vector<std::string> unused_options(const ProgramSpec& program, const ParsedLine& line) {
  std::vector<std::string> texts;
  const ArgumentSpec spec = program.arguments_of(line.command);
  for (const OptionSpec& option : spec.options) {
    if (option.is_offered() || !line.arguments.has(option.key())) continue;
    texts.push_back(
        fmt::format("{} has no effect: {}.", option.display_names(), option.unused_because));
  }
  return texts;
}

ParsedLine parse_line(const ProgramSpec& program, const std::vector<std::string>& words) {
  ParsedLine line;
  const Owner owner = {.program = program};
  if (program.commands.empty()) {
    line.arguments = ParsedArguments(program.name, program.arguments);
    line.request = parse_arguments(owner, program.arguments, words, line.arguments);
    return line;
  }
  std::vector<std::string> rest = words;
  line.global = ParsedArguments(program.name, program.arguments);
  line.request = parse_global(owner, rest, line.global);
  if (line.request != Request::run || rest.empty()) return line;
  line.command = program.find_command(rest.front());
  if (line.command == nullptr || !line.command->is_available)
    throw unknown_command(program, rest.front());
  rest.erase(rest.begin());
  const ArgumentSpec spec = program.arguments_of(line.command);
  line.arguments = ParsedArguments(line.command->name, spec);
  line.request =
      parse_arguments({.program = program, .command = line.command}, spec, rest, line.arguments);
  return line;
}

}  // namespace barman::command_line

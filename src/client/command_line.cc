#include "client/command_line.h"

#include <getopt.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>

#include <fmt/format.h>

#include "base/error.h"
#include "base/program_start.h"
#include "base/text.h"
#include "client/remote_barman.h"
#include "version.h"

namespace barman::client {
namespace {

constexpr int kLongOnly = 1000;

std::string shown(const ClientOption& option) {
  std::string text = option.short_name != 0 ? fmt::format("-{}, ", option.short_name) : "    ";
  text += fmt::format("--{}", option.name);
  if (!option.metavar.empty()) text += fmt::format(" {}", option.metavar);
  return text;
}

// The last one wins, as for values.
void store(ClientArguments& result, const ClientOption& option, const char* value) {
  result.given.emplace_back(option.name);
  if (value != nullptr) result.values.insert_or_assign(std::string(option.name), value);
  if (option.name == "help") result.request = ClientArguments::Request::help;
  if (option.name == "version") result.request = ClientArguments::Request::version;
}

}  // namespace

std::vector<ClientOption> ClientProgram::all_options() const {
  std::vector<ClientOption> all = {
      {.short_name = 'h', .name = "help", .help = "show this help and exit"},
      {.short_name = 'V', .name = "version", .help = "show the version and exit"}};
  all.insert(all.end(), options.begin(), options.end());
  return all;
}

std::string ClientProgram::usage() const {
  std::string text = fmt::format("usage: {} [options]", name);
  for (const ClientPositional& positional : positionals) {
    text += fmt::format(" {}", positional.metavar);
  }
  return text + "\n";
}

std::string ClientProgram::help() const {
  std::string sentence(summary);
  sentence.front() = to_upper(sentence.substr(0, 1)).front();
  std::string text =
      fmt::format("{}\n{}. For postgresql.conf:\n  {}\n\narguments:\n", usage(), sentence, example);
  for (const ClientPositional& positional : positionals) {
    text += fmt::format("  {:<28} {}\n", positional.metavar, positional.help);
  }
  text += "\noptions:\n";
  for (const ClientOption& option : all_options()) {
    text += fmt::format("  {:<28} {}\n", shown(option), option.help);
  }
  return text;
}

bool ClientArguments::has(std::string_view name) const {
  return std::find(given.begin(), given.end(), name) != given.end();
}

std::optional<std::string> ClientArguments::find(std::string_view name) const {
  const auto found = values.find(name);
  return found == values.end() ? std::nullopt : std::optional(found->second);
}

std::string ClientArguments::value_or(std::string_view name, std::string_view other) const {
  return find(name).value_or(std::string(other));
}

std::int64_t ClientArguments::number_or(std::string_view name, std::int64_t other) const {
  const std::optional<std::string> text = find(name);
  if (!text) return other;
  const std::optional<std::int64_t> number = parse_integer(*text);
  if (!number || *number < 0) {
    throw ClientUsageError(
        fmt::format("argument --{}: '{}' is not a valid non negative integer", name, *text));
  }
  return *number;
}

ClientArguments parse_client_line(const ClientProgram& program,
                                  const std::vector<std::string>& arguments) {
  const std::vector<ClientOption> options = program.all_options();
  std::vector<std::string> words = {std::string(program.name)};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::string short_names = ":";
  std::vector<std::string> names;
  names.reserve(options.size());
  std::vector<option> long_options;
  for (std::size_t i = 0; i < options.size(); ++i) {
    const bool has_value = !options[i].metavar.empty();
    if (options[i].short_name != 0) short_names += options[i].short_name;
    if (options[i].short_name != 0 && has_value) short_names += ':';
    names.emplace_back(options[i].name);
    long_options.push_back({names.back().c_str(), has_value ? required_argument : no_argument,
                            nullptr, kLongOnly + static_cast<int>(i)});
  }
  long_options.push_back({});

  ClientArguments result;
  ::optind = 0;
  ::opterr = 0;
  for (;;) {
    const int code = ::getopt_long(static_cast<int>(words.size()), argv.data(), short_names.c_str(),
                                   long_options.data(), nullptr);
    if (code == -1) break;
    const std::string word = argv[static_cast<std::size_t>(std::max(::optind - 1, 1))];
    if (code == ':')
      throw ClientUsageError(fmt::format("argument {}: expected one argument", word));
    if (code == '?') throw ClientUsageError(fmt::format("unrecognized arguments: {}", word));
    const auto known =
        std::find_if(options.begin(), options.end(), [&](const ClientOption& option) {
          return option.short_name == code ||
                 code == kLongOnly + static_cast<int>(&option - options.data());
        });
    store(result, *known, known->metavar.empty() ? nullptr : ::optarg);
    if (result.request != ClientArguments::Request::run) return result;
  }
  for (int i = ::optind; i < static_cast<int>(words.size()); ++i) {
    result.positionals.emplace_back(argv[static_cast<std::size_t>(i)]);
  }
  if (result.positionals.size() < program.positionals.size()) {
    std::vector<std::string> missing;
    for (std::size_t i = result.positionals.size(); i < program.positionals.size(); ++i) {
      missing.emplace_back(program.positionals[i].metavar);
    }
    throw ClientUsageError("the following arguments are required: " + join(missing, ", "));
  }
  if (result.positionals.size() > program.positionals.size()) {
    throw ClientUsageError("unrecognized arguments: " +
                           result.positionals[program.positionals.size()]);
  }
  return result;
}

void tell(const std::string& text) { std::fputs((text + "\n").c_str(), stderr); }

int print(const std::string& text) {
  if (write_plainly(STDOUT_FILENO, text)) return kExitSuccess;
  tell("ERROR: cannot write to standard output: " + errno_text(errno));
  return kExitFailure;
}

int run_client(const ClientProgram& program, int argc, char** argv,
               int (*run)(const ClientArguments& arguments)) {
  // A pipe whose reader has gone is an error to report, not the end.
  ::signal(SIGPIPE, SIG_IGN);
  try {
    prepare_program();
    const ClientArguments arguments =
        parse_client_line(program, {argv + std::min(argc, 1), argv + argc});
    switch (arguments.request) {
      case ClientArguments::Request::help:
        return print(program.help());
      case ClientArguments::Request::version:
        return print(fmt::format("{} {}\n", program.name, kVersion));
      case ClientArguments::Request::run:
        return run(arguments);
    }
  } catch (const ClientUsageError& error) {
    tell(fmt::format("{}{}: error: {}", program.usage(), program.name, error.what()));
  } catch (const std::exception& error) {
    const auto* ours = dynamic_cast<const Error*>(&error);
    tell(fmt::format("ERROR: {}", ours != nullptr ? ours->describe() : error.what()));
    if (ours != nullptr && !ours->hint().empty()) tell("HINT: " + ours->hint());
  }
  return kExitFailure;
}

}  // namespace barman::client

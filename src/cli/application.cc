#include "cli/application.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/hint.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/log_format.h"
#include "base/program_start.h"
#include "base/text.h"
#include "base/timestamp.h"
#include "base/unexpected.h"
#include "catalogue/presence.h"
#include "cli/barman_program.h"
#include "cli/bounded_work.h"
#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "cli/told_before.h"
#include "cli/user_switch.h"
#include "command_line/help.h"
#include "command_line/parser.h"
#include "config/configuration.h"
#include "output/progress_display.h"
#include "output/reporter.h"
#include "output/writer.h"
#include "postgres/conninfo.h"
#include "version.h"

namespace barman::cli {
namespace {

void print_error(const std::string& text) { output::OutputStream(STDERR_FILENO).write(text); }

// A failure before there is a writer goes to stderr as it is.
int fail_at_startup(const std::string& text, int exit_code = kExitFailure) {
  print_error(text + "\n");
  return exit_code;
}

// The exit code: nobody has got a text that could not be written.
int print_text(const std::string& text) {
  output::OutputStream stream(STDOUT_FILENO);
  stream.write(text);
  if (stream.error_number() == 0) return kExitSuccess;
  return fail_at_startup("ERROR: cannot write to standard output: " +
                         errno_text(stream.error_number()));
}

// The options that stand before the command.
struct GlobalArguments {
  std::optional<std::string> config_file;
  std::string color;
  std::optional<std::string> log_level;
  bool is_quiet = false;
  bool is_debug = false;
  std::string format;
};

GlobalArguments global_arguments(const ParsedArguments& values) {
  return {.config_file = values.find("config"),
          .color = values.get("color"),
          .log_level = values.find("log_level"),
          .is_quiet = values.is_set("quiet"),
          .is_debug = values.is_set("debug"),
          .format = values.get("format")};
}

config::MainFileLookup main_file_lookup(const GlobalArguments& global) {
  config::MainFileLookup lookup;
  lookup.option = global.config_file;
  const char* file = std::getenv("BARMAN_CONFIG_FILE");  // NOLINT(concurrency-mt-unsafe)
  if (file != nullptr) lookup.environment = file;
  lookup.home = home_directory();
  return lookup;
}

int log_level_number(const std::string& name) {
  if (name == "NOTSET") return 0;
  for (const auto& [known, level] : {std::pair{"DEBUG", log::Level::debug},
                                     {"INFO", log::Level::info},
                                     {"WARNING", log::Level::warning},
                                     {"ERROR", log::Level::error}}) {
    if (name == known) return static_cast<int>(level);
  }
  return static_cast<int>(log::Level::critical);
}

// The values that config-update gets may be secrets under a mistyped name.
std::string shown_arguments(const std::vector<std::string>& arguments) {
  const auto command = std::find(arguments.begin(), arguments.end(), "config-update");
  if (command == arguments.end()) return fmt::format("{}", fmt::join(arguments, " "));
  return fmt::format("{} ...", fmt::join(arguments.begin(), command + 1, " "));
}

bool is_below(std::string_view path, std::string_view directory) {
  return !directory.empty() && path.starts_with(directory) &&
         (directory.ends_with('/') || path.substr(directory.size()).starts_with('/'));
}

void open_program_log(const config::GlobalConfig& config, const GlobalArguments& global,
                      const std::vector<std::string>& arguments) {
  const int level = global.log_level ? log_level_number(*global.log_level) : config.log_level;
  // The log must not make barman_home in the place where its disk is not mounted.
  const bool has_place = !config.log_file || !is_below(*config.log_file, config.barman_home) ||
                         !catalogue::find_missing_home(config.barman_home);
  if (!has_place) return;
  const auto failure = log::open_log(config.log_file, level);
  if (failure) {
    log::warning(log::kCliComponent,
                 "Failed opening the requested log file. Using standard error instead.");
    log::warning(log::kCliComponent, "{}", *failure);
  }
  if (config.log_format) {
    if (const auto refusal = log::set_line_format(*config.log_format))
      log::warning(log::kCliComponent, "{}", *refusal);
  }
  if (config.unknown_log_level && !global.log_level) {
    log::warning(log::kCliComponent, "unknown log_level in config file: {}",
                 *config.unknown_log_level);
  }
  log::debug(log::kCliComponent, "Initialised Barman version {} (config: {}, args: {})", kVersion,
             config.config_file, shown_arguments(arguments));
}

output::ReporterOptions reporter_options(const GlobalArguments& global) {
  const auto color = global.color == "always"  ? output::ColorMode::always
                     : global.color == "never" ? output::ColorMode::never
                                               : output::ColorMode::automatic;
  output::ReporterOptions options;
  options.format =
      global.format == "json" ? output::OutputFormat::json : output::OutputFormat::console;
  options.is_quiet = global.is_quiet;
  options.is_debug = global.is_debug;
  options.color = color;
  return options;
}

// "'barman backup' of server 'main'".
std::string described_command(const CommandContext& context) {
  const std::string& command = context.arguments.command;
  const command_line::CommandSyntax* const syntax = barman_program().find_command(command);
  const bool has_server =
      syntax != nullptr &&
      std::any_of(syntax->arguments.positionals.begin(), syntax->arguments.positionals.end(),
                  [](const auto& each) { return each.key == "server_name"; });
  const std::string servers =
      has_server ? join(context.arguments.list("server_name"), ", ") : std::string();
  return fmt::format("'barman {}'{}", command,
                     servers.empty() ? "" : fmt::format(" of server '{}'", servers));
}

// Runs the command; whatever it throws becomes a message.
void run_command(CommandFunction function, CommandContext& context) {
  output::Reporter& reporter = context.reporter;
  try {
    require_barman_home(context);
    function(context);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) {
      reporter.error(with_hint("Process interrupted by user (KeyboardInterrupt)", error.hint()));
    } else {
      report_error(reporter, error);
    }
  } catch (const std::exception& error) {
    Error unexpected = as_error(error);
    unexpected.push_context(described_command(context));
    report_error(reporter, unexpected);
  }
}

// From the log on: the writer exists, so that messages take the form that was asked for.
int run_configured(const command_line::ParsedLine& line, const GlobalArguments& global,
                   config::Configuration& configuration, const SignalSource& signals) {
  output::ProgressDisplay progress(STDERR_FILENO);
  output::Reporter reporter(reporter_options(global));
  reporter.set_failure_code(failure_code(line.command->name, line.arguments));
  reporter.set_progress_display(&progress);
  configuration.load_rest(postgres::conninfo_error);
  const CommandFunction function = find_command_function(line.command->name);
  if (function == nullptr) {
    throw std::logic_error(fmt::format("no function for command '{}'", line.command->name));
  }
  CommandContext context = {.configuration = configuration,
                            .reporter = reporter,
                            .progress = progress,
                            .interrupt = signals.interrupt(),
                            .arguments = line.arguments};
  const std::string& home = configuration.global().barman_home;
  std::optional<ToldBefore> told;
  if (global.is_quiet && ::isatty(STDERR_FILENO) == 0 &&
      ToldBefore::is_kept_for(line.command->name)) {
    told.emplace(home, std::string(line.command->name), now_local());
    reporter.set_filter([&told](output::MessageLevel level, const std::string& text) {
      return told->is_new(level, text);
    });
  }
  for (const std::string& text : configuration.warnings()) reporter.warning(text);
  warn_of_gaps(context);
  for (const std::string& text : command_line::unused_options(barman_program(), line))
    reporter.warning(text);
  run_command(function, context);
  reporter.set_filter({});
  if (told) told->keep();
  reporter.set_progress_display(nullptr);
  const int exit_code = reporter.finish();
  if (has_abandoned_work()) ::_exit(exit_code);
  return exit_code;
}

// Help needs no configuration: it is read by who has none yet, or a wrong one. nullptr for that of
// the program.
const command_line::CommandSyntax* subject_of_help(const command_line::ParsedLine& line) {
  if (line.command == nullptr || line.command->name != "help") return line.command;
  const std::optional<std::string> name = line.arguments.find("command_name");
  if (!name) return nullptr;
  const command_line::CommandSyntax* subject = barman_program().find_command(*name);
  if (subject == nullptr || !subject->is_available) {
    throw command_line::unknown_command(barman_program(), *name);
  }
  return subject;
}

int print_help(const command_line::ParsedLine& line) {
  return print_text(command_line::help_text(barman_program(), subject_of_help(line)));
}

int run_line(const command_line::ParsedLine& line, const std::vector<std::string>& arguments) {
  const GlobalArguments global = global_arguments(line.global);
  const int exit_code = failure_code(line.command->name, line.arguments);
  const SignalSource signals;  // before any other thread
  try {
    config::Configuration configuration;
    configuration.load_main_file(main_file_lookup(global));
    switch_user(configuration.global().barman_user);
    open_program_log(configuration.global(), global, arguments);
    return run_configured(line, global, configuration, signals);
  } catch (const config::StartupError& error) {
    log::error(log::kCliComponent, "{}", error.message());
    return fail_at_startup(error.message(), exit_code);
  } catch (const Error& error) {
    log::error(log::kCliComponent, "{}", error.describe());
    return fail_at_startup(
        fmt::format("EXCEPTION: {}{}{}", error.describe(),
                    log::has_file() ? "\nSee log file for more details." : "", error.hint_line()),
        exit_code);
  }
}

}  // namespace

int run(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  const command_line::ProgramSpec& program = barman_program();
  try {
    prepare_program();
    const command_line::ParsedLine line = command_line::parse_line(program, arguments);
    switch (line.request) {
      case command_line::Request::version:
        return print_text(program.version + "\n");
      case command_line::Request::help:
        return print_text(command_line::help_text(program, line.command));
      case command_line::Request::run:
        if (line.command == nullptr || line.command->name == "help") return print_help(line);
        return run_line(line, arguments);
    }
  } catch (const command_line::UsageError& error) {
    print_error(command_line::usage_error_text(program, error));
    return kExitUsage;
  } catch (const std::exception& error) {
    return fail_at_startup(fmt::format("EXCEPTION: {}{}", as_error(error).describe(),
                                       log::has_file() ? "\nSee log file for more details." : ""));
  }
  return kExitFailure;
}

}  // namespace barman::cli

#include "cli/server_selection.h"

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <set>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/hint.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/nearest.h"
#include "base/text.h"
#include "base/unexpected.h"
#include "cli/exit_code.h"
#include "output/terminal.h"

namespace barman::cli {
namespace {

using config::PathConflict;
using config::ServerConfig;

const ServerPolicy& policy_of(const CommandContext& context) {
  static const ServerPolicy none;
  const CommandSpec* command = find_command(context.arguments.command);
  return command != nullptr ? command->servers : none;
}

// The warnings of a server that is in use. Those about backups belong to the commands that take or
// judge them.
void announce(CommandContext& context, const ServerConfig& server) {
  if (!server.active) return;
  for (const std::string& text : server.warnings) context.reporter.warning(text);
  const std::string& command = context.arguments.command;
  if (command != "backup" && command != "check") return;
  for (const std::string& text : server.backup_warnings) context.reporter.warning(text);
}

// Servers that share a directory. Only a command that works on one of them fails; the others are
// told, because their neighbour needs attention.
void report_conflicts(CommandContext& context, const std::set<std::string>& selected) {
  for (const PathConflict& conflict : context.configuration.global_errors()) {
    if (selected.contains(conflict.server) || selected.contains(conflict.other_server)) {
      context.reporter.error(conflict.text);
    } else {
      context.reporter.warning(conflict.text);
    }
  }
}

// Whether nothing must be missing from what this command works on.
bool must_have_all(const CommandContext& context) {
  const ServerPolicy& policy = policy_of(context);
  if (!policy.must_have_all || policy.arity == ServerArity::none) return policy.must_have_all;
  const std::vector<std::string> names = context.arguments.list("server_name");
  return std::find(names.begin(), names.end(), "all") != names.end();
}

void report_gaps(CommandContext& context) {
  if (!must_have_all(context)) return;
  for (const config::ConfigurationGap& gap : context.configuration.gaps())
    context.reporter.error(with_hint(gap.text, gap.hint));
}

bool serves_several(const CommandContext& context) {
  const std::vector<std::string> names = context.arguments.list("server_name");
  return names.size() > 1 || (names.size() == 1 && names.front() == "all");
}

// Among several servers each message has to say which one it is about. Conflicts have been told.
void report_disabled(CommandContext& context, const ServerConfig& server) {
  const std::string name = fmt::format("'{}'", server.name);
  for (const std::string& text : server.messages) {
    if (is_conflict(context, text)) continue;
    const bool is_clear = !serves_several(context) || text.find(name) != std::string::npos;
    context.reporter.error(is_clear ? text : fmt::format("{} (server {})", text, name));
  }
}

std::string next_step_of(std::string_view refusal, const std::string& server) {
  if (refusal == "Passive") return "Run this on the primary node: this one copies what that has.";
  return refusal == "Inactive"
             ? fmt::format("Without 'active = false' in section [{}] it is in use again.", server)
             : fmt::format("'barman check {}' tells what is wrong with its settings.", server);
}

// Tells why a server is left out; true when the command is to work on it.
bool is_admitted(CommandContext& context, const ServerConfig& server, const ServerPolicy& policy) {
  const auto left_out = [&](ServerAction action, std::string_view word, std::string_view refusal) {
    if (action == ServerAction::skip) {
      context.reporter.info(fmt::format("Skipping {} server '{}'", word, server.name));
    } else if (action == ServerAction::refuse) {
      context.reporter.error(with_hint(fmt::format("{} server: {}", refusal, server.name),
                                       next_step_of(refusal, server.name)));
    }
    return action != ServerAction::run;
  };
  if (!server.active && left_out(policy.inactive, "inactive", "Inactive")) return false;
  if (server.active && server.disabled && policy.disabled == ServerAction::refuse) {
    report_disabled(context, server);
    return false;
  }
  if (server.disabled && left_out(policy.disabled, "temporarily disabled", "Disabled")) {
    return false;
  }
  return !(server.is_passive() && left_out(policy.passive, "passive", "Passive"));
}

bool holds_locally(const ServerConfig& server, LocalFiles files) {
  const bool wants_wals = files == LocalFiles::wals || files == LocalFiles::backups_and_wals;
  const bool wants_backups = files == LocalFiles::backups || files == LocalFiles::backups_and_wals;
  return !(wants_wals && server.has_cloud_wals()) &&
         !(wants_backups && server.has_cloud_basebackups());
}

// The one place that refuses a command because of where a server keeps its files.
void require_local_files(const CommandContext& context, const ServerConfig& server) {
  const CommandSpec* command = find_command(context.arguments.command);
  if (command == nullptr || holds_locally(server, command->needs.files)) return;
  const LocalNeed& needs = command->needs;
  if (!needs.unless.empty() && context.arguments.is_set(needs.unless)) return;
  std::string text = replace_all(std::string(needs.refusal), "{server}", server.name);
  constexpr std::string_view kBackup = "{backup_id}";
  if (text.find(kBackup) != std::string::npos) {
    text = replace_all(std::move(text), kBackup, context.arguments.get("backup_id"));
  }
  throw Error(ErrorKind::config, std::move(text), std::string(needs.next_step));
}

// The names typed by the user, without doubles, in order; all servers for `all`.
std::set<std::string> requested_names(CommandContext& context) {
  const std::vector<std::string> given = context.arguments.list("server_name");
  const std::set<std::string> names(given.begin(), given.end());
  if (!names.contains("all")) return names;
  if (names.size() > 1) {
    context.reporter.error(with_hint("You cannot use 'all' with other server names",
                                     "Give 'all' alone, or the names without it."));
  }
  const std::vector<std::string> all = context.configuration.server_names();
  return {all.begin(), all.end()};
}

const ServerConfig* find_or_report(CommandContext& context, const std::string& name) {
  const ServerConfig* server = context.configuration.find_server(name);
  if (server != nullptr) return server;
  std::string text = fmt::format("Unknown server '{}'", name);
  if (context.reporter.has_reader()) {
    text = with_hint(std::move(text),
                     unknown_name_hint("server", name, context.configuration.server_names()));
  }
  context.reporter.error(text);
  return nullptr;
}

}  // namespace

void warn_of_gaps(CommandContext& context) {
  if (must_have_all(context)) return;
  for (const config::ConfigurationGap& gap : context.configuration.gaps()) {
    if (context.reporter.has_reader()) {
      context.reporter.warning(with_hint(gap.text, gap.hint));
    } else if (gap.is_for_log) {
      log::write(log::Level::warning, log::kConfigComponent, gap.text);
    } else {
      context.reporter.warning(gap.text);
    }
  }
}

bool is_conflict(const CommandContext& context, const std::string& reason) {
  const std::vector<PathConflict>& conflicts = context.configuration.global_errors();
  return std::any_of(conflicts.begin(), conflicts.end(),
                     [&](const PathConflict& conflict) { return conflict.text == reason; });
}

void tell_first_step(CommandContext& context) {
  if (!context.configuration.server_names().empty()) return;
  if (context.reporter.format() != output::OutputFormat::console) return;
  if (!output::find_terminal(STDOUT_FILENO)) return;
  context.reporter.result_line(
      "No server is configured yet. The first one: barman init SERVER --host HOST");
}

std::string unknown_name_hint(std::string_view kind, std::string_view name,
                              const std::vector<std::string>& names) {
  constexpr std::size_t kMostNames = 20;
  if (names.empty()) {
    return fmt::format("There is no {0}: a section of the configuration makes one.", kind);
  }
  std::string text = did_you_mean(name, std::vector<std::string_view>(names.begin(), names.end()));
  if (!text.empty()) text += " ";
  const std::size_t count = std::min(names.size(), kMostNames);
  const std::vector<std::string> shown(names.begin(),
                                       names.begin() + static_cast<std::ptrdiff_t>(count));
  text += fmt::format("The {}s are: {}", kind, join(shown, ", "));
  if (count < names.size()) text += fmt::format(", and {} more", names.size() - count);
  return text + ".";
}

std::vector<const ServerConfig*> select_servers(CommandContext& context) {
  const std::set<std::string> names = requested_names(context);
  report_gaps(context);
  tell_first_step(context);
  report_conflicts(context, names);
  std::vector<const ServerConfig*> servers;
  for (const std::string& name : names) {
    const ServerConfig* server = find_or_report(context, name);
    if (server == nullptr) continue;
    announce(context, *server);
    if (is_admitted(context, *server, policy_of(context))) servers.push_back(server);
  }
  return servers;
}

const ServerConfig* select_server(CommandContext& context, const ServerPolicy& policy) {
  const std::string& name = context.arguments.get("server_name");
  if (name == "all") {
    context.reporter.error(with_hint("You cannot use 'all' in a single server context",
                                     "Give one name of 'barman list-servers'."));
    return nullptr;
  }
  report_conflicts(context, {name});
  const ServerConfig* server = find_or_report(context, name);
  if (server == nullptr) return nullptr;
  announce(context, *server);
  if (!is_admitted(context, *server, policy)) return nullptr;
  require_local_files(context, *server);
  log::set_server(server->name);
  return server;
}

const ServerConfig* select_server(CommandContext& context) {
  return select_server(context, policy_of(context));
}

void for_each_server(CommandContext& context,
                     const std::function<void(const ServerConfig&)>& action) {
  for (const ServerConfig* server : select_servers(context)) {
    const log::ServerScope scope(server->name);
    // An error on one server must not keep the others from being served.
    try {
      require_local_files(context, *server);
      action(*server);
    } catch (const std::exception& any) {
      Error error = as_error(any);
      if (error.kind() == ErrorKind::interrupted) throw;
      if (error.kind() == ErrorKind::internal)
        error.push_context(fmt::format("server '{}'", server->name));
      report_error(context.reporter, error);
    }
  }
}

void announce_all_servers(CommandContext& context) {
  report_gaps(context);
  const std::vector<std::string> names = context.configuration.server_names();
  report_conflicts(context, {names.begin(), names.end()});
  for (const std::string& name : names) announce(context, *context.configuration.find_server(name));
}

}  // namespace barman::cli

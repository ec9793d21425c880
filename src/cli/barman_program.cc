#include "cli/barman_program.h"

#include <utility>

#include <fmt/format.h>

#include "cli/command_table.h"
#include "cli/commands.h"
#include "cli/completion_scripts.h"
#include "version.h"

namespace barman::cli {
namespace {

constexpr std::string_view kOwner = "Barman by EnterpriseDB (www.enterprisedb.com)";

std::string_view words_of(const OptionSpec& option) {
  const std::string_view name = option.names.front();
  if (name == "config") return "files";
  const bool is_directory =
      option.kind == ValueKind::absolute_path || name.find("dir") != std::string_view::npos;
  return is_directory ? "directories" : "";
}

std::string_view words_of(const PositionalSpec& spec) {
  if (spec.key == "server_name") {
    return spec.arity == Arity::one_or_more ? "server_list" : "servers";
  }
  if (spec.key == "backup_id") return "backups";
  if (spec.key.ends_with("directory")) return "directories";
  if (spec.key == "wal_path" || spec.key == "wal_dest" || spec.key == "tarball") return "files";
  if (spec.key == "task_name") return "tasks";
  if (spec.key == "command_name") return "commands";
  return "";
}

command_line::ArgumentSpec with_words(std::vector<OptionSpec> options,
                                      std::vector<PositionalSpec> positionals) {
  for (OptionSpec& option : options) {
    if (option.words.empty()) option.words = words_of(option);
  }
  for (PositionalSpec& positional : positionals) {
    if (positional.words.empty()) positional.words = words_of(positional);
  }
  return {.options = std::move(options), .positionals = std::move(positionals)};
}

std::vector<command_line::CommandGroup> command_groups() {
  return {{.title = "every day",
           .example = "barman backup main --wait",
           .commands = {"backup", "check", "status", "list-servers", "list-backups", "show-backup",
                        "keep", "delete"}},
          {.title = "restore",
           .example = "barman restore main latest /srv/restored",
           .commands = {"restore", "find-accident", "catalogue-check", "rebuild-catalogue",
                        "check-backup", "verify-backup", "list-files", "consolidate",
                        "generate-manifest", "export-backup", "import-backup"}},
          {.title = "WAL",
           .example = "barman switch-wal main --archive",
           .commands = {"receive-wal", "archive-wal", "switch-wal", "get-wal", "put-wal",
                        "cloud-wal-archive", "cloud-wal-restore", "verify-wal", "check-wal-archive",
                        "check-archived-wal-range", "rebuild-xlogdb", "replication-status"}},
          {.title = "a second site (a passive node)",
           .example = "barman sync-info main",
           .commands = {"sync-info", "sync-backup", "sync-wals"}},
          {.title = "the service and its configuration",
           .example = "barman show-servers main",
           .commands = {"doctor", "init", "cron", "follow-upgrade", "show-servers", "config-switch",
                        "config-update", "diagnose", "list-processes", "terminate-process",
                        "lock-directory-cleanup", "help"}}};
}

command_line::ProgramSpec make_program() {
  command_line::ProgramSpec program = {
      .name = "barman",
      .summary = "backup and recovery manager for PostgreSQL",
      .version = fmt::format("{} {}", kVersion, kOwner),
      .arguments = with_words(global_options(), {}),
      .groups = command_groups(),
      .epilogue = kOwner,
      .exits = {{"0", "Success; warnings do not count."},
                {"1", "At least one error was reported, or a check failed."},
                {"2", "The command line cannot be used, or check --nagios is critical."},
                {"3", "get-wal: invalid WAL name, or the output cannot be opened."},
                {"4",
                 "get-wal with --peek or --output-directory, or for a standby: the file is there, "
                 "or may be, and cannot be handed out."},
                {"126",
                 "get-wal: the same, where a recovery may wait for its output, here or behind ssh; "
                 "cloud-wal-restore in a recovery that is no standby's. PostgreSQL stops, and goes "
                 "on when it is started again; lower codes are the end of the WAL to it."}},
      .files = {{"~/.barman.conf, /etc/barman.conf, /etc/barman/barman.conf",
                 "The configuration; the first that can be read is used."}},
      .see_also = {"barman (5)", "barman-incidents (7)"},
      .completion = completion_scripts()};
  for (const CommandSpec& command : command_table()) {
    program.commands.push_back({.name = command.name,
                                .aliases = command.aliases,
                                .summary = command.summary,
                                .description = command.description,
                                .arguments = with_words(command.options, command.positionals),
                                .is_available = is_available(command.name)});
  }
  return program;
}

}  // namespace

const command_line::ProgramSpec& barman_program() {
  static const command_line::ProgramSpec program = make_program();
  return program;
}

}  // namespace barman::cli

#include "cli/server_factory.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <system_error>

#include <fmt/format.h>

#include "cli/command_table.h"
#include "cli/exit_code.h"

namespace barman::cli {
namespace {

// A snapshot, or a rescued disk. Reading works there; what cannot be done is said, once a server.
void warn_of_read_only_catalogue(const CommandContext& context,
                                 const config::ServerConfig& config) {
  static std::mutex mutex;
  static std::set<std::string> told;
  struct statvfs system = {};
  if (::statvfs(config.backup_directory.c_str(), &system) != 0) return;
  if ((system.f_flag & ST_RDONLY) == 0) return;
  const std::lock_guard lock(mutex);
  if (!told.insert(config.name).second) return;
  context.reporter.warning(fmt::format(
      "The catalogue of server '{}' (\"{}\") is on a read-only file system: nothing can be "
      "locked, repaired or archived there. Make sure that nobody changes it from elsewhere.",
      config.name, config.backup_directory));
}

// Commands that tell it themselves, or make the directories of a new server.
constexpr std::array<std::string_view, 12> kMakers = {
    "archive-wal", "backup",  "check-wal-archive", "config-switch", "cron",        "import-backup",
    "init",        "put-wal", "receive-wal",       "switch-wal",    "sync-backup", "sync-wals"};
// Those that need no catalogue to be of use.
constexpr std::array<std::string_view, 9> kTellers = {
    "catalogue-check", "config-update",      "diagnose", "list-processes",   "list-servers",
    "show-servers",    "replication-status", "status",   "terminate-process"};
constexpr std::array<std::string_view, 3> kOwnTellers = {"check", "doctor", "follow-upgrade"};

// Those that somebody waits for, and that are of use without the bucket of a server.
constexpr std::array<std::string_view, 13> kImpatient = {
    "check",       "check-backup", "diagnose",       "doctor", "list-backups",
    "list-files",  "list-servers", "list-processes", "status", "replication-status",
    "show-backup", "show-servers", "sync-info"};
constexpr std::chrono::seconds kBucketLimit{5};

template <std::size_t kCount>
bool is_one_of(const std::array<std::string_view, kCount>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Not an alias.
std::string_view name_of_command(const CommandContext& context) {
  const CommandSpec* const spec = find_command(context.arguments.command);
  return spec == nullptr ? std::string_view(context.arguments.command) : spec->name;
}

// The one place that keeps an empty mount point from passing for a server without backups.
void require_catalogue(const CommandContext& context, const server::Server& server) {
  const std::string_view command = name_of_command(context);
  Absence rule = absence_rule(command);
  // What ends a process, and what asks another host, needs no catalogue here.
  if (command == "receive-wal" && context.arguments.is_set("stop")) rule = Absence::told;
  if (command == "sync-info" && context.arguments.is_set("primary")) rule = Absence::made_good;
  switch (rule) {
    case Absence::refused:
      return server.require_presence(catalogue::NewCatalogue::is_error);
    case Absence::made_good:
      // Of a server that is switched off, cron only ends what runs.
      if (command == "cron" && !server.config().active) return;
      return server.require_presence(catalogue::NewCatalogue::is_made);
    case Absence::told:
      if (const auto absence = server.find_absence(catalogue::NewCatalogue::is_left)) {
        report_error(context.reporter, *absence);
      }
      return;
    case Absence::told_inside:
      return;
  }
}

std::optional<std::chrono::milliseconds> bucket_limit(const CommandContext& context) {
  if (is_one_of(kImpatient, name_of_command(context))) return kBucketLimit;
  return std::nullopt;
}

}  // namespace

Absence absence_rule(std::string_view command) {
  if (is_one_of(kMakers, command)) return Absence::made_good;
  if (is_one_of(kTellers, command)) return Absence::told;
  return is_one_of(kOwnTellers, command) ? Absence::told_inside : Absence::refused;
}

void require_barman_home(const CommandContext& context) {
  const Absence rule = absence_rule(name_of_command(context));
  if (rule == Absence::told_inside) return;
  const auto missing = catalogue::find_missing_home(context.configuration.global().barman_home);
  if (!missing) return;
  if (rule != Absence::told) throw Error(*missing);
  report_error(context.reporter, *missing);
}

server::Server make_server(const CommandContext& context, const config::ServerConfig& config) {
  std::error_code code;
  std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", code);
  if (code) program = "barman";
  const config::GlobalConfig& global = context.configuration.global();
  warn_of_read_only_catalogue(context, config);
  server::Server server(config, global,
                        server::ProgramContext{.program = std::move(program),
                                               .configuration_path = global.config_file,
                                               .interrupt = context.interrupt,
                                               .clock = {},
                                               .bucket_limit = bucket_limit(context)});
  require_catalogue(context, server);
  return server;
}

}  // namespace barman::cli

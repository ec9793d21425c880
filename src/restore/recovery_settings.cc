#include "restore/recovery_settings.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"
#include "host/shell_word.h"
#include "postgres/versions.h"

namespace barman::restore {
namespace {

std::string assignment(std::string_view name, std::string_view value) {
  // The files can hold it in one form only, which ALTER SYSTEM breaks when it writes them anew.
  if (value.find('\n') != std::string_view::npos) {
    throw Error(
        ErrorKind::usage,
        fmt::format("The value of {} would have a line break, which the configuration files "
                    "of PostgreSQL cannot hold",
                    name),
        "Choose names and paths without line breaks.");
  }
  return fmt::format("{} = {}\n", name, quote_setting(value));
}

std::string format_remote_fetching(const RecoverySettingsRequest& request,
                                   const RemoteFetching& remote) {
  std::string command = "barman-wal-restore";
  if (!request.standby_mode) command += " -P";
  command += " -U " + quote_command_path(request.barman_user);
  if (remote.port) command += " --port " + quote_command_path(*remote.port);
  command += fmt::format(" {} {} %f %p", quote_command_path(remote.barman_host),
                         quote_command_path(request.server_name));
  if (remote.jobs > 1) command += fmt::format(" -p {}", remote.jobs);
  return "# The 'barman-wal-restore' command is provided in the 'barman-cli' package\n" +
         assignment("restore_command", command);
}

// It tells the end of the WAL from a store that does not answer, which get-wal cannot.
std::string format_bucket_fetching(const RecoverySettingsRequest& request) {
  std::string command = "barman cloud-wal-restore";
  if (request.fetch_jobs > 1) command += fmt::format(" -p {}", request.fetch_jobs);
  command += fmt::format(" {} %f %p", quote_command_path(request.server_name));
  return assignment("restore_command", command);
}

std::string format_fetching(const RecoverySettingsRequest& request) {
  if (request.get_wal && request.restore_command) {
    return assignment("restore_command", *request.restore_command);
  }
  if (request.get_wal && request.wal_in_bucket) return format_bucket_fetching(request);
  if (request.get_wal && request.remote) return format_remote_fetching(request, *request.remote);
  if (request.get_wal) {
    return fmt::format("# The 'barman get-wal' command must run as '{}' user\n",
                       request.barman_user) +
           assignment("restore_command",
                      fmt::format("barman get-wal {}{} %f > %p", request.standby_mode ? "" : "-P ",
                                  quote_command_path(request.server_name)));
  }
  if (!request.staging_wal_directory) return {};
  const std::string directory = quote_command_path(*request.staging_wal_directory);
  std::string lines = assignment("restore_command", fmt::format("cp {}/%f %p", directory));
  // A standby goes on fetching after it has reached the end of what is there.
  if (!request.standby_mode) {
    lines += assignment("recovery_end_command", fmt::format("rm -fr {}", directory));
  }
  return lines;
}

std::string format_timeline(const RecoverySettingsRequest& request) {
  const std::optional<wal::TimelineTarget>& timeline =
      request.forced_timeline ? request.forced_timeline : request.target.timeline;
  // Before 12 there is no such word; it is the default there.
  if (!timeline || (timeline->kind == wal::TimelineTarget::Kind::current &&
                    request.server_version < postgres::kVersion12)) {
    return {};
  }
  return fmt::format("recovery_target_timeline = {}\n", timeline->text());
}

std::string format_action(const RecoverySettingsRequest& request) {
  if (!request.target.action) return {};
  if (request.server_version < postgres::kVersion9_5)
    return assignment("pause_at_recovery_target", "on");
  return assignment("recovery_target_action", to_text(*request.target.action));
}

}  // namespace

std::string quote_setting(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') quoted += c;
    quoted += c;
  }
  return quoted + "'";
}

std::string quote_command_path(std::string_view path) {
  return host::shell_word(replace_all(std::string(path), "%", "%%"));
}

std::string format_recovery_settings(const RecoverySettingsRequest& request) {
  const RecoveryTarget& target = request.target;
  std::string lines;
  if (request.standby_mode && request.server_version < postgres::kVersion12) {
    lines += assignment("standby_mode", "on");
  }
  lines += format_fetching(request);
  if (target.time) lines += assignment("recovery_target_time", format_iso(*target.time));
  if (target.xid) lines += assignment("recovery_target_xid", *target.xid);
  if (target.lsn) lines += assignment("recovery_target_lsn", target.lsn_text);
  if (target.name) lines += assignment("recovery_target_name", *target.name);
  if (target.immediate) lines += assignment("recovery_target", "immediate");
  if (target.exclusive && (target.time || target.xid || target.lsn)) {
    lines += assignment("recovery_target_inclusive", "False");
  }
  return lines + format_timeline(request) + format_action(request);
}

std::string append_settings(std::string_view content, std::string_view lines) {
  std::string text(content);
  if (lines.empty()) return text;
  if (!text.empty()) {
    if (text.back() != '\n') text += '\n';
    text += '\n';
  }
  return text.append(lines);
}

}  // namespace barman::restore

#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "cli/shown_work.h"
#include "cli/table_style.h"
#include "cli/worker_count.h"
#include "output/restore_views.h"
#include "restore/restore_backup.h"
#include "restore/target_arguments.h"

namespace barman::cli {
namespace {

using restore::NetworkCompression;
using restore::RestoreRequest;
using restore::RestoreResult;
using restore::SettingNote;

std::optional<config::StagingLocation> staging_location(const ParsedArguments& arguments) {
  const std::optional<std::string> word = arguments.find("staging_location");
  if (!word) return std::nullopt;
  return word == "remote" ? config::StagingLocation::remote : config::StagingLocation::local;
}

RestoreRequest read_request(CommandContext& context, const config::ServerConfig& config) {
  const ParsedArguments& arguments = context.arguments;
  RestoreRequest request{
      .backup = arguments.get("backup_id"),
      .destination = arguments.get("destination_directory"),
      .target = restore::read_target(arguments),
      .standby_mode = arguments.is_set("standby_mode"),
      .tablespace_rules = arguments.list("tablespace"),
      .get_wal = arguments.choice_of("get_wal").value_or(config.recovery_options.get_wal),
      .partial_wal = arguments.is_set("partial_wal"),
      .skip_archive_wal = arguments.is_set("skip_archive_wal"),
      .skip_wal_check = arguments.is_set("skip_wal_check"),
      .restore_command = arguments.find("restore_command"),
      .recovery_conf_filename = arguments.find("recovery_conf_filename"),
      .recovery_option_port = arguments.find("recovery_option_port"),
      .staging_wal_directory = arguments.find("staging_wal_directory"),
      .remote_ssh_command = arguments.find("remote_ssh_command"),
      .fetch_jobs = arguments.find_integer("jobs").value_or(config.parallel_jobs),
      .delta_restore =
          arguments.choice_of("delta_restore").value_or(config.recovery_options.delta_restore),
      .resume = arguments.is_set("resume"),
      .dry_run = arguments.is_set("dry_run"),
      .staging = {.staging_path = arguments.find("staging_path"),
                  .staging_location = staging_location(arguments),
                  .recovery_staging_path = arguments.find("recovery_staging_path"),
                  .local_staging_path = arguments.find("local_staging_path")},
      .snapshot_recovery_instance = arguments.find("snapshot_recovery_instance"),
      .worker_count = worker_count(arguments, config),
  };
  // The configured value is meant for remote restores; only the option can be out of place.
  const std::optional<bool> wish = arguments.choice_of("network_compression");
  if (wish.value_or(config.network_compression && request.remote_ssh_command)) {
    request.network_compression = NetworkCompression::always;
  } else if (wish) {
    request.network_compression = NetworkCompression::never;
  }
  const std::optional<std::int64_t> limit = arguments.find_integer("bwlimit");
  request.bandwidth_limit = TransferLimit::of(limit ? limit : config.bandwidth_limit);
  return request;
}

output::JsonValue notes_json(const std::vector<SettingNote>& notes) {
  output::JsonValue list = output::JsonValue::array();
  for (const SettingNote& note : notes) {
    output::JsonValue item = output::JsonValue::array();
    item.push_back(note.file);
    item.push_back(note.line_number);
    item.push_back(note.name);
    item.push_back(note.value);
    list.push_back(std::move(item));
  }
  return list;
}

void write_console(CommandContext& context, const RestoreResult& result) {
  output::Reporter& reporter = context.reporter;
  const auto line = [&](const std::string& text) { reporter.info(text); };
  for (const std::string& text : output::configuration_lines(
           {.changes = result.changes, .warnings = result.warnings}, result.missing_files)) {
    line(text);
  }
  if (!result.start_advice.empty()) line("");
  for (const std::string& text : result.start_advice) line(text);
  if (result.uses_get_wal) {
    line("");
    line("WARNING: 'get-wal' is in the specified 'recovery_options'.");
    line(output::restore_command_advice(result.settings_file));
  }
  line("");
  line(fmt::format("Restore operation completed (start time: {}, elapsed time: {})",
                   format_iso(result.begin_time), human_duration(result.elapsed_seconds)));
  line("Your PostgreSQL server has been successfully prepared for recovery!");
  if (!is_for_people(context)) return;
  for (const std::string& text : output::recovery_lines(result)) reporter.result_line(text);
}

void write_json(output::Reporter& reporter, const RestoreResult& result) {
  if (!result.changes.empty()) {
    reporter.warning(
        "IMPORTANT! Some settings have been modified to prevent data losses. See 'changes' key.");
  }
  if (!result.warnings.empty()) {
    reporter.warning(
        "WARNING! You are required to review the options as potentially dangerous. See 'warnings' "
        "key.");
  }
  if (!result.missing_files.empty()) {
    reporter.warning(
        "The following configuration files have not been saved during backup, hence they have not "
        "been restored. See 'missing_files' key.");
  }
  if (result.uses_get_wal) {
    reporter.warning("'get-wal' is in the specified 'recovery_options'. " +
                     output::restore_command_advice(result.settings_file));
  }
  reporter.add_json("changes", notes_json(result.changes));
  reporter.add_json("changes_count", result.changes.size());
  reporter.add_json("warnings", notes_json(result.warnings));
  reporter.add_json("warnings_count", result.warnings.size());
  reporter.add_json("missing_files", result.missing_files);
  reporter.add_json("recovery_start_time", format_iso(result.begin_time));
  reporter.add_json("recovery_start_time_timestamp", std::to_string(result.begin_time.seconds()));
  reporter.add_json("recovery_elapsed_time", human_duration(result.elapsed_seconds));
  reporter.add_json("recovery_elapsed_time_seconds", result.elapsed_seconds);
}

}  // namespace

void run_restore(CommandContext& context) {
  const config::ServerConfig* const config = select_server(context);
  if (config == nullptr) return;
  const server::Server server = make_server(context, *config);
  const RestoreRequest request = read_request(context, *config);
  if (request.dry_run) {
    output::write_restore_plan(context.reporter, restore::plan_restore(server, request));
    return;
  }
  // Before something is written; later the restore tells more.
  const ShownWork work = {.task = "restore",
                          .object = fmt::format("into {}", request.destination),
                          .remains = "Nothing was written: give the same command to begin anew."};
  const RestoreResult result = run_shown(context, server, work, [&](Progress& progress) {
    return restore::restore_backup(server, request, context.reporter, progress);
  });
  if (context.reporter.is_json()) {
    write_json(context.reporter, result);
  } else {
    write_console(context, result);
  }
}

}  // namespace barman::cli

#include "output/restore_views.h"

#include <optional>

#include <fmt/format.h>

#include "base/text.h"
#include "output/size_text.h"

namespace barman::output {
namespace {

using restore::RestorePlan;
using restore::WalFileCopy;

std::optional<double> expected_seconds(const RestorePlan& plan) {
  if (plan.rate.source == restore::RateSource::unknown) return std::nullopt;
  return static_cast<double>(plan.total_bytes + plan.wal.total_bytes) / plan.rate.bytes_per_second;
}

std::string source_text(const restore::ExpectedRate& rate) {
  switch (rate.source) {
    case restore::RateSource::unknown:
      return "";
    case restore::RateSource::restores:
      return rate.restores == 1
                 ? "the rate of the last such restore"
                 : fmt::format("the rate of the last {} such restores", rate.restores);
    case restore::RateSource::backup:
      return "the rate at which the backup was taken";
    case restore::RateSource::bandwidth_limit:
      return "the bandwidth limit";
  }
  return "";
}

std::string wal_text(const RestorePlan& plan) {
  if (!plan.wal.is_copied) return "fetched by restore_command";
  const std::size_t count = plan.wal.files.size() + plan.wal.partials.size();
  if (count == 0) return "none";
  const WalFileCopy& first =
      plan.wal.files.empty() ? plan.wal.partials.front() : plan.wal.files.front();
  const WalFileCopy& last =
      plan.wal.partials.empty() ? plan.wal.files.back() : plan.wal.partials.back();
  return fmt::format("{} files, {}, from {} to {}, into {}", count, size_text(plan.wal.total_bytes),
                     first.name, last.name, plan.wal.directory.string());
}

void write_plan_text(Reporter& reporter, const RestorePlan& plan) {
  const auto row = [&](std::string_view label, const std::string& value) {
    reporter.info(fmt::format("  {:<19}: {}", label, value));
  };
  reporter.info(fmt::format("Dry run: restore of backup {} of server {} into {}",
                            plan.backup_id.value, plan.server_name, plan.destination.string()));
  if (!plan.remote_command.empty()) row("Remote command", mask_passwords(plan.remote_command));
  for (const catalogue::BackupId& link : plan.chain) row("Put together from", link.value);
  row("Mode", plan.updates_existing ? "existing files are kept where they are right"
                                    : "into an empty directory");
  row("Recovery target", plan.target_text.empty() ? "none" : plan.target_text);
  row("To read", size_text(plan.stored_bytes));
  row("To write", size_text(plan.total_bytes));
  for (const restore::TablespacePlan& tablespace : plan.tablespaces) {
    row("Tablespace",
        fmt::format("{}, {}, {}", tablespace.oid, tablespace.name, tablespace.location));
  }
  for (const restore::WrittenDirectory& directory : plan.directories) {
    row("Writes into", fmt::format("{} ({})", directory.path.string(), directory.purpose));
  }
  row("WAL", wal_text(plan));
  row("Recovery settings", plan.recovery.is_written ? plan.recovery.settings_file : "none");
  row("Workers", std::to_string(plan.worker_count));
  if (const std::optional<double> seconds = expected_seconds(plan)) {
    row("Expected time",
        fmt::format("{} (at {}/s, {})", human_duration(*seconds),
                    size_text(static_cast<std::uint64_t>(plan.rate.bytes_per_second)),
                    source_text(plan.rate)));
  }
  for (const std::string& warning : plan.warnings) row("Warning", warning);
  for (const std::string& note : plan.notes) row("Note", note);
  reporter.info("Nothing was written.");
}

void write_json(Reporter& reporter, const RestorePlan& plan) {
  JsonValue chain = JsonValue::array();
  for (const catalogue::BackupId& link : plan.chain) chain.push_back(link.value);
  JsonValue tablespaces = JsonValue::array();
  for (const restore::TablespacePlan& tablespace : plan.tablespaces) {
    JsonValue item = JsonValue::object();
    item.add("oid", static_cast<std::int64_t>(tablespace.oid));
    item.add("name", tablespace.name);
    item.add("location", tablespace.location);
    tablespaces.push_back(std::move(item));
  }
  JsonValue directories = JsonValue::array();
  for (const restore::WrittenDirectory& directory : plan.directories) {
    directories.push_back(directory.path.string());
  }
  JsonValue wal = JsonValue::object();
  JsonValue files = JsonValue::array();
  for (const auto* const list : {&plan.wal.files, &plan.wal.partials}) {
    for (const WalFileCopy& file : *list) files.push_back(file.name);
  }
  wal.add("is_copied", plan.wal.is_copied);
  wal.add("directory", plan.wal.directory.string());
  wal.add("bytes", static_cast<std::int64_t>(plan.wal.total_bytes));
  wal.add("files", std::move(files));
  reporter.add_json("backup_id", plan.backup_id.value);
  reporter.add_json("server_name", plan.server_name);
  reporter.add_json("destination", plan.destination.string());
  if (!plan.remote_command.empty()) {
    reporter.add_json("remote_command", mask_passwords(plan.remote_command));
  }
  reporter.add_json("chain", std::move(chain));
  reporter.add_json("target", plan.target_text);
  reporter.add_json("updates_existing", plan.updates_existing);
  reporter.add_json("bytes_to_read", static_cast<std::int64_t>(plan.stored_bytes));
  reporter.add_json("bytes_to_write", static_cast<std::int64_t>(plan.total_bytes));
  reporter.add_json("tablespaces", std::move(tablespaces));
  reporter.add_json("writes_into", std::move(directories));
  reporter.add_json("wal", std::move(wal));
  reporter.add_json("recovery_settings_file", plan.recovery.is_written
                                                  ? JsonValue(plan.recovery.settings_file)
                                                  : JsonValue());
  reporter.add_json("recovery_settings", plan.recovery.settings);
  reporter.add_json("workers", static_cast<std::int64_t>(plan.worker_count));
  const std::optional<double> seconds = expected_seconds(plan);
  reporter.add_json("expected_seconds", seconds ? JsonValue(*seconds) : JsonValue());
  reporter.add_json("expected_seconds_source",
                    seconds ? JsonValue(source_text(plan.rate)) : JsonValue());
  reporter.add_json("warnings_before_restore", plan.warnings);
}

}  // namespace

void write_restore_plan(Reporter& reporter, const RestorePlan& plan) {
  if (reporter.is_json()) {
    write_json(reporter, plan);
  } else {
    write_plan_text(reporter, plan);
  }
}

std::vector<std::string> configuration_lines(const restore::ConfigurationReview& review,
                                             const std::vector<std::string>& missing_files) {
  std::vector<std::string> lines;
  const auto add_notes = [&](const std::vector<restore::SettingNote>& notes) {
    for (const restore::SettingNote& note : notes) {
      lines.push_back(fmt::format("{} line {}: {} = {}", note.file, note.line_number, note.name,
                                  note.value.value_or("None")));
    }
  };
  if (!review.changes.empty()) {
    lines.insert(lines.end(),
                 {"", "IMPORTANT", "These settings have been modified to prevent data losses", ""});
    add_notes(review.changes);
  }
  if (!review.warnings.empty()) {
    lines.insert(lines.end(),
                 {"", "WARNING",
                  "You are required to review the following options as potentially dangerous", ""});
    add_notes(review.warnings);
  }
  if (!missing_files.empty()) {
    lines.insert(
        lines.end(),
        {"", "WARNING",
         "The following configuration files have not been saved during backup, hence they have not "
         "been restored.",
         "You need to manually restore them in order to start the restored PostgreSQL instance:",
         ""});
    for (const std::string& file : missing_files) lines.push_back("    " + file);
  }
  return lines;
}

namespace {

std::vector<std::string> standby_lines(const restore::RestoreResult& result) {
  const std::string source =
      result.uses_get_wal
          ? "It fetches what is archived here. For what is not yet, set primary_conninfo"
          : "It has the WAL that was copied. For what comes later, set primary_conninfo (or "
            "restore with --get-wal, for what is archived here)";
  return {"", "This is a standby: it replays WAL, and takes no changes until it is promoted.",
          fmt::format("{} in {}.", source,
                      result.settings_file.empty() ? "its configuration" : result.settings_file),
          "To promote it: pg_ctl promote. The primary must be stopped for good before that."};
}

// Without recovery.signal it would replay the WAL behind that point, too, which it has.
std::string shutdown_line(const std::string& settings_file) {
  return fmt::format(
      "There PostgreSQL shuts down. To go on from there, add \"recovery_target_action = "
      "'promote'\" to {} and start it (it replays the WAL up to there once more; leave "
      "recovery.signal where it is). For another moment, restore again with --delta-restore.",
      settings_file.empty() ? "its configuration" : settings_file);
}

}  // namespace

std::vector<std::string> recovery_lines(const restore::RestoreResult& result) {
  const restore::RecoveryTarget& target = result.target;
  if (!target.is_pitr() && result.is_standby) return standby_lines(result);
  if (!target.is_pitr()) {
    return {"",
            "If this takes the place of the primary: that one must not come back, not by a reboot "
            "either. It would take changes that nobody here sees.",
            "Stop it for good (systemctl disable, or another name for its data directory), lead "
            "conninfo to the new place, and take a backup of the new timeline."};
  }
  std::vector<std::string> lines = {""};
  if (!result.end_text.empty()) {
    lines.push_back(fmt::format("Recovery will end at {}.", result.end_text));
  }
  const bool stops = target.time || target.xid || target.lsn || target.name || target.immediate;
  const auto action =
      target.action.value_or(stops ? restore::TargetAction::pause : restore::TargetAction::promote);
  if (action == restore::TargetAction::promote) {
    lines.emplace_back("There PostgreSQL begins a new timeline, and takes changes.");
    return lines;
  }
  const std::optional<restore::SettingNote>& off = result.hot_standby_off;
  if (action == restore::TargetAction::pause && off) {
    lines.push_back(
        fmt::format("It does not pause there, since hot_standby is off ({} line {}). To look at it "
                    "first, set hot_standby = on there before you start it.",
                    off->file, off->line_number));
  }
  if (action == restore::TargetAction::shutdown || off) {
    lines.push_back(shutdown_line(result.settings_file));
    return lines;
  }
  // With functions that all of 13 to 18 have.
  for (const char* const line :
       {"There PostgreSQL pauses, and can be read. Look whether it is what you want:",
        "    SELECT pg_is_wal_replay_paused(), pg_last_wal_replay_lsn(), "
        "pg_last_xact_replay_timestamp();",
        "Tables that a transaction unfinished at that moment has locked (DROP, TRUNCATE, ALTER "
        "TABLE) make queries wait: SET lock_timeout = '1s' first.",
        "If it is what you want, end the recovery; PostgreSQL begins a new timeline, and takes "
        "changes:",
        "    SELECT pg_wal_replay_resume();",
        "If it is not, stop PostgreSQL and restore another moment over it: --delta-restore copies "
        "only what differs."}) {
    lines.emplace_back(line);
  }
  return lines;
}

std::string restore_command_advice(const std::string& settings_file) {
  return fmt::format(
      "Before you start up the PostgreSQL server, please review the {} file\ninside the target "
      "directory. Make sure that 'restore_command' can be executed by the PostgreSQL user.",
      settings_file);
}

}  // namespace barman::output

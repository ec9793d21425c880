// `barman-cloud-restore`: a backup in a bucket becomes a data directory.
#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "base/text.h"
#include "base/timestamp.h"
#include "cloud/operation_failed.h"
#include "cloud/restore_cloud_backup.h"
#include "cloud/wal_objects.h"
#include "cloud_cli/cloud_program.h"
#include "cloud_cli/cloud_programs.h"
#include "command_line/run_program.h"
#include "wal/timeline_target.h"

namespace barman::cloud_cli {
namespace {

using command_line::ParsedArguments;
using command_line::ValueKind;

constexpr std::string_view kAutomatic = "auto";

std::vector<command_line::OptionSpec> restore_options() {
  return {{.names = {"tablespace"},
           .kind = ValueKind::text,
           .help = "where a tablespace goes; may be repeated. Without it: where it was",
           .metavar = "NAME:LOCATION",
           .repetition = command_line::Repetition::accumulate},
          {.names = {"jobs"},
           .short_names = "J",
           .kind = ValueKind::positive,
           .help = "archives that are unpacked at once",
           .metavar = "JOBS",
           .default_text = "4"},
          {.names = {"target-tli"},
           .kind = ValueKind::timeline,
           .help = "with backup ID auto: the timeline of the backup, or latest",
           .metavar = "TARGET_TLI"},
          {.names = {"target-lsn"},
           .kind = ValueKind::text,
           .help = "with backup ID auto: the backup ended before this place in the WAL",
           .metavar = "TARGET_LSN",
           .group = "target"},
          {.names = {"target-time"},
           .kind = ValueKind::text,
           .help = "with backup ID auto: the backup ended before this moment",
           .metavar = "TARGET_TIME",
           .group = "target"},
          {.names = {"snapshot-recovery-instance"},
           .kind = ValueKind::text,
           .help = "for backups by snapshots, which this version cannot restore",
           .metavar = "VALUE"},
          {.names = {"gcp-zone", "snapshot-recovery-zone"},
           .kind = ValueKind::text,
           .help = "for backups by snapshots, which this version cannot restore",
           .metavar = "VALUE"},
          {.names = {"aws-region"},
           .kind = ValueKind::text,
           .help = "for backups by snapshots, which this version cannot restore",
           .metavar = "VALUE"},
          {.names = {"azure-resource-group"},
           .kind = ValueKind::text,
           .help = "for backups by snapshots, which this version cannot restore",
           .metavar = "VALUE"}};
}

// Before anything is asked for.
std::map<std::string, std::filesystem::path> parse_locations(const ParsedArguments& arguments) {
  std::map<std::string, std::filesystem::path> locations;
  for (const std::string& rule : arguments.list("tablespace")) {
    const std::size_t colon = rule.find(':');
    if (colon == std::string::npos || colon == 0 || colon + 1 == rule.size()) {
      throw ProgramEnd(kExitBadLine, fmt::format("Invalid tablespace relocation rule '{}'", rule),
                       "The valid syntax for a relocation rule is NAME:LOCATION");
    }
    locations[rule.substr(0, colon)] = rule.substr(colon + 1);
  }
  return locations;
}

std::optional<wal::TimelineId> goal_timeline(const ParsedArguments& arguments,
                                             const OpenBucket& bucket) {
  using Kind = wal::TimelineTarget::Kind;
  const auto word = arguments.find("target_tli");
  if (!word) return std::nullopt;
  const std::optional<wal::TimelineTarget> target = wal::parse_timeline_target(*word);
  if (!target) {
    throw Error(ErrorKind::config, fmt::format("Invalid timeline '{}'", *word),
                "Give a positive number or 'latest'.");
  }
  if (target->kind == Kind::current) {
    throw Error(ErrorKind::config, "the timeline 'current' does not choose a backup",
                "Name a timeline by its number, or latest.");
  }
  if (target->kind == Kind::number) return target->timeline;
  wal::TimelineId latest;
  for (const cloud::WalObject& object : cloud::list_wal_objects(*bucket.store, bucket.layout)) {
    latest = std::max(latest, object.name.name.timeline);
  }
  if (latest == wal::TimelineId{}) {
    throw Error(ErrorKind::not_found, "there is no WAL that would tell what the latest timeline is",
                "Name a timeline by its number.");
  }
  return latest;
}

cloud::RecoveryGoal make_goal(const ParsedArguments& arguments, const OpenBucket& bucket) {
  cloud::RecoveryGoal goal{.time = {}, .lsn = {}, .timeline = goal_timeline(arguments, bucket)};
  if (const auto text = arguments.find("target_time")) {
    const auto parsed = parse_timestamp(*text);
    if (!parsed) {
      throw Error(ErrorKind::config,
                  fmt::format("Unable to parse the target time parameter '{}'", *text),
                  "Write it as '2026-11-21 01:43:01+00:00'.");
    }
    goal.time = parsed->time;
  }
  if (const auto text = arguments.find("target_lsn")) {
    goal.lsn = wal::parse_lsn(*text);
    if (!goal.lsn) {
      throw Error(ErrorKind::config,
                  fmt::format("Unable to parse the target LSN parameter '{}'", *text),
                  "Write it as 0/3000060.");
    }
  }
  return goal;
}

catalogue::BackupId choose_id(const ParsedArguments& arguments, const OpenBucket& bucket) {
  const cloud::CloudCatalogue catalogue = bucket.catalogue();
  const std::string& word = arguments.get("backup_id");
  if (word != kAutomatic) return catalogue.resolve(word);
  const auto id = cloud::choose_cloud_backup(catalogue.load(), make_goal(arguments, bucket));
  if (id) return *id;
  throw cloud::OperationFailed("Cannot find any candidate backup for recovery.",
                               "barman-cloud-backup-list shows the backups.");
}

int restore(const ParsedArguments& arguments) {
  const auto locations = parse_locations(arguments);
  object_store::StoreOptions options = keyed_store_options(arguments);
  options.interrupt = cloud_interrupt();
  const OpenBucket bucket = open_bucket(arguments, options);
  if (arguments.is_set("test")) return test_connection(*bucket.store);
  cloud::restore_cloud_backup(
      bucket.catalogue(),
      {.id = choose_id(arguments, bucket),
       .destination = arguments.get("recovery_dir"),
       .locations = locations,
       .jobs = static_cast<std::size_t>(arguments.find_integer("jobs").value_or(1)),
       .interrupt = options.interrupt});
  return kExitDone;
}

}  // namespace

const command_line::ProgramSpec& cloud_restore_program() {
  static const command_line::ProgramSpec program = cloud_program(
      {.name = "barman-cloud-restore",
       .summary = "restore a backup from a bucket into a data directory",
       .description =
           "The places must be empty. Archives are unpacked straight into them, several at once; "
           "global/pg_control comes last, so that no server starts before all is there. Settings "
           "of "
           "recovery are yours: restore_command = 'barman-cloud-wal-restore URL SERVER %f %p' and "
           "recovery.signal.",
       .options = restore_options(),
       .positionals = {{.key = "backup_id",
                        .metavar = "backup_id",
                        .help = "ID or name of a backup, last, first, or auto: the newest one from "
                                "which the target can be reached"},
                       {.key = "recovery_dir",
                        .metavar = "recovery_dir",
                        .help = "the data directory, absent or empty",
                        .words = "directories"}}});
  return program;
}

int run_cloud_restore(int argc, char** argv) {
  return command_line::run_program(
      cloud_restore_program(), argc, argv,
      [](const ParsedArguments& arguments) { return run_guarded("restore", arguments, restore); });
}

}  // namespace barman::cloud_cli

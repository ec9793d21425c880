// `barman-cloud-restore`: a backup in a bucket becomes a data directory.
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "base/text.h"
#include "base/timestamp.h"
#include "cloud/operation_failed.h"
#include "cloud/restore_cloud_backup.h"
#include "cloud/wal_objects.h"
#include "cloud_cli/cloud_program.h"
#include "cloud_cli/cloud_programs.h"
#include "command_line/run_program.h"
#include "output/progress_display.h"
#include "output/restore_views.h"
#include "restore/choose_backup.h"
#include "restore/recovery_settings.h"
#include "restore/target_arguments.h"
#include "wal/timeline_target.h"

namespace barman::cloud_cli {
namespace {

using command_line::ParsedArguments;
using command_line::ValueKind;

constexpr std::string_view kAutomatic = "auto";
constexpr std::string_view kDefaultProvider = "aws-s3";

std::vector<command_line::OptionSpec> restore_options() {
  return {
      {.names = {"tablespace"},
       .kind = ValueKind::text,
       .help = "where a tablespace goes; may be repeated. Without it: where it was",
       .metavar = "NAME:LOCATION",
       .repetition = command_line::Repetition::accumulate},
      {.names = {"delta-restore"},
       .help = "a data directory of this cluster that is there is made right: only what differs "
               "is fetched and written, what the backup does not have is removed"},
      {.names = {"jobs"},
       .short_names = "J",
       .kind = ValueKind::positive,
       .help = "archives that are unpacked, or files that are written, at once",
       .metavar = "JOBS",
       .default_text = "4"},
      {.names = {"get-wal"},
       .help = "write settings of recovery: PostgreSQL fetches WAL from the bucket, to the end "
               "or to the target. Without them all files are as they were"},
      {.names = {"standby-mode"}, .help = "the same, and the cluster becomes a standby"},
      {.names = {"target-tli"},
       .kind = ValueKind::timeline,
       .help = "timeline to follow: a number, latest or current; with backup ID auto also that "
               "of the backup",
       .metavar = "TARGET_TLI"},
      {.names = {"target-lsn"},
       .kind = ValueKind::text,
       .help = "recover up to this place in the WAL",
       .metavar = "TARGET_LSN",
       .group = "target"},
      {.names = {"target-time"},
       .kind = ValueKind::text,
       .help = "recover up to this moment",
       .metavar = "TARGET_TIME",
       .group = "target"},
      {.names = {"target-xid"},
       .kind = ValueKind::text,
       .help = "recover up to this transaction",
       .metavar = "TARGET_XID",
       .group = "target"},
      {.names = {"target-name"},
       .kind = ValueKind::text,
       .help = "recover up to this restore point",
       .metavar = "TARGET_NAME",
       .group = "target"},
      {.names = {"target-immediate"},
       .help = "recover only until the data is consistent",
       .group = "target"},
      {.names = {"exclusive"}, .help = "stop just before the target, not after it"},
      {.names = {"target-action"},
       .kind = ValueKind::choice,
       .help = "what PostgreSQL does at the target",
       .choices = {"pause", "shutdown", "promote"}},
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
  const std::optional<wal::TimelineTarget> target = restore::read_timeline_target(arguments);
  if (!target) return std::nullopt;
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
      const std::string wrong = find_wrong_part(*text);
      throw Error(ErrorKind::config,
                  fmt::format("Unable to parse the target time parameter '{}'{}", *text,
                              wrong.empty() ? "" : ": there is no " + wrong),
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
  restore::refuse_target_for_automatic_choice(restore::read_target(arguments));
  const auto id = cloud::choose_cloud_backup(catalogue.load(), make_goal(arguments, bucket));
  if (id) return *id;
  throw cloud::OperationFailed("Cannot find any candidate backup for recovery.",
                               "barman-cloud-backup-list shows the backups.");
}

// With what this call needs to get at the bucket; credentials are those of the environment.
std::string wal_command(std::string command, const ParsedArguments& arguments) {
  for (const std::string_view name : {"cloud-provider", "endpoint-url", "addressing-style",
                                      "aws-profile", "read-timeout", "azure-credential"}) {
    const auto value = arguments.find(replace_all(std::string(name), "-", "_"));
    if (!value || (name == "cloud-provider" && *value == kDefaultProvider)) continue;
    command += fmt::format(" --{} {}", name, restore::quote_command_path(*value));
  }
  return command + fmt::format(" {} {}", restore::quote_command_path(arguments.get("url")),
                               restore::quote_command_path(arguments.get("server_name")));
}

std::string restore_command(const ParsedArguments& arguments) {
  std::string program = "barman-cloud-wal-restore";
  if (arguments.is_set("standby_mode")) program += " --no-partial";
  const std::int64_t jobs = arguments.find_integer("jobs").value_or(1);
  if (jobs > 1) program += fmt::format(" -p {}", jobs);
  // Written into a file of the cluster only.
  if (const auto key = arguments.find("sse_customer_key")) {
    program += " --sse-customer-key " + restore::quote_command_path(*key);
  }
  return wal_command(program, arguments) + " %f %p";
}

// Scripts that use `auto` with a target write the settings themselves.
std::optional<cloud::CloudRecovery> find_recovery(const ParsedArguments& arguments) {
  const auto is_any_of = [&](std::initializer_list<const char*> names) {
    return std::any_of(names.begin(), names.end(),
                       [&](const char* name) { return arguments.has(name); });
  };
  const bool is_chosen_by_target = arguments.get("backup_id") == kAutomatic;
  const bool is_wanted =
      is_any_of({"get_wal", "standby_mode", "target_xid", "target_name", "target_immediate",
                 "exclusive", "target_action"}) ||
      (!is_chosen_by_target && is_any_of({"target_time", "target_lsn", "target_tli"}));
  if (!is_wanted) return std::nullopt;
  return cloud::CloudRecovery{.target = restore::read_target(arguments),
                              .standby_mode = arguments.is_set("standby_mode"),
                              .restore_command = restore_command(arguments)};
}

std::string configuration_text(const cloud::CloudRestoreResult& result) {
  std::string text;
  if (result.kept_bytes) {
    const auto shown = [](std::uint64_t size) {
      return human_size(static_cast<std::int64_t>(size));
    };
    text = fmt::format(
        "{}{} were there already.\n", shown(*result.kept_bytes),
        result.total_bytes > 0 ? fmt::format(" of {}", shown(result.total_bytes)) : std::string());
  }
  for (const std::string& line :
       output::configuration_lines(result.configuration, result.missing_files)) {
    text += line + "\n";
  }
  return text;
}

void tell_recovery(const cloud::CloudRestoreResult& result) {
  const std::string text = configuration_text(result);
  print_result(
      fmt::format("{}\n{}\n\nYour PostgreSQL server has been successfully prepared for "
                  "recovery!\n",
                  text, output::restore_command_advice(result.settings_file)));
}

int restore_backup(const ParsedArguments& arguments) {
  const auto locations = parse_locations(arguments);
  object_store::StoreOptions options = keyed_store_options(arguments);
  options.interrupt = cloud_interrupt();
  const OpenBucket bucket = open_bucket(arguments, options);
  if (arguments.is_set("test")) return test_connection(*bucket.store);
  const auto recovery = find_recovery(arguments);
  output::ProgressDisplay progress(STDERR_FILENO);
  const cloud::CloudRestoreResult result = cloud::restore_cloud_backup(
      bucket.catalogue(),
      {.id = choose_id(arguments, bucket),
       .destination = arguments.get("recovery_dir"),
       .locations = locations,
       .jobs = static_cast<std::size_t>(arguments.find_integer("jobs").value_or(1)),
       .interrupt = options.interrupt,
       .recovery = recovery,
       .delta_restore = arguments.is_set("delta_restore"),
       .archive_command = wal_command("barman-cloud-wal-archive", arguments),
       .progress = &progress});
  if (recovery) {
    tell_recovery(result);
  } else {
    print_result(configuration_text(result));
  }
  return kExitDone;
}

}  // namespace

const command_line::ProgramSpec& cloud_restore_program() {
  static const command_line::ProgramSpec program = cloud_program(
      {.name = "barman-cloud-restore",
       .summary = "restore a backup from a bucket into a data directory",
       .description =
           "The places must be empty, or with --delta-restore a data directory of the cluster that "
           "was backed up, where PostgreSQL does not run: files that have the checksums of the "
           "backup stay, of others the blocks that differ are written, and what is not in the "
           "backup goes; WAL that is in no archive is moved aside. Run it as the owner of the "
           "directory. Archives are unpacked straight into them, several at once; "
           "global/pg_control comes last, so that no server starts before all is there. With "
           "--get-wal, --standby-mode or a target the settings of recovery are written, with a "
           "restore_command that fetches from the bucket, and settings that would do harm in the "
           "restored cluster are changed and told. Otherwise they are yours: restore_command = "
           "'barman-cloud-wal-restore URL SERVER %f %p' and recovery.signal; only settings that "
           "lead to the files of the old place (data_directory) become comments, when the "
           "configuration lay outside of the data directory.",
       .options = restore_options(),
       .positionals = {
           {.key = "backup_id",
            .metavar = "backup_id",
            .help = "ID or name of a backup, last, first, or auto: the newest one from "
                    "which the target can be reached"},
           {.key = "recovery_dir",
            .metavar = "recovery_dir",
            .help = "the data directory, absent or empty, or with --delta-restore one of "
                    "this cluster",
            .words = "directories"}}});
  return program;
}

int run_cloud_restore(int argc, char** argv) {
  return command_line::run_program(cloud_restore_program(), argc, argv,
                                   [](const ParsedArguments& arguments) {
                                     return run_guarded("restore", arguments, restore_backup);
                                   });
}

}  // namespace barman::cloud_cli

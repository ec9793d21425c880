// `barman-cloud-backup-keep`: exempts a backup from retention policies.
#include <string>

#include <fmt/format.h>

#include "catalogue/backup_objects.h"
#include "catalogue/keep_rules.h"
#include "cloud/operation_failed.h"
#include "cloud_cli/cloud_program.h"
#include "cloud_cli/cloud_programs.h"
#include "command_line/parser.h"
#include "command_line/run_program.h"

namespace barman::cloud_cli {
namespace {

using catalogue::KeepTarget;
using command_line::ParsedArguments;

void keep_backup(const cloud::CloudCatalogue& catalogue, const catalogue::BackupId& id,
                 KeepTarget target) {
  const auto backup = catalogue.find(id);
  if (!backup) {
    throw cloud::OperationFailed(fmt::format("Backup {} for server {} does not exist", id.value,
                                             catalogue.layout().server_name()),
                                 "barman-cloud-backup-list shows the backups.");
  }
  if (const auto refusal = catalogue::find_keep_refusal(*backup)) {
    throw cloud::OperationFailed(*refusal);
  }
  // Somebody else has deleted them, or a rule of the bucket: the status does not tell.
  const std::string problem =
      backup->snapshots_info ? ""
                             : catalogue::find_archive_problem(*backup, catalogue.list_objects(id));
  if (!problem.empty()) {
    throw cloud::OperationFailed(
        fmt::format("Cannot add keep to backup {} because it cannot be restored: it {} in {}",
                    id.value, problem,
                    catalogue.layout().shown(catalogue.layout().backup_prefix(id))),
        "Keep another backup (barman-cloud-backup-list warns of those that are not whole).");
  }
  try {
    catalogue.write_keep(id, target);
  } catch (const Error& error) {  // With the code of what cannot be done.
    if (error.kind() != ErrorKind::conflict) throw;
    throw cloud::OperationFailed(error.describe(), "barman-cloud-backup-list shows the others.");
  }
}

int keep(const ParsedArguments& arguments) {
  const auto target = arguments.find("target");
  if (!target && !arguments.is_set("release") && !arguments.is_set("status")) {
    throw command_line::UsageError(
        "one of the arguments -r/--release -s/--status --target is required");
  }
  const OpenBucket bucket = open_bucket(arguments);
  if (arguments.is_set("test")) return test_connection(*bucket.store);
  const cloud::CloudCatalogue catalogue = bucket.catalogue();
  const catalogue::BackupId id = catalogue.resolve(arguments.get("backup_id"));
  if (arguments.is_set("release")) {
    catalogue.release_keep(id);
  } else if (arguments.is_set("status")) {
    const auto kept = catalogue.find_keep(id);
    print_result(
        fmt::format("Keep: {}\n", kept ? catalogue::keep_text(*kept) : std::string_view("nokeep")));
  } else {
    keep_backup(catalogue, id, *target == "full" ? KeepTarget::full : KeepTarget::standalone);
  }
  return kExitDone;
}

}  // namespace

const command_line::ProgramSpec& cloud_backup_keep_program() {
  static const command_line::ProgramSpec program = cloud_program(
      {.name = "barman-cloud-backup-keep",
       .summary = "exempt a backup in a bucket from retention policies",
       .description =
           "A backup that is kept is not deleted, by hand or by a policy, until it is released.",
       .options = {{.names = {"release"},
                    .short_names = "r",
                    .help = "the backup is kept no longer",
                    .group = "action"},
                   {.names = {"status"},
                    .short_names = "s",
                    .help = "print whether and how it is kept",
                    .group = "action"},
                   {.names = {"target"},
                    .kind = command_line::ValueKind::choice,
                    .help =
                        "keep it: with all WAL that follows, or only with the WAL that makes it "
                        "consistent",
                    .choices = {"full", "standalone"},
                    .group = "action"}},
       .positionals = {backup_id_positional()}});
  return program;
}

int run_cloud_backup_keep(int argc, char** argv) {
  return command_line::run_program(
      cloud_backup_keep_program(), argc, argv,
      [](const ParsedArguments& arguments) { return run_guarded("keep", arguments, keep); });
}

}  // namespace barman::cloud_cli

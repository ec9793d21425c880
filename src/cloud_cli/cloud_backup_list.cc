// `barman-cloud-backup-list` and `barman-cloud-backup-show`.
#include <algorithm>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/log.h"
#include "base/text.h"
#include "cloud/operation_failed.h"
#include "cloud_cli/cloud_program.h"
#include "cloud_cli/cloud_programs.h"
#include "cloud_cli/cloud_views.h"
#include "command_line/run_program.h"

namespace barman::cloud_cli {
namespace {

using command_line::ParsedArguments;

// Every other word means JSON, as it always has.
bool wants_console(const ParsedArguments& arguments) {
  return arguments.get("format") == "console";
}

// Somebody has deleted them, or a rule of the bucket: the status does not tell.
void warn_of_lost_archives(const catalogue::BucketLayout& layout,
                           const cloud::CloudBackups& backups) {
  for (const catalogue::BackupInfo& backup : backups.list.backups) {
    if (!backup.is_copy_done() || backup.snapshots_info) continue;
    const std::string problem =
        catalogue::find_archive_problem(backup, backups.objects_of(backup.id));
    if (problem.empty()) continue;
    log::warning("barman.cloud", "backup {} cannot be restored: it {} in {}", backup.id.value,
                 problem, layout.shown(layout.backup_prefix(backup.id)));
  }
}

// A mistyped URL or name looks like a server without backups. One that has WAL is no such name: its
// first backup is not made yet, or its last one was deleted.
void warn_of_nothing(const OpenBucket& bucket) {
  constexpr std::size_t kMostNames = 5;
  std::vector<std::string> servers = bucket.store->list_directories("");
  if (std::ranges::find(servers, bucket.layout.server_name()) != servers.end()) return;
  const bool has_more = servers.size() > kMostNames;
  servers.resize(std::min(servers.size(), kMostNames));
  log::warning("barman.cloud", "there is no backup of server {} in {}: {}",
               bucket.layout.server_name(), bucket.layout.shown(bucket.layout.backups_prefix()),
               servers.empty() ? "nothing lies below this URL"
                               : fmt::format("below this URL lie {}{}", join(servers, ", "),
                                             has_more ? ", ..." : ""));
}

// Who reads the list takes what is not in it for gone. A damaged backup.info is a warning only, as
// of Barman.
void refuse_to_call_it_whole(const cloud::CloudBackups& backups) {
  if (backups.withheld.empty()) return;
  std::vector<std::string> ids;
  for (const catalogue::BackupId& id : backups.withheld) ids.push_back(id.value);
  throw cloud::OperationFailed(
      fmt::format("The list lacks backups whose backup.info the store does not give: {}",
                  join(ids, ", ")),
      "The warnings say why. Give the key that they were stored with (--sse-customer-key), or the "
      "right to read them.");
}

int list_backups(const ParsedArguments& arguments) {
  const OpenBucket bucket = open_bucket(arguments);
  if (arguments.is_set("test")) return test_connection(*bucket.store);
  const cloud::CloudBackups backups = bucket.catalogue().load();
  warn_of_lost_archives(bucket.layout, backups);
  // Programs read JSON, and ask before there is a backup.
  if (wants_console(arguments) && backups.list.backups.empty() && backups.list.broken.empty()) {
    warn_of_nothing(bucket);
  }
  print_result(wants_console(arguments) ? cloud_list_text(backups) : cloud_list_json(backups));
  refuse_to_call_it_whole(backups);
  return kExitDone;
}

int show_backup(const ParsedArguments& arguments) {
  const OpenBucket bucket = open_bucket(arguments);
  if (arguments.is_set("test")) return test_connection(*bucket.store);
  const cloud::CloudCatalogue catalogue = bucket.catalogue();
  const catalogue::BackupId id = catalogue.resolve(arguments.get("backup_id"));
  const auto backup = catalogue.find(id);
  if (!backup) {
    throw cloud::OperationFailed(fmt::format("Backup {} for server {} does not exist", id.value,
                                             bucket.layout.server_name()),
                                 "barman-cloud-backup-list shows the backups.");
  }
  print_result(wants_console(arguments) ? cloud_show_text(*backup) : cloud_show_json(*backup));
  return kExitDone;
}

}  // namespace

const command_line::ProgramSpec& cloud_backup_list_program() {
  static const command_line::ProgramSpec program =
      cloud_program({.name = "barman-cloud-backup-list",
                     .summary = "list the backups of a server in a bucket",
                     .description = "Also those that are running or have failed.",
                     .options = {format_option()}});
  return program;
}

int run_cloud_backup_list(int argc, char** argv) {
  return command_line::run_program(cloud_backup_list_program(), argc, argv,
                                   [](const ParsedArguments& arguments) {
                                     return run_guarded("backup list", arguments, list_backups);
                                   });
}

const command_line::ProgramSpec& cloud_backup_show_program() {
  static const command_line::ProgramSpec program =
      cloud_program({.name = "barman-cloud-backup-show",
                     .summary = "show what is known of a backup in a bucket",
                     .description = {},
                     .options = {format_option()},
                     .positionals = {backup_id_positional()}});
  return program;
}

int run_cloud_backup_show(int argc, char** argv) {
  return command_line::run_program(cloud_backup_show_program(), argc, argv,
                                   [](const ParsedArguments& arguments) {
                                     return run_guarded("backup show", arguments, show_backup);
                                   });
}

}  // namespace barman::cloud_cli

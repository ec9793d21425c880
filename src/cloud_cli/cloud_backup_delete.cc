// `barman-cloud-backup-delete`: deletes a backup, or those that a policy does not need.
#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "backup/delete_backup.h"
#include "base/log.h"
#include "base/timestamp.h"
#include "cloud/delete_cloud_backups.h"
#include "cloud_cli/cloud_program.h"
#include "cloud_cli/cloud_programs.h"
#include "cloud_cli/deletion_options.h"
#include "command_line/parser.h"
#include "command_line/run_program.h"
#include "config/option_value.h"

namespace barman::cloud_cli {
namespace {

using command_line::ParsedArguments;
using command_line::ValueKind;

std::vector<command_line::OptionSpec> deletion_options() {
  return {{.names = {"backup-id"},
           .short_names = "b",
           .kind = ValueKind::text,
           .help = "the backup to delete: ID, name, or last, first, last-failed",
           .metavar = "BACKUP_ID",
           .group = "what"},
          {.names = {"retention-policy"},
           .short_names = "r",
           .kind = ValueKind::text,
           .help = "delete the backups that this policy does not need: REDUNDANCY n, or RECOVERY "
                   "WINDOW OF n DAYS (WEEKS, MONTHS)",
           .metavar = "RETENTION_POLICY",
           .group = "what"},
          {.names = {"minimum-redundancy"},
           .short_names = "m",
           .kind = ValueKind::non_negative,
           .help = "complete backups that stay in any case",
           .metavar = "MINIMUM_REDUNDANCY",
           .default_text = "0"},
          {.names = {"dry-run"}, .help = "delete nothing, and tell what would be deleted"},
          {.names = {"batch-size"},
           .kind = ValueKind::integer,
           .help = "objects of one request, at most and without the option as many as the provider "
                   "takes",
           .metavar = "DELETE_BATCH_SIZE"},
          {.names = {"check-object-lock"},
           .help = "S3: look before whether archives are locked, and delete none of such a backup"},
          {.names = {"force"},
           .help = "also delete a backup whose status is STARTED: it is not running any more"}};
}

cloud::CloudDeletionOptions make_deletion_options(const ParsedArguments& arguments,
                                                  const OpenBucket& bucket, Timestamp now) {
  cloud::CloudDeletionOptions options = deletion_options(bucket);
  options.minimum_redundancy =
      static_cast<std::uint64_t>(arguments.find_integer("minimum_redundancy").value_or(0));
  options.is_dry_run = arguments.is_set("dry_run");
  options.takes_started = arguments.is_set("force");
  const auto most = static_cast<std::int64_t>(options.batch_size);
  options.batch_size = static_cast<std::size_t>(
      std::clamp<std::int64_t>(arguments.find_integer("batch_size").value_or(most), 1, most));
  if (!arguments.is_set("check_object_lock")) return options;
  if (bucket.store->url().provider != object_store::Provider::aws_s3) {
    log::warning("barman.cloud", "--check-object-lock is ignored: only S3 has object locks");
    return options;
  }
  options.find_lock = [&store = *bucket.store, now](const std::string& key) {
    const auto lock = store.find_lock(key);
    return lock ? object_store::reason_of_lock(*lock, now) : std::string();
  };
  return options;
}

int delete_backups(const ParsedArguments& arguments) {
  const auto word = arguments.find("backup_id");
  const auto policy_text = arguments.find("retention_policy");
  if (!word && !policy_text) {
    throw command_line::UsageError(
        "one of the arguments -b/--backup-id -r/--retention-policy is required");
  }
  const auto policy = policy_text ? config::parse_retention_policy(*policy_text) : std::nullopt;
  if (policy_text && !policy) {
    throw ProgramEnd(kExitBadLine,
                     fmt::format("Could not create retention policy {}: Cannot parse option "
                                 "retention_policy: {}",
                                 *policy_text, *policy_text),
                     "Write REDUNDANCY n, or RECOVERY WINDOW OF n DAYS.");
  }
  const OpenBucket bucket = open_bucket(arguments);
  if (arguments.is_set("test")) return test_connection(*bucket.store);
  const cloud::CloudCatalogue catalogue = bucket.catalogue();
  const Timestamp now = now_local();
  const cloud::CloudDeletionOptions options = make_deletion_options(arguments, bucket, now);
  if (word) {
    cloud::delete_cloud_backup(catalogue, catalogue.resolve(*word), options);
  } else {
    cloud::delete_obsolete_cloud_backups(catalogue, backup::retention_rule_of(*policy), now,
                                         options);
  }
  return kExitDone;
}

}  // namespace

const command_line::ProgramSpec& cloud_backup_delete_program() {
  static const command_line::ProgramSpec program = cloud_program(
      {.name = "barman-cloud-backup-delete",
       .summary = "delete backups in a bucket, and the WAL that nobody needs then",
       .description =
           "A backup that is kept (barman-cloud-backup-keep) is not deleted. WAL goes when no "
           "remaining backup needs it; timeline history files stay.",
       .options = deletion_options()});
  return program;
}

int run_cloud_backup_delete(int argc, char** argv) {
  return command_line::run_program(cloud_backup_delete_program(), argc, argv,
                                   [](const ParsedArguments& arguments) {
                                     return run_guarded("backup delete", arguments, delete_backups);
                                   });
}

}  // namespace barman::cloud_cli

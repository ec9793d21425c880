// `barman-cloud-backup`: a backup of a PostgreSQL on this host into a bucket, and of Barman's
// backups as its hook script.
#include <algorithm>
#include <cstdint>
#include <string>
#include <thread>

#include <fmt/format.h>

#include "base/log.h"
#include "base/timestamp.h"
#include "cloud/delete_cloud_backups.h"
#include "cloud/take_cloud_backup.h"
#include "cloud_cli/cloud_program.h"
#include "cloud_cli/cloud_programs.h"
#include "cloud_cli/deletion_options.h"
#include "cloud_cli/hook_call.h"
#include "command_line/argument_value.h"
#include "command_line/run_program.h"
#include "compression/piece_codec.h"
#include "postgres/conninfo.h"

namespace barman::cloud_cli {
namespace {

using command_line::OptionSpec;
using command_line::ParsedArguments;
using command_line::ValueKind;
using object_store::Provider;

constexpr int kExitNoRetry = 63;
constexpr std::uint64_t kTebibyte = std::uint64_t{1} << 40;
constexpr std::uint64_t kMebibyte = std::uint64_t{1} << 20;
constexpr std::int64_t kUploadedWalMicroseconds = std::int64_t{24} * 3600 * 1'000'000;
constexpr std::int64_t kUploadedHookMicroseconds =
    std::chrono::microseconds(cloud::kDeadAfter).count();

std::vector<OptionSpec> connection_options() {
  return {{.names = {"host"},
           .short_names = "h",
           .kind = ValueKind::text,
           .help = "host or directory of the socket of PostgreSQL",
           .metavar = "HOST"},
          {.names = {"port"},
           .short_names = "p",
           .kind = ValueKind::text,
           .help = "port of PostgreSQL",
           .metavar = "PORT"},
          {.names = {"user"},
           .short_names = "U",
           .kind = ValueKind::text,
           .help = "user of PostgreSQL",
           .metavar = "USER"},
          {.names = {"dbname"},
           .short_names = "d",
           .kind = ValueKind::text,
           .help = "database, or a whole connection string",
           .metavar = "DBNAME",
           .default_text = "postgres"}};
}

std::vector<OptionSpec> archive_options() {
  return {cloud_compression_option("gzip", "z"),
          cloud_compression_option("bzip2", "j"),
          cloud_compression_option("snappy"),
          cloud_compression_option("lz4"),
          cloud_compression_option("zstd"),
          cloud_compression_option("xz"),
          {.names = {"compression-level"},
           .kind = ValueKind::compression_level,
           .help = "low, medium, high or a number: of bzip2, lz4, zstd and xz",
           .metavar = "COMPRESSION_LEVEL"},
          {.names = {"name"},
           .short_names = "n",
           .kind = ValueKind::backup_name,
           .help = "a name by which the backup can be called",
           .metavar = "BACKUP_NAME"},
          {.names = {"jobs"},
           .short_names = "J",
           .kind = ValueKind::positive,
           .help = "threads that read and upload",
           .metavar = "JOBS",
           .default_text = "2"},
          {.names = {"keepalive-interval"},
           .kind = ValueKind::non_negative,
           .help = "seconds between signs of life of the session with PostgreSQL; 0 = none",
           .metavar = "KEEPALIVE_INTERVAL",
           .default_text = "60"},
          {.names = {"max-archive-size"},
           .short_names = "S",
           .kind = ValueKind::transfer_size,
           .help = "size behind which a new archive is begun",
           .metavar = "MAX_ARCHIVE_SIZE",
           .default_text = "100GB"},
          {.names = {"index"},
           .help = "an index beside each archive, which Barman passes over: restores read several "
                   "parts of an archive at once, and --delta-restore only what differs"},
          {.names = {"immediate-checkpoint"}, .help = "do not spread the checkpoint at the begin"},
          {.names = {"min-chunk-size"},
           .kind = ValueKind::transfer_size,
           .help = "parts of an upload are not smaller",
           .metavar = "MIN_CHUNK_SIZE"},
          {.names = {"max-bandwidth"},
           .kind = ValueKind::transfer_size,
           .help = "bytes in a second, all uploads together",
           .metavar = "MAX_BANDWIDTH"}};
}

OptionSpec text_option(std::vector<std::string_view> names, std::string_view help) {
  return {.names = std::move(names), .kind = ValueKind::text, .help = help, .metavar = "VALUE"};
}

// Known and refused: a script that asks for snapshots must not get something else.
std::vector<OptionSpec> snapshot_options() {
  constexpr std::string_view kNone = "for backups by snapshots, which this version cannot make";
  OptionSpec disk = text_option({"snapshot-disk"}, kNone);
  disk.repetition = command_line::Repetition::accumulate;
  return {text_option({"snapshot-instance"}, kNone),
          disk,
          text_option({"gcp-project", "snapshot-gcp-project"}, kNone),
          text_option({"gcp-zone", "snapshot-zone"}, kNone),
          text_option({"aws-region"}, kNone),
          text_option({"aws-await-snapshots-timeout"}, kNone),
          text_option({"aws-snapshot-lock-mode"}, kNone),
          text_option({"aws-snapshot-lock-duration"}, kNone),
          text_option({"aws-snapshot-lock-expiration-date"}, kNone),
          text_option({"aws-snapshot-lock-cool-off-period"}, kNone),
          text_option({"azure-subscription-id"}, kNone),
          text_option({"azure-resource-group"}, kNone)};
}

std::vector<OptionSpec> backup_options() {
  std::vector<OptionSpec> options = connection_options();
  append_options(options, archive_options());
  append_options(options, tag_options());
  append_options(options, upload_options());
  append_options(options, snapshot_options());
  return options;
}

// As libpq takes it.
std::string conninfo_of(const ParsedArguments& arguments) {
  const std::string database = arguments.get("dbname");
  const bool is_whole = database.empty() || database.find('=') != std::string::npos ||
                        database.starts_with("postgresql://") ||
                        database.starts_with("postgres://");
  if (is_whole) return database;
  std::string conninfo = postgres::with_default("", "dbname", database);
  for (const char* key : {"host", "port", "user"}) {
    if (const auto value = arguments.find(key)) {
      conninfo = postgres::with_default(conninfo, key, *value);
    }
  }
  return conninfo;
}

struct PartLimits {
  std::uint64_t most_parts = 10'000;
  std::uint64_t smallest_part = 5 * kMebibyte;
};

PartLimits part_limits(Provider provider) {
  if (provider != Provider::azure_blob_storage) return {};
  return {.most_parts = 50'000, .smallest_part = 64 * 1024};
}

std::uint64_t size_option(const ParsedArguments& arguments, std::string_view key) {
  const auto text = arguments.find(key);
  return text ? command_line::parse_transfer_size(*text).value() : 0;
}

std::optional<int> archive_level(const ParsedArguments& arguments,
                                 std::optional<compression::Algorithm> algorithm) {
  using compression::Algorithm;
  const auto level = arguments.find("compression_level");
  if (!level) return std::nullopt;
  if (!algorithm || *algorithm == Algorithm::gzip || *algorithm == Algorithm::snappy) {
    throw ProgramEnd(kExitBadLine,
                     fmt::format("archives {} have no levels: --compression-level is of no use",
                                 algorithm ? fmt::format("of {}", to_text(*algorithm))
                                           : std::string("that are not compressed")),
                     "Leave it out, or choose --zstd, --lz4, --xz or --bzip2.");
  }
  return compression::resolve_level(*algorithm, *level);
}

cloud::ArchiveForm archive_form(const ParsedArguments& arguments) {
  cloud::ArchiveForm form{
      .compression = {},
      .max_archive_bytes = size_option(arguments, "max_archive_size"),
      .compression_threads = std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, 4)};
  if (form.max_archive_bytes > kTebibyte) {
    log::warning("barman.cloud", "max-archive-size too big. Capping it to to 1.0 TiB");
    form.max_archive_bytes = kTebibyte;
  }
  if (const auto word = arguments.find("compression")) {
    form.compression = compression::parse_algorithm(*word);
  }
  form.compression_level = archive_level(arguments, form.compression);
  form.has_index = arguments.is_set("index");
  if (form.has_index && form.compression && !compression::has_pieces(*form.compression)) {
    throw ProgramEnd(
        kExitBadLine,
        fmt::format("archives of {} can be read as a whole only: an index is of no use",
                    compression::to_text(*form.compression)),
        "Leave out --index, or choose --gzip, --lz4, --zstd or --xz.");
  }
  return form;
}

object_store::StoreOptions backup_store_options(const ParsedArguments& arguments) {
  object_store::StoreOptions options = upload_store_options(arguments);
  options.tags = parse_tags(arguments, "tag");
  const auto provider = object_store::find_provider(arguments.get("cloud_provider")).value();
  const PartLimits limits = part_limits(provider);
  options.part_size_bytes =
      std::max({2 * (size_option(arguments, "max_archive_size") / limits.most_parts),
                limits.smallest_part, size_option(arguments, "min_chunk_size")});
  // Several archives are written at once: one part of each is on its way.
  options.jobs = 1;
  options.max_bytes_per_second = size_option(arguments, "max_bandwidth");
  options.interrupt = cloud_interrupt();
  return options;
}

void refuse_snapshots(const ParsedArguments& arguments) {
  if (!arguments.has("snapshot_instance") && !arguments.has("snapshot_disk")) return;
  throw Error(ErrorKind::config, "backups by snapshots of disks cannot be made by this version",
              "Leave the options --snapshot-instance and --snapshot-disk out: then the files are "
              "copied.");
}

std::size_t jobs_of(const ParsedArguments& arguments) {
  return static_cast<std::size_t>(arguments.find_integer("jobs").value_or(2));
}

// As post_backup_script of Barman.
int upload_as_hook(const ParsedArguments& arguments, const HookCall& call) {
  if (!is_call_of(call, "post", "backup")) {
    throw Error(ErrorKind::config,
                fmt::format("barman-cloud-backup called as unsupported hook script: {}_{}",
                            call.phase, call.hook),
                "Set it as post_backup_script or post_backup_retry_script.");
  }
  if (arguments.has("name")) {
    throw Error(ErrorKind::config, "Cannot set backup name when running as a hook script");
  }
  const std::string directory = require_hook_variable("BARMAN_BACKUP_DIR");
  const std::string id_text = require_hook_variable("BARMAN_BACKUP_ID");
  // Before anything else that may be wrong: other codes make a retry hook try again.
  const std::string status = find_hook_variable("BARMAN_STATUS").value_or("None");
  if (status != "DONE") {
    throw ProgramEnd(
        kExitNoRetry,
        fmt::format("backup in '{}' has status '{}' (status should be: DONE)", directory, status));
  }
  const std::string info_path = require_hook_variable("BARMAN_BACKUP_INFO_PATH");
  const auto id = catalogue::parse_backup_id(id_text);
  if (!id) {
    throw Error(ErrorKind::config, fmt::format("BARMAN_BACKUP_ID '{}' is no backup ID", id_text));
  }
  const OpenBucket bucket = open_bucket(arguments, backup_store_options(arguments));
  if (arguments.is_set("test")) return test_connection(*bucket.store);
  cloud::upload_stored_backup(bucket.catalogue(), {.directory = directory,
                                                   .id = *id,
                                                   .info_path = info_path,
                                                   .jobs = jobs_of(arguments),
                                                   .form = archive_form(arguments),
                                                   .interrupt = cloud_interrupt()});
  return kExitDone;
}

// Uploads that a killed program has left: they cost space, and nobody sees them. Those of a backup
// that says STARTED may be under way, and so may those of WAL on their first day, and those that
// have no backup.info yet (hooks write it last) for a week.
void abort_unfinished_uploads(const OpenBucket& bucket) {
  const cloud::CloudCatalogue catalogue = bucket.catalogue();
  const Timestamp now = now_local();
  for (const auto& upload : bucket.store->list_unfinished(bucket.layout.backups_prefix())) {
    const auto object = bucket.layout.parse_backup_key(upload.key);
    if (!object) continue;
    const auto backup = catalogue.find(object->id);
    const std::int64_t age = now.microseconds - upload.begun.microseconds;
    const bool may_be_running = backup ? backup->status == catalogue::BackupStatus::started
                                       : age < kUploadedHookMicroseconds;
    if (may_be_running) continue;
    bucket.store->abort_unfinished(upload);
  }
  for (const auto& upload : bucket.store->list_unfinished(bucket.layout.wals_prefix())) {
    const std::int64_t age = now.microseconds - upload.begun.microseconds;
    if (age > kUploadedWalMicroseconds) bucket.store->abort_unfinished(upload);
  }
}

// What runs that are over have left.
void delete_leftovers(const OpenBucket& bucket) {
  try {
    abort_unfinished_uploads(bucket);
    cloud::delete_cloud_leftovers(bucket.catalogue(), deletion_options(bucket));
  } catch (const Error& error) {  // It is not what was asked for, and needs rights of its own.
    if (error.kind() == ErrorKind::connection || error.kind() == ErrorKind::interrupted) throw;
    log::info("barman.cloud", "cannot look for what other runs have left: {}", error.describe());
  }
}

int back_up(const ParsedArguments& arguments) {
  refuse_snapshots(arguments);
  if (const auto call = find_hook_call()) return upload_as_hook(arguments, *call);
  object_store::StoreOptions options = backup_store_options(arguments);
  const OpenBucket archives = open_bucket(arguments, options);
  // What became of the backup is recorded even when the program is told to end.
  options.interrupt = {};
  const OpenBucket bucket = open_bucket(arguments, options);
  if (arguments.is_set("test")) return test_connection(*bucket.store);
  delete_leftovers(bucket);
  cloud::take_cloud_backup(bucket.catalogue(),
                           {.conninfo = conninfo_of(arguments),
                            .name = arguments.find("name"),
                            .has_fast_checkpoint = arguments.is_set("immediate_checkpoint"),
                            .jobs = jobs_of(arguments),
                            .keepalive_interval = std::chrono::seconds(
                                arguments.find_integer("keepalive_interval").value_or(0)),
                            .form = archive_form(arguments),
                            .interrupt = cloud_interrupt(),
                            .archives = archives.store.get()});
  return kExitDone;
}

}  // namespace

const command_line::ProgramSpec& cloud_backup_program() {
  static const command_line::ProgramSpec program = [] {
    command_line::ProgramSpec spec = cloud_program(
        {.name = "barman-cloud-backup",
         .summary = "back up a PostgreSQL of this host into a bucket",
         .description =
             "Runs as the user of PostgreSQL: the files of the data directory and of the "
             "tablespaces "
             "are read here and go straight into the bucket. WAL must be archived there, too "
             "(barman-cloud-wal-archive). As post_backup_retry_script of Barman it uploads the "
             "backup that Barman has taken.",
         .url = UrlRole::destination,
         .options = backup_options()});
    spec.exits.push_back({"63", "As a hook script: the backup is not DONE, so do not try again."});
    return spec;
  }();
  return program;
}

int run_cloud_backup(int argc, char** argv) {
  return command_line::run_program(
      cloud_backup_program(), argc, argv,
      [](const ParsedArguments& arguments) { return run_guarded("backup", arguments, back_up); });
}

}  // namespace barman::cloud_cli

#include "config/option_table.h"

#include <algorithm>
#include <array>
#include <type_traits>
#include <unordered_map>

#include "base/text.h"

namespace barman::config {
namespace {

constexpr Scope kServer = Scope::server;
constexpr Scope kGlobalServer = Scope::global | Scope::server;
constexpr Scope kServerModel = Scope::server | Scope::model;
constexpr Scope kAll = Scope::global | Scope::server | Scope::model;

// clang-format off
constexpr std::array kServerOptions = std::to_array<Option>({
    {"active", kServerModel, OptionType::boolean, "true", &ServerConfig::active, "", "Whether new backups and WAL files are taken in."},
    {"archiver", kAll, OptionType::boolean, "off", &ServerConfig::archiver, "", "Process the WAL files that PostgreSQL puts into the incoming directory."},
    {"archiver_batch_size", kAll, OptionType::integer, "0", &ServerConfig::archiver_batch_size, "", "WAL files archived in one run from the incoming directory; 0 is all."},
    {"autogenerate_manifest", kAll, OptionType::boolean, "false", &ServerConfig::autogenerate_manifest, "", "Write a backup_manifest at the end of an rsync backup."},
    {"aws_check_object_lock", kAll, OptionType::boolean, "off", &ServerConfig::aws_check_object_lock, "", "Test S3 Object Lock before objects of a base backup are deleted."},
    {"aws_object_lock_mode", kAll, OptionType::word, "", &ServerConfig::aws_object_lock_mode, "governance compliance", "Lock what is written to S3 against deletion. Not an option of Barman."},
    {"aws_object_lock_days", kAll, OptionType::positive, "", &ServerConfig::aws_object_lock_days, "", "Days for which objects in S3 are locked; unset is the recovery window of retention_policy. Not an option of Barman."},
    {"aws_encryption", kAll, OptionType::cased_word, "", &ServerConfig::aws_encryption, "AES256 aws:kms", "Server-side encryption of objects in S3."},
    {"aws_read_timeout", kAll, OptionType::positive, "", &ServerConfig::aws_read_timeout, "", "Seconds to wait for an answer of S3."},
    {"aws_await_snapshots_timeout", kAll, OptionType::natural, "3600", &ServerConfig::aws_await_snapshots_timeout, "", "Accepted without effect: backups by snapshots of disks are not there."},
    {"aws_snapshot_lock_mode", kAll, OptionType::text, "", &ServerConfig::aws_snapshot_lock_mode, "", "Accepted without effect: backups by snapshots of disks are not there."},
    {"aws_snapshot_lock_duration", kAll, OptionType::integer, "", &ServerConfig::aws_snapshot_lock_duration, "", "Accepted without effect: backups by snapshots of disks are not there."},
    {"aws_snapshot_lock_cool_off_period", kAll, OptionType::integer, "", &ServerConfig::aws_snapshot_lock_cool_off_period, "", "Accepted without effect: backups by snapshots of disks are not there."},
    {"aws_snapshot_lock_expiration_date", kAll, OptionType::text, "", &ServerConfig::aws_snapshot_lock_expiration_date, "", "Accepted without effect: backups by snapshots of disks are not there."},
    {"aws_profile", kAll, OptionType::text, "", &ServerConfig::aws_profile, "", "Profile of the AWS credentials file."},
    {"aws_region", kAll, OptionType::text, "", &ServerConfig::aws_region, "", "AWS region of the snapshots or of the bucket."},
    {"aws_sse_kms_key_id", kAll, OptionType::text, "", &ServerConfig::aws_sse_kms_key_id, "", "Key id or ARN for aws_encryption = aws:kms."},
    {"aws_sse_customer_key", kAll, OptionType::text, "", &ServerConfig::aws_sse_customer_key, "", "file:// URI of the base64 key for SSE-C in S3."},
    {"azure_credential", kAll, OptionType::text, "", &ServerConfig::azure_credential, "", "Azure credential: azure-cli, managed-identity or default."},
    {"azure_resource_group", kAll, OptionType::text, "", &ServerConfig::azure_resource_group, "", "Accepted without effect: backups by snapshots of disks are not there."},
    {"azure_subscription_id", kAll, OptionType::text, "", &ServerConfig::azure_subscription_id, "", "Accepted without effect: backups by snapshots of disks are not there."},
    {"backup_compression", kAll, OptionType::word, "", &ServerConfig::backup_compression, "gzip lz4 zstd xz none", "Compression of streamed base backups; xz for backups in a bucket only."},
    {"backup_compression_format", kAll, OptionType::word, "", &ServerConfig::backup_compression_format, "plain tar", "Form in which a compressed base backup is stored."},
    {"backup_compression_level", kAll, OptionType::integer, "", &ServerConfig::backup_compression_level, "", "Compression level of base backups."},
    {"backup_compression_location", kAll, OptionType::word, "", &ServerConfig::backup_compression_location, "client server", "Where a base backup is compressed."},
    {"backup_compression_workers", kAll, OptionType::integer, "", &ServerConfig::backup_compression_workers, "", "Threads that compress a base backup with zstd or xz."},
    {"backup_directory", kServer, OptionType::path, "%(barman_home)s/%(name)s", &ServerConfig::backup_directory, "", "Directory of everything kept for the server."},
    {"backup_method", kAll, OptionType::word, "rsync", &ServerConfig::backup_method, "rsync postgres local-rsync snapshot local-to-cloud", "How base backups are taken."},
    {"backup_options", kAll, OptionType::word_set, "", &ServerConfig::backup_options, "exclusive_backup concurrent_backup external_configuration", "Concurrency of backups and treatment of external configuration files."},
    {"bandwidth_limit", kAll, OptionType::rate, "", &ServerConfig::bandwidth_limit, "", "Transfer limit in kB/s; 0 is none."},
    {"basebackup_retry_sleep", kAll, OptionType::natural, "30", &ServerConfig::basebackup_retry_sleep, "", "Seconds between two attempts of a copy."},
    {"basebackup_retry_times", kAll, OptionType::natural, "0", &ServerConfig::basebackup_retry_times, "", "How often a failed copy is tried again."},
    {"basebackups_directory", kServer, OptionType::location, "%(backup_directory)s/base", &ServerConfig::basebackups_directory, "", "Directory or cloud URL of base backups."},
    {"check_timeout", kAll, OptionType::natural, "30", &ServerConfig::check_timeout, "", "Seconds after which the check of a server is given up; 0 is never."},
    {"cloud_delete_batch_size", kAll, OptionType::integer, "", &ServerConfig::cloud_delete_batch_size, "", "Objects deleted by one request."},
    {"cloud_staging_directory", kAll, OptionType::absolute_path, "/tmp/barman/cloud-staging", &ServerConfig::cloud_staging_directory, "", "Accepted without effect: what goes to the cloud is not staged."},
    {"cloud_staging_max_size", kAll, OptionType::size, "30Gi", &ServerConfig::cloud_staging_max_size, "", "Accepted without effect: what goes to the cloud is not staged."},
    {"cloud_upload_max_archive_size", kAll, OptionType::size, "100Gi", &ServerConfig::cloud_upload_max_archive_size, "", "Size of an archive in the cloud after which a new one is begun."},
    {"cloud_upload_min_chunk_size", kAll, OptionType::size, "", &ServerConfig::cloud_upload_min_chunk_size, "", "Smallest part of a multipart upload."},
    {"cloud_wal_archive_parallel", kAll, OptionType::natural, "0", &ServerConfig::cloud_wal_archive_parallel, "", "WAL files uploaded by one call of cloud-wal-archive."},
    {"cloud_wal_restore_parallel", kAll, OptionType::natural, "0", &ServerConfig::cloud_wal_restore_parallel, "", "WAL files fetched by one call of cloud-wal-restore."},
    {"cluster", kServerModel, OptionType::text, "%(name)s", &ServerConfig::cluster, "", "Cluster the server belongs to; models apply within it."},
    {"compression", kAll, OptionType::word, "", &ServerConfig::compression, "gzip bzip2 pygzip pybzip2 pigz xz zstd lz4 snappy custom none", "Compression of archived WAL files."},
    {"compression_level", kAll, OptionType::level, "medium", &ServerConfig::compression_level, "", "Compression level of WAL files: low, medium, high or a number."},
    {"conninfo", kServerModel, OptionType::text, "", &ServerConfig::conninfo, "", "libpq connection string of the server."},
    {"custom_compression_filter", kAll, OptionType::text, "", &ServerConfig::custom_compression_filter, "", "Shell filter that compresses a WAL file (deprecated)."},
    {"custom_decompression_filter", kAll, OptionType::text, "", &ServerConfig::custom_decompression_filter, "", "Shell filter that decompresses a WAL file (deprecated)."},
    {"custom_compression_magic", kAll, OptionType::hexadecimal, "", &ServerConfig::custom_compression_magic, "", "First bytes of files made by the custom compression (deprecated)."},
    {"description", kServerModel, OptionType::text, "", &ServerConfig::description, "", "Free text shown in lists."},
    {"disabled", Scope::none, OptionType::boolean, "false", &ServerConfig::disabled, "", "Set by the program when the configuration of the server is unusable."},
    {"encryption", kAll, OptionType::word, "", &ServerConfig::encryption, "none gpg", "Encryption of backups and WAL files."},
    {"encryption_key_id", kAll, OptionType::text, "", &ServerConfig::encryption_key_id, "", "GPG key to encrypt for."},
    {"encryption_passphrase_command", kAll, OptionType::text, "", &ServerConfig::encryption_passphrase_command, "", "Shell command that prints the passphrase of the private key."},
    {"errors_directory", kServer, OptionType::path, "%(backup_directory)s/errors", &ServerConfig::errors_directory, "", "Directory of rejected WAL files."},
    {"forward_config_path", kAll, OptionType::boolean, "false", &ServerConfig::forward_config_path, "", "Pass the path of the configuration file to the primary's barman."},
    {"gcp_project", kAll, OptionType::text, "", &ServerConfig::gcp_project, "", "Accepted without effect: backups by snapshots of disks are not there."},
    {"gcp_zone", kServerModel, OptionType::text, "", &ServerConfig::gcp_zone, "", "Accepted without effect: backups by snapshots of disks are not there."},
    {"immediate_checkpoint", kAll, OptionType::boolean, "false", &ServerConfig::immediate_checkpoint, "", "Start backups with a fast checkpoint."},
    {"incoming_wals_directory", kServer, OptionType::path, "%(backup_directory)s/incoming", &ServerConfig::incoming_wals_directory, "", "Directory where archive_command puts WAL files."},
    {"keepalive_interval", kAll, OptionType::natural, "60", &ServerConfig::keepalive_interval, "", "Seconds between two queries that keep the connection alive during a backup; 0 is never."},
    {"last_backup_maximum_age", kAll, OptionType::interval, "", &ServerConfig::last_backup_maximum_age, "", "Age of the last backup above which check fails."},
    {"last_backup_minimum_size", kAll, OptionType::size, "", &ServerConfig::last_backup_minimum_size, "", "Size of the last backup below which check fails."},
    {"last_wal_maximum_age", kAll, OptionType::interval, "", &ServerConfig::last_wal_maximum_age, "", "Age of the last WAL file above which check fails."},
    {"combine_mode", kAll, OptionType::word, "copy", &ServerConfig::combine_mode, "copy link clone copy-file-range", "Accepted without effect: incremental backups are combined while they are restored, without a copy."},
    {"local_staging_path", kAll, OptionType::absolute_path, "", &ServerConfig::local_staging_path, "", "Accepted without effect: a restore combines and decrypts without staging (deprecated)."},
    {"max_incoming_wals_queue", kAll, OptionType::natural, "", &ServerConfig::max_incoming_wals_queue, "", "WAL files waiting in the incoming directory above which check fails."},
    {"minimum_redundancy", kAll, OptionType::count, "0", &ServerConfig::minimum_redundancy, "", "How many backups that are DONE and not incremental stay, whatever retention or delete ask for."},
    {"network_compression", kAll, OptionType::boolean, "false", &ServerConfig::network_compression, "", "Compress data on its way through the network: in rsync, and in restores onto other hosts (with gzip where that host has no zstd). Such restores use zstd without it, too, where that host has it."},
    {"parallel_jobs", kAll, OptionType::positive, "1", &ServerConfig::parallel_jobs, "", "Workers of a copy."},
    {"parallel_jobs_start_batch_period", kAll, OptionType::natural, "1", &ServerConfig::parallel_jobs_start_batch_period, "", "Seconds in which one batch of jobs is started."},
    {"parallel_jobs_start_batch_size", kAll, OptionType::positive, "10", &ServerConfig::parallel_jobs_start_batch_size, "", "Jobs started in one period."},
    {"path_prefix", kAll, OptionType::text, "", &ServerConfig::path_prefix, "", "Directories searched before PATH for external programs."},
    {"post_archive_retry_script", kGlobalServer, OptionType::text, "", &ServerConfig::post_archive_retry_script, "", "Command run after a WAL file is archived, until it ends with 0, 62 or 63."},
    {"post_archive_script", kGlobalServer, OptionType::text, "", &ServerConfig::post_archive_script, "", "Command run after a WAL file is archived."},
    {"post_backup_retry_script", kGlobalServer, OptionType::text, "", &ServerConfig::post_backup_retry_script, "", "Command run after a backup, until it ends with 0, 62 or 63."},
    {"post_backup_script", kGlobalServer, OptionType::text, "", &ServerConfig::post_backup_script, "", "Command run after a backup."},
    {"post_delete_script", kGlobalServer, OptionType::text, "", &ServerConfig::post_delete_script, "", "Command run after a backup is deleted."},
    {"post_delete_retry_script", kGlobalServer, OptionType::text, "", &ServerConfig::post_delete_retry_script, "", "Command run after a backup is deleted, until it ends with 0, 62 or 63."},
    {"post_recovery_retry_script", kGlobalServer, OptionType::text, "", &ServerConfig::post_recovery_retry_script, "", "Command run after a restore, until it ends with 0, 62 or 63."},
    {"post_recovery_script", kGlobalServer, OptionType::text, "", &ServerConfig::post_recovery_script, "", "Command run after a restore."},
    {"post_wal_delete_script", kGlobalServer, OptionType::text, "", &ServerConfig::post_wal_delete_script, "", "Command run after a WAL file is deleted."},
    {"post_wal_delete_retry_script", kGlobalServer, OptionType::text, "", &ServerConfig::post_wal_delete_retry_script, "", "Command run after a WAL file is deleted, until it ends with 0, 62 or 63."},
    {"pre_archive_retry_script", kGlobalServer, OptionType::text, "", &ServerConfig::pre_archive_retry_script, "", "Command run before a WAL file is archived, until it ends with 0, with 62 (gives up) or with 63 (refuses what comes next)."},
    {"pre_archive_script", kGlobalServer, OptionType::text, "", &ServerConfig::pre_archive_script, "", "Command run before a WAL file is archived."},
    {"pre_backup_retry_script", kGlobalServer, OptionType::text, "", &ServerConfig::pre_backup_retry_script, "", "Command run before a backup, until it ends with 0, with 62 (gives up) or with 63 (refuses what comes next)."},
    {"pre_backup_script", kGlobalServer, OptionType::text, "", &ServerConfig::pre_backup_script, "", "Command run before a backup."},
    {"pre_delete_script", kGlobalServer, OptionType::text, "", &ServerConfig::pre_delete_script, "", "Command run before a backup is deleted."},
    {"pre_delete_retry_script", kGlobalServer, OptionType::text, "", &ServerConfig::pre_delete_retry_script, "", "Command run before a backup is deleted, until it ends with 0, with 62 (gives up) or with 63 (refuses what comes next)."},
    {"pre_recovery_retry_script", kGlobalServer, OptionType::text, "", &ServerConfig::pre_recovery_retry_script, "", "Command run before a restore, until it ends with 0, with 62 (gives up) or with 63 (refuses what comes next)."},
    {"pre_recovery_script", kGlobalServer, OptionType::text, "", &ServerConfig::pre_recovery_script, "", "Command run before a restore."},
    {"pre_wal_delete_script", kGlobalServer, OptionType::text, "", &ServerConfig::pre_wal_delete_script, "", "Command run before a WAL file is deleted."},
    {"pre_wal_delete_retry_script", kGlobalServer, OptionType::text, "", &ServerConfig::pre_wal_delete_retry_script, "", "Command run before a WAL file is deleted, until it ends with 0, with 62 (gives up) or with 63 (refuses what comes next)."},
    {"primary_checkpoint_timeout", kServerModel, OptionType::natural, "0", &ServerConfig::primary_checkpoint_timeout, "", "Seconds without WAL after which a backup from a standby forces a checkpoint on the primary."},
    {"primary_conninfo", kServerModel, OptionType::text, "", &ServerConfig::primary_conninfo, "", "Connection string of the primary while conninfo is a standby."},
    {"primary_ssh_command", kAll, OptionType::text, "", &ServerConfig::primary_ssh_command, "", "ssh command to the primary barman; makes the server passive."},
    {"recovery_options", kAll, OptionType::word_set, "", &ServerConfig::recovery_options, "get-wal delta-restore", "Behaviour of restores."},
    {"recovery_staging_path", kAll, OptionType::absolute_path, "", &ServerConfig::recovery_staging_path, "", "Accepted without effect: a restore decompresses without staging (deprecated)."},
    {"create_slot", kAll, OptionType::word, "manual", &ServerConfig::create_slot, "manual auto", "Whether receive-wal creates a missing replication slot."},
    {"retention_policy", kAll, OptionType::retention, "", &ServerConfig::retention_policy, "", "Which backups are kept."},
    {"retention_policy_mode", kAll, OptionType::one_word, "auto", &ServerConfig::retention_policy_mode, "auto", "How the retention policy is enforced."},
    {"reuse_backup", kAll, OptionType::word, "", &ServerConfig::reuse_backup, "copy link off", "Reuse files of the previous backup in an rsync backup."},
    {"slot_name", kAll, OptionType::slot, "", &ServerConfig::slot_name, "", "Physical replication slot used by receive-wal."},
    {"snapshot_disks", kServerModel, OptionType::list, "", &ServerConfig::snapshot_disks, "", "Accepted without effect: backups by snapshots of disks are not there."},
    {"snapshot_gcp_project", kAll, OptionType::text, "", &ServerConfig::snapshot_gcp_project, "", "Accepted without effect: backups by snapshots of disks are not there."},
    {"snapshot_instance", kServerModel, OptionType::text, "", &ServerConfig::snapshot_instance, "", "Accepted without effect: backups by snapshots of disks are not there."},
    {"snapshot_provider", kAll, OptionType::text, "", &ServerConfig::snapshot_provider, "", "Accepted without effect: backups by snapshots of disks are not there."},
    {"snapshot_zone", kServerModel, OptionType::text, "", &ServerConfig::snapshot_zone, "", "Accepted without effect: backups by snapshots of disks are not there."},
    {"ssh_command", kServerModel, OptionType::text, "", &ServerConfig::ssh_command, "", "Command that opens a shell on the PostgreSQL host."},
    {"staging_path", kAll, OptionType::absolute_path, "", &ServerConfig::staging_path, "", "Directory on this host for scratch files of a restore onto another host, where a chain has archives that cannot be read at random; everything else is not staged."},
    {"staging_location", kAll, OptionType::cased_word, "local", &ServerConfig::staging_location, "local remote", "Accepted without effect, for staging_path of Barman: scratch files are on this host."},
    {"streaming_archiver", kAll, OptionType::boolean, "off", &ServerConfig::streaming_archiver, "", "Receive WAL through the replication protocol."},
    {"streaming_archiver_batch_size", kAll, OptionType::integer, "0", &ServerConfig::streaming_archiver_batch_size, "", "WAL files archived in one run from the streaming directory; 0 is all."},
    {"streaming_archiver_name", kAll, OptionType::text, "barman_receive_wal", &ServerConfig::streaming_archiver_name, "", "application_name of receive-wal."},
    {"streaming_archiver_prompt", kAll, OptionType::boolean, "on", &ServerConfig::streaming_archiver_prompt, "", "Archive each received segment as soon as it is complete, not only when cron runs. Not an option of Barman."},
    {"streaming_archiver_synchronous", kAll, OptionType::word, "auto", &ServerConfig::streaming_archiver_synchronous, "auto on off", "Whether receive-wal flushes for commits that wait for it; auto looks at synchronous_standby_names when it connects. Not an option of Barman."},
    {"streaming_backup_name", kAll, OptionType::text, "barman_streaming_backup", &ServerConfig::streaming_backup_name, "", "application_name of a streaming backup."},
    {"streaming_conninfo", kServerModel, OptionType::text, "%(conninfo)s", &ServerConfig::streaming_conninfo, "", "libpq connection string for the replication protocol."},
    {"streaming_wals_directory", kServer, OptionType::path, "%(backup_directory)s/streaming", &ServerConfig::streaming_wals_directory, "", "Directory of received WAL files."},
    {"tablespace_bandwidth_limit", kAll, OptionType::tablespace_limits, "", &ServerConfig::tablespace_bandwidth_limit, "", "Transfer limits in kB/s by tablespace."},
    {"wal_conninfo", kServerModel, OptionType::text, "", &ServerConfig::wal_conninfo, "", "Connection string for monitoring the host that serves WAL."},
    {"wal_retention_policy", kAll, OptionType::one_word, "main", &ServerConfig::wal_retention_policy, "main", "Retention of WAL files."},
    {"wal_streaming_conninfo", kServerModel, OptionType::text, "", &ServerConfig::wal_streaming_conninfo, "", "Connection string for receiving WAL from another host."},
    {"wals_directory", kServer, OptionType::location, "%(backup_directory)s/wals", &ServerConfig::wals_directory, "", "Directory or cloud URL of archived WAL files."},
    {"warehousepg_dbid", kAll, OptionType::integer, "", &ServerConfig::warehousepg_dbid, "", "Accepted without effect: segments of WarehousePG are not known here."},
    {"worm_mode", kAll, OptionType::boolean, "off", &ServerConfig::worm_mode, "", "Keep WAL files older than the first backup: storage is immutable."},
    {"xlogdb_directory", kGlobalServer, OptionType::path, "%(wals_directory)s", &ServerConfig::xlogdb_directory, "", "Directory of the list of archived WAL files."},
});

constexpr std::array kGlobalOptions = std::to_array<GlobalOption>({
    {"barman_home", "", "Directory of everything; required."},
    {"barman_lock_directory", "%(barman_home)s", "Directory of lock files; must be a local file system."},
    {"barman_user", "barman", "Operating system user the program runs as."},
    {"config_changes_queue", "%(barman_home)s/cfg_changes.queue", "File of pending config-update changes."},
    {"configuration_files_directory", "", "Directory whose *.conf files are read after the main file."},
    {"lock_directory_cleanup", "true", "Whether cron removes unused lock files."},
    {"log_file", "", "Log file; without it the log goes to stderr."},
    {"log_filename", "", "Another name of log_file."},
    {"log_format", "", "Form of a line of the log, as Python's logging writes it: %(asctime)s, %(process)s, %(name)s, %(levelname)s, %(message)s and some more."},
    {"log_level", "INFO", "Least severe level that is logged."},
});
// clang-format on

const std::unordered_map<std::string_view, const Option*>& options_by_name() {
  static const auto index = [] {
    std::unordered_map<std::string_view, const Option*> result;
    for (const Option& option : kServerOptions) result.emplace(option.name, &option);
    return result;
  }();
  return index;
}

template <typename T>
concept Word = std::is_enum_v<T>;

// OptionData -> member. The parser of an option yields the alternative its member takes, or
// monostate.
struct Assigner {
  ServerConfig& config;
  const Option& option;
  OptionData& value;

  template <Word T>
  void operator()(std::optional<T> ServerConfig::*member) const {
    config.*member = find_word<T>();
  }
  template <Word T>
  void operator()(T ServerConfig::*member) const {
    config.*member = find_word<T>().value_or(T{});
  }
  template <typename T>
  void operator()(std::optional<T> ServerConfig::*member) const {
    if (T* data = std::get_if<T>(&value)) {
      config.*member = std::move(*data);
    } else {
      (config.*member).reset();
    }
  }
  template <typename T>
  void operator()(T ServerConfig::*member) const {
    T* data = std::get_if<T>(&value);
    config.*member = data != nullptr ? std::move(*data) : T{};
  }
  void operator()(BackupOptions ServerConfig::*member) const {
    BackupOptions options;
    for (const std::string& word : words()) {
      if (word == "exclusive_backup") options.exclusive_backup = true;
      if (word == "concurrent_backup") options.concurrent_backup = true;
      if (word == "external_configuration") options.external_configuration = true;
    }
    config.*member = options;
  }
  void operator()(RecoveryOptions ServerConfig::*member) const {
    RecoveryOptions options;
    for (const std::string& word : words()) {
      if (word == "get-wal") options.get_wal = true;
      if (word == "delta-restore") options.delta_restore = true;
    }
    config.*member = options;
  }

 private:
  template <Word T>
  std::optional<T> find_word() const {
    const std::string* const text = std::get_if<std::string>(&value);
    const std::vector<std::string> known = split_blanks(option.words);
    const auto found = text ? std::find(known.begin(), known.end(), *text) : known.end();
    if (found == known.end()) return std::nullopt;
    return static_cast<T>(found - known.begin());
  }
  std::vector<std::string> words() const {
    const auto* list = std::get_if<std::vector<std::string>>(&value);
    return list != nullptr ? *list : std::vector<std::string>{};
  }
};

// member -> OptionData; words of a set come sorted.
struct Reader {
  const ServerConfig& config;
  const Option& option;

  template <Word T>
  OptionData operator()(std::optional<T> ServerConfig::*member) const {
    return config.*member ? word_text(*(config.*member)) : OptionData();
  }
  template <Word T>
  OptionData operator()(T ServerConfig::*member) const {
    return word_text(config.*member);
  }

  template <typename T>
  OptionData operator()(std::optional<T> ServerConfig::*member) const {
    return config.*member ? OptionData(*(config.*member)) : OptionData();
  }
  template <typename T>
  OptionData operator()(T ServerConfig::*member) const {
    return config.*member;
  }
  OptionData operator()(TablespaceLimits ServerConfig::*member) const {
    return (config.*member).empty() ? OptionData() : OptionData(config.*member);
  }
  OptionData operator()(std::vector<std::string> ServerConfig::*member) const {
    return (config.*member).empty() ? OptionData() : OptionData(config.*member);
  }
  OptionData operator()(BackupOptions ServerConfig::*member) const {
    const BackupOptions options = config.*member;
    std::vector<std::string> words;
    if (options.concurrent_backup) words.emplace_back("concurrent_backup");
    if (options.exclusive_backup) words.emplace_back("exclusive_backup");
    if (options.external_configuration) words.emplace_back("external_configuration");
    return words;
  }
  OptionData operator()(RecoveryOptions ServerConfig::*member) const {
    const RecoveryOptions options = config.*member;
    std::vector<std::string> words;
    if (options.delta_restore) words.emplace_back("delta-restore");
    if (options.get_wal) words.emplace_back("get-wal");
    return words;
  }

 private:
  template <Word T>
  OptionData word_text(T word) const {
    return split_blanks(option.words).at(static_cast<std::size_t>(word));
  }
};

}  // namespace

std::span<const Option> server_options() { return kServerOptions; }

const Option* find_option(std::string_view name) {
  const auto position = options_by_name().find(name);
  return position == options_by_name().end() ? nullptr : position->second;
}

std::span<const GlobalOption> global_options() { return kGlobalOptions; }

bool is_own_option(std::string_view name) {
  return name == "streaming_archiver_prompt" || name == "streaming_archiver_synchronous" ||
         name == "aws_object_lock_mode" || name == "aws_object_lock_days";
}

bool is_known_global_key(std::string_view key) {
  for (const GlobalOption& option : kGlobalOptions)
    if (option.name == key) return true;
  return find_option(key) != nullptr;
}

// The manual shows barman_user inside a server section, where it has no effect.
bool is_known_server_key(std::string_view key) {
  return find_option(key) != nullptr || key == "barman_user";
}

bool is_known_model_key(std::string_view key) {
  const Option* option = find_option(key);
  return key == "model" || (option != nullptr && has_scope(option->scopes, Scope::model));
}

void set_option(ServerConfig& config, const Option& option, OptionData value) {
  std::visit(Assigner{config, option, value}, option.member);
}

OptionData get_option(const ServerConfig& config, const Option& option) {
  return std::visit(Reader{config, option}, option.member);
}

}  // namespace barman::config

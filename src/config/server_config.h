// One configured PostgreSQL server: every option of Barman as a plain typed member, after
// inheritance, defaults and the active model. The table in option_table.h binds the names of the
// options to these members; nothing else maps names to values.
//
// A ServerConfig is made by Configuration, then passed down const. A server whose settings are
// unusable stays in the list with `disabled` set and the reasons in `messages`.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace barman::config {

// Enumerators stand in the order of the words in the option table, which is how one becomes the
// other.
enum class BackupMethod { rsync, postgres, local_rsync, snapshot, local_to_cloud };
enum class BackupCompression { gzip, lz4, zstd, xz, none };
enum class BackupFormat { plain, tar };
enum class CompressionSide { client, server };
enum class Encryption { none, gpg };
enum class ReuseBackup { copy, link, off };
enum class SynchronousReceiving { automatic, on, off };
enum class SlotCreation { manual, automatic };
enum class StagingLocation { local, remote };
enum class RetentionMode { automatic };
enum class ObjectLockMode { governance, compliance };
// The word of the configuration file: "local-rsync".
std::string_view to_text(BackupMethod method);
std::string_view to_text(BackupCompression compression);
std::string_view to_text(CompressionSide side);
std::string_view to_text(Encryption encryption);
std::string_view to_text(RetentionMode mode);

struct BackupOptions {
  bool exclusive_backup = false;
  bool concurrent_backup = false;
  bool external_configuration = false;
  bool operator==(const BackupOptions&) const = default;
};

struct RecoveryOptions {
  bool get_wal = false;
  bool delta_restore = false;
  bool operator==(const RecoveryOptions&) const = default;
};

struct Interval {
  std::int64_t hours = 0;

  std::int64_t seconds() const { return hours * 3600; }
  // "2:00:00", "7 days, 0:00:00".
  std::string clock_text() const;
  // "2 hours", "14 days".
  std::string human_text() const;
  bool operator==(const Interval&) const = default;
};

struct RetentionPolicy {
  enum class Kind { redundancy, recovery_window };
  enum class Unit { days, weeks, months };

  Kind kind = Kind::redundancy;
  std::int64_t count = 0;
  Unit unit = Unit::days;  // recovery windows only

  // "REDUNDANCY 2", "RECOVERY WINDOW OF 7 DAYS".
  std::string text() const;
  bool operator==(const RetentionPolicy&) const = default;
};

// A value of a configuration file that is not understood.
struct UnusableValue {
  std::string written;
  // Where it stands, why it is none, what is allowed, and what follows.
  std::string text;
};
// By option.
using UnusableValues = std::map<std::string, UnusableValue, std::less<>>;

// Tablespace name -> limit in kB/s.
using TablespaceLimits = std::map<std::string, std::int64_t>;

struct ServerConfig {
  std::string name;

  // Identity and connections.
  bool active = true;
  std::optional<std::string> description;
  std::string cluster;
  std::optional<std::string> conninfo;
  std::optional<std::string> streaming_conninfo;
  std::optional<std::string> wal_conninfo;
  std::optional<std::string> wal_streaming_conninfo;
  std::optional<std::string> primary_conninfo;
  std::int64_t primary_checkpoint_timeout = 0;
  std::optional<std::string> primary_ssh_command;
  std::optional<std::string> ssh_command;
  bool forward_config_path = false;
  std::optional<std::string> path_prefix;
  std::int64_t check_timeout = 30;
  std::int64_t minimum_redundancy = 0;

  // Backup.
  BackupMethod backup_method = BackupMethod::rsync;
  BackupOptions backup_options;
  bool immediate_checkpoint = false;
  std::optional<ReuseBackup> reuse_backup;
  std::optional<std::int64_t> bandwidth_limit;  // kB/s
  TablespaceLimits tablespace_bandwidth_limit;
  bool network_compression = false;
  std::int64_t parallel_jobs = 1;
  std::int64_t parallel_jobs_start_batch_size = 10;
  std::int64_t parallel_jobs_start_batch_period = 1;
  std::int64_t basebackup_retry_times = 0;
  std::int64_t basebackup_retry_sleep = 30;
  std::int64_t keepalive_interval = 60;
  std::optional<std::int64_t> warehousepg_dbid;
  bool autogenerate_manifest = false;
  std::string streaming_backup_name;
  std::optional<BackupCompression> backup_compression;
  std::optional<BackupFormat> backup_compression_format;
  std::optional<std::int64_t> backup_compression_level;
  std::optional<CompressionSide> backup_compression_location;
  std::optional<std::int64_t> backup_compression_workers;
  std::optional<Encryption> encryption;  // not set is none
  std::optional<std::string> encryption_key_id;
  std::optional<std::string> encryption_passphrase_command;
  bool worm_mode = false;

  // Directories; base backups and WALs may be a cloud URL instead.
  std::string backup_directory;
  std::string basebackups_directory;
  std::string wals_directory;
  std::string incoming_wals_directory;
  std::string streaming_wals_directory;
  std::string errors_directory;
  std::string xlogdb_directory;
  std::string cloud_staging_directory;

  // WAL.
  bool archiver = false;
  std::int64_t archiver_batch_size = 0;
  bool streaming_archiver = false;
  std::int64_t streaming_archiver_batch_size = 0;
  std::string streaming_archiver_name;
  bool streaming_archiver_prompt = true;
  SynchronousReceiving streaming_archiver_synchronous = SynchronousReceiving::automatic;
  std::optional<std::string> slot_name;
  SlotCreation create_slot = SlotCreation::manual;
  std::optional<std::int64_t> max_incoming_wals_queue;
  std::optional<std::string> compression;  // unset also for the word "none"
  std::string compression_level;           // low medium high or an integer
  std::optional<std::string> custom_compression_filter;
  std::optional<std::string> custom_decompression_filter;
  std::optional<std::string> custom_compression_magic;
  std::optional<Interval> last_wal_maximum_age;
  std::int64_t cloud_wal_archive_parallel = 0;
  std::int64_t cloud_wal_restore_parallel = 0;

  // Restore.
  RecoveryOptions recovery_options;
  std::optional<std::string> staging_path;
  StagingLocation staging_location = StagingLocation::local;
  std::string combine_mode;  // copy link clone copy-file-range
  std::optional<std::string> local_staging_path;
  std::optional<std::string> recovery_staging_path;

  // Retention and checks.
  std::optional<RetentionPolicy> retention_policy;
  RetentionMode retention_policy_mode = RetentionMode::automatic;
  std::string wal_retention_policy;
  std::optional<Interval> last_backup_maximum_age;
  std::optional<std::int64_t> last_backup_minimum_size;

  // Hooks.
  std::optional<std::string> pre_backup_script, pre_backup_retry_script;
  std::optional<std::string> post_backup_script, post_backup_retry_script;
  std::optional<std::string> pre_archive_script, pre_archive_retry_script;
  std::optional<std::string> post_archive_script, post_archive_retry_script;
  std::optional<std::string> pre_delete_script, pre_delete_retry_script;
  std::optional<std::string> post_delete_script, post_delete_retry_script;
  std::optional<std::string> pre_wal_delete_script, pre_wal_delete_retry_script;
  std::optional<std::string> post_wal_delete_script, post_wal_delete_retry_script;
  std::optional<std::string> pre_recovery_script, pre_recovery_retry_script;
  std::optional<std::string> post_recovery_script, post_recovery_retry_script;

  // Snapshots and object storage.
  std::optional<std::string> snapshot_provider;
  std::optional<std::string> snapshot_instance;
  std::vector<std::string> snapshot_disks;
  std::optional<std::string> snapshot_gcp_project;
  std::optional<std::string> snapshot_zone;
  std::optional<std::string> gcp_project;
  std::optional<std::string> gcp_zone;
  std::optional<std::string> azure_credential;
  std::optional<std::string> azure_resource_group;
  std::optional<std::string> azure_subscription_id;
  std::optional<std::string> aws_profile;
  std::optional<std::string> aws_region;
  bool aws_check_object_lock = false;
  // Of objects that are written; without days as long as the recovery window.
  std::optional<ObjectLockMode> aws_object_lock_mode;
  std::optional<std::int64_t> aws_object_lock_days;
  std::optional<std::string> aws_encryption;
  std::optional<std::string> aws_sse_kms_key_id;
  std::optional<std::string> aws_sse_customer_key;
  std::optional<std::int64_t> aws_read_timeout;
  std::int64_t aws_await_snapshots_timeout = 3600;
  std::optional<std::string> aws_snapshot_lock_mode;
  std::optional<std::int64_t> aws_snapshot_lock_duration;
  std::optional<std::int64_t> aws_snapshot_lock_cool_off_period;
  std::optional<std::string> aws_snapshot_lock_expiration_date;
  std::optional<std::int64_t> cloud_delete_batch_size;
  std::int64_t cloud_upload_max_archive_size = 0;
  std::optional<std::int64_t> cloud_upload_min_chunk_size;
  std::int64_t cloud_staging_max_size = 0;

  // State found while loading, not settable.
  bool disabled = false;
  // Why it is disabled; for an inactive server: what would disable it.
  std::vector<std::string> messages;
  // Shown whenever a command selects this server, and those for `check` and `backup` only.
  std::vector<std::string> warnings;
  std::vector<std::string> backup_warnings;
  std::optional<std::string> active_model;
  // What was written and is not understood: `check` fails, and nothing that cannot be taken back is
  // done by a value that takes its place.
  UnusableValues unusable_values;
  // Of the configuration, not only of this server: a file that could not be read. It may change
  // what the others say, the retention policy above all.
  std::optional<std::string> unread_file;

  const UnusableValue* find_unusable(std::string_view option) const;
  // Why no retention policy may delete anything; of `delete`, why it may not; why no backup is
  // taken: an option that decides about it is not understood, or a file is not read.
  std::optional<std::string> find_retention_doubt() const;
  std::optional<std::string> find_deletion_doubt() const;
  std::optional<std::string> find_backup_doubt() const;
  bool is_passive() const { return primary_ssh_command.has_value(); }
  bool has_cloud_basebackups() const;
  bool has_cloud_wals() const;
  bool reuses_backup() const { return reuse_backup && *reuse_backup != ReuseBackup::off; }
  // <backup_directory>/meta
  std::string meta_directory() const { return backup_directory + "/meta"; }
  // Where <name>-xlog.db lives: xlogdb_directory, or meta/ while that is below a cloud URL.
  std::string xlogdb_location() const;
  // Connections for WAL streaming, when another host serves it.
  std::optional<std::string> effective_wal_streaming_conninfo() const;
  std::optional<std::string> effective_wal_conninfo() const;
};

bool is_cloud_url(std::string_view path);

}  // namespace barman::config

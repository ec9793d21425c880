#include "backup/stream_backup.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "backup/archive_help.h"
#include "backup/backend_watch.h"
#include "backup/backup_form.h"
#include "backup/cluster_facts.h"
#include "backup/receive_base_backup.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/retry.h"
#include "base/text.h"
#include "catalogue/backup_kind.h"
#include "catalogue/backup_size.h"
#include "catalogue/backup_turn.h"
#include "catalogue/server_warnings.h"
#include "config/validation.h"
#include "postgres/backup_label.h"
#include "postgres/queries.h"
#include "postgres/version_facts.h"
#include "replication/system_identity.h"
#include "server/hook_scripts.h"
#include "stored/backup_chain.h"
#include "stored/backup_store.h"
#include "stored/restorable.h"
#include "wal/wal_file_name.h"
#include "wal_archive/archive_wal.h"
#include "wal_transfer/backup_wals.h"
#include "wal_transfer/switch_wal.h"
#include "wal_transfer/wait_for_wal.h"

namespace barman::backup {
namespace {

using catalogue::BackupInfo;
using catalogue::BackupStatus;
using Clock = std::chrono::steady_clock;

// Block-level incremental backups.
constexpr int kVersion17 = 170000;

// What the steps of one backup share.
struct Job {
  const server::Server& server;
  const BackupRequest& request;
  Messages& messages;
  Progress& progress;
  BackupForm form;
  BackupInfo info;
  // As SQL listed them last, those in place included.
  std::vector<postgres::TablespaceRow> tablespaces;
  // What PostgreSQL says of pages with wrong checksums.
  std::optional<std::string> page_damage;
  // For the error message: what was being done.
  std::string action = "starting backup";
  Clock::time_point begun = Clock::now();

  void save() const { server.catalogue().save(info); }
};

double seconds_since(Clock::time_point begun) {
  return std::chrono::duration<double>(Clock::now() - begun).count();
}

std::string position_text(const std::optional<std::string>& wal_name, std::uint64_t offset) {
  return wal_name ? fmt::format(" ({}, {:08X})", *wal_name, offset) : std::string();
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

// Configuration files outside of the data directory are not in the backup.
void warn_of_external_files(Job& job, const postgres::ServerSettings& settings) {
  if (!settings.data_directory) return;
  std::vector<std::string> files = settings.included_files;
  for (const auto& file : {settings.config_file, settings.hba_file, settings.ident_file}) {
    if (file) files.push_back(*file);
  }
  const std::string inside = *settings.data_directory + "/";
  std::string list;
  for (const std::string& file : files) {
    if (!file.starts_with(inside)) list += "\t" + file + "\n";
  }
  if (list.empty()) return;
  const std::string text =
      "pg_basebackup does not copy the PostgreSQL configuration files that reside outside PGDATA. "
      "Please manually backup the following files:\n" +
      list;
  if (job.server.config().backup_options.external_configuration) {
    log::debug(log::kBackupComponent, "{}", text);
  } else {
    job.messages.warning(text);
  }
}

// Step 7: what is known before the copy (2.8, 2.9).
void begin_backup(Job& job) {
  postgres::Connection connection = job.server.connect();
  BackupInfo& info = job.info;
  const postgres::ServerSettings settings = take_facts(connection, info, job.tablespaces);
  const postgres::WalPosition position = postgres::query_wal_position(connection);
  info.begin_time = position.time;
  info.begin_xlog = position.lsn;
  info.begin_wal = position.wal_name;
  info.begin_offset = position.offset;
  info.status = BackupStatus::started;
  job.save();
  job.messages.info("Backup start at LSN: " + wal::format_lsn(position.lsn) +
                    position_text(position.wal_name, position.offset.value_or(0)));
  warn_of_external_files(job, settings);
}

ReceivedBaseBackup copy_once(Job& job) {
  const server::Server& server = job.server;
  postgres::Connection connection = server.connect_streaming(server.config().streaming_backup_name);
  replication::BaseBackupRequest request;
  request.checkpoint = job.request.checkpoint;
  if (job.request.parent) {
    request.parent_manifest =
        stored::BackupStore(server.catalogue()).manifest_path(job.request.parent->id);
  }
  request.max_rate_kbps = static_cast<std::uint32_t>(job.request.bandwidth_limit_kbps);
  ArchiveHelp help(server, job.info, job.messages);
  BackendWatch watch(server, connection.backend_pid(), job.messages,
                     [&help](const ArchiveWait& wait) { help.look(wait); });
  request.silence = {.interval = BackendWatch::kStep,
                     .look = [&watch](std::chrono::milliseconds silence) { watch.look(silence); }};
  request.compression = job.form.server_compression;
  require_same_cluster(job.info, connection);
  request.tablespace_map =
      choose_tablespace_map(job.tablespaces, job.form.form, connection.server_version());
  const BaseBackupTarget target = {.store = stored::BackupStore(server.catalogue()),
                                   .id = job.info.id,
                                   .form = job.form.form,
                                   .coding = job.form.coding};
  const NoticeHandler on_notice = [&](const std::string& notice) {
    log::info(log::kBackupComponent, "PostgreSQL: {}", notice);
    watch.hear(notice);
  };
  const BaseBackupEvents events = {.on_begin =
                                       [&](const replication::BackupBegin& begin) {
                                         postgres::Connection questions = server.connect();
                                         take_announcement(questions, begin, request.tablespace_map,
                                                           job.info, job.tablespaces);
                                         job.save();
                                       },
                                   .on_notice = on_notice};
  return receive_base_backup(connection, request, target, events, job.progress, server.interrupt());
}

ReceivedBaseBackup copy_with_retries(Job& job) {
  const RetryRules rules = {.times = job.request.retry_times, .pause = job.request.retry_sleep};
  const auto tell = [&](const Error& error, std::int64_t attempt) {
    log::warning(log::kBackupComponent, "attempt {} failed: {}", attempt, error.describe());
    job.messages.warning(
        fmt::format("Failure executing a backup using pg_basebackup (attempt {})", attempt));
    job.messages.warning(
        fmt::format("The files copied so far will be removed and the backup process will restart "
                    "in {} seconds",
                    job.request.retry_sleep.count()));
  };
  return retry(
      rules, job.server.interrupt(), [&] { return copy_once(job); }, tell);
}

ReceivedBaseBackup copy_files(Job& job) {
  job.action = "copying files";
  job.messages.info("Starting backup copy via pg_basebackup for " + job.info.id.value);
  if (job.form.coding.cipher) {
    job.messages.info(
        fmt::format("Encrypting backup using {} encryption", job.server.config().encryption));
  }
  const auto begun = Clock::now();
  const std::string frame = "data transfer failure on directory '" +
                            job.server.catalogue().data_directory(job.info.id).string() + "'";
  ReceivedBaseBackup received = in_context(frame, [&] { return copy_with_retries(job); });
  const double seconds = std::round(seconds_since(begun) * 1e6) / 1e6;
  const double moving = std::max(std::round(received.transfer_seconds * 1e6), 1.0) / 1e6;
  catalogue::PythonDict stats;
  stats.set("copy_time", {moving});
  stats.set("total_time", {seconds});
  job.info.copy_stats = catalogue::PythonValue{stats};
  job.messages.info("Copy done (time: " + human_duration(seconds) + ")");
  // Of pages with wrong checksums there is a summary.
  if (!received.end.checksum_failure) {
    for (const std::string& warning : received.warnings) {
      job.messages.warning("PostgreSQL said while it sent the backup: " + warning);
    }
    catalogue::keep_server_warnings(job.server.catalogue().base_directory(job.info.id),
                                    received.warnings);
  }
  if (received.end.checksum_failure) {
    job.page_damage = fmt::format("PostgreSQL found corrupt pages while it sent the backup: {}",
                                  *received.end.checksum_failure);
    job.messages.warning(
        "PostgreSQL found corrupt pages while it sent backup " + job.info.id.value + ": " +
        *received.end.checksum_failure +
        ". The backup holds those pages as they are; see the log file for the list.");
  }
  return received;
}

// Begin and timeline from backup_label, which is what recovery will use.
void read_label(Job& job, const std::string& text) {
  job.action = "reading the backup label";
  const postgres::BackupLabel label =
      in_context("\"backup_label\"", [&] { return postgres::parse_backup_label(text); });
  job.info.backup_label = text;
  job.info.begin_xlog = label.start_wal_location;
  job.info.begin_wal = label.start_wal_file;
  job.info.begin_offset = wal::segment_offset(label.start_wal_location, job.info.xlog_segment_size);
  job.info.timeline = label.start_timeline;
}

// The segment that holds the last byte before `lsn`: for a position on a boundary the previous one.
std::string last_segment_before(wal::TimelineId timeline, wal::Lsn lsn, wal::SegmentSize size) {
  const wal::Lsn last{lsn.value == 0 ? 0 : lsn.value - 1};
  return wal::segment_name(wal::segment_of(timeline, last, size), size);
}

// Where WAL is after the copy, at least at the backup's stop position; the segment that holds it is
// the last one the backup needs. A switch makes the server complete that segment.
void end_backup(Job& job, const replication::BackupEnd& end) {
  job.action = "issuing stop of the backup";
  BackupInfo& info = job.info;
  postgres::Connection connection = job.server.connect();
  const postgres::WalPosition position = postgres::query_wal_position(connection);
  const bool is_primary = !postgres::is_in_recovery(connection);
  if (is_primary) replication::require_reached(end, position.lsn);
  info.end_time = position.time;
  info.end_xlog = std::max(position.lsn, end.lsn);
  info.end_offset = wal::segment_offset(*info.end_xlog, info.xlog_segment_size);
  if (position.wal_name && position.lsn >= end.lsn) {
    info.end_wal = position.wal_name;
  } else {
    const wal::TimelineId timeline = postgres::query_current_timeline(connection);
    info.end_wal = last_segment_before(timeline, *info.end_xlog, info.xlog_segment_size);
  }
  if (is_primary) {
    wal_transfer::warn_of_ignored_primary(job.server, job.messages);
    postgres::switch_wal(connection, info.xlog_segment_size);
    try {
      postgres::create_restore_point(connection, "barman_" + info.id.value);
    } catch (const Error& error) {
      // A convenience for later restores; its absence harms nothing.
      log::debug(log::kBackupComponent, "cannot create restore point: {}", error.describe());
    }
  } else if (job.server.config().primary_conninfo) {
    switch_on_primary(job.server);
  }
}

void report_end(Job& job) {
  BackupInfo& info = job.info;
  job.messages.info("Backup end at LSN: " + wal::format_lsn(*info.end_xlog) +
                    position_text(info.end_wal, info.end_offset.value_or(0)));
  const std::string begin =
      info.begin_time ? format_naive(in_local_zone(*info.begin_time)) : "unknown";
  job.messages.info(fmt::format("Backup completed (start time: {}, elapsed time: {})", begin,
                                human_duration(seconds_since(job.begun))));
}

// The steps from the start position to a complete, durable copy: status WAITING_FOR_WALS.
void run_steps(Job& job) {
  begin_backup(job);
  const ReceivedBaseBackup received = copy_files(job);
  job.messages.info("Finalising the backup.");
  read_label(job, received.backup_label);
  job.info.compression = job.form.compression;
  if (job.form.coding.cipher) job.info.encryption = job.server.config().encryption;
  end_backup(job, received.end);
  job.save();
  // A hook that keeps old WAL does not make the backup a bad one.
  try {
    wal_transfer::remove_wals_before_first_backup(job.server, job.info, job.messages);
  } catch (const server::HookAborted& abort) {
    job.messages.warning("WAL from before the first backup was not removed: " + abort.message());
  }
  job.action = "calculating backup size";
  const catalogue::BackupSize size = catalogue::measure_backup(
      job.server.catalogue().base_directory(job.info.id), catalogue::SyncFiles::no);
  job.info.size = size.size_bytes;
  job.info.deduplicated_size = size.deduplicated_bytes;
  job.save();
  job.messages.info("Backup size: " + human_size(size.size_bytes));
  job.action = "checking that the backup can be restored";
  stored::require_restorable(job.server.catalogue(), job.info.id,
                             {.interrupt = job.server.interrupt(), .cipher = job.server.cipher()});
  // Commit point of the copy: every file is durable and matches the manifest.
  job.info.status = BackupStatus::waiting_for_wals;
  // Kept where every reader of the catalogue can see it, and Barman does not mind.
  job.info.error = job.page_damage;
  job.save();
  report_end(job);
}

void fail(Job& job, const Error& error) {
  const std::string reason = error.describe();
  job.info.status = BackupStatus::failed;
  job.info.error = "failure " + job.action + " (" + first_line(reason) + ")";
  try {
    job.save();
  } catch (const Error& second) {
    // With the disk full even this may fail: the backup stays STARTED, and the next one marks it.
    log::error(log::kBackupComponent, "cannot record the failure of backup {}: {}",
               job.info.id.value, second.describe());
  }
  std::string text = "Backup failed " + job.action + ".\nDETAILS: " + reason;
  if (!error.hint().empty()) text += "\nHINT: " + error.hint();
  job.messages.error(text);
}

server::HookVariables hook_variables(const Job& job) {
  const catalogue::Catalogue& catalogue = job.server.catalogue();
  const std::vector<BackupInfo> backups = catalogue.list_backups().backups;
  const BackupInfo* previous = catalogue::previous_backup(backups, job.info.id);
  const BackupInfo* next = catalogue::next_backup(backups, job.info.id);
  return {{"BARMAN_BACKUP_ID", job.info.id.value},
          {"BARMAN_BACKUP_DIR", catalogue.base_directory(job.info.id).string()},
          {"BARMAN_BACKUP_INFO_PATH", catalogue.backup_info_path(job.info.id).string()},
          {"BARMAN_PREVIOUS_ID", previous != nullptr ? previous->id.value : ""},
          {"BARMAN_NEXT_ID", next != nullptr ? next->id.value : ""},
          {"BARMAN_STATUS", std::string(catalogue::status_text(job.info.status))}};
}

// Steps 13 to 15: WAL of the backup, hooks. Failures here leave the backup as it is: complete.
void wait_for_wals(Job& job) {
  if (job.request.wait == WaitForWal::no || !job.info.end_wal) return;
  wal_transfer::wait_for_wal(job.server, *job.info.end_wal, job.request.wait_timeout, job.messages);
}

BackupInfo finish(Job& job) {
  wal_archive::archive_pending_wal(job.server, {}, job.messages);
  // The segment that the start has closed comes after the first look.
  try {
    wal_transfer::remove_late_wals_before_first_backup(job.server, job.info);
  } catch (const server::HookAborted& abort) {
    job.messages.warning("WAL from before the first backup was not removed: " + abort.message());
  }
  if (job.info.status != BackupStatus::waiting_for_wals) return job.info;
  wal_transfer::check_backup_wals(job.server, job.info.id, job.messages);
  BackupInfo info = job.server.catalogue().load_backup(job.info.id);
  if (info.status == BackupStatus::waiting_for_wals) {
    job.messages.warning(
        "IMPORTANT: this backup is classified as WAITING_FOR_WALS, meaning that Barman has not "
        "received yet all "
        "the required WAL files for the backup consistency.\n"
        "This is a common behaviour in concurrent backup scenarios, and Barman automatically set "
        "the backup as "
        "DONE once all the required WAL files have been archived.\n"
        "Hint: execute the backup command with '--wait'");
  }
  return info;
}

// Step 4: which cluster this is, checked against what the catalogue belongs to.
std::string identify(const server::Server& server) {
  postgres::Connection connection = server.connect_streaming(server.config().streaming_backup_name);
  if (const auto problem =
          config::find_version_problem(server.config(), connection.server_version())) {
    throw Error(ErrorKind::config, *problem, "Set backup_compression_location = client.");
  }
  std::string system_id =
      postgres::format_system_id(replication::identify_system(connection).system_id);
  const std::optional<catalogue::Identity> known = server.catalogue().find_identity();
  if (known && known->system_id != system_id) {
    throw Error(ErrorKind::conflict,
                "the catalogue of server '" + server.name() +
                    "' belongs to the cluster with system identifier " + known->system_id +
                    ", but PostgreSQL answers with " + system_id,
                "Configure a new server for the new cluster, or correct streaming_conninfo.");
  }
  server.catalogue().write_identity_once(
      {.system_id = system_id,
       .version = postgres::major_version_text(connection.server_version())});
  return system_id;
}

// Pages of a parent without checksums have none in the restored cluster either.
void warn_of_mixed_checksums(const Job& job) {
  if (!job.request.parent || job.info.data_checksums != "on") return;
  for (const BackupInfo& link : stored::list_chain(job.server.catalogue(), *job.request.parent)) {
    if (link.data_checksums != "off") continue;
    job.messages.warning(fmt::format(
        "This is an incremental backup taken with `data_checksums = on` whereas backup {}, which "
        "it builds on, was taken with `data_checksums = off`. Take a new full backup.",
        link.id.value));
    return;
  }
}

BackupInfo register_backup(const server::Server& server, const BackupRequest& request,
                           const std::string& system_id) {
  BackupInfo info;
  info.id = server.catalogue().make_next_id(now_local());
  info.mode = catalogue::kPostgresMode;
  info.server_name = server.name();
  info.systemid = system_id;
  info.backup_name = request.name;
  if (request.parent) info.parent_backup_id = request.parent->id;
  server.catalogue().save(info);
  if (request.parent) {
    // Read again: it may have got other children meanwhile. The backup lock is held.
    BackupInfo parent = server.catalogue().load_backup(request.parent->id);
    parent.children_backup_ids.push_back(info.id);
    server.catalogue().save(parent);
  }
  return info;
}

}  // namespace

void require_supported_method(const config::ServerConfig& config) {
  const auto refuse = [&](const std::string& setting, const std::string& next_step) {
    throw Error(ErrorKind::config,
                "cannot back up server '" + config.name + "': " + setting +
                    " is not available in this version",
                next_step);
  };
  if (config.backup_method != config::BackupMethod::postgres) {
    refuse("backup_method = " + std::string(config::to_text(config.backup_method)),
           "Set backup_method = postgres and streaming_conninfo.");
  }
  if (config.has_cloud_basebackups() || config.has_cloud_wals()) {
    refuse("a cloud destination",
           "Use local directories for basebackups_directory and wals_directory.");
  }
}

void require_supported(const config::ServerConfig& config) {
  require_supported_method(config);
  if (const auto problem = config::find_encryption_problem(config)) {
    throw Error(ErrorKind::config,
                fmt::format("cannot back up server '{}': {}", config.name, *problem),
                "Change the settings of the server, or set encryption = none.");
  }
}

void require_parent(const server::Server& server, const BackupInfo& parent) {
  const auto refuse = [](const std::string& reason, const std::string& hint) {
    throw Error(ErrorKind::config, "failed to start backup: " + reason, hint);
  };
  if (server.config().backup_method != config::BackupMethod::postgres) {
    refuse("the --incremental option needs backup_method = postgres",
           "Take a full backup without --incremental.");
  }
  postgres::Connection connection = server.connect();
  if (connection.server_version() < kVersion17) {
    refuse(
        "Postgres version 17 or greater is required for incremental backups using the Postgres "
        "backup method",
        "Take a full backup without --incremental.");
  }
  if (postgres::query_settings(connection).summarize_wal != "on") {
    refuse("'summarize_wal' option has to be enabled on the server for incremental backups",
           "Set summarize_wal = on, reload PostgreSQL, and take a full backup first.");
  }
  const std::string other = fmt::format(
      "Choose another parent ('barman list-backups {}'), or take a full backup.", server.name());
  const std::string name = "backup " + parent.id.value;
  if (catalogue::source_of(parent) != catalogue::SourceKind::postgres_stream) {
    refuse(name + " is not eligible as a parent: it was not taken with backup_method = postgres",
           other);
  }
  if (!parent.is_copy_done()) {
    refuse(fmt::format("{} is not eligible as a parent: its status is {}", name,
                       catalogue::status_text(parent.status)),
           other);
  }
  if (parent.summarize_wal != "on") {
    refuse(
        name + " is not eligible as a parent: it was taken while 'summarize_wal' was not enabled",
        other);
  }
  const auto manifest = stored::BackupStore(server.catalogue()).manifest_path(parent.id);
  if (!find_file(manifest)) {
    refuse(
        fmt::format("{} is not eligible as a parent: \"{}\" is missing", name, manifest.string()),
        other);
  }
  // Its own chain must be complete, or nothing can be restored from the new backup.
  for (const BackupInfo& link : stored::list_chain(server.catalogue(), parent)) {
    try {
      stored::require_files(server.catalogue(), link);
    } catch (const Error& error) {
      refuse(fmt::format("the chain of {} is broken: {}", name, error.describe()),
             "Choose a parent that does not build on it, or take a full backup.");
    }
  }
}

void fail_abandoned_backups(const server::Server& server, const catalogue::BackupList& list,
                            Messages& messages) {
  for (const BackupInfo& abandoned : list.backups) {
    if (abandoned.status != BackupStatus::empty && abandoned.status != BackupStatus::started)
      continue;
    BackupInfo info = abandoned;
    info.status = BackupStatus::failed;
    info.error = "failure copying files (the backup process ended before the backup was complete)";
    server.catalogue().save(info);
    messages.warning("Backup " + info.id.value + " of server " + server.name() +
                     " was abandoned by its process and is now marked as FAILED");
  }
}

BackupInfo stream_backup(const server::Server& server, const BackupRequest& request,
                         Messages& messages, Progress& progress) {
  require_supported(server.config());
  server.create_directories();
  const FileLock lock = catalogue::take_backup_turn_or_throw(
      server.locks(), "Another backup process is running", server.interrupt(), messages);
  fail_abandoned_backups(server, server.catalogue().list_backups(), messages);
  const std::string system_id = identify(server);
  Job job{.server = server,
          .request = request,
          .messages = messages,
          .progress = progress,
          .form = plan_form(server.config(), server.cipher(), std::thread::hardware_concurrency()),
          .info = register_backup(server, request, system_id)};
  messages.info("Starting backup using postgres method for server " + server.name() + " in " +
                server.catalogue().base_directory(job.info.id).string());

  const server::HookScripts scripts(server.config(),
                                    {.server_name = server.name(),
                                     .configuration_path = server.program().configuration_path,
                                     .path_prefix = server.config().path_prefix},
                                    server::HookKind::backup, server.interrupt());
  std::string failure;
  try {
    scripts.run_pre(hook_variables(job));
    run_steps(job);
  } catch (const Error& error) {  // Recorded in the metadata and reported; post hooks must run.
    failure = error.describe();
    fail(job, error);
  }
  if (failure.empty()) {
    warn_of_mixed_checksums(job);
    wait_for_wals(job);
  }
  scripts.run_post(hook_variables(job), failure);
  return failure.empty() ? finish(job) : job.info;
}

}  // namespace barman::backup

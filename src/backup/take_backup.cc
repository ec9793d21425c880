#include "backup/take_backup.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "backup/abandoned_backups.h"
#include "backup/archive_help.h"
#include "backup/choose_source.h"
#include "backup/free_space.h"
#include "backup/generate_manifest.h"
#include "base/error.h"
#include "base/file_lock.h"
#include "base/hint.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/text.h"
#include "base/unexpected.h"
#include "catalogue/backup_kind.h"
#include "catalogue/backup_size.h"
#include "catalogue/backup_turn.h"
#include "catalogue/server_warnings.h"
#include "server/server_hooks.h"
#include "stored/backup_chain.h"
#include "stored/backup_store.h"
#include "stored/restorable.h"
#include "wal_archive/archive_wal.h"
#include "wal_archive/known_cluster.h"
#include "wal_transfer/backup_wals.h"
#include "wal_transfer/wait_for_wal.h"

namespace barman::backup {
namespace {

using catalogue::BackupInfo;
using catalogue::BackupStatus;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begun) {
  return std::chrono::duration<double>(Clock::now() - begun).count();
}

std::string position_text(const std::optional<std::string>& wal_name, std::uint64_t offset) {
  return wal_name ? fmt::format(" ({}, {:08X})", *wal_name, offset) : std::string();
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

void begin_copy(BackupJob& job, BackupSource& source) {
  job.progress.phase(job.request.checkpoint == replication::CheckpointMode::spread
                         ? "waiting for the checkpoint of PostgreSQL, at most its "
                           "checkpoint_timeout (immediate_checkpoint = true does not wait)"
                         : "waiting for PostgreSQL to begin the backup");
  source.begin(job);
  const BackupInfo& info = job.info;
  job.info.status = BackupStatus::started;
  job.save();
  job.messages.info("Backup start at LSN: " + wal::format_lsn(info.begin_xlog.value()) +
                    position_text(info.begin_wal, info.begin_offset.value_or(0)));
}

// Kept where every reader of the catalogue can see it, and Barman does not mind.
std::string damage_text(const PageDamage& damage) {
  return fmt::format("{} the backup: {}", damage.finder, damage.details);
}

void tell_dead_links(BackupJob& job, const std::vector<std::string>& links) {
  constexpr std::size_t kShownLinks = 20;
  for (std::size_t i = 0; i < std::min(links.size(), kShownLinks); ++i) {
    job.messages.warning(fmt::format(
        "\"{}\" is a symbolic link to nothing: it is not in the backup. If something was there, "
        "mend the link, and take another backup.",
        links[i]));
  }
  if (links.size() <= kShownLinks) return;
  job.messages.warning(
      fmt::format("{} more symbolic links lead to nothing.", links.size() - kShownLinks));
}

void tell_what_came(BackupJob& job, const CopyFacts& facts) {
  tell_dead_links(job, facts.dead_links);
  if (facts.page_damage) {  // Of pages with wrong checksums there is a summary.
    job.messages.warning(
        fmt::format("{} backup {}: {}. The backup holds those pages as they are{}.",
                    facts.page_damage->finder, job.info.id.value, facts.page_damage->details,
                    log::has_file() ? "; see the log file for the list" : ""));
    return;
  }
  for (const std::string& warning : facts.warnings) {
    job.messages.warning("PostgreSQL said while it sent the backup: " + warning);
  }
  if (!job.server.locations().has_local_backups) return;
  catalogue::keep_server_warnings(job.server.catalogue().base_directory(job.info.id),
                                  facts.warnings);
}

CopyFacts copy_files(BackupJob& job, BackupSource& source) {
  const auto begun = Clock::now();
  const std::string frame = "data transfer failure on directory '" +
                            job.server.catalogue().data_directory(job.info.id).string() + "'";
  CopyFacts facts = in_context(frame, [&] { return source.copy(job); });
  job.info.copy_stats = catalogue::PythonValue{facts.stats};
  job.messages.info("Copy done (time: " + human_duration(seconds_since(begun)) + ")");
  tell_what_came(job, facts);
  return facts;
}

void measure(BackupJob& job) {
  job.action = "calculating backup size";
  const catalogue::BackupSize size = stored::BackupStore(job.server.catalogue()).facts(job.info.id);
  job.info.size = size.size_bytes;
  job.info.deduplicated_size = size.deduplicated_bytes;
  job.save();
  std::string text = "Backup size: " + human_size(size.size_bytes);
  if (job.request.reuse == config::ReuseBackup::link) {
    const double ratio = size.size_bytes > 0 ? 1 - static_cast<double>(size.deduplicated_bytes) /
                                                       static_cast<double>(size.size_bytes)
                                             : 0;
    text += fmt::format(". Actual size on disk: {} (-{:.2f}% deduplication ratio).",
                        human_size(size.deduplicated_bytes), ratio * 100);
  }
  job.messages.info(text);
}

void report_end(BackupJob& job, Clock::time_point begun) {
  BackupInfo& info = job.info;
  job.messages.info("Backup end at LSN: " + wal::format_lsn(*info.end_xlog) +
                    position_text(info.end_wal, info.end_offset.value_or(0)));
  const std::string begin =
      info.begin_time ? format_naive(in_local_zone(*info.begin_time)) : "unknown";
  job.messages.info(fmt::format("Backup completed (start time: {}, elapsed time: {})", begin,
                                human_duration(seconds_since(begun))));
}

// The steps from the start position to a complete, durable copy: status WAITING_FOR_WALS.
void run_steps(BackupJob& job, BackupSource& source) {
  const auto begun = Clock::now();
  begin_copy(job, source);
  job.action = "copying files";
  const CopyFacts facts = copy_files(job, source);
  job.messages.info(source.title().finalising);
  job.action = "issuing stop of the backup";
  job.progress.phase("waiting for PostgreSQL to end the backup");
  source.end(job);
  job.save();
  // A hook that keeps old WAL does not make the backup a bad one.
  try {
    wal_transfer::remove_wals_before_first_backup(job.server, job.info, job.messages);
  } catch (const server::HookAborted& abort) {
    job.messages.warning("WAL from before the first backup was not removed: " + abort.message());
  }
  measure(job);
  job.action = "checking that the backup can be restored";
  job.progress.phase(job.action);
  stored::require_restorable(job.server.catalogue(), job.info.id,
                             {.interrupt = job.server.interrupt(), .cipher = job.server.cipher()});
  // Commit point of the copy: every file is durable and what the source says it is.
  job.info.status = BackupStatus::waiting_for_wals;
  job.info.error = std::nullopt;
  if (facts.page_damage) job.info.error = damage_text(*facts.page_damage);
  job.save();
  report_end(job, begun);
}

// The metadata is read by people who did not stop it.
std::string recorded_reason(const BackupJob& job, const Error& error) {
  if (error.kind() != ErrorKind::interrupted) return first_line(error.describe());
  const int signal = job.server.interrupt().signal();
  return signal == SIGTERM ? "stopped by SIGTERM: the end of its service or of the host, or 'kill'"
                           : "stopped by a person: Ctrl-C, or 'barman terminate-process'";
}

void fail(BackupJob& job, ReservedRoom& room, const Error& error) {
  const std::string reason = error.describe();
  job.info.status = BackupStatus::failed;
  job.info.error = "failure " + job.action + " (" + recorded_reason(job, error) + ")";
  room.free();
  try {
    job.save();
  } catch (const Error& second) {
    // With the disk full even this may fail: the backup stays STARTED, and the next one marks it.
    log::error(log::kBackupComponent, "cannot record the failure of backup {}: {}",
               job.info.id.value, second.describe());
  }
  std::string text = "Backup failed " + job.action + ".\nDETAILS: " + reason + error.hint_line();
  if (error.kind() == ErrorKind::interrupted) {
    text = with_hint(text, fmt::format("What was copied stays, as backup {0} with status FAILED: "
                                       "'barman delete {1} {0}' removes it. A new backup begins "
                                       "anew.",
                                       job.info.id.value, job.server.name()));
  }
  job.messages.error(text);
}

server::HookVariables hook_variables(const BackupJob& job) {
  return server::backup_hook_variables(job.server, job.server.catalogue().list_backups().backups,
                                       job.info);
}

// Of a label.
constexpr const char* kFromStandby = "BACKUP FROM: standby";

// Failures from here on leave the backup as it is: complete.
void wait_for_wals(BackupJob& job) {
  if (job.request.wait == WaitForWal::no || !job.info.end_wal) return;
  const auto limit = job.request.wait_timeout.count();
  job.progress.phase(fmt::format("waiting for WAL {}{}", *job.info.end_wal,
                                 limit > 0 ? fmt::format(", at most {} seconds", limit) : ""));
  // Its primary was asked at the end of the backup.
  ArchiveHelp help(job.server, job.info, job.messages, PrimarySwitch::done);
  const bool is_standby =
      job.info.backup_label && job.info.backup_label->find(kFromStandby) != std::string::npos;
  const auto outcome =
      wal_transfer::wait_for_wal(job.server, *job.info.end_wal, job.request.wait_timeout,
                                 job.messages, [&](std::chrono::milliseconds duration) {
                                   if (is_standby) help.help_standby(duration);
                                 });
  if (outcome != wal_transfer::WaitOutcome::archived) return;
  // Hook scripts that copy the backup want to see it DONE.
  wal_transfer::check_backup_wals(job.server, job.info.id, job.messages);
  job.info = job.server.catalogue().load_backup(job.info.id);
}

BackupInfo finish(BackupJob& job) {
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

// Behind the hooks; the backup is complete without it.
void write_manifest(BackupJob& job) {
  try {
    job.digests.seal();
    generate_manifest(job.server, job.info,
                      {.digests = &job.digests, .shares_with = job.shares_with}, job.progress,
                      job.server.interrupt());
    job.messages.info(
        fmt::format("Backup manifest for backup '{}' successfully generated for server {}",
                    job.info.id.value, job.server.name()));
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    job.messages.error(fmt::format("The manifest of backup {} was not written: {}",
                                   job.info.id.value, error.describe()));
  }
}

// Nothing of another cluster gets into the catalogue.
catalogue::Identity identify(const server::Server& server, BackupSource& source) {
  catalogue::Identity identity = source.require_possible();
  wal_archive::refuse_other_cluster(server, identity.system_id, source.title().connection_option);
  server.catalogue().write_identity_once(identity);
  return identity;
}

// Pages of a parent without checksums have none in the restored cluster either.
void warn_of_mixed_checksums(const BackupJob& job) {
  using catalogue::DataChecksums;
  if (!job.request.parent || data_checksums_of(job.info) != DataChecksums::on) return;
  for (const BackupInfo& link : stored::list_chain(job.server.catalogue(), *job.request.parent)) {
    if (data_checksums_of(link) != DataChecksums::off) continue;
    job.messages.warning(fmt::format(
        "This is an incremental backup taken with `data_checksums = on` whereas backup {}, which "
        "it builds on, was taken with `data_checksums = off`. Take a new full backup.",
        link.id.value));
    return;
  }
}

BackupInfo register_backup(const server::Server& server, const BackupRequest& request,
                           const std::string& mode, const std::string& system_id) {
  BackupInfo info;
  info.id = server.catalogue().make_next_id(server.clock().now());
  info.mode = mode;
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

BackupInfo take_backup(const server::Server& server, const BackupRequest& request,
                       BackupSource& source, Messages& messages, Progress& progress) {
  server.create_directories();
  const FileLock lock = catalogue::take_backup_turn_or_throw(
      server.locks(), "Another backup process is running", server.interrupt(), messages);
  fail_abandoned_backups(server, server.catalogue().list_backups(), messages);
  abort_old_wal_uploads(server);
  const catalogue::Identity identity = identify(server, source);
  const std::string mode = source.title().mode;
  BackupJob job{.server = server,
                .request = request,
                .messages = messages,
                .progress = progress,
                .info = register_backup(server, request, mode, identity.system_id)};
  messages.info("Starting backup using " + mode + " method for server " + server.name() + " in " +
                server.catalogue().shown_directory(job.info.id));

  const server::HookScripts scripts = server::make_hooks(server, server::HookKind::backup);
  ReservedRoom room(server, job.info.id);
  std::string failure;
  try {
    scripts.run_pre(hook_variables(job));
    run_steps(job, source);
  } catch (const std::exception& any) {  // Recorded and reported; post hooks must run.
    const Error error = as_error(any);
    failure = error.describe();
    fail(job, room, error);
  }
  room.free();
  if (failure.empty()) {
    warn_of_mixed_checksums(job);
    try {
      wait_for_wals(job);
    } catch (const Error& error) {  // Whatever is wrong with the WAL, the copy has ended.
      scripts.run_post(hook_variables(job), error.describe());
      throw;
    }
  }
  scripts.run_post(hook_variables(job), failure);
  if (failure.empty() && !source.title().has_manifest && request.manifest == WriteManifest::yes) {
    write_manifest(job);
  }
  return failure.empty() ? finish(job) : job.info;
}

BackupInfo take_backup(const server::Server& server, const BackupRequest& request,
                       Messages& messages, Progress& progress) {
  const std::unique_ptr<BackupSource> source = choose_source(server, request);
  require_space(server, request, messages);
  return take_backup(server, request, *source, messages, progress);
}

}  // namespace barman::backup

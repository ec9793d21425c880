#include "consolidate/consolidate.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include <fmt/format.h>

#include "backup/abandoned_backups.h"
#include "backup/backup_form.h"
#include "backup/bucket_owner.h"
#include "base/error.h"
#include "base/log.h"
#include "catalogue/backup_turn.h"
#include "consolidate/chain_merge.h"
#include "postgres/backup_label.h"
#include "stored/backup_chain.h"
#include "stored/backup_store.h"
#include "stored/kept_configuration.h"

namespace barman::consolidate {
using catalogue::BackupInfo;
using catalogue::BackupStatus;

namespace {

void require_incremental(const server::Server& server, const BackupInfo& backup) {
  const std::string what = fmt::format(
      "Cannot consolidate backup '{}' of server '{}': ", backup.id.value, server.name());
  if (!backup.is_incremental()) {
    throw Error(ErrorKind::usage, what + "it is not an incremental backup",
                "It needs no other backup; nothing has to be done.");
  }
  if (!backup.is_copy_done()) {
    throw Error(ErrorKind::conflict,
                what + fmt::format("its status is {}", catalogue::status_text(backup.status)),
                "Only a complete backup can be consolidated.");
  }
}

// Pages of backups that were taken without data checksums have none; a full backup that says that
// its pages have would not pass its own verification.
void refuse_mixed_checksums(const server::Server& server, const stored::BackupChain& chain) {
  if (!chain.has_mixed_checksums()) return;
  throw Error(ErrorKind::conflict,
              fmt::format("Cannot consolidate backup '{}' of server '{}': it was taken with data "
                          "checksums, and some backups that it builds on without, so that pages of "
                          "the full backup would have none",
                          chain.backup().id.value, server.name()),
              "Take a new full backup. The chain itself can be restored.");
}

// The time of the ID and one second, in the local zone, in which IDs are.
catalogue::BackupId id_after(const catalogue::Catalogue& catalogue, const catalogue::BackupId& id) {
  const auto parsed = parse_timestamp(id.value);
  if (!parsed) {
    throw Error(ErrorKind::corrupt, fmt::format("'{}' is no backup ID", id.value),
                "'barman list-backups' names those that there are.");
  }
  Timestamp time = parsed->time;
  time.microseconds += 1'000'000;
  return catalogue.make_unused_id(time);
}

BackupInfo describe_result(const catalogue::Catalogue& catalogue, const BackupInfo& backup,
                           bool is_encrypted) {
  BackupInfo info = backup;
  info.id = id_after(catalogue, backup.id);
  info.status = BackupStatus::started;
  info.parent_backup_id.reset();
  info.children_backup_ids.clear();
  info.backup_name.reset();
  info.compression =
      is_encrypted ? backup.compression.value_or("none") : std::optional<std::string>();
  info.encryption = is_encrypted ? std::optional<std::string>("gpg") : std::nullopt;
  info.copy_stats.reset();
  info.size.reset();
  info.deduplicated_size.reset();
  return info;
}

// What was encrypted stays encrypted, whatever is set now.
stored::ArchiveForm bucket_form(const server::Server& server, std::size_t worker_count,
                                bool is_encrypted) {
  stored::ArchiveForm form = backup::plan_form(server.config(), {}, worker_count).bucket_archives;
  form.cipher.reset();
  if (is_encrypted) form.cipher = server.cipher();
  return form;
}

// The level belongs to the algorithm for which it is configured.
std::optional<int> compression_level(const config::ServerConfig& config, const BackupInfo& backup) {
  if (!config.backup_compression_level || !config.backup_compression ||
      to_text(*config.backup_compression) != backup.compression) {
    return std::nullopt;
  }
  return static_cast<int>(*config.backup_compression_level);
}

// With the disk full even this may fail: the backup stays STARTED then, and the next one marks it.
void record_failure(const catalogue::Catalogue& catalogue, const BackupInfo& info) {
  try {
    catalogue.save(info);
  } catch (const Error& error) {
    log::error("barman.consolidate", "cannot record the failure of backup {}: {}", info.id.value,
               error.describe());
  }
}

void finish(const catalogue::Catalogue& catalogue, const BackupInfo& backup, double seconds,
            BackupInfo& info) {
  const catalogue::BackupSize size = stored::BackupStore(catalogue).facts(info.id);
  info.size = size.size_bytes;
  info.deduplicated_size = size.deduplicated_bytes;
  catalogue::PythonDict stats;
  stats.set("copy_time", {seconds});
  stats.set("total_time", {seconds});
  info.copy_stats = catalogue::PythonValue{stats};
  if (info.backup_label) {
    info.backup_label = postgres::without_incremental_lines(*info.backup_label);
  }
  // Commit point: every file is durable and was compared with what the chain says of it.
  info.status = backup.status;
  catalogue.save(info);
}

// As it was when the newest of the chain was taken.
void keep_configuration_of(const server::Server& server, const BackupInfo& backup,
                           const BackupInfo& made, Messages& messages) {
  const stored::KeptConfiguration kept = stored::read_kept_configuration(
      server.catalogue(), backup.id, stored::kept_coding(backup, server.cipher()));
  for (const auto& [name, problem] : kept.problems) {
    messages.warning(
        fmt::format("The configuration file '{}' that was kept with backup {} {}. It is left out.",
                    name, backup.id.value, problem));
  }
  if (kept.files.empty()) return;
  stored::keep_configuration(server.catalogue(), made.id, kept.files,
                             stored::kept_coding(made, server.cipher()));
}

}  // namespace

BackupInfo consolidate_backup(const server::Server& server, const BackupInfo& backup,
                              std::size_t worker_count, Messages& messages, Progress& progress) {
  backup::require_bucket_owner(server, "consolidate backups");
  require_incremental(server, backup);
  const catalogue::Catalogue& catalogue = server.catalogue();
  const FileLock lock = catalogue::take_backup_turn_or_throw(
      server.locks(), "Another backup process is running", server.interrupt(), messages);
  backup::fail_abandoned_backups(server, server.catalogue().list_backups(), messages);
  // Also refuses a link whose deletion was begun and not finished.
  std::vector<FileLock> links;
  bool is_encrypted = false;
  for (const BackupInfo& link : stored::list_chain(catalogue, backup)) {
    is_encrypted = is_encrypted || link.encryption.has_value();
    links.push_back(server::share_backup(server, link.id, "consolidate"));
  }
  const stored::BackupChain chain = stored::BackupChain::open(
      catalogue, backup, {.interrupt = server.interrupt(), .cipher = server.cipher()});
  refuse_mixed_checksums(server, chain);
  const MergeSettings settings{.catalogue = catalogue,
                               .chain = chain,
                               .worker_count = worker_count,
                               .cipher = server.cipher(),
                               .compression_level = compression_level(server.config(), backup),
                               .bucket_form = bucket_form(server, worker_count, is_encrypted),
                               .interrupt = server.interrupt(),
                               .progress = progress};
  const bool is_in_archives = is_encrypted || !server.locations().has_local_backups;
  const std::unique_ptr<ChainMerge> merge =
      is_in_archives ? make_merge_of_archives(settings) : make_merge_of_files(settings);
  merge->check();

  BackupInfo info = describe_result(catalogue, backup, is_encrypted);
  catalogue.save(info);
  messages.info(fmt::format("Consolidating backup {} of server {} into the full backup {}",
                            backup.id.value, server.name(), info.id.value));
  const auto begin = std::chrono::steady_clock::now();
  try {
    merge->write(info);
    keep_configuration_of(server, backup, info, messages);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
    finish(catalogue, backup, elapsed.count(), info);
  } catch (const Error& error) {  // Recorded in the metadata, then reported by the caller.
    progress.end();
    info.status = BackupStatus::failed;
    info.error = fmt::format("failure consolidating backup {} ({})", backup.id.value,
                             error.describe().substr(0, error.describe().find('\n')));
    record_failure(catalogue, info);
    if (error.kind() == ErrorKind::interrupted) {
      throw Error(error.kind(), error.describe(),
                  fmt::format("What was written stays, as backup {0} with status FAILED: 'barman "
                              "delete {1} {0}' removes it. The chain is as it was: 'barman "
                              "consolidate {1} {2}' begins anew.",
                              info.id.value, server.name(), backup.id.value));
    }
    throw;
  }
  return info;
}

}  // namespace barman::consolidate

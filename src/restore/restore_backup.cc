#include "restore/restore_backup.h"

#include <fmt/format.h>

#include <chrono>
#include <optional>

#include "archive/archive_wal.h"
#include "base/error.h"
#include "base/log.h"
#include "catalogue/minimal_wal.h"
#include "content/archive_file.h"
#include "content/backup_chain.h"
#include "hooks/hook_scripts.h"
#include "restore/build_plan.h"
#include "restore/choose_backup.h"
#include "restore/execute_plan.h"
#include "restore/gather_facts.h"
#include "restore/hook_variables.h"
#include "restore/recovery_target.h"
#include "restore/restore_rates.h"
#include "restore/wal_reading.h"

namespace barman::restore {

using catalogue::BackupInfo;

namespace {

BackupInfo look_up(const server::Server& server, const RestoreRequest& request) {
  if (request.backup != "auto") return server.catalogue().resolve(request.backup);
  refuse_target_for_automatic_choice(request.target);
  const catalogue::BackupList list = server.catalogue().list_backups();
  return choose_backup(list.backups, server.catalogue().list_annotations().being_deleted,
                       parse_target(request.target), read_timelines(server));
}

void archive_waiting(const server::Server& server, const RestoreRequest& request,
                     Messages& messages) {
  if (request.skip_archive_wal) return;
  archive::archive_pending_wal(server, {}, messages);
}

void announce(const RestorePlan& plan, Messages& messages) {
  messages.info(fmt::format("Starting local restore for server {} using backup {}",
                            plan.server_name, plan.backup_id.value));
  messages.info(fmt::format("Destination directory: {}", plan.destination.string()));
  for (const std::string& warning : plan.warnings) messages.warning(warning);
  for (const std::string& note : plan.notes) messages.info(note);
  if (!plan.target_text.empty()) {
    messages.info(fmt::format("Doing PITR. Recovery target {}", plan.target_text));
  }
}

// The same failure, with what to do about the half-made directory.
Error explain_failure(const Error& error, const RestorePlan& plan) {
  std::string hint = error.hint();
  if (!hint.empty()) hint += " ";
  hint += fmt::format(
      "'{}' is incomplete: it has no global/pg_control, so PostgreSQL cannot start there. Empty it "
      "{}and restore again.",
      plan.destination.string(), plan.tablespaces.empty() ? "" : "and the tablespaces ");
  return {error.kind(), error.describe(), std::move(hint)};
}

void note_rate(const server::Server& server, const RestorePlan& plan,
               std::chrono::steady_clock::duration duration) {
  if (plan.rate_kind.empty() || plan.bandwidth_limit_kb > 0) return;
  note_restore(server.locations().backup_directory,
               {.kind = plan.rate_kind,
                .bytes = plan.total_bytes + plan.wal.total_bytes,
                .duration = std::chrono::duration_cast<std::chrono::milliseconds>(duration)});
}

ExecutedRestore run_with_hooks(const server::Server& server, const RestorePlan& plan,
                               content::ManifestIndex* manifest, const RestoreReporting& reporting,
                               const hooks::HookVariables& variables) {
  const hooks::HookScripts scripts(server.config(),
                                   {.server_name = server.name(),
                                    .configuration_path = server.program().configuration_path,
                                    .path_prefix = server.config().path_prefix},
                                   hooks::HookKind::recovery, server.interrupt());
  scripts.run_pre(variables);
  try {
    announce(plan, reporting.messages);
    const auto begin = std::chrono::steady_clock::now();
    ExecutedRestore executed = execute_plan(plan, manifest, reporting, server.interrupt());
    note_rate(server, plan, std::chrono::steady_clock::now() - begin);
    scripts.run_post(variables, "");
    return executed;
  } catch (const Error& error) {
    // Post hooks are promised for failures too, and only here it is known what is left behind.
    reporting.progress.end();
    if (error.kind() == ErrorKind::interrupted) {
      reporting.messages.warning(explain_failure(error, plan).hint());
      throw;
    }
    scripts.run_post(variables, error.describe());
    throw explain_failure(error, plan);
  }
}

// The backup of the request, protected with everything that it builds on.
struct Chosen {
  catalogue::BackupId id;
  Relocations relocations;
  std::vector<FileLock> locks;
};

Chosen choose(const server::Server& server, const RestoreRequest& request) {
  refuse_multiple_targets(request.target);
  const BackupInfo backup = look_up(server, request);
  Chosen chosen{
      .id = backup.id, .relocations = check_request(request, backup, server.config()), .locks = {}};
  for (const BackupInfo& link : content::list_chain(server.catalogue(), backup)) {
    chosen.locks.push_back(server::share_backup(server, link.id, "restore from"));
  }
  return chosen;
}

struct Prepared {
  BackupInfo backup;
  std::shared_ptr<content::ManifestIndex> manifest;
  RestorePlan plan;
};

// So that `check` and `catalogue-check` tell it, too.
void note_minimal(const server::Server& server, const ReplayPlan& replay,
                  const MinimalWal& minimal) {
  for (const ReplayFile& file : replay.files) {
    if (file.number != minimal.begin.value / replay.segment_size.bytes) continue;
    catalogue::note_minimal_wal(server.locations().backup_directory,
                                {{file.copy.name, minimal.begin, minimal.last_good_record}});
  }
}

// Where the WAL leads is told before anything is written.
void check_wal(const server::Server& server, const RestoreRequest& request, Progress& progress,
               RestorePlan& plan) {
  if (plan.replay.files.empty()) return;
  const RecoveryTarget target = parse_target(request.target);
  const WalReading reading = read_wal(plan.replay, target, plan.wal.coding,
                                      {.worker_count = request.worker_count,
                                       .progress = progress,
                                       .interrupt = server.interrupt()});
  if (reading.minimal && !request.dry_run) note_minimal(server, plan.replay, *reading.minimal);
  judge_wal(reading, target, plan);
}

Prepared prepare(const server::Server& server, const RestoreRequest& request, const Chosen& chosen,
                 Progress& progress) {
  // Read again: archiving may have completed the backup.
  const content::BackupChain chain =
      content::BackupChain::open(server.catalogue(), server.catalogue().load_backup(chosen.id),
                                 {.interrupt = server.interrupt(), .cipher = server.cipher()});
  // A wrong passphrase is told before anything is written.
  for (const content::ChainMember& member : chain.members()) {
    if (!member.info.encryption) continue;
    const auto archive =
        content::find_archive(server.catalogue().data_directory(member.info.id), 0);
    if (archive) content::require_decryptable(*archive, server.cipher());
  }
  const RestoreFacts facts = gather_facts(server, chain, request, chosen.relocations);
  Prepared prepared{.backup = chain.backup(),
                    .manifest = chain.members().front().manifest,
                    .plan = build_plan(facts, request, chosen.relocations)};
  verify_wal_files(prepared.plan);
  check_wal(server, request, progress, prepared.plan);
  return prepared;
}

}  // namespace

RestorePlan plan_restore(const server::Server& server, const RestoreRequest& request) {
  NoProgress progress;
  return prepare(server, request, choose(server, request), progress).plan;
}

RestoreResult restore_backup(const server::Server& server, const RestoreRequest& request,
                             Messages& messages, Progress& progress) {
  const auto begin = std::chrono::steady_clock::now();
  RestoreResult result;
  result.begin_time = now_local();

  const Chosen chosen = choose(server, request);
  archive_waiting(server, request, messages);
  const Prepared prepared = prepare(server, request, chosen, progress);
  const RestorePlan& plan = prepared.plan;
  // rsync backups and those of old versions never had one.
  if (!prepared.manifest && prepared.backup.mode == "postgres") {
    messages.warning(fmt::format(
        "Backup '{}' has no backup_manifest: that its files are all there and undamaged cannot be "
        "verified",
        prepared.backup.id.value));
  }
  // Beyond this point everything has been decided.
  ExecutedRestore executed =
      run_with_hooks(server, plan, prepared.manifest.get(), {messages, progress},
                     hook_variables(server, prepared.backup, request, chosen.relocations));

  result.changes = std::move(executed.configuration.changes);
  result.warnings = std::move(executed.configuration.warnings);
  result.missing_files = std::move(executed.missing_files);
  result.uses_get_wal = plan.uses_get_wal;
  result.settings_file = plan.recovery.settings_file;
  result.elapsed_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return result;
}

}  // namespace barman::restore

#include "restore/restore_backup.h"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <optional>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "catalogue/backup_kind.h"
#include "catalogue/backup_word.h"
#include "catalogue/minimal_wal.h"
#include "catalogue/newest_backup.h"
#include "postgres/versions.h"
#include "restore/build_plan.h"
#include "restore/choose_backup.h"
#include "restore/configuration_places.h"
#include "restore/execute_plan.h"
#include "restore/gather_facts.h"
#include "restore/inspect_places.h"
#include "restore/place_locks.h"
#include "restore/recovery_hook_variables.h"
#include "restore/recovery_target.h"
#include "restore/refuse_places.h"
#include "restore/remote_destination.h"
#include "restore/remote_places.h"
#include "restore/replayed_tablespaces.h"
#include "restore/restore_rates.h"
#include "restore/survey_plan.h"
#include "restore/uncertain_failure.h"
#include "restore/wal_reading.h"
#include "server/server_hooks.h"
#include "stored/archive_file.h"
#include "stored/backup_chain.h"
#include "stored/bucket_tree.h"
#include "stored/kept_configuration.h"
#include "stored/restorable.h"
#include "wal_archive/archive_wal.h"
#include "wal_archive/read_branches.h"

namespace barman::restore {

namespace fs = std::filesystem;

using catalogue::BackupInfo;

namespace {

// Who asks for the newest backup wants the present. PostgreSQL comes to it only when told to follow
// another timeline than that of the backup: without a target, and before version 12, it stays
// there.
std::optional<wal::TimelineTarget> timeline_to_follow(const RestoreRequest& request,
                                                      const BackupInfo& backup,
                                                      const catalogue::Branches& branches) {
  const TargetRequest& target = request.target;
  const bool has_target =
      target.time || target.xid || target.lsn || target.name || target.immediate;
  const bool follows_by_itself =
      backup.version.value_or(postgres::kVersion12) >= postgres::kVersion12 &&
      (has_target || request.get_wal);
  // A standby follows the server that it gets its WAL from, whatever timelines are still to come.
  if (target.timeline || request.standby_mode || follows_by_itself) return std::nullopt;
  const std::optional<wal::TimelineId> present = branches.present();
  if (!present || present == backup.wal_timeline() || !branches.descends_from(*present, backup) ||
      branches.descendants_of(backup).front() == backup.wal_timeline()) {
    return std::nullopt;
  }
  return wal::TimelineTarget{.kind = wal::TimelineTarget::Kind::number, .timeline = *present};
}

// A backup whose directory is there without the data (a file system that is not mounted) is as one
// without a directory.
void leave_out_without_data(const catalogue::Catalogue& catalogue,
                            const catalogue::BackupList& list,
                            catalogue::Annotations& annotations) {
  if (!annotations.directories || !catalogue.locations().has_local_backups) return;
  for (const catalogue::BackupInfo& backup : list.backups) {
    if (!backup.is_copy_done() || backup.type() == catalogue::BackupType::snapshot) continue;
    std::error_code code;
    const bool is_there = fs::exists(catalogue.data_directory(backup.id), code);
    if (!is_there && !code) annotations.directories->erase(backup.id);
  }
}

// Which backup, and its target when that has chosen it.
struct LookUp {
  BackupChoice choice;
  std::optional<RecoveryTarget> target = {};
};

LookUp look_up(const server::Server& server, RestoreRequest& request) {
  if (!catalogue::asks_for_newest(request.backup)) {
    return {.choice = {.backup = server.catalogue().resolve(request.backup)}};
  }
  const bool is_automatic =
      catalogue::parse_backup_word(request.backup) == catalogue::BackupWord::automatic;
  if (is_automatic) refuse_target_for_automatic_choice(request.target);
  catalogue::KnownBackups known = server.catalogue().load();
  const catalogue::BackupList& list = known.list;
  catalogue::Annotations& annotations = known.annotations;
  const catalogue::Branches branches = wal_archive::read_branches(server, list.backups);
  LookUp found;
  BackupChoice& choice = found.choice;
  leave_out_without_data(server.catalogue(), list, annotations);
  if (is_automatic) {
    found.target = parse_target(request.target);
    choice = choose_backup(list, annotations, *found.target, branches);
  } else {
    catalogue::NewestBackup newest =
        catalogue::find_newest(list, annotations, branches, request.backup, server.name());
    choice.backup = std::move(newest.backup);
    if (!newest.note.empty()) choice.notes.push_back(std::move(newest.note));
    choice.warnings = std::move(newest.warnings);
  }
  request.target.timeline = request.target.timeline
                                ? request.target.timeline
                                : timeline_to_follow(request, choice.backup, branches);
  return found;
}

void archive_waiting(const server::Server& server, const RestoreRequest& request,
                     Messages& messages) {
  if (request.skip_archive_wal) return;
  // A restore is needed most when something is wrong here: a full disk, a key that has expired,
  // something foreign among the received files.
  try {
    wal_archive::archive_pending_wal(server, {}, messages);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    messages.warning(fmt::format(
        "WAL of server {} that waits to be archived could not be archived: {}\nThe restore goes "
        "on with the WAL that is in the archive: the newest changes may be missing.",
        server.name(), error.describe_with_hint()));
  }
}

void announce(const RestorePlan& plan, Messages& messages) {
  const bool is_remote = !plan.remote_command.empty();
  messages.info(fmt::format("Starting {} restore for server {} using backup {}",
                            is_remote ? "remote" : "local", plan.server_name,
                            plan.backup_id.value));
  messages.info(fmt::format("Destination directory: {}", plan.destination.string()));
  if (is_remote) {
    messages.info(fmt::format("Remote command: {}", mask_passwords(plan.remote_command)));
  }
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
      "'{}'{} is incomplete: it has no global/pg_control, so PostgreSQL cannot start there. Go on "
      "with --resume, added to the same command: what is there already is kept.",
      plan.destination.string(), plan.remote_command.empty() ? "" : " on the destination host");
  return {error.kind(), error.describe(), std::move(hint)};
}

void note_rate(const server::Server& server, const RestorePlan& plan,
               std::chrono::steady_clock::duration duration) {
  if (plan.rate_kind.empty() || plan.bandwidth_limit.is_set()) return;
  note_restore(server.locations().backup_directory,
               {.kind = plan.rate_kind,
                .bytes = plan.total_bytes + plan.wal.total_bytes,
                .duration = std::chrono::duration_cast<std::chrono::milliseconds>(duration)});
}

// The backup of the request, protected with everything that it builds on.
struct Chosen {
  catalogue::BackupId id;
  // As it was given, with what the choice of the backup added and the places of the restore that it
  // goes on with.
  RestoreRequest request;
  RecoveryTarget target;
  std::vector<std::string> notes;
  std::vector<std::string> warnings;
  Relocations relocations;
  std::vector<FileLock> locks;
};

std::optional<RestoreMarker> marker_there(const server::Server& server,
                                          const RestoreRequest& request) {
  if (!request.remote_ssh_command) return find_restore_marker(request.destination);
  return find_remote_marker(destination_host(*request.remote_ssh_command), request.destination,
                            server.interrupt());
}

// A restore that goes on writes where the interrupted one did. Other places are refused: that one
// has left files in its own.
void take_places_of_interrupted(const server::Server& server, const BackupInfo& backup,
                                Chosen& chosen) {
  if (!chosen.request.resume) return;
  const std::optional<RestoreMarker> marker = marker_there(server, chosen.request);
  if (!marker || !marker->is_of(server.name(), backup.id)) return;  // refused with the places
  const auto require_same = [&](const std::string& asked, const fs::path& place,
                                const std::string& what) {
    if (fs::path(asked).lexically_normal() == place.lexically_normal()) return;
    throw Error(
        ErrorKind::conflict,
        fmt::format("Cannot resume with '{}' for {}: the interrupted restore in '{}' writes "
                    "it to '{}'",
                    asked, what, chosen.request.destination, place.string()),
        "Leave out the option; the places of the interrupted restore are used.");
  };
  for (const catalogue::Tablespace& tablespace : backup.tablespaces) {
    const auto place = marker->tablespaces.find(tablespace.oid);
    if (place == marker->tablespaces.end()) continue;
    const auto asked = chosen.relocations.find(tablespace.name);
    if (asked != chosen.relocations.end()) {
      require_same(asked->second, place->second, fmt::format("tablespace '{}'", tablespace.name));
    }
    chosen.relocations[tablespace.name] = place->second.string();
  }
  if (!marker->staging_wal) return;
  std::optional<std::string>& staging = chosen.request.staging_wal_directory;
  if (staging) require_same(*staging, *marker->staging_wal, "the staging WAL directory");
  staging = marker->staging_wal->string();
}

Chosen choose(const server::Server& server, RestoreRequest request) {
  refuse_multiple_targets(request.target);
  LookUp found = look_up(server, request);
  BackupChoice& choice = found.choice;
  const BackupInfo& backup = choice.backup;
  Chosen chosen{.id = backup.id,
                .request = request,
                .target = {},
                .notes = std::move(choice.notes),
                .warnings = std::move(choice.warnings),
                .relocations = check_request(request, backup, server.config()),
                .locks = {}};
  chosen.target = found.target ? *std::move(found.target) : parse_target(request.target);
  chosen.target.timeline = request.target.timeline;
  take_places_of_interrupted(server, backup, chosen);
  for (const BackupInfo& link : stored::list_chain(server.catalogue(), backup)) {
    chosen.locks.push_back(server::share_backup(server, link.id, "restore from"));
  }
  return chosen;
}

struct Prepared {
  stored::BackupChain chain;
  BackupInfo backup;
  std::shared_ptr<stored::ManifestIndex> manifest;
  RestoreFacts facts;
  RestorePlan plan;
};

// So that `check` and `catalogue-check` tell it, too.
void note_minimal(const server::Server& server, const ReplayPlan& replay,
                  const MinimalStretch& minimal) {
  for (const ReplayFile& file : replay.files) {
    if (file.number != minimal.begin.value / replay.segment_size.bytes) continue;
    catalogue::note_minimal_wal(server.locations().backup_directory,
                                {{file.copy.name, minimal.begin, minimal.last_good_record}});
  }
}

// Where the WAL leads is told before anything is written.
void check_wal(const server::Server& server, const RestoreRequest& request, Progress& progress,
               const RestoreFacts& facts, RestorePlan& plan) {
  if (plan.replay.files.empty()) return;
  const WalReading reading = read_wal(plan.replay, plan.target, plan.wal.coding,
                                      {.worker_count = request.worker_count,
                                       .progress = progress,
                                       .interrupt = server.interrupt(),
                                       .archive = plan.wal.archive});
  if (reading.minimal && !request.dry_run) note_minimal(server, plan.replay, *reading.minimal);
  judge_wal(reading, plan.target, plan);
  judge_replayed_tablespaces(reading.tablespaces, plan.target, facts, plan);
}

Prepared prepare(const server::Server& server, const Chosen& chosen, Progress& progress) {
  // Read again: archiving may have completed the backup.
  const BackupInfo backup = server.catalogue().load_backup(chosen.id);
  if (!server.catalogue().bucket()) {
    for (const BackupInfo& link : stored::list_chain(server.catalogue(), backup)) {
      stored::require_files(server.catalogue(), link);
    }
  }
  const stored::BackupChain chain = stored::BackupChain::open(
      server.catalogue(), backup, {.interrupt = server.interrupt(), .cipher = server.cipher()});
  // A wrong passphrase is told before anything is written.
  for (const stored::ChainMember& member : chain.members()) {
    if (!member.info.encryption) continue;
    if (const auto bucket = server.catalogue().bucket()) {
      stored::require_decryptable(*bucket, member.info, server.cipher());
      continue;
    }
    const auto archive = stored::find_archive(server.catalogue().data_directory(member.info.id), 0);
    if (archive) stored::require_decryptable(*archive, server.cipher());
  }
  Prepared prepared{.chain = chain,
                    .backup = chain.backup(),
                    .manifest = chain.members().front().manifest,
                    .facts = gather_facts(server, chain, chosen.request, chosen.relocations),
                    .plan = {}};
  prepared.plan = build_plan(prepared.facts, chosen.request, chosen.target, chosen.relocations);
  RestorePlan& plan = prepared.plan;
  stored::KeptConfiguration kept =
      stored::read_kept_configuration(server.catalogue(), prepared.backup.id,
                                      stored::kept_coding(prepared.backup, server.cipher()));
  for (const auto& [name, problem] : kept.problems) {
    plan.warnings.push_back(
        fmt::format("The configuration file '{}' that was kept with backup {} {}. It is not laid.",
                    name, prepared.backup.id.value, problem));
  }
  plan_configuration(prepared.backup, std::move(kept.files), plan);
  warn_of_places_to_come(prepared.facts, plan);
  plan.warnings.insert(plan.warnings.begin(), chosen.warnings.begin(), chosen.warnings.end());
  plan.notes.insert(plan.notes.begin(), chosen.notes.begin(), chosen.notes.end());
  verify_wal_files(prepared.plan);
  check_wal(server, chosen.request, progress, prepared.facts, prepared.plan);
  return prepared;
}

// Nobody else writes there now, and nothing has changed since the plan was made: looking at the
// whole archive, or the hook, may have taken its time.
PlaceLocks lock_places(const server::Server& server, const Chosen& chosen, Prepared& prepared) {
  if (chosen.request.remote_ssh_command) {
    // There a session holds it (remote_guard.h).
    inspect_any_places(server, chosen.request, chosen.relocations, prepared.facts);
    refuse_places(prepared.facts, chosen.request, prepared.plan);
    return PlaceLocks::take({});
  }
  PlaceLocks locks = PlaceLocks::take_for(prepared.plan);
  inspect_places(chosen.request, chosen.relocations, prepared.facts);
  refuse_places(prepared.facts, chosen.request, prepared.plan);
  return locks;
}

// Blocks of a chain come from streams that have their files in different orders, and what is sent
// cannot be changed any more.
void make_sendable(const Chosen& chosen, const Interrupt& interrupt, Prepared& prepared,
                   Messages& messages) {
  RestorePlan& plan = prepared.plan;
  if (plan.remote_command.empty() || plan.passed_through.empty()) return;
  const fs::path scratch = chosen.request.staging.staging_path
                               ? fs::path(*chosen.request.staging.staging_path)
                               : fs::temp_directory_path();
  messages.info(fmt::format(
      "Reading backups that cannot be read at random into scratch files in {}", scratch.string()));
  const stored::BackupChain chain = prepared.chain.with_scratch_files(scratch, interrupt);
  const std::vector<stored::BackupTree> trees = chain.complete_trees();
  for (std::size_t i = 0; i < plan.trees.size(); ++i) plan.trees[i].source = trees.at(i).content;
  plan.passed_through.clear();
}

ExecutedRestore run_with_hooks(const server::Server& server, Prepared& prepared,
                               const Chosen& chosen, const RestoreReporting& reporting,
                               const server::HookVariables& variables) {
  const RestorePlan& plan = prepared.plan;
  const server::HookScripts scripts = server::make_hooks(server, server::HookKind::recovery);
  scripts.run_pre(variables);
  std::optional<PlaceLocks> locks;
  try {
    announce(plan, reporting.messages);
    const auto begin = std::chrono::steady_clock::now();
    make_sendable(chosen, server.interrupt(), prepared, reporting.messages);
    try {
      survey_plan(prepared.plan, prepared.manifest.get(), reporting, server.interrupt());
    } catch (const Error& error) {  // It takes long: what became of the directory is asked then.
      throw explain_unchanged(error, plan);
    }
    locks.emplace(lock_places(server, chosen, prepared));
    const std::optional<host::SshHost> host =
        plan.remote_command.empty() ? std::nullopt
                                    : std::optional(destination_host(plan.remote_command));
    const Interrupt& interrupt = server.interrupt();
    ExecutedRestore executed =
        execute_plan(plan,
                     host ? make_remote_destination(
                                plan, *host, {.compression = chosen.request.network_compression},
                                reporting, interrupt)
                          : make_local_destination(plan, reporting, interrupt),
                     prepared.manifest.get(), reporting, interrupt);
    note_rate(server, plan, std::chrono::steady_clock::now() - begin);
    scripts.run_post(variables, "");
    return executed;
  } catch (const Error& error) {
    // Post hooks are promised for failures too, and only here it is known what is left behind.
    reporting.progress.end();
    if (!locks) {  // Nothing has been written.
      scripts.run_post(variables, error.describe());
      throw;
    }
    const bool is_interrupted = error.kind() == ErrorKind::interrupted;
    if (!is_interrupted) scripts.run_post(variables, error.describe());
    // Somebody else has the directory: nothing in it was changed. Or it says by itself what to do.
    const bool is_told = error.kind() == ErrorKind::conflict ||
                         dynamic_cast<const UncertainFailure*>(&error) != nullptr;
    if (is_told) throw;
    throw explain_failure(error, plan);
  }
}

}  // namespace

RestorePlan plan_restore(const server::Server& server, const RestoreRequest& request) {
  NoProgress progress;
  return prepare(server, choose(server, request), progress).plan;
}

RestoreResult restore_backup(const server::Server& server, const RestoreRequest& request,
                             Messages& messages, Progress& progress) {
  const auto begin = std::chrono::steady_clock::now();
  RestoreResult result;
  result.begin_time = server.clock().now();

  const Chosen chosen = choose(server, request);
  archive_waiting(server, request, messages);
  Prepared prepared = prepare(server, chosen, progress);
  const RestorePlan& plan = prepared.plan;
  // rsync backups and those of old versions never had one.
  if (!prepared.manifest &&
      catalogue::source_of(prepared.backup) == catalogue::SourceKind::postgres_stream) {
    messages.warning(fmt::format(
        "Backup '{}' has no backup_manifest: that its files are all there and undamaged cannot be "
        "verified",
        prepared.backup.id.value));
  }
  // Beyond this point everything has been decided.
  ExecutedRestore executed =
      run_with_hooks(server, prepared, chosen, {messages, progress},
                     hook_variables(server, prepared.backup, chosen.request, chosen.relocations));

  result.changes = std::move(executed.configuration.changes);
  result.warnings = std::move(executed.configuration.warnings);
  result.missing_files = std::move(executed.missing_files);
  result.start_advice = start_advice(plan, executed.laid_files, result.missing_files);
  result.uses_get_wal = plan.uses_get_wal;
  result.settings_file = plan.recovery.settings_file;
  result.target = plan.target;
  result.end_text = plan.end_text;
  result.is_standby = request.standby_mode;
  result.hot_standby_off = std::move(executed.configuration.hot_standby_off);
  result.elapsed_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return result;
}

}  // namespace barman::restore

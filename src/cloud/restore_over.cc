#include "cloud/restore_over.h"

#include <unistd.h>

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "backup/copied_cluster.h"
#include "base/error.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/scratch_directory.h"
#include "cloud/operation_failed.h"
#include "restore/build_plan.h"
#include "restore/configuration_places.h"
#include "restore/execute_plan.h"
#include "restore/inspect_places.h"
#include "restore/place_locks.h"
#include "restore/refuse_places.h"
#include "restore/survey_plan.h"
#include "stored/backup_evidence.h"
#include "stored/bucket_tree.h"
#include "stored/bucket_writer.h"
#include "stored/manifest_index.h"
#include "wal/wal_file_name.h"

namespace barman::cloud {
namespace {

namespace fs = std::filesystem;

class LoggedMessages final : public Messages {
 public:
  void debug(const std::string& text) override { log::debug(log::kBackupComponent, "{}", text); }
  void info(const std::string& text) override { log::info(log::kBackupComponent, "{}", text); }
  void warning(const std::string& text) override {
    log::warning(log::kBackupComponent, "{}", text);
  }
  void error(const std::string& text) override { log::error(log::kBackupComponent, "{}", text); }
  void exception(const std::string& text) override { error(text); }
};

void refuse_root() {
  if (::geteuid() != 0) return;
  throw Error(ErrorKind::usage,
              "root cannot restore over a data directory: what it writes would not be PostgreSQL's",
              "Run the same command as the user whose PostgreSQL it is, for example behind "
              "'runuser -u postgres --'.");
}

restore::RestoreRequest request_of(const CloudRestoreRequest& asked) {
  restore::RestoreRequest request;
  request.backup = asked.id.value;
  request.destination = fs::absolute(asked.destination).string();
  // WAL is fetched from the bucket, if recovery is asked for at all.
  request.get_wal = true;
  request.skip_wal_check = true;
  request.delta_restore = true;
  request.worker_count = asked.jobs;
  return request;
}

restore::Relocations relocations_of(const CloudRestoreRequest& asked,
                                    const catalogue::BackupInfo& backup) {
  restore::Relocations relocations;
  for (const catalogue::Tablespace& tablespace : backup.tablespaces) {
    const auto rule = asked.locations.find(tablespace.name);
    if (rule != asked.locations.end()) {
      relocations[tablespace.name] = fs::absolute(rule->second).string();
    }
  }
  return relocations;
}

// Of the WAL of the destination, what lies in the bucket: only copies are moved aside. One listing
// for each directory of the archive.
std::set<std::string> find_archived(const CloudCatalogue& catalogue,
                                    const std::vector<std::string>& names) {
  std::set<std::string> listed;
  std::set<std::string> stored;
  std::set<std::string> archived;
  for (const std::string& name : names) {
    const auto parsed = wal::parse_wal_file_name(name);
    if (!parsed) continue;
    const std::string directory = catalogue.layout().wal_directory(*parsed);
    if (listed.insert(directory).second) {
      catalogue.storage().list(directory, [&](const storage::ObjectFacts& object) {
        if (const auto found = parse_wal_object(object.key)) stored.insert(found->name.name);
      });
    }
    if (stored.contains(name)) archived.insert(name);
  }
  return archived;
}

restore::RestoreFacts gather(const CloudCatalogue& catalogue, const catalogue::BackupInfo& backup,
                             const restore::RestoreRequest& request,
                             const restore::Relocations& relocations, const Interrupt& interrupt) {
  restore::RestoreFacts facts;
  facts.server_name = catalogue.layout().server_name();
  facts.backup = backup;
  facts.content = stored::open_bucket_backup(catalogue, backup, {.interrupt = interrupt});
  facts.timelines.segment_size = backup.xlog_segment_size;
  restore::inspect_places(request, relocations, facts);
  facts.archived_here = find_archived(catalogue, facts.destination.wal_names);
  return facts;
}

void plan_settings(const catalogue::BackupInfo& backup,
                   const std::optional<CloudRecoveryFiles>& recovery, restore::RestorePlan& plan) {
  plan.recovery = {};
  plan.file_places = restore::file_places_of(backup);
  if (!recovery) {
    plan.restore_command = restore::RestoreCommand::theirs;
    plan.review_scope = restore::ReviewScope::places;
    return;
  }
  plan.restore_command = restore::RestoreCommand::ours;
  plan.recovery = {.is_written = true,
                   .settings_file = recovery->settings_file,
                   .settings = recovery->settings,
                   .signal_file = recovery->signal_file};
}

// Damage of an archive with an index is found when it is read, and is there the next time, too.
std::string next_step(const Error& error) {
  if (error.kind() == ErrorKind::corrupt) {
    return "The same command goes on with it with the ID of another backup "
           "(barman-cloud-backup-list shows them).";
  }
  return (error.hint().empty() ? "" : error.hint() + " ") + "The same command goes on with it.";
}

Error explain(const Error& error, const fs::path& destination) {
  return {error.kind(), error.describe(),
          fmt::format("'{}' is incomplete: it has no global/pg_control, so PostgreSQL cannot start "
                      "there. {}",
                      destination.string(), next_step(error))};
}

// Places that are refused are no failure of the program.
template <typename Function>
auto refusing(Function&& function) {
  try {
    return function();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::conflict) throw;
    throw OperationFailed(error.describe(), error.hint());
  }
}

// Everything that can refuse the backup is known when it returns.
void prove(restore::RestorePlan& plan, stored::ManifestIndex* manifest,
           const restore::RestoreReporting& reporting, const Interrupt& interrupt) {
  try {
    restore::survey_plan(plan, manifest, reporting, interrupt);
    if (plan.trees.back().source->has_file(backup::kLabelFileName)) return;
    throw Error(ErrorKind::corrupt,
                fmt::format("Backup {} for server {} is damaged: none of its archives has \"{}\"",
                            plan.backup_id.value, plan.server_name, backup::kLabelFileName),
                "Restore another backup.");
  } catch (const Error& error) {  // It takes long: what became of the directory is asked then.
    reporting.progress.end();
    throw restore::explain_unchanged(error, plan);
  }
}

CloudRestoreResult execute(const restore::RestorePlan& plan, stored::ManifestIndex* manifest,
                           const restore::RestoreReporting& reporting, const Interrupt& interrupt) {
  try {
    restore::ExecutedRestore executed =
        restore::execute_plan(plan, restore::make_local_destination(plan, reporting, interrupt),
                              manifest, reporting, interrupt);
    return {.configuration = std::move(executed.configuration),
            .missing_files = std::move(executed.missing_files),
            .settings_file = {},
            .kept_bytes = executed.kept_bytes,
            .total_bytes = plan.total_bytes};
  } catch (const Error& error) {  // Only here it is known what is left behind.
    reporting.progress.end();
    // Somebody else has the directory: nothing in it was changed.
    if (error.kind() == ErrorKind::conflict) throw OperationFailed(error.describe(), error.hint());
    throw explain(error, plan.destination);
  }
}

}  // namespace

CloudRestoreResult restore_over(const CloudCatalogue& catalogue,
                                const catalogue::BackupInfo& backup,
                                const CloudRestoreRequest& asked,
                                const std::optional<CloudRecoveryFiles>& recovery) {
  refuse_root();
  const restore::RestoreRequest request = request_of(asked);
  const restore::Relocations relocations = relocations_of(asked, backup);
  restore::RestoreFacts facts = gather(catalogue, backup, request, relocations, asked.interrupt);
  const ScratchDirectory scratch("barman-cloud-restore");
  std::optional<stored::ManifestIndex> manifest;
  if (stored::fetch_manifest(catalogue, backup.id, scratch.path() / "manifest")) {
    manifest = stored::ManifestIndex::load(scratch.path() / "manifest");
  }
  stored::ManifestIndex* const index = manifest ? &*manifest : nullptr;
  stored::require_consistent(backup,
                             stored::gather_evidence(facts.content.back().content.get(), index));
  facts.scan = copy::scan_trees(restore::list_trees(facts, request.destination, relocations), index,
                                asked.interrupt);
  restore::RestorePlan plan =
      refusing([&] { return restore::build_plan(facts, request, {}, relocations); });
  plan_settings(backup, recovery, plan);
  plan.wal_return = {
      .read = fmt::format("for f in 0*; do {} $f || break; done", asked.archive_command)};

  LoggedMessages messages;
  for (const std::string& warning : plan.warnings) messages.warning(warning);
  NoProgress nobody;
  const restore::RestoreReporting reporting{messages,
                                            asked.progress != nullptr ? *asked.progress : nobody};
  // Places are refused before the long reading, and again after it.
  const auto refuse_places = [&] {
    restore::inspect_places(request, relocations, facts);
    restore::refuse_places(facts, request, plan);
  };
  refusing(refuse_places);
  prove(plan, index, reporting, asked.interrupt);
  const restore::PlaceLocks locks = refusing([&] {
    restore::PlaceLocks taken = restore::PlaceLocks::take_for(plan);
    refuse_places();
    return taken;
  });
  CloudRestoreResult result = execute(plan, index, reporting, asked.interrupt);
  if (recovery) {
    result.settings_file = recovery->settings_file;
  } else {
    // What is yours to review is yours to find, as ever.
    result.configuration.warnings.clear();
    result.missing_files.clear();
  }
  log::info(log::kBackupComponent, "Restored backup {} over {}", backup.id.value,
            plan.destination.string());
  return result;
}

}  // namespace barman::cloud

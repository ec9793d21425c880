#include "cli/dry_run.h"

#include "backup/delete_backup.h"
#include "backup/deletion_preview.h"
#include "base/hint.h"
#include "doctor/failed_backups.h"
#include "output/deletion_views.h"
#include "wal_archive/wal_archive.h"

namespace barman::cli {
namespace {

// Without the lock and the repairs of WalIndex::open(): a dry run touches nothing.
wal_archive::WalLines read_only_lines(const server::Server& server) {
  return [archive = wal_archive::WalArchive(server)](const wal_archive::WalIndexVisitor& visitor) {
    archive.visit_lines(visitor);
  };
}

void write(CommandContext& context, const server::Server& server,
           const backup::DeletionFacts& facts, const backup::DeletionPreview& preview) {
  output::PolicyText policy{.minimum_redundancy = facts.minimum_redundancy};
  if (facts.deletion_doubt) policy.minimum_redundancy.reset();
  if (server.config().retention_policy) policy.policy = server.config().retention_policy->text();
  output::write_deletion_preview(context.reporter, server.name(), policy, preview);
}

}  // namespace

void preview_delete(CommandContext& context, const server::Server& server,
                    const catalogue::BackupInfo& backup) {
  const backup::DeletionFacts facts = backup::gather_deletion_facts(server);
  const backup::DeletionPreview preview =
      backup::preview_deletion(facts, backup.id, read_only_lines(server));
  if (preview.refusal) {
    context.reporter.warning(*preview.refusal);
    context.reporter.error("Cannot delete backup (" + server.name() + " " + backup.id.value + ")");
    return;
  }
  if (preview.warning) context.reporter.warning(*preview.warning);
  write(context, server, facts, preview);
}

void preview_cron(CommandContext& context, const server::Server& server) {
  backup::DeletionFacts facts = backup::gather_deletion_facts(server);
  if (context.arguments.is_set("remove_failed")) {
    for (const catalogue::BackupInfo& failed :
         doctor::list_superseded_failures(facts.list.backups, facts.annotations)) {
      facts.superseded_failures.push_back(failed.id);
    }
  }
  if (facts.retention_doubt) {
    context.reporter.error(
        "No backup of server '" + server.name() + "' is deleted by a retention policy: " +
        with_hint(*facts.retention_doubt, "Correct it; 'barman check " + server.name() +
                                              "' tells whether it is understood."));
  }
  write(context, server, facts, backup::preview_retention(facts, read_only_lines(server)));
}

}  // namespace barman::cli

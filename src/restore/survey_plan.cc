#include "restore/survey_plan.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "base/text.h"
#include "copy/backup_tree.h"
#include "copy/surveyed_tree.h"
#include "stored/backup_evidence.h"

namespace barman::restore {
namespace {

bool is_unread(const RestorePlan& plan) {
  const bool has_unread_trees = std::ranges::any_of(
      plan.trees, [](const copy::TreeCopy& tree) { return !tree.source->has_random_access(); });
  return has_unread_trees || !plan.passed_through.empty();
}

// Of a chain, each with its own manifest.
void survey_older(RestorePlan& plan, const copy::SurveyOptions& options) {
  for (stored::ChainMember& member : plan.passed_through) {
    for (stored::BackupTree& tree : member.trees) {
      const copy::TreeCopy older{.source = tree.content,
                                 .destination = {},
                                 .manifest_prefix = tree.manifest_prefix(),
                                 .label = member.info.id.value,
                                 .is_data_directory = tree.is_data_directory(),
                                 .manifest_name = {}};
      tree.content = copy::survey_tree(older, member.manifest.get(), options);
    }
  }
}

void require_files(RestorePlan& plan, stored::ManifestIndex* manifest, const Interrupt& interrupt) {
  const copy::TreeScan scan = copy::scan_trees(plan.trees, manifest, interrupt);
  if (!scan.problems.empty()) {
    throw Error(ErrorKind::corrupt,
                fmt::format("backup '{}' of server '{}' is damaged: {}", plan.backup_id.value,
                            plan.server_name, join(scan.problems, ", ")),
                "Restore another backup.");
  }
  plan.total_bytes = scan.total_bytes;
  stored::require_consistent(plan.restored,
                             stored::gather_evidence(plan.trees.back().source.get(), manifest));
}

}  // namespace

void survey_plan(RestorePlan& plan, stored::ManifestIndex* manifest,
                 const RestoreReporting& reporting, const Interrupt& interrupt) {
  if (!plan.updates_existing || !is_unread(plan)) return;
  reporting.messages.info(
      fmt::format("Reading backup '{}' once before anything in '{}' is changed: it has archives "
                  "that can be read as a whole only.",
                  plan.backup_id.value, plan.destination.string()));
  reporting.progress.begin("check", plan.stored_bytes);
  const copy::SurveyOptions options{.worker_count = std::max<std::size_t>(plan.worker_count, 2),
                                    .progress = reporting.progress,
                                    .interrupt = interrupt};
  for (copy::TreeCopy& tree : plan.trees) tree.source = copy::survey_tree(tree, manifest, options);
  survey_older(plan, options);
  reporting.progress.end();
  // What a chain has together is known when it was put together.
  if (plan.chain.empty()) require_files(plan, manifest, interrupt);
}

Error explain_unchanged(const Error& error, const RestorePlan& plan) {
  return {error.kind(), error.describe(),
          fmt::format("{}{}Nothing in '{}' was changed.", error.hint(),
                      error.hint().empty() ? "" : " ", plan.destination.string())};
}

}  // namespace barman::restore

#include "copy/passed_chain.h"

#include <optional>
#include <utility>

#include "postgres/backup_label.h"
#include "postgres/backup_manifest.h"
#include "stored/incremental_file.h"

namespace barman::copy {

PassedChain::PassedChain(std::vector<stored::ChainMember> older, std::string backup_label,
                         std::size_t worker_count, Progress& progress, const Interrupt& interrupt)
    : older_(std::move(older)),
      label_(std::move(backup_label)),
      pass_(worker_count, progress, interrupt) {
  pass_.begin_backup();
}

bool PassedChain::take(const TaskOrigin& origin, const Place& place, const stored::Entry& entry,
                       const stored::ContentOpener& open, FileCopier& copier) {
  if (!stored::holds_relations(origin.manifest_prefix, entry.path)) {
    return place.is_data_directory && take_outside_of_relations(origin, place, entry, copier);
  }
  const std::optional<std::string> complete = stored::complete_name(entry.path);
  if (!complete) return false;
  const CopyTask task = make_copy_task(origin, entry, open, place.directory / *complete);
  pass_.add({.listed = origin.manifest_prefix + *complete,
             .destination = task.destination,
             .mode = task.mode,
             .modified = *task.modified},
            {.open = open, .name = task.source, .expected = task.expected});
  return true;
}

// The label loses what makes it incremental; the manifest is written anew.
bool PassedChain::take_outside_of_relations(const TaskOrigin& origin, const Place& place,
                                            const stored::Entry& entry, FileCopier& copier) const {
  if (entry.path == postgres::kBackupManifest) return true;
  if (entry.path != "backup_label") return false;
  stored::Entry derived = entry;
  derived.is_derived = true;
  const std::string label = postgres::without_incremental_lines(label_);
  derived.size_bytes = label.size();
  copier.submit(make_copy_task(
      origin, derived, [label] { return stored::make_text_file(label); },
      place.directory / entry.path));
  return true;
}

void PassedChain::read_older(CombinedManifest& combined) {
  pass_.end_backup();
  for (const stored::ChainMember& member : older_) {
    pass_.begin_backup();
    for (const stored::BackupTree& tree : member.trees) offer_tree(member, tree);
    pass_.end_backup();
  }
  pass_.finish(combined);
}

void PassedChain::offer_tree(const stored::ChainMember& member, const stored::BackupTree& tree) {
  const std::string prefix = tree.manifest_prefix();
  tree.content->read_through([&](const stored::Entry& entry, const stored::ContentOpener& open) {
    if (entry.is_directory || !stored::holds_relations(prefix, entry.path)) return;
    const std::optional<std::string> complete = stored::complete_name(entry.path);
    ChainPass::Source source{.open = open, .name = tree.content->describe(entry.path)};
    if (member.manifest) source.expected = member.manifest->find(prefix + entry.path);
    pass_.offer(prefix + (complete ? *complete : entry.path), complete.has_value(),
                std::move(source));
  });
}

}  // namespace barman::copy

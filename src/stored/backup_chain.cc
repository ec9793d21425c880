#include "stored/backup_chain.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/error.h"
#include "catalogue/backup_kind.h"
#include "postgres/backup_label.h"
#include "stored/backup_evidence.h"
#include "stored/backup_store.h"
#include "stored/combined_tree.h"
#include "stored/own_manifest.h"
#include "stored/scratch_tree.h"

namespace barman::stored {

using catalogue::BackupInfo;

namespace {

constexpr const char* kChooseOther = "Choose a backup that does not build on it.";

ChainMember open_member(const catalogue::Catalogue& catalogue, BackupInfo info,
                        const OpenOptions& options) {
  ChainMember member{.info = std::move(info)};
  member.trees = open_backup(catalogue, member.info, options);
  const auto path = BackupStore(catalogue).manifest_path(member.info.id);
  if (auto manifest = load_own_manifest(member.info, path)) {
    member.manifest = std::make_shared<ManifestIndex>(std::move(*manifest));
  }
  return member;
}

postgres::BackupLabel label_of(const BackupInfo& info) {
  if (!info.backup_label) {
    throw Error(ErrorKind::corrupt,
                fmt::format("backup '{}' has no backup_label in its backup.info", info.id.value),
                kChooseOther);
  }
  return in_context(fmt::format("the backup_label of backup '{}'", info.id.value),
                    [&] { return postgres::parse_backup_label(*info.backup_label); });
}

void require_link(const BackupInfo& child, const BackupInfo& parent) {
  const auto refuse = [&](const std::string& reason) {
    throw Error(ErrorKind::corrupt,
                fmt::format("incremental backup '{}' does not fit on its parent '{}': {}",
                            child.id.value, parent.id.value, reason),
                kChooseOther);
  };
  if (!parent.is_copy_done()) {
    refuse(fmt::format("the parent's status is {}", catalogue::status_text(parent.status)));
  }
  if (child.systemid && parent.systemid && *child.systemid != *parent.systemid) {
    refuse(fmt::format("they are of different clusters ({} and {})", *child.systemid,
                       *parent.systemid));
  }
  const postgres::BackupLabel from = label_of(child);
  const postgres::BackupLabel base = label_of(parent);
  if (!from.incremental_from_lsn || !from.incremental_from_timeline) {
    refuse("its backup_label is that of a full backup");
  }
  if (*from.incremental_from_lsn != base.start_wal_location ||
      *from.incremental_from_timeline != base.start_timeline) {
    refuse(fmt::format("it begins at {} on timeline {}, the parent at {} on timeline {}",
                       wal::format_lsn(*from.incremental_from_lsn),
                       from.incremental_from_timeline->value,
                       wal::format_lsn(base.start_wal_location), base.start_timeline.value));
  }
}

void require_full(const BackupInfo& root) {
  if (!root.backup_label || !label_of(root).incremental_from_lsn) return;
  throw Error(
      ErrorKind::corrupt,
      fmt::format("backup '{}' is incremental, but its backup.info names no parent", root.id.value),
      kChooseOther);
}

}  // namespace

std::vector<BackupInfo> list_chain(const catalogue::Catalogue& catalogue,
                                   const BackupInfo& backup) {
  std::vector<BackupInfo> chain = {backup};
  while (chain.back().parent_backup_id) {
    const catalogue::BackupId& parent = *chain.back().parent_backup_id;
    const bool is_known = std::any_of(chain.begin(), chain.end(),
                                      [&](const BackupInfo& link) { return link.id == parent; });
    if (is_known) {
      throw Error(ErrorKind::corrupt, fmt::format("backup '{}' builds on itself", parent.value),
                  kChooseOther);
    }
    try {
      chain.push_back(catalogue.load_backup(parent));
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::not_found) throw;
      throw Error(ErrorKind::not_found,
                  fmt::format("backup '{}' builds on backup '{}', which is not in the catalogue",
                              chain.back().id.value, parent.value),
                  kChooseOther);
    }
  }
  return chain;
}

BackupChain BackupChain::open(const catalogue::Catalogue& catalogue, const BackupInfo& backup,
                              OpenOptions options) {
  BackupChain chain;
  const std::vector<BackupInfo> links = list_chain(catalogue, backup);
  for (std::size_t index = 0; index + 1 < links.size(); ++index) {
    require_link(links[index], links[index + 1]);
  }
  require_full(links.back());
  const bool is_alone = links.size() == 1;
  options.without_index = is_alone ? WithoutIndex::give_up : WithoutIndex::scan;
  for (const BackupInfo& link : links) {
    chain.members_.push_back(open_member(catalogue, link, options));
    const ChainMember& member = chain.members_.back();
    require_consistent(member.info,
                       gather_evidence(member.trees.back().content.get(), member.manifest.get()));
  }
  return chain;
}

bool BackupChain::has_random_access() const {
  for (const ChainMember& member : members_) {
    for (const BackupTree& tree : member.trees) {
      if (!tree.content->has_random_access()) return false;
    }
  }
  return true;
}

std::vector<BackupTree> BackupChain::complete_trees() const {
  if (!is_incremental() || !has_random_access()) return members_.front().trees;
  std::vector<BackupTree> trees;
  for (const BackupTree& newest : members_.front().trees) {
    std::vector<ChainLink> links;
    for (const ChainMember& member : members_) {
      const auto found =
          std::find_if(member.trees.begin(), member.trees.end(),
                       [&](const BackupTree& tree) { return tree.oid == newest.oid; });
      links.push_back({found == member.trees.end() ? nullptr : found->content, member.manifest});
    }
    trees.push_back(
        {newest.oid, std::make_shared<CombinedTree>(std::move(links), newest.manifest_prefix())});
  }
  return trees;
}

BackupChain BackupChain::with_scratch_files(const std::filesystem::path& directory,
                                            const Interrupt& interrupt) const {
  BackupChain chain = *this;
  for (ChainMember& member : chain.members_) {
    for (BackupTree& tree : member.trees) {
      if (tree.content->has_random_access()) continue;
      tree.content = std::make_shared<ScratchTree>(tree.content, directory, interrupt);
    }
  }
  return chain;
}

bool BackupChain::has_mixed_checksums() const {
  using catalogue::DataChecksums;
  return data_checksums_of(backup()) == DataChecksums::on &&
         std::any_of(members_.begin(), members_.end(), [](const ChainMember& member) {
           return data_checksums_of(member.info) == DataChecksums::off;
         });
}

}  // namespace barman::stored

// A backup with everything it builds on: itself, or the links from an incremental backup down to
// its full one.
#pragma once

#include <memory>
#include <vector>

#include "catalogue/catalogue.h"
#include "stored/manifest_index.h"
#include "stored/open_backup.h"

namespace barman::stored {

struct ChainMember {
  catalogue::BackupInfo info;
  std::vector<BackupTree> trees;
  // nullptr when the backup has none.
  std::shared_ptr<ManifestIndex> manifest;
};

class BackupChain {
 public:
  // Finds the links and checks that they fit together: each parent is there, complete, of the same
  // cluster, and each incremental backup begins where its parent's label says; the files of each
  // are those of its metadata (backup_evidence.h).
  // Throws `not_found`, `corrupt` or `conflict` naming the link. No file but labels,
  // control files, manifests and indexes is read; an archive of a chain that has no index is read
  // to make it.
  static BackupChain open(const catalogue::Catalogue& catalogue,
                          const catalogue::BackupInfo& backup, OpenOptions options);

  // Newest first.
  const std::vector<ChainMember>& members() const { return members_; }
  const catalogue::BackupInfo& backup() const { return members_.front().info; }
  bool is_incremental() const { return members_.size() > 1; }
  // All files of all members can be opened at any time, in any order.
  bool has_random_access() const;
  // The complete backup: its own trees for a full one, combined ones for a chain. Tablespaces
  // first, the data directory last. A chain without random access cannot be combined like this: the
  // newest member's trees, for a pass through all members (restore/chain_pass.h).
  std::vector<BackupTree> complete_trees() const;
  // The same chain, where what can only be read from its beginning to its end (archives in one
  // piece, encrypted ones) was read into scratch files of that directory (scratch_tree.h): as much
  // space as those files need, and all of them are read now.
  BackupChain with_scratch_files(const std::filesystem::path& directory,
                                 const Interrupt& interrupt) const;
  // Some members have data checksums and some have not: pages of the latter cannot be checked, and
  // PostgreSQL will complain of them.
  bool has_mixed_checksums() const;

 private:
  std::vector<ChainMember> members_;
};

// The links of the chain by their metadata alone, newest first. Throws `not_found` when one is
// missing.
std::vector<catalogue::BackupInfo> list_chain(const catalogue::Catalogue& catalogue,
                                              const catalogue::BackupInfo& backup);

}  // namespace barman::stored

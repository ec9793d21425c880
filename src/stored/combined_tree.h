// A tree of an incremental backup as a complete one: incremental files appear as the files that
// they stand for, reconstructed from the chain while they are read.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "stored/content_tree.h"
#include "stored/manifest_index.h"

namespace barman::stored {

// The same tree in one backup of the chain.
struct ChainLink {
  std::shared_ptr<const ContentTree> tree;
  // May be nullptr: then sources are not compared with checksums.
  std::shared_ptr<const ManifestIndex> manifest;
};

class CombinedTree final : public ContentTree {
 public:
  // Newest first. A link without the tree (the tablespace did not exist yet) has tree == nullptr.
  // `manifest_prefix` as in BackupTree; "" is the data directory, whose backup_manifest is left out
  // and whose backup_label loses what makes it incremental.
  CombinedTree(std::vector<ChainLink> links, std::string manifest_prefix);

  void walk(const EntryVisitor& visit) const override;
  bool has_file(const std::string& path) const override;
  std::unique_ptr<ContentFile> open(const std::string& path) const override;
  std::string describe(const std::string& path) const override;

 private:
  bool is_data_directory() const { return prefix_.empty(); }
  std::string complete_label() const;
  std::unique_ptr<ContentFile> reconstruct(const std::string& path) const;
  const ContentTree& newest() const { return *links_.front().tree; }

  const std::vector<ChainLink> links_;
  const std::string prefix_;
};

}  // namespace barman::stored

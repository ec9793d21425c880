// A tree of an incremental backup as a complete one: incremental files appear as the files that
// they stand for, reconstructed from the chain while they are read.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
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

  // Reads the header of each incremental file, the first time; then 4 bytes a file are kept.
  void walk(const EntryVisitor& visit) const override;
  bool is_far() const override { return newest().is_far(); }
  bool has_file(const std::string& path) const override;
  std::unique_ptr<ContentFile> open(const std::string& path) const override;
  std::string describe(const std::string& path) const override;

 private:
  bool is_data_directory() const { return prefix_.empty(); }
  std::string complete_label() const;
  std::unique_ptr<ContentFile> reconstruct(const std::string& path) const;
  const ContentTree& newest() const { return *links_.front().tree; }

  // Of the incremental file that walk() meets as the n-th one.
  std::uint32_t block_count_of(std::size_t number, const std::string& path) const;

  const std::vector<ChainLink> links_;
  const std::string prefix_;
  mutable std::mutex mutex_;
  mutable std::vector<std::uint32_t> block_counts_;
};

}  // namespace barman::stored

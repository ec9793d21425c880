// The trees of a backup, and what of them belongs into a restored cluster.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/interrupt.h"
#include "stored/backup_chain.h"
#include "stored/content_tree.h"
#include "stored/manifest_index.h"

namespace barman::copy {

// The data directory, or one tablespace.
struct TreeCopy {
  std::shared_ptr<const stored::ContentTree> source;
  std::filesystem::path destination;
  // Of its files in the manifest: "" or "pg_tblspc/16384/".
  std::string manifest_prefix;
  // For progress.
  std::string label;
  bool is_data_directory = false;
  // New name of the data directory's backup_manifest.
  std::string manifest_name;
};

enum class EntryFate {
  copy,
  leave_out,
  // pg_control: copied when everything else is durable.
  copy_last,
};

// `path` is relative to the tree.
EntryFate fate_of(const TreeCopy& tree, std::string_view path);
// backup_manifest gets the ID of the backup; all other files keep their names.
std::string restored_name(const TreeCopy& tree, const std::string& path);

struct TreeScan {
  std::uint64_t file_count = 0;
  std::uint64_t total_bytes = 0;
  // The first few files that are missing or do not have the size that the manifest says.
  std::vector<std::string> problems;
};

// Reads directories and indexes only; trees that are not listed are passed over, and the total is
// the manifest's then. `manifest` may be nullptr.
TreeScan scan_trees(const std::vector<TreeCopy>& trees, stored::ManifestIndex* manifest,
                    const Interrupt& interrupt);
// The same of one backup of a chain, with its own manifest.
TreeScan scan_member(const stored::ChainMember& member, const Interrupt& interrupt);

}  // namespace barman::copy

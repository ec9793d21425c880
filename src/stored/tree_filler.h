// Puts files that can be read at any offset into a tree that is being written (backup_writer.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "stored/backup_writer.h"
#include "stored/content_tree.h"

namespace barman::stored {

// For one thread at a time; the tree lives longer. Members belong to the user that runs this.
class TreeFiller {
 public:
  explicit TreeFiller(TreeSink& tree) : tree_(tree) {}

  void add_directory(const Entry& entry);
  // Reads all of `file`, which messages call `name`; returns the CRC-32C of the content. Throws
  // `corrupt` when it has another size than its entry.
  std::uint32_t add_file(const Entry& entry, ContentFile& file, const std::string& name);

 private:
  TreeSink& tree_;
  std::vector<std::byte> buffer_ = std::vector<std::byte>(std::size_t{256} << 10);
};

}  // namespace barman::stored

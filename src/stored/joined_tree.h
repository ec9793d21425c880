// A tree that lies in several archives with indexes ("data.tar", "data_0001.tar" ...), as one: a
// file is in one of them, or in several, of which the last one counts; a directory may be listed
// behind its files or in another archive, or not at all.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "stored/archive_tree.h"
#include "stored/content_tree.h"

namespace barman::stored {

class JoinedTree final : public ContentTree {
 public:
  // At least one, in their order.
  explicit JoinedTree(std::vector<std::shared_ptr<const ArchiveTree>> archives);

  // Memory: the names of all directories.
  void walk(const EntryVisitor& visit) const override;
  bool is_far() const override { return archives_.front()->is_far(); }
  bool has_file(const std::string& path) const override;
  std::unique_ptr<ContentFile> open(const std::string& path) const override;
  std::string describe(const std::string& path) const override;

 private:
  // The last archive that has the file; the first one when none has.
  const ArchiveTree& holder_of(const std::string& path) const;

  const std::vector<std::shared_ptr<const ArchiveTree>> archives_;
  // Where there are several: by the hash of its path, which archives have a file, the last one
  // first. 16 bytes a file.
  std::vector<std::pair<std::uint64_t, std::uint32_t>> holders_;
};

}  // namespace barman::stored

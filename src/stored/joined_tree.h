// A tree that lies in several archives with indexes ("data.tar", "data_0001.tar" ...), as one: a
// file is in one of them, or in several, of which the last one counts; a directory may be listed
// behind its files or in another archive, or not at all.
#pragma once

#include <memory>
#include <string>
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
  bool has_file(const std::string& path) const override;
  std::unique_ptr<ContentFile> open(const std::string& path) const override;
  std::string describe(const std::string& path) const override;

 private:
  // Of the last archive that has the file; of the first one when none has.
  const ArchiveTree& holder_of(const std::string& path) const;

  const std::vector<std::shared_ptr<const ArchiveTree>> archives_;
};

}  // namespace barman::stored

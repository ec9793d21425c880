// A tree that can be read from its beginning to its end only, as one whose files can be opened in
// any order: it was read once, into a scratch file that nobody else can read
// (encryption/scratch_file.h).
//
// Space: as much as the files have, in `directory`. Memory: some 150 bytes a file.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/interrupt.h"
#include "encryption/scratch_file.h"
#include "stored/content_tree.h"

namespace barman::stored {

class ScratchTree final : public ContentTree {
 public:
  // Reads all of `source`. Throws what that throws, and `io`.
  ScratchTree(std::shared_ptr<const ContentTree> source, const std::filesystem::path& directory,
              const Interrupt& interrupt);

  void walk(const EntryVisitor& visit) const override;
  bool has_file(const std::string& path) const override;
  std::unique_ptr<ContentFile> open(const std::string& path) const override;
  std::string describe(const std::string& path) const override;

 private:
  struct Place {
    std::uint64_t offset = 0;
    std::uint64_t size_bytes = 0;
  };
  class File;

  void copy(const ContentOpener& open, const std::string& path, const Place& place);

  const std::shared_ptr<const ContentTree> source_;
  const std::shared_ptr<encryption::ScratchFile> scratch_;
  std::vector<Entry> entries_;
  std::map<std::string, Place, std::less<>> files_;
};

}  // namespace barman::stored

// A tree that lies in the catalogue as an archive without random access: compressed in one piece by
// the server or by another program, encrypted, or without its index. It is read once, from its
// beginning to its end, with read_through().
#pragma once

#include <memory>
#include <optional>

#include "base/interrupt.h"
#include "stored/archive_file.h"
#include "stored/content_tree.h"

namespace barman::stored {

class SequentialTree final : public ContentTree {
 public:
  // `cipher` is for encrypted archives.
  SequentialTree(ArchiveFile archive, Interrupt interrupt, encryption::Cipher cipher = {})
      : archive_(std::move(archive)),
        interrupt_(std::move(interrupt)),
        cipher_(std::move(cipher)) {}

  bool has_random_access() const override { return false; }
  // Decompression, the visitor, and those who read the files work side by side. Memory: at most
  // 4 MiB for each file that is being read.
  void read_through(const ContentVisitor& visit) const override;
  // Reads the whole archive.
  void walk(const EntryVisitor& visit) const override;
  // Throw `internal`.
  bool has_file(const std::string& path) const override;
  std::unique_ptr<ContentFile> open(const std::string& path) const override;
  std::string describe(const std::string& path) const override;

 private:
  const ArchiveFile archive_;
  const Interrupt interrupt_;
  const encryption::Cipher cipher_;
};

}  // namespace barman::stored

// A tree that lies in the catalogue as a tar archive with an index: any file is read by
// decompressing only the frames that hold it. walk() goes through the archive in its order, so that
// a restore reads it more or less from its beginning to its end.
#pragma once

#include <memory>
#include <optional>

#include "base/interrupt.h"
#include "stored/archive_file.h"
#include "stored/archive_index.h"
#include "stored/content_tree.h"
#include "stored/file_pool.h"
#include "stored/frame_cache.h"

namespace barman::stored {

class ArchiveTree final : public ContentTree {
 public:
  // The index must have random access.
  ArchiveTree(ArchiveFile archive, Fd file, ArchiveIndex index, std::shared_ptr<FrameCache> cache);

  void walk(const EntryVisitor& visit) const override;
  bool has_file(const std::string& path) const override;
  std::unique_ptr<ContentFile> open(const std::string& path) const override;
  // `…/base.tar.zst:base/1/1259`
  std::string describe(const std::string& path) const override;

 private:
  class File;

  FrameContent decode(std::size_t frame) const;

  const ArchiveFile archive_;
  const PooledFile file_;
  const ArchiveIndex index_;
  const std::shared_ptr<FrameCache> cache_;
};

enum class WithoutIndex {
  // Do not read the whole archive: nullptr.
  give_up,
  // Make the index by one pass over the archive, and keep it beside the archive if that is
  // possible.
  scan,
};

// nullptr when no part of the archive can be read without what is before it: it has one frame
// (compressed by the server, or by another program), no index, or is encrypted. A damaged index
// counts as none and is logged.
std::shared_ptr<ArchiveTree> open_archive_tree(const ArchiveFile& archive,
                                               std::shared_ptr<FrameCache> cache,
                                               WithoutIndex without_index,
                                               const Interrupt& interrupt);

// What walk() visits first: an archive says nothing of its root.
Entry archive_root(const ArchiveFile& archive);
// Links to tablespaces are passed over, other links throw `corrupt`.
void visit_as_entry(const pipeline::TarMember& member, const EntryVisitor& visit,
                    const std::string& archive_name);

}  // namespace barman::stored

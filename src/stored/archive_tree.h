// A tree that lies in the catalogue or in a bucket as a tar archive with an index: any file is read
// by reading and decompressing only the frames that hold it. walk() goes through the archive in its
// order, so that a restore reads it more or less from its beginning to its end.
#pragma once

#include <memory>
#include <string>

#include "base/interrupt.h"
#include "stored/archive_bytes.h"
#include "stored/archive_file.h"
#include "stored/archive_index.h"
#include "stored/content_tree.h"
#include "stored/frame_cache.h"

namespace barman::stored {

class ArchiveTree final : public ContentTree {
 public:
  // How what is not compressed is read: as it is asked for, or in pieces that the cache keeps,
  // where each reading costs a request.
  enum class Reading { as_asked, in_pieces };

  // `name` is for messages; `root` is what walk() visits first. The index must have random access.
  ArchiveTree(std::string name, Entry root, std::unique_ptr<const ArchiveBytes> bytes,
              ArchiveIndex index, std::shared_ptr<FrameCache> cache, Reading reading);

  void walk(const EntryVisitor& visit) const override;
  bool is_far() const override { return reading_ == Reading::in_pieces; }
  bool has_file(const std::string& path) const override;
  std::unique_ptr<ContentFile> open(const std::string& path) const override;
  // `…/base.tar.zst:base/1/1259`
  std::string describe(const std::string& path) const override;

 private:
  class File;

  // A part of the tar stream that is read as a whole.
  struct Frame {
    std::size_t number = 0;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
  };
  Frame frame_at(std::uint64_t stream_offset) const;
  FrameContent read_frame(const Frame& frame) const;
  FrameContent decode(std::size_t frame) const;

  const std::string name_;
  const Entry root_;
  const std::unique_ptr<const ArchiveBytes> bytes_;
  const ArchiveIndex index_;
  const std::shared_ptr<FrameCache> cache_;
  const Reading reading_;
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

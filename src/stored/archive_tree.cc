#include "stored/archive_tree.h"

#include <fcntl.h>

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "base/error.h"
#include "base/log.h"
#include "base/log_components.h"
#include "compression/frame_codec.h"
#include "stored/scan_archive.h"

namespace barman::stored {
namespace {

using pipeline::TarMember;
using pipeline::TarMemberType;

constexpr std::string_view kTablespaceLinks = "pg_tblspc/";
constexpr mode_t kRootMode = 0700;

}  // namespace

class ArchiveTree::File final : public ContentFile {
 public:
  File(const ArchiveTree& tree, std::string path, ArchiveIndex::Location location)
      : tree_(tree), path_(std::move(path)), location_(location) {}

  std::size_t read_at(std::uint64_t offset, MutableBytes buffer) override {
    if (offset >= location_.size_bytes) return 0;
    const auto size = static_cast<std::size_t>(
        std::min<std::uint64_t>(buffer.size(), location_.size_bytes - offset));
    in_context(fmt::format("reading \"{}\"", path_),
               [&] { read_stream(location_.content_offset + offset, buffer.first(size)); });
    return size;
  }
  std::uint64_t size_bytes() const override { return location_.size_bytes; }

 private:
  void read_stream(std::uint64_t stream_offset, MutableBytes buffer) {
    if (!tree_.archive_.algorithm) {
      if (read_full_at(*tree_.file_.get(), buffer, stream_offset, tree_.archive_.path) <
          buffer.size()) {
        throw Error(ErrorKind::corrupt,
                    fmt::format("\"{}\" is shorter than it was", tree_.archive_.path.string()));
      }
      return;
    }
    while (!buffer.empty()) {
      load_frame_at(stream_offset);
      const Bytes content = content_->view();
      const auto begin =
          static_cast<std::size_t>(stream_offset - tree_.index_.frames()[frame_].stream_offset);
      const std::size_t size = std::min(buffer.size(), content.size() - begin);
      std::memcpy(buffer.data(), content.data() + begin, size);
      buffer = buffer.subspan(size);
      stream_offset += size;
    }
  }

  void load_frame_at(std::uint64_t stream_offset) {
    const std::vector<ArchiveIndex::Frame>& frames = tree_.index_.frames();
    if (content_ && stream_offset >= frames[frame_].stream_offset &&
        stream_offset < frames[frame_ + 1].stream_offset) {
      return;
    }
    const auto behind = std::upper_bound(frames.begin(), frames.end(), stream_offset,
                                         [](std::uint64_t value, const ArchiveIndex::Frame& frame) {
                                           return value < frame.stream_offset;
                                         });
    frame_ = static_cast<std::size_t>(behind - frames.begin()) - 1;
    content_.reset();
    content_ = tree_.cache_->get(&tree_, frame_, [this] { return tree_.decode(frame_); });
  }

  const ArchiveTree& tree_;
  const std::string path_;
  const ArchiveIndex::Location location_;
  // The last frame, which the next read begins with as a rule.
  std::size_t frame_ = 0;
  std::shared_ptr<const FrameContent> content_;
};

ArchiveTree::ArchiveTree(ArchiveFile archive, Fd file, ArchiveIndex index,
                         std::shared_ptr<FrameCache> cache)
    : archive_(std::move(archive)),
      file_(std::move(file), archive_.path),
      index_(std::move(index)),
      cache_(std::move(cache)) {
  ::posix_fadvise(file_.get()->get(), 0, 0, POSIX_FADV_SEQUENTIAL);
}

FrameContent ArchiveTree::decode(std::size_t frame) const {
  const ArchiveIndex::Frame& begin = index_.frames()[frame];
  const ArchiveIndex::Frame& end = index_.frames()[frame + 1];
  const auto frame_size = static_cast<std::size_t>(end.archive_offset - begin.archive_offset);
  const auto content_size = static_cast<std::size_t>(end.stream_offset - begin.stream_offset);
  const auto compressed = std::make_unique_for_overwrite<std::byte[]>(frame_size);
  const MutableBytes frame_bytes(compressed.get(), frame_size);
  if (read_full_at(*file_.get(), frame_bytes, begin.archive_offset, archive_.path) < frame_size) {
    throw Error(ErrorKind::corrupt,
                fmt::format("\"{}\" is shorter than it was", archive_.path.string()));
  }
  FrameContent content{std::make_unique_for_overwrite<std::byte[]>(content_size), content_size};
  compression::make_frame_decoder(*archive_.algorithm)
      ->decode(frame_bytes, MutableBytes(content.bytes.get(), content_size),
               archive_.path.string());
  return content;
}

void ArchiveTree::walk(const EntryVisitor& visit) const {
  visit(archive_root(archive_));
  index_.for_each(
      [&](const TarMember& member) { visit_as_entry(member, visit, archive_.path.string()); });
}

bool ArchiveTree::has_file(const std::string& path) const { return index_.find(path).has_value(); }

std::unique_ptr<ContentFile> ArchiveTree::open(const std::string& path) const {
  const std::optional<ArchiveIndex::Location> location = index_.find(path);
  if (!location) {
    throw Error(ErrorKind::not_found, fmt::format("there is no file \"{}\"", describe(path)));
  }
  return std::make_unique<File>(*this, path, *location);
}

std::string ArchiveTree::describe(const std::string& path) const {
  return archive_.path.string() + ":" + path;
}

Entry archive_root(const ArchiveFile& archive) {
  const Fd file = open_file(archive.path, O_RDONLY);
  return {.is_directory = true,
          .mode = kRootMode,
          .mtime_seconds = stamp_of(file, archive.path).mtime_seconds};
}

void visit_as_entry(const TarMember& member, const EntryVisitor& visit,
                    const std::string& archive_name) {
  if (member.type == TarMemberType::symlink) {
    if (member.path.starts_with(kTablespaceLinks)) return;
    throw Error(ErrorKind::corrupt,
                fmt::format("\"{}:{}\" of the backup is neither a file nor a directory",
                            archive_name, member.path),
                "Backups hold no links; choose another backup.");
  }
  visit({.path = member.path,
         .is_directory = member.type == TarMemberType::directory,
         .mode = member.mode,
         .size_bytes = member.size_bytes,
         .mtime_seconds = member.mtime});
}

std::shared_ptr<ArchiveTree> open_archive_tree(const ArchiveFile& archive,
                                               std::shared_ptr<FrameCache> cache,
                                               WithoutIndex without_index,
                                               const Interrupt& interrupt) {
  if (archive.is_encrypted) return nullptr;
  Fd file = open_file(archive.path, O_RDONLY);
  std::optional<ArchiveIndex> index;
  try {
    index = ArchiveIndex::load(archive, file, archive.index_path());
  } catch (const Error& error) {  // The archive has all that the index has.
    if (error.kind() != ErrorKind::corrupt) throw;
    log::warning(log::kContentComponent, "{}; going on without it", error.describe());
  }
  if (!index && without_index == WithoutIndex::scan) index = scan_archive(archive, interrupt);
  if (!index || !index->has_random_access()) return nullptr;
  return std::make_shared<ArchiveTree>(archive, std::move(file), std::move(*index),
                                       std::move(cache));
}

}  // namespace barman::stored

#include "stored/archive_tree.h"

#include <fcntl.h>

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/log.h"
#include "base/log_components.h"
#include "compression/frame_codec.h"
#include "compression/piece_codec.h"
#include "stored/file_pool.h"
#include "stored/scan_archive.h"

namespace barman::stored {
namespace {

using pipeline::TarMember;
using pipeline::TarMemberType;

constexpr std::string_view kTablespaceLinks = "pg_tblspc/";
constexpr mode_t kRootMode = 0700;

// Of an archive that is not compressed, in a bucket.
constexpr std::uint64_t kPiece = std::uint64_t{256} << 10;

class FileBytes final : public ArchiveBytes {
 public:
  FileBytes(Fd file, std::filesystem::path path)
      : path_(std::move(path)), file_(std::move(file), path_) {
    ::posix_fadvise(file_.get()->get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  }
  void read(std::uint64_t offset, MutableBytes buffer) const override {
    if (read_full_at(*file_.get(), buffer, offset, path_) < buffer.size()) {
      throw Error(ErrorKind::corrupt, fmt::format("\"{}\" is shorter than it was", path_.string()));
    }
  }

 private:
  const std::filesystem::path path_;
  const PooledFile file_;
};

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
    if (!tree_.index_.facts().algorithm && tree_.reading_ == Reading::as_asked) {
      return tree_.bytes_->read(stream_offset, buffer);
    }
    while (!buffer.empty()) {
      load_frame_at(stream_offset);
      const Bytes content = content_->view();
      const auto begin = static_cast<std::size_t>(stream_offset - frame_.begin);
      const std::size_t size = std::min(buffer.size(), content.size() - begin);
      std::memcpy(buffer.data(), content.data() + begin, size);
      buffer = buffer.subspan(size);
      stream_offset += size;
    }
  }

  void load_frame_at(std::uint64_t stream_offset) {
    if (content_ && stream_offset >= frame_.begin && stream_offset < frame_.end) return;
    frame_ = tree_.frame_at(stream_offset);
    content_.reset();
    content_ =
        tree_.cache_->get(&tree_, frame_.number, [this] { return tree_.read_frame(frame_); });
  }

  const ArchiveTree& tree_;
  const std::string path_;
  const ArchiveIndex::Location location_;
  // The last frame, which the next read begins with as a rule.
  Frame frame_;
  std::shared_ptr<const FrameContent> content_;
};

ArchiveTree::ArchiveTree(std::string name, Entry root, std::unique_ptr<const ArchiveBytes> bytes,
                         ArchiveIndex index, std::shared_ptr<FrameCache> cache, Reading reading)
    : name_(std::move(name)),
      root_(std::move(root)),
      bytes_(std::move(bytes)),
      index_(std::move(index)),
      cache_(std::move(cache)),
      reading_(reading) {}

ArchiveTree::Frame ArchiveTree::frame_at(std::uint64_t stream_offset) const {
  if (!index_.facts().algorithm) {
    const std::uint64_t number = stream_offset / kPiece;
    return {.number = static_cast<std::size_t>(number),
            .begin = number * kPiece,
            .end = std::min((number + 1) * kPiece, index_.facts().stream_size)};
  }
  const std::vector<ArchiveIndex::Frame>& frames = index_.frames();
  const auto behind = std::upper_bound(frames.begin(), frames.end(), stream_offset,
                                       [](std::uint64_t value, const ArchiveIndex::Frame& frame) {
                                         return value < frame.stream_offset;
                                       });
  const auto number = static_cast<std::size_t>(behind - frames.begin()) - 1;
  return {.number = number,
          .begin = frames[number].stream_offset,
          .end = frames[number + 1].stream_offset};
}

FrameContent ArchiveTree::read_frame(const Frame& frame) const {
  if (index_.facts().algorithm) return decode(frame.number);
  const auto size = static_cast<std::size_t>(frame.end - frame.begin);
  FrameContent content{std::make_unique_for_overwrite<std::byte[]>(size), size};
  bytes_->read(frame.begin, MutableBytes(content.bytes.get(), size));
  return content;
}

FrameContent ArchiveTree::decode(std::size_t frame) const {
  const ArchiveIndex::Frame& begin = index_.frames()[frame];
  const ArchiveIndex::Frame& end = index_.frames()[frame + 1];
  const auto frame_size = static_cast<std::size_t>(end.archive_offset - begin.archive_offset);
  const auto content_size = static_cast<std::size_t>(end.stream_offset - begin.stream_offset);
  const auto compressed = std::make_unique_for_overwrite<std::byte[]>(frame_size);
  const MutableBytes frame_bytes(compressed.get(), frame_size);
  bytes_->read(begin.archive_offset, frame_bytes);
  FrameContent content{std::make_unique_for_overwrite<std::byte[]>(content_size), content_size};
  const MutableBytes content_bytes(content.bytes.get(), content_size);
  const compression::Algorithm algorithm = *index_.facts().algorithm;
  if (index_.facts().joining == compression::Joining::frames) {
    compression::make_frame_decoder(algorithm)->decode(frame_bytes, content_bytes, name_);
    return content;
  }
  compression::make_piece_decoder(algorithm)->decode(frame_bytes, content_bytes, name_);
  if (crc32c_finish(crc32c_extend(kCrc32cInitial, content_bytes)) != begin.content_crc) {
    throw Error(ErrorKind::corrupt,
                fmt::format("\"{}\" is damaged: the checksum of a piece is wrong", name_),
                "Restore another backup.");
  }
  return content;
}

void ArchiveTree::walk(const EntryVisitor& visit) const {
  visit(root_);
  index_.for_each([&](const IndexedMember& member) {
    visit_as_entry(
        member,
        [&](Entry entry) {
          entry.content_crc32c = member.content_crc32c;
          visit(entry);
        },
        name_);
  });
}

bool ArchiveTree::has_file(const std::string& path) const { return index_.find(path).has_value(); }

std::unique_ptr<ContentFile> ArchiveTree::open(const std::string& path) const {
  const std::optional<ArchiveIndex::Location> location = index_.find(path);
  if (!location) {
    throw Error(ErrorKind::not_found, fmt::format("there is no file \"{}\"", describe(path)));
  }
  return std::make_unique<File>(*this, path, *location);
}

std::string ArchiveTree::describe(const std::string& path) const { return name_ + ":" + path; }

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
  return std::make_shared<ArchiveTree>(archive.path.string(), archive_root(archive),
                                       std::make_unique<FileBytes>(std::move(file), archive.path),
                                       std::move(*index), std::move(cache),
                                       ArchiveTree::Reading::as_asked);
}

}  // namespace barman::stored

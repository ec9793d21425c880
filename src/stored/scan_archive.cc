#include "stored/scan_archive.h"

#include <fcntl.h>
#include <unistd.h>

#include <memory>
#include <vector>

#include <fmt/format.h>

#include "base/anonymous_file.h"
#include "base/error.h"
#include "base/log.h"
#include "base/log_components.h"
#include "compression/codec.h"

namespace barman::stored {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kScanBlockSize = std::size_t{1} << 20;

class MemberCollector final : public pipeline::TarVisitor {
 public:
  explicit MemberCollector(ArchiveIndexWriter& writer) : writer_(writer) {}
  void begin_member(const pipeline::TarMember& member) override { writer_.add(member); }
  void write(Bytes) override {}
  void end_member() override {}

 private:
  ArchiveIndexWriter& writer_;
};

// Counts what passes.
class CountingSink final : public pipeline::Sink {
 public:
  explicit CountingSink(pipeline::Sink& next) : next_(next) {}
  void write(Bytes data) override {
    size_bytes += data.size();
    next_.write(data);
  }
  void finish() override { next_.finish(); }
  std::uint64_t size_bytes = 0;

 private:
  pipeline::Sink& next_;
};

// The frames as their ends are found; none when one of them is of no use for random access.
class FrameCollector {
 public:
  void end_frame(std::uint64_t archive_offset, std::uint64_t stream_offset) {
    const std::uint64_t frame_bytes = archive_offset - archive_offset_;
    const std::uint64_t content_bytes = stream_offset - stream_offset_;
    archive_offset_ = archive_offset;
    stream_offset_ = stream_offset;
    if (content_bytes == 0 || content_bytes > kMaxFrameContent || frame_bytes > UINT32_MAX) {
      is_useless_ = true;
    }
    if (is_useless_) return;
    frames_.push_back({.frame_bytes = static_cast<std::uint32_t>(frame_bytes),
                       .content_bytes = static_cast<std::uint32_t>(content_bytes)});
  }
  std::vector<compression::FrameSize> finish(std::uint64_t archive_size) {
    if (is_useless_ || archive_offset_ != archive_size) return {};
    return std::move(frames_);
  }

 private:
  std::uint64_t archive_offset_ = 0;
  std::uint64_t stream_offset_ = 0;
  bool is_useless_ = false;
  std::vector<compression::FrameSize> frames_;
};

void write_index(const ArchiveFile& archive, const Fd& file, ArchiveIndexWriter& writer,
                 const Interrupt& interrupt) {
  MemberCollector members(writer);
  pipeline::TarReader reader(members, archive.path.string());
  CountingSink stream(reader);
  FrameCollector frames;
  std::uint64_t pushed = 0;
  std::unique_ptr<pipeline::Sink> decompressor;
  if (archive.algorithm) {
    decompressor = compression::make_decompressor(
        *archive.algorithm, stream, archive.path.string(),
        [&](std::size_t unread) { frames.end_frame(pushed - unread, stream.size_bytes); });
  }
  pipeline::Sink& sink = decompressor ? *decompressor : stream;
  const ArchiveStamp stamp = stamp_of(file, archive.path);
  std::vector<std::byte> buffer(kScanBlockSize);
  for (;;) {
    interrupt.throw_if_requested();
    const std::size_t size = read_full_at(file, buffer, pushed, archive.path);
    pushed += size;
    sink.write(Bytes(buffer).first(size));
    if (size < buffer.size()) break;
  }
  sink.finish();
  writer.commit(
      {.stamp = stamp, .stream_size = stream.size_bytes, .algorithm = archive.algorithm},
      archive.algorithm ? frames.finish(stamp.size_bytes) : std::vector<compression::FrameSize>());
}

ArchiveIndex require_written(std::optional<ArchiveIndex> index, const ArchiveFile& archive) {
  if (index) return std::move(*index);
  throw Error(ErrorKind::corrupt,
              fmt::format("\"{}\" changed while it was read", archive.path.string()),
              "Let nothing write to the catalogue; try again.");
}

}  // namespace

ArchiveIndex scan_archive(const ArchiveFile& archive, const Interrupt& interrupt) {
  log::info(log::kContentComponent, "reading \"{}\" to make its index", archive.path.string());
  const Fd file = open_file(archive.path, O_RDONLY);
  const fs::path directory = archive.path.parent_path();
  if (::access(directory.c_str(), W_OK) == 0) {
    ArchiveIndexWriter writer(archive.index_path());
    write_index(archive, file, writer, interrupt);
    return require_written(ArchiveIndex::load(archive, file, archive.index_path()), archive);
  }
  Fd index = open_anonymous_file(fs::temp_directory_path());
  ArchiveIndexWriter writer(index);
  write_index(archive, file, writer, interrupt);
  return require_written(ArchiveIndex::load(archive, file, std::move(index)), archive);
}

}  // namespace barman::stored

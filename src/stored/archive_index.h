// The index beside an archive of a backup: where each member lies in the tar stream, and where each
// compressed frame lies in the file (docs/formats/archive_index.md). It makes any file of the
// backup readable without reading the archive from its beginning. Everything in it can be made
// again from the archive.
//
// A million members take 24 MiB in memory, and each 2 MiB of the tar stream take 16 bytes; the
// names stay in the file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/durable.h"
#include "compression/algorithm.h"
#include "compression/parallel_compressor.h"
#include "pipeline/sink.h"
#include "pipeline/tar_reader.h"
#include "stored/archive_file.h"
#include "stored/path_table.h"

namespace barman::stored {

// A larger frame is not worth being decompressed for a part of it: it is not listed.
inline constexpr std::uint64_t kMaxFrameContent = std::uint64_t{16} << 20;

// What an index says besides its members.
struct ArchiveFacts {
  ArchiveStamp stamp;
  // Of the tar stream.
  std::uint64_t stream_size = 0;
  std::optional<compression::Algorithm> algorithm;
  // Of a compressed one: a row of frames, or pieces of one stream (compression/piece_codec.h).
  compression::Joining joining = compression::Joining::frames;
  // Behind the head of the stream; 0 for a row of frames.
  std::uint64_t first_frame_offset = 0;
  // Each regular file has that of its content.
  bool has_file_checksums = false;
};

// What an index says of a member.
struct IndexedMember : pipeline::TarMember {
  std::optional<std::uint32_t> content_crc32c = {};
};

// Writes the index while the archive comes in.
class ArchiveIndexWriter {
 public:
  // The file appears with commit().
  explicit ArchiveIndexWriter(const std::filesystem::path& path);
  // Into an open file without a name, which lives longer.
  explicit ArchiveIndexWriter(const Fd& anonymous_file);
  // Into an object, which lives longer and is finished by its owner.
  explicit ArchiveIndexWriter(pipeline::Sink& object);
  ArchiveIndexWriter(const ArchiveIndexWriter&) = delete;
  ArchiveIndexWriter& operator=(const ArchiveIndexWriter&) = delete;

  // In the order of the archive. With the CRC-32C of the content of all regular files, or of none.
  void add(const pipeline::TarMember& member, std::optional<std::uint32_t> content_crc32c = {});
  // No frames: the archive can be read from its beginning only, or is not compressed.
  void commit(const ArchiveFacts& facts, const std::vector<compression::FrameSize>& frames);
  std::uint64_t size_bytes() const { return size_bytes_; }

 private:
  void put_number(std::uint64_t value);
  void put_fixed(std::uint64_t value, std::size_t size_bytes);
  void flush();

  std::optional<AtomicFile> file_;
  const std::function<void(Bytes)> write_;
  std::string pending_;
  std::uint32_t crc_;
  std::uint64_t size_bytes_ = 0;
  std::string previous_path_;
  std::int64_t previous_mtime_ = 0;
  std::uint64_t previous_offset_ = 0;
  std::uint64_t member_count_ = 0;
};

// Where an index is read from: a file, or bytes in a test. Fewer bytes only at the end.
using ReadAt = std::function<std::size_t(std::uint64_t offset, MutableBytes buffer)>;

class ArchiveIndex {
 public:
  struct Frame {
    std::uint64_t archive_offset = 0;
    std::uint64_t stream_offset = 0;
    // CRC-32C of its content, of a piece of one stream.
    std::uint32_t content_crc = 0;
  };
  struct Location {
    std::uint64_t content_offset = 0;
    std::uint64_t size_bytes = 0;
  };
  using MemberVisitor = std::function<void(const IndexedMember&)>;

  // The index of this archive; nullopt when there is none, or when it is of another version or of
  // another state of the archive. Throws `corrupt` when it is damaged.
  static std::optional<ArchiveIndex> load(const ArchiveFile& archive, const Fd& archive_fd,
                                          const std::filesystem::path& index_path);
  // The same of an index in a file without a name, which stays open as long as the index lives.
  static std::optional<ArchiveIndex> load(const ArchiveFile& archive, const Fd& archive_fd,
                                          Fd anonymous_file);
  // The same of any bytes. nullopt for an unknown version.
  static std::optional<ArchiveIndex> parse(ReadAt read_at, std::uint64_t size_bytes,
                                           const std::string& name);

  const ArchiveFacts& facts() const { return facts_; }
  // Where the content of a regular file lies in the tar stream. Thread-safe.
  std::optional<Location> find(std::string_view path) const;
  // In the order of the archive; reads the names again. Thread-safe.
  void for_each(const MemberVisitor& visit) const;

  // Whether a part of the stream can be read without what is before it.
  bool has_random_access() const { return !facts_.algorithm || frames_.size() > 1; }
  // Frames and the end behind them: frame i is between frames()[i] and frames()[i + 1].
  const std::vector<Frame>& frames() const { return frames_; }

 private:
  class Input;
  static std::optional<ArchiveIndex> parse_for(const ArchiveFile& archive, const Fd& archive_fd,
                                               ReadAt read_at, std::uint64_t size_bytes,
                                               const std::string& name);
  void parse_members(Input& input, const MemberVisitor& visit) const;
  void parse_frames(Input& input, std::uint64_t count);
  [[noreturn]] void fail(std::string_view reason) const;

  ReadAt read_at_;
  std::string name_;
  ArchiveFacts facts_;
  std::uint64_t member_count_ = 0;
  std::uint64_t members_end_ = 0;
  PathTable<Location> records_;
  std::vector<Frame> frames_;
};

}  // namespace barman::stored

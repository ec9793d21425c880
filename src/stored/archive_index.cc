// docs/formats/archive_index.md
#include "stored/archive_index.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/error.h"
#include "pipeline/relative_path.h"
#include "stored/file_pool.h"

namespace barman::stored {
namespace {

using compression::Algorithm;
using pipeline::TarMember;
using pipeline::TarMemberType;

constexpr std::string_view kMagic = "BARMANIX";
constexpr std::uint32_t kVersion = 1;
// The frames are pieces of one stream.
constexpr std::uint32_t kOneStreamVersion = 2;
// The same, with a checksum of each regular file.
constexpr std::uint32_t kFileChecksumVersion = 3;
// Six numbers of 8 bytes, three of 4, the magic.
constexpr std::size_t kFooterSize = 68;
constexpr std::size_t kChecksumOffset = 56;
constexpr std::size_t kMaxPath = 65536;
constexpr std::size_t kBufferSize = 65536;
constexpr const char* kAnonymous = "index of an archive";

constexpr std::array<std::pair<TarMemberType, char>, 3> kTypes = {{{TarMemberType::regular, 'f'},
                                                                   {TarMemberType::directory, 'd'},
                                                                   {TarMemberType::symlink, 'l'}}};
constexpr std::array<std::optional<Algorithm>, 5> kIndexedAlgorithms = {
    std::nullopt, Algorithm::gzip, Algorithm::lz4, Algorithm::zstd, Algorithm::xz};

std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1U) ^ static_cast<std::uint64_t>(value >> 63);
}
std::int64_t unzigzag(std::uint64_t value) {
  return static_cast<std::int64_t>((value >> 1U) ^ (~(value & 1U) + 1U));
}

std::uint64_t get_fixed(Bytes bytes, std::size_t offset, std::size_t size_bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = size_bytes; i-- > 0;)
    value = value << 8U | std::to_integer<std::uint64_t>(bytes[offset + i]);
  return value;
}

}  // namespace

ArchiveIndexWriter::ArchiveIndexWriter(const std::filesystem::path& path)
    : file_(std::in_place, path, 0600),
      write_([this](Bytes data) { write_full(file_->fd(), data, file_->temporary_path()); }),
      pending_(kMagic),
      crc_(kCrc32cInitial) {}

ArchiveIndexWriter::ArchiveIndexWriter(const Fd& anonymous_file)
    : write_([&anonymous_file](Bytes data) { write_full(anonymous_file, data, kAnonymous); }),
      pending_(kMagic),
      crc_(kCrc32cInitial) {}

ArchiveIndexWriter::ArchiveIndexWriter(pipeline::Sink& object)
    : write_([&object](Bytes data) { object.write(data); }),
      pending_(kMagic),
      crc_(kCrc32cInitial) {}

void ArchiveIndexWriter::put_number(std::uint64_t value) {
  for (; value >= 0x80U; value >>= 7U)
    pending_.push_back(static_cast<char>(static_cast<unsigned char>(value | 0x80U)));
  pending_.push_back(static_cast<char>(value));
}

void ArchiveIndexWriter::put_fixed(std::uint64_t value, std::size_t size_bytes) {
  for (std::size_t i = 0; i < size_bytes; ++i, value >>= 8U)
    pending_.push_back(static_cast<char>(static_cast<unsigned char>(value & 0xFFU)));
}

void ArchiveIndexWriter::flush() {
  crc_ = crc32c_extend(crc_, as_bytes(pending_));
  write_(as_bytes(pending_));
  size_bytes_ += pending_.size();
  pending_.clear();
}

void ArchiveIndexWriter::add(const TarMember& member, std::optional<std::uint32_t> content_crc32c) {
  const auto shared =
      static_cast<std::size_t>(std::mismatch(member.path.begin(), member.path.end(),
                                             previous_path_.begin(), previous_path_.end())
                                   .first -
                               member.path.begin());
  const auto* const type = std::find_if(
      kTypes.begin(), kTypes.end(), [&](const auto& entry) { return entry.first == member.type; });
  pending_.push_back(type->second);
  put_number(shared);
  put_number(member.path.size() - shared);
  pending_.append(member.path, shared);
  put_number(member.mode);
  put_number(zigzag(member.mtime - previous_mtime_));
  put_number(member.content_offset - previous_offset_);
  put_number(member.size_bytes);
  if (content_crc32c && member.type == TarMemberType::regular) put_fixed(*content_crc32c, 4);
  if (member.type == TarMemberType::symlink) {
    put_number(member.link_target.size());
    pending_.append(member.link_target);
  }
  previous_path_ = member.path;
  previous_mtime_ = member.mtime;
  previous_offset_ = member.content_offset;
  ++member_count_;
  if (pending_.size() >= kBufferSize) flush();
}

void ArchiveIndexWriter::commit(const ArchiveFacts& facts,
                                const std::vector<compression::FrameSize>& frames) {
  flush();
  const std::uint64_t members_end = size_bytes_;
  const bool is_one_stream = facts.joining == compression::Joining::one_stream;
  if (is_one_stream) put_number(facts.first_frame_offset);
  for (const compression::FrameSize& frame : frames) {
    put_number(frame.frame_bytes);
    put_number(frame.content_bytes);
    if (is_one_stream) put_fixed(frame.content_crc, 4);
    if (pending_.size() >= kBufferSize) flush();
  }
  const auto* const algorithm =
      std::find(kIndexedAlgorithms.begin(), kIndexedAlgorithms.end(), facts.algorithm);
  put_fixed(members_end, 8);
  put_fixed(member_count_, 8);
  put_fixed(frames.size(), 8);
  put_fixed(facts.stamp.size_bytes, 8);
  put_fixed(static_cast<std::uint64_t>(facts.stamp.mtime_seconds), 8);
  put_fixed(facts.stream_size, 8);
  put_fixed(static_cast<std::uint64_t>(algorithm - kIndexedAlgorithms.begin()), 4);
  put_fixed(facts.has_file_checksums ? kFileChecksumVersion
            : is_one_stream          ? kOneStreamVersion
                                     : kVersion,
            4);
  flush();
  put_fixed(crc32c_finish(crc_), 4);
  pending_ += kMagic;
  flush();
  // Commit point of the index.
  if (file_) file_->commit();
}

// Reads forward through a part of the file.
class ArchiveIndex::Input {
 public:
  Input(const ArchiveIndex& index, std::uint64_t begin, std::uint64_t end)
      : index_(index), offset_(begin), end_(end), buffer_(kBufferSize) {}

  bool is_at_end() const { return fill_begin_ == fill_end_ && offset_ == end_; }
  std::uint8_t get_byte() {
    if (fill_begin_ == fill_end_) fill();
    return std::to_integer<std::uint8_t>(buffer_[fill_begin_++]);
  }
  std::uint64_t get_number() {
    std::uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
      const std::uint64_t byte = get_byte();
      if (shift == 63 && byte > 1) index_.fail("a number is too large");
      value |= (byte & 0x7FU) << shift;
      if ((byte & 0x80U) == 0) return value;
      if (shift == 63) index_.fail("a number is too large");
    }
  }
  std::uint32_t get_fixed_32() {
    std::uint32_t value = 0;
    for (unsigned shift = 0; shift < 32; shift += 8) value |= std::uint32_t{get_byte()} << shift;
    return value;
  }
  // Replaces `text` behind its first `keep` bytes.
  void get_text(std::string& text, std::size_t keep, std::uint64_t size) {
    if (keep > text.size() || size > kMaxPath || keep + size > kMaxPath) {
      index_.fail("a name is too long");
    }
    text.resize(keep);
    for (std::uint64_t i = 0; i < size; ++i) text.push_back(static_cast<char>(get_byte()));
  }
  // Of all bytes that were read.
  std::uint32_t crc() const { return crc_; }

 private:
  void fill() {
    const auto wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(buffer_.size(), end_ - offset_));
    if (wanted == 0) index_.fail("it ends in the middle");
    const std::size_t size = index_.read_at_(offset_, MutableBytes(buffer_).first(wanted));
    if (size != wanted) index_.fail("it ends in the middle");
    crc_ = crc32c_extend(crc_, Bytes(buffer_).first(size));
    offset_ += size;
    fill_begin_ = 0;
    fill_end_ = size;
  }

  const ArchiveIndex& index_;
  std::uint64_t offset_;
  const std::uint64_t end_;
  std::vector<std::byte> buffer_;
  std::size_t fill_begin_ = 0;
  std::size_t fill_end_ = 0;
  std::uint32_t crc_ = kCrc32cInitial;
};

void ArchiveIndex::fail(std::string_view reason) const {
  throw Error(ErrorKind::corrupt, fmt::format("\"{}\" is damaged: {}", name_, reason),
              "Remove the file: it is made again from the archive.");
}

void ArchiveIndex::parse_members(Input& input, const MemberVisitor& visit) const {
  IndexedMember member;
  for (std::uint64_t i = 0; i < member_count_; ++i) {
    const char type_letter = static_cast<char>(input.get_byte());
    const auto* const type = std::find_if(kTypes.begin(), kTypes.end(), [&](const auto& entry) {
      return entry.second == type_letter;
    });
    if (type == kTypes.end()) fail("a member has an unknown type");
    member.type = type->first;
    const std::uint64_t shared = input.get_number();
    if (shared > member.path.size()) fail("a name is too long");
    input.get_text(member.path, static_cast<std::size_t>(shared), input.get_number());
    if (!pipeline::is_safe_relative_path(member.path)) fail("a name leads outside of the backup");
    member.mode = static_cast<mode_t>(input.get_number() & 0777U);
    // Unsigned, because a damaged file may hold anything.
    member.mtime =
        static_cast<std::int64_t>(static_cast<std::uint64_t>(member.mtime) +
                                  static_cast<std::uint64_t>(unzigzag(input.get_number())));
    const std::uint64_t step = input.get_number();
    member.size_bytes = input.get_number();
    if (step > facts_.stream_size - member.content_offset ||
        member.size_bytes > facts_.stream_size - member.content_offset - step) {
      fail("a member lies behind the end of the archive");
    }
    member.content_offset += step;
    member.content_crc32c.reset();
    if (facts_.has_file_checksums && member.type == TarMemberType::regular) {
      member.content_crc32c = input.get_fixed_32();
    }
    member.link_target.clear();
    if (member.type == TarMemberType::symlink) {
      input.get_text(member.link_target, 0, input.get_number());
    }
    visit(member);
  }
}

void ArchiveIndex::parse_frames(Input& input, std::uint64_t count) {
  const bool is_one_stream = facts_.joining == compression::Joining::one_stream;
  Frame at;
  if (is_one_stream) at.archive_offset = facts_.first_frame_offset = input.get_number();
  if (at.archive_offset > facts_.stamp.size_bytes) fail("its frames lie behind the archive");
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t frame_bytes = input.get_number();
    const std::uint64_t content_bytes = input.get_number();
    if (is_one_stream) at.content_crc = input.get_fixed_32();
    frames_.push_back(at);
    if (frame_bytes == 0 || content_bytes == 0 || content_bytes > kMaxFrameContent ||
        frame_bytes > facts_.stamp.size_bytes - at.archive_offset ||
        content_bytes > facts_.stream_size - at.stream_offset) {
      fail("a frame lies behind the end of the archive");
    }
    at.archive_offset += frame_bytes;
    at.stream_offset += content_bytes;
  }
  if (count == 0) return;
  // One stream has its tail there.
  const bool is_whole = is_one_stream ? at.archive_offset <= facts_.stamp.size_bytes
                                      : at.archive_offset == facts_.stamp.size_bytes;
  if (!is_whole || at.stream_offset != facts_.stream_size) {
    fail("its frames do not add up to the archive");
  }
  frames_.push_back(at);
}

std::optional<ArchiveIndex> ArchiveIndex::parse(ReadAt read_at, std::uint64_t size_bytes,
                                                const std::string& name) {
  ArchiveIndex index;
  index.read_at_ = std::move(read_at);
  index.name_ = name;
  if (size_bytes < kMagic.size() + kFooterSize) index.fail("it is too short");
  std::array<std::byte, kFooterSize> bytes;
  const std::uint64_t footer_begin = size_bytes - kFooterSize;
  if (index.read_at_(footer_begin, bytes) != bytes.size()) index.fail("it ends in the middle");
  const Bytes footer = bytes;
  if (as_text(footer).substr(kFooterSize - kMagic.size()) != kMagic) {
    index.fail("it does not end as an index does");
  }
  const std::uint64_t version = get_fixed(footer, 52, 4);
  if (version < kVersion || version > kFileChecksumVersion) return std::nullopt;
  const std::uint64_t frame_count = get_fixed(footer, 16, 8);
  const std::uint64_t algorithm = get_fixed(footer, 48, 4);
  index.members_end_ = get_fixed(footer, 0, 8);
  index.member_count_ = get_fixed(footer, 8, 8);
  index.facts_ = {.stamp = {.size_bytes = get_fixed(footer, 24, 8),
                            .mtime_seconds = static_cast<std::int64_t>(get_fixed(footer, 32, 8))},
                  .stream_size = get_fixed(footer, 40, 8),
                  .joining = version == kVersion ? compression::Joining::frames
                                                 : compression::Joining::one_stream,
                  .has_file_checksums = version == kFileChecksumVersion};
  if (index.members_end_ < kMagic.size() || index.members_end_ > footer_begin ||
      algorithm >= kIndexedAlgorithms.size()) {
    index.fail("its footer makes no sense");
  }
  index.facts_.algorithm = kIndexedAlgorithms.at(algorithm);

  Input input(index, 0, footer_begin + kChecksumOffset);
  std::string magic;
  input.get_text(magic, 0, kMagic.size());
  if (magic != kMagic) index.fail("it does not begin as an index does");
  index.parse_members(input, [&](const TarMember& member) {
    if (member.type != TarMemberType::regular) return;
    index.records_.add(member.path, {member.content_offset, member.size_bytes});
  });
  index.parse_frames(input, frame_count);
  for (std::size_t i = 0; i < kChecksumOffset; ++i) input.get_byte();
  if (!input.is_at_end()) index.fail("its parts do not add up");
  if (crc32c_finish(input.crc()) != get_fixed(footer, kChecksumOffset, 4)) {
    index.fail("its checksum is wrong");
  }
  index.records_.seal();
  return index;
}

std::optional<ArchiveIndex> ArchiveIndex::parse_for(const ArchiveFile& archive,
                                                    const Fd& archive_fd, ReadAt read_at,
                                                    std::uint64_t size_bytes,
                                                    const std::string& name) {
  std::optional<ArchiveIndex> index = parse(std::move(read_at), size_bytes, name);
  if (!index || index->facts_.stamp != stamp_of(archive_fd, archive.path) ||
      index->facts_.algorithm != archive.algorithm) {
    return std::nullopt;
  }
  return index;
}

std::optional<ArchiveIndex> ArchiveIndex::load(const ArchiveFile& archive, const Fd& archive_fd,
                                               const std::filesystem::path& path) {
  std::optional<Fd> found = find_file(path);
  if (!found) return std::nullopt;
  const std::uint64_t size_bytes = stamp_of(*found, path).size_bytes;
  // Shared, because functions are copied.
  const auto file = std::make_shared<const PooledFile>(std::move(*found), path);
  return parse_for(
      archive, archive_fd,
      [file, path](std::uint64_t offset, MutableBytes buffer) {
        return read_full_at(*file->get(), buffer, offset, path);
      },
      size_bytes, path.string());
}

// Not in the pool of files: it could not be opened again.
std::optional<ArchiveIndex> ArchiveIndex::load(const ArchiveFile& archive, const Fd& archive_fd,
                                               Fd anonymous_file) {
  const std::uint64_t size_bytes = stamp_of(anonymous_file, kAnonymous).size_bytes;
  const auto file = std::make_shared<const Fd>(std::move(anonymous_file));
  return parse_for(
      archive, archive_fd,
      [file](std::uint64_t offset, MutableBytes buffer) {
        return read_full_at(*file, buffer, offset, kAnonymous);
      },
      size_bytes, kAnonymous);
}

std::optional<ArchiveIndex::Location> ArchiveIndex::find(std::string_view path) const {
  const Location* const location = records_.find(path);
  return location == nullptr ? std::nullopt : std::optional(*location);
}

void ArchiveIndex::for_each(const MemberVisitor& visit) const {
  Input input(*this, kMagic.size(), members_end_);
  parse_members(input, visit);
}

}  // namespace barman::stored

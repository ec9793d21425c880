#include "pipeline/tar_writer.h"

#include <array>
#include <cstring>

#include <fmt/format.h>

#include "base/error.h"

namespace barman::pipeline {
namespace {

constexpr std::size_t kBlock = 512;
constexpr std::size_t kNameSize = 100;
constexpr std::size_t kPrefixSize = 155;
constexpr std::uint64_t kMaxOctalSize = (std::uint64_t{1} << 33) - 1;
constexpr std::uint64_t kMaxOctalId = (std::uint64_t{1} << 21) - 1;

// Places and widths of the ustar header.
constexpr std::size_t kModeOffset = 100;
constexpr std::size_t kUidOffset = 108;
constexpr std::size_t kGidOffset = 116;
constexpr std::size_t kSizeOffset = 124;
constexpr std::size_t kTimeOffset = 136;
constexpr std::size_t kChecksumOffset = 148;
constexpr std::size_t kTypeOffset = 156;
constexpr std::size_t kLinkOffset = 157;
constexpr std::size_t kMagicOffset = 257;
constexpr std::size_t kPrefixOffset = 345;

using Block = std::array<char, kBlock>;

void put_text(Block& block, std::size_t offset, std::string_view text) {
  std::memcpy(block.data() + offset, text.data(), text.size());
}

// `width` includes the terminating NUL.
void put_octal(Block& block, std::size_t offset, std::size_t width, std::uint64_t value) {
  put_text(block, offset, fmt::format("{:0{}o}", value, width - 1));
}

// Where a long path is divided into prefix and name; npos when it cannot be.
std::size_t division_of(std::string_view path) {
  if (path.size() > kPrefixSize + 1 + kNameSize) return std::string_view::npos;
  const std::size_t slash = path.rfind('/', kPrefixSize);
  if (slash == std::string_view::npos || slash == 0 || path.size() - slash - 1 > kNameSize ||
      slash + 1 == path.size()) {
    return std::string_view::npos;
  }
  return slash;
}

bool fits_ustar(std::string_view path) {
  return path.size() <= kNameSize || division_of(path) != std::string_view::npos;
}

// "LENGTH key=value\n", where the length counts itself.
std::string pax_record(std::string_view key, std::string_view value) {
  const std::size_t size = key.size() + value.size() + 3;
  std::size_t total = size + 1;
  while (size + std::to_string(total).size() != total) {
    total = size + std::to_string(total).size();
  }
  return fmt::format("{} {}={}\n", total, key, value);
}

char type_flag(TarMemberType type) {
  switch (type) {
    case TarMemberType::regular:
      return '0';
    case TarMemberType::symlink:
      return '2';
    case TarMemberType::directory:
      return '5';
    case TarMemberType::hard_link:
      return '1';
    case TarMemberType::fifo:
      return '6';
  }
  return '0';
}

}  // namespace

void TarWriter::write_header(const TarMember& member, const std::string& path, char type,
                             std::uint64_t size_bytes) {
  Block block{};
  if (path.size() <= kNameSize) {
    put_text(block, 0, path);
  } else if (const std::size_t division = division_of(path); division != std::string::npos) {
    put_text(block, 0, std::string_view(path).substr(division + 1));
    put_text(block, kPrefixOffset, std::string_view(path).substr(0, division));
  } else {
    put_text(block, 0, std::string_view(path).substr(0, kNameSize));  // the PAX header has it all
  }
  put_octal(block, kModeOffset, 8, member.mode & 07777);
  put_octal(block, kUidOffset, 8, member.uid <= kMaxOctalId ? member.uid : 0);
  put_octal(block, kGidOffset, 8, member.gid <= kMaxOctalId ? member.gid : 0);
  put_octal(block, kSizeOffset, 12, size_bytes <= kMaxOctalSize ? size_bytes : 0);
  put_octal(block, kTimeOffset, 12,
            member.mtime > 0 ? static_cast<std::uint64_t>(member.mtime) : 0);
  block[kTypeOffset] = type;
  put_text(block, kLinkOffset, std::string_view(member.link_target).substr(0, kNameSize));
  put_text(block, kMagicOffset, std::string_view("ustar\00000", 8));
  put_text(block, kChecksumOffset, "        ");
  std::uint64_t sum = 0;
  for (const char byte : block) sum += static_cast<unsigned char>(byte);
  put_text(block, kChecksumOffset, fmt::format("{:06o}", sum));
  block[kChecksumOffset + 6] = '\0';
  next_.write(std::as_bytes(std::span(block)));
}

void TarWriter::write_pax_header(const TarMember& member, const std::string& path) {
  std::string records;
  if (!fits_ustar(path)) records += pax_record("path", path);
  if (member.link_target.size() > kNameSize) records += pax_record("linkpath", member.link_target);
  if (member.size_bytes > kMaxOctalSize) {
    records += pax_record("size", std::to_string(member.size_bytes));
  }
  if (records.empty()) return;
  write_header({.mode = 0644}, "././@PaxHeader", 'x', records.size());
  next_.write(as_bytes(records));
  pad(records.size());
}

void TarWriter::begin_member(const TarMember& member) {
  const std::string path = member.path + (member.type == TarMemberType::directory ? "/" : "");
  write_pax_header(member, path);
  size_bytes_ = member.type == TarMemberType::regular ? member.size_bytes : 0;
  written_ = 0;
  write_header(member, path, type_flag(member.type), size_bytes_);
}

void TarWriter::write(Bytes data) {
  next_.write(data);
  written_ += data.size();
}

void TarWriter::end_member() {
  if (written_ != size_bytes_) {
    throw Error(ErrorKind::internal,
                fmt::format("a tar member has {} bytes instead of {}", written_, size_bytes_));
  }
  pad(size_bytes_);
}

void TarWriter::add_file(TarMember member, std::string_view content) {
  member.type = TarMemberType::regular;
  member.size_bytes = content.size();
  begin_member(member);
  write(as_bytes(content));
  end_member();
}

void TarWriter::pad(std::uint64_t size_bytes) {
  constexpr std::array<std::byte, kBlock> kZeroes{};
  const std::size_t rest = size_bytes % kBlock;
  if (rest != 0) next_.write(Bytes(kZeroes).first(kBlock - rest));
}

void TarWriter::finish() {
  constexpr std::array<std::byte, 2 * kBlock> kEnd{};
  next_.write(kEnd);
  next_.finish();
}

}  // namespace barman::pipeline

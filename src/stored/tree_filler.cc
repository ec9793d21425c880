#include "stored/tree_filler.h"

#include <unistd.h>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/error.h"

namespace barman::stored {
namespace {

// At least: the user must be able to read what is restored of it.
constexpr mode_t kFilledDirectoryMode = 0700;
constexpr mode_t kFilledFileMode = 0600;

pipeline::TarMember member_of(const Entry& entry, pipeline::TarMemberType type) {
  const bool is_file = type == pipeline::TarMemberType::regular;
  return {.path = entry.path,
          .type = type,
          .mode = entry.mode | (is_file ? kFilledFileMode : kFilledDirectoryMode),
          .size_bytes = is_file ? entry.size_bytes : 0,
          .mtime = entry.mtime_seconds,
          .uid = ::geteuid(),
          .gid = ::getegid()};
}

}  // namespace

void TreeFiller::add_directory(const Entry& entry) {
  tree_.begin_member(member_of(entry, pipeline::TarMemberType::directory));
  tree_.end_member();
}

std::uint32_t TreeFiller::add_file(const Entry& entry, ContentFile& file, const std::string& name) {
  tree_.begin_member(member_of(entry, pipeline::TarMemberType::regular));
  std::uint32_t crc = kCrc32cInitial;
  std::uint64_t offset = 0;
  for (;;) {
    const std::size_t size = file.read_at(offset, buffer_);
    const Bytes data = Bytes(buffer_).first(size);
    crc = crc32c_extend(crc, data);
    tree_.write(data);
    offset += size;
    if (size < buffer_.size()) break;
  }
  if (offset != entry.size_bytes) {
    throw Error(ErrorKind::corrupt,
                fmt::format("\"{}\" has {} bytes instead of {}", name, offset, entry.size_bytes),
                "Choose another backup, or put an intact copy of the file in its place.");
  }
  tree_.end_member();
  return crc32c_finish(crc);
}

}  // namespace barman::stored

#include "postgres/control_file.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "base/digest.h"
#include "base/error.h"

namespace barman::postgres {
namespace {

static_assert(std::endian::native == std::endian::little,
              "pg_control is read as it lies in memory");

// The file is 8192 bytes; the content is kept below 512 so that it is written atomically.
constexpr std::size_t kMaxContent = 512;
constexpr std::size_t kMinContent = 128;
constexpr std::uint32_t kFirstKnownVersion = 1002;
constexpr std::uint32_t kLastKnownVersion = 1800;

// Offsets that are the same in all formats since PostgreSQL 9.x.
constexpr std::size_t kSystemId = 0;
constexpr std::size_t kControlVersion = 8;
constexpr std::size_t kCatalogVersion = 12;
constexpr std::size_t kState = 16;
constexpr std::size_t kCheckpoint = 32;
// Before PostgreSQL 11 (format 1100) the previous checkpoint stands before the copy.
constexpr std::uint32_t kFormatWithoutPreviousCheckpoint = 1100;
constexpr std::size_t kCheckpointCopy = 40;
// In the copy of the checkpoint record.
constexpr std::size_t kCopyTimeline = 8;

// A constant in the middle of the file, followed by the sizes the server was built with. It anchors
// fields whose offsets moved with what stands before.
constexpr double kFloatFormat = 1234567.0;
constexpr std::size_t kSegmentSizeAfterFloat = 20;
constexpr std::size_t kChecksumsAfterFloat = 44;

template <typename Value>
Value load(Bytes content, std::size_t offset) {
  Value value{};
  if (offset + sizeof value > content.size()) {
    throw Error(ErrorKind::corrupt, "pg_control is too short", "Take a new backup.");
  }
  std::memcpy(&value, content.data() + offset, sizeof value);
  return value;
}

// The CRC is the last field, so its place tells the size of the structure of this version: the
// format need not be known to verify it.
std::optional<std::size_t> find_crc(Bytes content) {
  std::uint32_t crc = crc32c_extend(kCrc32cInitial, content.first(kMinContent));
  for (std::size_t end = kMinContent; end + 4 <= content.size(); end += 4) {
    if (load<std::uint32_t>(content, end) == crc32c_finish(crc)) return end;
    crc = crc32c_extend(crc, content.subspan(end, 4));
  }
  return std::nullopt;
}

void read_sizes(Bytes content, ControlFile& control) {
  if (control.control_version < kFirstKnownVersion || control.control_version > kLastKnownVersion)
    return;
  for (std::size_t offset = kMinContent; offset + kChecksumsAfterFloat + 4 <= content.size();
       offset += 8) {
    if (load<double>(content, offset) != kFloatFormat) continue;
    const auto size_bytes = load<std::uint32_t>(content, offset + kSegmentSizeAfterFloat);
    if (!wal::is_valid_segment_size(size_bytes)) return;
    control.segment_size = wal::SegmentSize{size_bytes};
    control.data_checksums = load<std::uint32_t>(content, offset + kChecksumsAfterFloat) != 0;
    return;
  }
}

}  // namespace

ControlFile parse_control_file(Bytes content) {
  const Bytes head = content.first(std::min(content.size(), kMaxContent));
  if (head.size() < kMinContent + 4) {
    throw Error(ErrorKind::corrupt, "pg_control is too short", "Take a new backup.");
  }
  const std::optional<std::size_t> size = find_crc(head);
  if (!size) {
    throw Error(ErrorKind::corrupt, "the checksum of pg_control does not match its content",
                "Take a new backup, and check the disk of the server.");
  }
  const Bytes fields = head.first(*size);
  ControlFile control;
  control.system_id = {load<std::uint64_t>(fields, kSystemId)};
  control.control_version = load<std::uint32_t>(fields, kControlVersion);
  control.catalog_version = load<std::uint32_t>(fields, kCatalogVersion);
  control.state = static_cast<ClusterState>(load<std::uint32_t>(fields, kState));
  control.checkpoint = {load<std::uint64_t>(fields, kCheckpoint)};
  const std::size_t copy =
      kCheckpointCopy + (control.control_version < kFormatWithoutPreviousCheckpoint ? 8 : 0);
  control.checkpoint_redo = {load<std::uint64_t>(fields, copy)};
  control.checkpoint_timeline = {load<std::uint32_t>(fields, copy + kCopyTimeline)};
  read_sizes(fields, control);
  return control;
}

ControlFile read_control_file(const std::filesystem::path& data_directory) {
  const std::filesystem::path path = data_directory / "global" / "pg_control";
  const Fd fd = open_file(path, O_RDONLY);
  std::array<std::byte, kMaxContent> content = {};
  const std::size_t size = read_full(fd, content, path);
  return in_context("reading \"" + path.string() + "\"",
                    [&] { return parse_control_file(Bytes(content).first(size)); });
}

}  // namespace barman::postgres

#include "wal/segment_header.h"

#include <array>

#include <fmt/format.h>

#include "wal/wal_file_name.h"

namespace barman::wal {
namespace {

constexpr std::uint64_t kLongHeader = 0x0002;
// 0xD061 was PostgreSQL 9.0; 0xD1xx began with 14.
constexpr std::uint64_t kFirstMagic = 0xD061;
constexpr std::uint64_t kLastMagic = 0xD1FF;

struct VersionMagic {
  int major = 0;
  std::uint16_t magic = 0;
};
constexpr std::array kMagics = {VersionMagic{13, 0xD106}, VersionMagic{14, 0xD10D},
                                VersionMagic{15, 0xD110}, VersionMagic{16, 0xD113},
                                VersionMagic{17, 0xD116}, VersionMagic{18, 0xD118}};

// PostgreSQL writes in the order of its host, which is little-endian on all that we build for.
std::uint64_t number_at(Bytes bytes, std::size_t offset, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = size; i > 0; --i) {
    value = value << 8U | std::to_integer<std::uint64_t>(bytes[offset + i - 1]);
  }
  return value;
}

}  // namespace

std::uint16_t magic_of_major(std::optional<int> major) {
  for (const VersionMagic& version : kMagics) {
    if (version.major == major) return version.magic;
  }
  return 0;
}

int major_of_magic(std::uint16_t magic) {
  for (const VersionMagic& version : kMagics) {
    if (version.magic == magic) return version.major;
  }
  return 0;
}

std::optional<int> find_server_major(Bytes first_bytes) {
  if (first_bytes.size() < sizeof(std::uint16_t)) return std::nullopt;
  const int major = major_of_magic(static_cast<std::uint16_t>(number_at(first_bytes, 0, 2)));
  return major == 0 ? std::nullopt : std::optional<int>(major);
}

bool has_segment_magic(Bytes first_bytes) {
  if (first_bytes.size() < 2) return false;
  const std::uint64_t magic = number_at(first_bytes, 0, 2);
  return magic >= kFirstMagic && magic <= kLastMagic;
}

std::optional<SegmentHeader> parse_segment_header(Bytes first_bytes) {
  if (first_bytes.size() < kSegmentHeaderSize || !has_segment_magic(first_bytes)) {
    return std::nullopt;
  }
  if ((number_at(first_bytes, 2, 2) & kLongHeader) == 0) return std::nullopt;
  SegmentHeader header = {
      .timeline = static_cast<std::uint32_t>(number_at(first_bytes, 4, 4)),
      .page_address = number_at(first_bytes, 8, 8),
      .system_id = number_at(first_bytes, 24, 8),
      .segment_size = static_cast<std::uint32_t>(number_at(first_bytes, 32, 4))};
  if (!is_valid_segment_size(header.segment_size)) return std::nullopt;
  return header;
}

std::string segment_problem(std::string_view name, const SegmentHeader& header,
                            std::optional<std::uint64_t> system_id) {
  const SegmentSize size{header.segment_size};
  const std::optional<Segment> segment = parse_segment_name(name.substr(0, 24), size);
  if (!segment) {
    return fmt::format("its header tells a segment size of {} bytes, which does not fit its name",
                       header.segment_size);
  }
  if (system_id && header.system_id != *system_id) {
    return fmt::format("it belongs to the cluster with system id {}, not {}", header.system_id,
                       *system_id);
  }
  const Lsn begin = segment_begin(*segment, size);
  if (header.page_address != begin.value) {
    return fmt::format("it begins at LSN {}, its name says {}",
                       format_lsn(Lsn{header.page_address}), format_lsn(begin));
  }
  // The first segment of a new timeline begins with pages of the old one.
  if (header.timeline > segment->timeline.value) {
    return fmt::format("it is of timeline {}, its name says {}", header.timeline,
                       segment->timeline.value);
  }
  return {};
}

}  // namespace barman::wal

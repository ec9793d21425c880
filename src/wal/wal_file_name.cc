#include "wal/wal_file_name.h"

#include <cctype>
#include <charconv>

#include <fmt/format.h>

#include "base/text.h"

namespace barman::wal {
namespace {

bool is_hex(std::string_view text) {
  for (const char c : text) {
    if (std::isxdigit(static_cast<unsigned char>(c)) == 0) return false;
  }
  return true;
}

std::uint32_t hex_value(std::string_view eight_digits) {
  std::uint32_t value = 0;
  std::from_chars(eight_digits.data(), eight_digits.data() + eight_digits.size(), value, 16);
  return value;
}

std::uint64_t segments_per_log(SegmentSize size) { return (std::uint64_t{1} << 32) / size.bytes; }

}  // namespace

Segment segment_of(TimelineId timeline, Lsn lsn, SegmentSize size) {
  return {timeline, lsn.value / size.bytes};
}

Lsn segment_begin(const Segment& segment, SegmentSize size) {
  return Lsn{segment.number * size.bytes};
}

std::uint64_t segment_offset(Lsn lsn, SegmentSize size) { return lsn.value % size.bytes; }

std::string segment_name(const Segment& segment, SegmentSize size) {
  const std::uint64_t per_log = segments_per_log(size);
  return fmt::format("{:08X}{:08X}{:08X}", segment.timeline.value, segment.number / per_log,
                     segment.number % per_log);
}

std::optional<Segment> parse_segment_name(std::string_view name, SegmentSize size) {
  if (name.size() != 24 || !is_hex(name)) return std::nullopt;
  const std::uint64_t per_log = segments_per_log(size);
  const std::uint32_t index = hex_value(name.substr(16, 8));
  if (index >= per_log) return std::nullopt;
  return Segment{TimelineId{hex_value(name.substr(0, 8))},
                 hex_value(name.substr(8, 8)) * per_log + index};
}

std::string WalFileName::hash_directory() const {
  return kind == WalFileKind::history ? std::string()
                                      : to_upper(std::string_view(name).substr(0, 16));
}

std::optional<WalFileName> parse_wal_file_name(std::string_view name) {
  const auto make = [&](WalFileKind kind) {
    return WalFileName{kind, std::string(name), TimelineId{hex_value(name.substr(0, 8))}};
  };
  if (name.size() == 16 && is_hex(name.substr(0, 8)) && name.substr(8) == ".history")
    return make(WalFileKind::history);
  if (name.size() < 24 || !is_hex(name.substr(0, 24))) return std::nullopt;
  const std::string_view rest = name.substr(24);
  if (rest.empty()) return make(WalFileKind::segment);
  if (rest == ".partial") return make(WalFileKind::partial);
  if (rest.size() == 16 && rest.front() == '.' && is_hex(rest.substr(1, 8)) &&
      rest.substr(9) == ".backup") {
    return make(WalFileKind::backup);
  }
  return std::nullopt;
}

bool is_segment_name(std::string_view name) {
  const std::optional<WalFileName> parsed = parse_wal_file_name(name);
  return parsed && parsed->kind == WalFileKind::segment;
}

std::string history_file_name(TimelineId timeline) {
  return format_timeline(timeline) + ".history";
}

ArchiveName parse_archive_name(std::string_view name) {
  constexpr std::size_t kDirectoryLength = 16;
  if (name.size() == kDirectoryLength && is_hex(name)) {
    return {.kind = ArchiveName::Kind::hash_directory,
            .timeline = TimelineId{hex_value(name.substr(0, 8))}};
  }
  const std::optional<WalFileName> file = parse_wal_file_name(name);
  if (!file || file->kind != WalFileKind::history) return {};
  return {.kind = ArchiveName::Kind::history, .timeline = file->timeline};
}

}  // namespace barman::wal

// Names of the files in pg_wal and in the WAL archive (PostgreSQL
// src/include/access/xlog_internal.h): segments, partial segments,
// timeline history and backup history files.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "wal/lsn.h"

namespace barman::wal {

// One segment: timeline, and its number counted from the beginning of the log.
struct Segment {
  TimelineId timeline;
  std::uint64_t number = 0;
  friend constexpr auto operator<=>(const Segment&, const Segment&) = default;
};

// The segment that holds byte `lsn` (for an LSN on a boundary: the one that begins there).
Segment segment_of(TimelineId timeline, Lsn lsn, SegmentSize size);
Lsn segment_begin(const Segment& segment, SegmentSize size);
std::uint64_t segment_offset(Lsn lsn, SegmentSize size);
// The 24 hex digits.
inline constexpr std::size_t kSegmentNameLength = 24;
std::string segment_name(const Segment& segment, SegmentSize size);
// nullopt unless `name` is 24 hex digits whose segment number is possible with this size.
std::optional<Segment> parse_segment_name(std::string_view name, SegmentSize size);

enum class WalFileKind { segment, partial, history, backup };

// What a file name is, whatever the segment size. Hex digits may be lower case; `name` keeps them.
struct WalFileName {
  WalFileKind kind = WalFileKind::segment;
  std::string name;
  TimelineId timeline;
  // The 24 digits of the segment, empty for history files.
  std::string segment() const {
    return kind == WalFileKind::history ? std::string() : name.substr(0, 24);
  }
  // The directory below wals/: 16 upper-case digits, empty for history files.
  std::string hash_directory() const;
};
std::optional<WalFileName> parse_wal_file_name(std::string_view name);
// Whether it is that of a whole segment.
bool is_segment_name(std::string_view name);

std::string history_file_name(TimelineId timeline);

// What a name in wals/ itself is. Its length tells nothing: "00000002.history" has the 16
// characters of a hash directory, too.
struct ArchiveName {
  enum class Kind {
    hash_directory,  // "0000000200000000", of segments
    history,
    other,  // the index, what is on its way in, and what does not belong there
  };
  Kind kind = Kind::other;
  TimelineId timeline;  // unless other
};
ArchiveName parse_archive_name(std::string_view name);

}  // namespace barman::wal

// Positions in the write-ahead log. Arithmetic as in PostgreSQL's
// src/include/access/xlog_internal.h.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace barman::wal {

// A byte position. Shown as "16/B374D848".
struct Lsn {
  std::uint64_t value = 0;
  friend constexpr auto operator<=>(const Lsn&, const Lsn&) = default;
};

struct TimelineId {
  std::uint32_t value = 0;
  friend constexpr auto operator<=>(const TimelineId&, const TimelineId&) = default;
};

// The size of a WAL segment in bytes: a power of two from 1 MiB to 1 GiB.
struct SegmentSize {
  std::uint64_t bytes = std::uint64_t{16} << 20;
  friend constexpr auto operator<=>(const SegmentSize&, const SegmentSize&) = default;
};

// "H/H", upper-case hex without padding.
std::string format_lsn(Lsn lsn);
std::optional<Lsn> parse_lsn(std::string_view text);
// Eight upper-case hex digits.
std::string format_timeline(TimelineId timeline);
bool is_valid_segment_size(std::uint64_t size_bytes);

}  // namespace barman::wal

// What the first page of a WAL segment says of itself (PostgreSQL's xlog_internal.h,
// XLogLongPageHeaderData), compared with what is expected of it. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/fd.h"

namespace barman::wal {

// The size of a long page header.
inline constexpr std::size_t kSegmentHeaderSize = 40;

struct SegmentHeader {
  std::uint32_t timeline = 0;
  std::uint64_t page_address = 0;
  std::uint64_t system_id = 0;
  std::uint32_t segment_size = 0;
};

// XLOG_PAGE_MAGIC of a version; 0 = not known.
std::uint16_t magic_of_major(std::optional<int> major);
int major_of_magic(std::uint16_t magic);
// Of who has written the page; nullopt for a version that is not known.
std::optional<int> find_server_major(Bytes first_bytes);

// Whether they begin with the number that PostgreSQL gives to WAL pages; false for less than two
// bytes.
bool has_segment_magic(Bytes first_bytes);

// nullopt when the bytes are no beginning of a segment that this host can read: compressed,
// encrypted, or anything else.
std::optional<SegmentHeader> parse_segment_header(Bytes first_bytes);

// Why a file that begins like this cannot be the segment `name` of the cluster; "" when nothing
// speaks against it. Without a known system id that is not compared.
std::string segment_problem(std::string_view name, const SegmentHeader& header,
                            std::optional<std::uint64_t> system_id);

}  // namespace barman::wal

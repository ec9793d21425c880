// The segments behind one in a pg_wal directory. Pure, but for the question whether PostgreSQL has
// marked them as complete.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace barman::client {

// The name of the segment that follows; nullopt when `name` is no segment, or the size is none of a
// segment.
std::optional<std::string> next_segment_name(const std::string& name,
                                             std::uint64_t segment_size_bytes);

// Up to `count` segments that follow without a gap and wait to be archived: those with a file
// archive_status/<name>.ready beside `wal_path`.
std::vector<std::string> list_ready_segments(const std::filesystem::path& wal_path,
                                             std::uint64_t segment_size_bytes, std::size_t count);

}  // namespace barman::client

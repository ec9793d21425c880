#include "client/next_segments.h"

#include <sys/stat.h>

#include "wal/wal_file_name.h"

namespace barman::client {
namespace fs = std::filesystem;

std::optional<std::string> next_segment_name(const std::string& name,
                                             std::uint64_t segment_size_bytes) {
  if (!wal::is_valid_segment_size(segment_size_bytes)) return std::nullopt;
  const wal::SegmentSize size{segment_size_bytes};
  std::optional<wal::Segment> segment = wal::parse_segment_name(name, size);
  if (!segment) return std::nullopt;
  ++segment->number;
  return wal::segment_name(*segment, size);
}

std::vector<std::string> list_ready_segments(const fs::path& wal_path,
                                             std::uint64_t segment_size_bytes, std::size_t count) {
  std::vector<std::string> names;
  const fs::path status = wal_path.parent_path() / "archive_status";
  std::optional<std::string> next =
      next_segment_name(wal_path.filename().string(), segment_size_bytes);
  while (next && names.size() < count) {
    struct stat marker = {};
    if (::stat((status / (*next + ".ready")).c_str(), &marker) != 0) break;
    names.push_back(*next);
    next = next_segment_name(*next, segment_size_bytes);
  }
  return names;
}

}  // namespace barman::client

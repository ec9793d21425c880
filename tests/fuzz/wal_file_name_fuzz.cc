// Names of WAL files come from directories and command lines. What is accepted must survive being
// printed and read again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "fuzz_target.h"
#include "wal/wal_file_name.h"

BARMAN_FUZZ_TARGET(wal_file_name) {
  using namespace barman::wal;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto name = parse_wal_file_name(text)) {
    if (name->name != text) std::abort();
    const bool is_history = name->kind == WalFileKind::history;
    if (name->hash_directory().size() != (is_history ? 0U : 16U)) std::abort();
  }
  for (const std::uint64_t megabytes : {1U, 16U, 1024U}) {
    const SegmentSize segment_size{megabytes << 20};
    const auto segment = parse_segment_name(text, segment_size);
    if (!segment) continue;
    if (segment_of(segment->timeline, segment_begin(*segment, segment_size), segment_size) !=
        *segment) {
      std::abort();
    }
    if (parse_segment_name(segment_name(*segment, segment_size), segment_size) != segment) {
      std::abort();
    }
  }
  return 0;
}

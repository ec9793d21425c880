// Marks in the streaming directory by which receivers, ours and pg_receivewal, find where to go on:
// an empty "<segment>.partial" means "from the beginning of this segment".
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "wal/wal_file_name.h"

namespace barman::wal_transfer {

// After `completed` was finished: marks the next segment, so that the archiver may take this one
// although the server has nothing more to send. Durable; an existing file stays.
void mark_next_segment(const std::filesystem::path& completed);

// Empties the newest partial file, of no later timeline than the server's, if a crash or a full
// disk left it with an impossible size; streaming fills it again from its beginning. Returns its
// path and the size it had.
struct TruncatedPartial {
  std::filesystem::path path;
  std::uint64_t size_bytes = 0;
};
std::optional<TruncatedPartial> truncate_broken_partial(const std::filesystem::path& directory,
                                                        wal::SegmentSize segment_size,
                                                        wal::TimelineId timeline);

// The newest segment or partial file, by name.
std::optional<std::string> find_newest_stream_file(const std::filesystem::path& directory);

// Creates an empty partial file, durably; an existing one stays.
void create_marker(const std::filesystem::path& path);

}  // namespace barman::wal_transfer

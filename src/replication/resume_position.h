// Where streaming goes on, judged by the files in the streaming directory, by the rules of
// pg_receivewal: at the beginning of the newest partial segment, or after the newest complete one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "postgres/timeline_history.h"
#include "wal/wal_file_name.h"

namespace barman::replication {

struct StreamPosition {
  wal::TimelineId timeline;
  wal::Lsn lsn;
  friend bool operator==(const StreamPosition&, const StreamPosition&) = default;
};

struct StreamFile {
  std::string name;
  std::uint64_t size_bytes = 0;
};

// nullopt when no file says anything. Complete segments of a wrong size are passed over and listed
// in `ignored` (if given). At the same segment number the higher timeline wins.
std::optional<StreamPosition> resume_position(const std::vector<StreamFile>& files,
                                              wal::SegmentSize segment_size,
                                              std::vector<std::string>* ignored = nullptr);

// The name of the last complete segment of a timeline that is held elsewhere, in the archive.
using LastSegment = std::function<std::optional<std::string>(wal::TimelineId)>;
// Where streaming goes on when the files lead to WAL that is no part of the way that the server has
// come, `path`: behind what is held of the newest timeline on that way, in the directory or
// elsewhere; where the way has left that timeline, at the latest. nullopt when nothing of it is
// held.
std::optional<StreamPosition> position_on_path(const postgres::TimelineHistory& path,
                                               const std::vector<StreamFile>& files,
                                               const LastSegment& last_segment,
                                               wal::SegmentSize segment_size);

// The regular files of the directory, its subdirectories left out.
std::vector<StreamFile> list_stream_files(const std::filesystem::path& directory);

}  // namespace barman::replication

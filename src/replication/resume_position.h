// Where streaming goes on, judged by the files in the streaming directory, by the rules of
// pg_receivewal: at the beginning of the newest partial segment, or after the newest complete one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

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

// Those of a later timeline than this one.
std::vector<StreamFile> newer_timelines(std::vector<StreamFile> files, wal::TimelineId timeline);

// The regular files of the directory, its subdirectories left out.
std::vector<StreamFile> list_stream_files(const std::filesystem::path& directory);

}  // namespace barman::replication

// Which archived WAL files a restore copies: the segments along the
// ancestry of the target timeline, from the beginning of the backup to where the target stops.
// Side branches stay out. All history files come along, so that a promoted cluster takes a timeline
// number that was never used. Files that were received and are not archived, the unfinished segment
// included, continue the archive (docs/decisions/0006). Pure.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "catalogue/backup_info.h"
#include "postgres/timeline_history.h"
#include "wal/wal_file_name.h"
#include "wal_archive/wal_index.h"

namespace barman::wal_archive {

// A range of segment numbers on one timeline, both ends included.
struct TimelineSpan {
  wal::TimelineId timeline;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  friend bool operator==(const TimelineSpan&, const TimelineSpan&) = default;
};

// Oldest timeline first. `first_number` is the segment in which the backup begins.
std::vector<TimelineSpan> list_spans(const postgres::TimelineHistory& history,
                                     wal::TimelineId backup_timeline, std::uint64_t first_number,
                                     wal::SegmentSize size);

// A file in the streaming or incoming directory; its name is that of the path.
struct ReceivedWal {
  std::filesystem::path path;
  std::uint64_t size_bytes = 0;
};

struct SelectedWal {
  std::string source_name;
  // Without ".partial".
  std::string name;
  std::uint64_t size_bytes = 0;
  // Where it was received; "" = it is in the archive.
  std::filesystem::path received_path;
  // Compressed or encrypted, as the index says.
  bool is_coded = false;
  friend bool operator==(const SelectedWal&, const SelectedWal&) = default;
};

struct WalSelection {
  std::vector<SelectedWal> files;  // history files first
  // Those that continue other segments and are not there complete.
  std::vector<SelectedWal> partials;
  // The first selected file that is stored encrypted.
  std::optional<WalIndexEntry> encrypted;
  // The last complete segment selected.
  std::optional<wal::Segment> last_segment;
  // Between segments that are there, and in what the backup needs itself.
  std::optional<wal::Segment> first_gap;
  std::optional<wal::Segment> missing_for_consistency;
  // What the backup needs itself ends in a partial file.
  bool is_consistency_partial = false;
  // Decompressed.
  std::uint64_t total_bytes = 0;
};

enum class PartialFiles { skip, take };

struct WalSelectionRequest {
  std::vector<TimelineSpan> spans;
  std::optional<std::uint64_t> last_number;
  PartialFiles partial_files = PartialFiles::skip;
  // Of the backup, both ends included.
  TimelineSpan required;
  wal::SegmentSize segment_size;
};

// `entries` in the order of the index. Archived files win over received ones, and complete ones
// over partial ones.
WalSelection select_wal(const std::vector<WalIndexEntry>& entries,
                        const std::vector<ReceivedWal>& received,
                        const WalSelectionRequest& request);

}  // namespace barman::wal_archive

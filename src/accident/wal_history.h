// The segments of the WAL on the way to the present, one of each number: archived ones, and what
// was received and is not archived yet. Side branches stay out (docs/branches.md).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/timestamp.h"
#include "pipeline/sink.h"
#include "server/server.h"
#include "wal/lsn.h"
#include "wal/wal_file_name.h"
#include "wal_archive/wal_archive.h"

namespace barman::accident {

struct HistorySegment {
  wal::Segment segment;
  std::string name;
  // Where it was received; "" = it is archived.
  std::filesystem::path received;
  // What has arrived of it so far.
  bool is_partial = false;
};

class WalHistory {
 public:
  WalHistory(const server::Server& server, wal::SegmentSize segment_size);

  // By number.
  const std::vector<HistorySegment>& segments() const { return segments_; }
  wal::SegmentSize segment_size() const { return segment_size_; }
  const server::Server& server() const { return server_; }
  wal::Lsn begin_of(const HistorySegment& segment) const {
    return wal::segment_begin(segment.segment, segment_size_);
  }
  // The plain content, zeroes behind what has not arrived. Thread-safe. Throws what WalArchive
  // does.
  void read(const HistorySegment& segment, pipeline::Sink& sink) const;

  // When the first transaction ended that ends in the segment; reads no further. nullopt: none
  // does, or it cannot be read.
  std::optional<Timestamp> find_first_ending(const HistorySegment& segment) const;

 private:
  const server::Server& server_;
  const wal::SegmentSize segment_size_;
  const wal_archive::WalArchive archive_;
  std::vector<HistorySegment> segments_;
};

// As the newest WAL says that is here, archived or received; nullopt where there is none. For
// servers without a backup.
std::optional<wal::SegmentSize> find_segment_size(const server::Server& server);

struct SegmentSpan {
  std::size_t begin = 0;
  std::size_t end = 0;
};

// Those that may hold ends of transactions from one time to another. Clocks are set, and
// transactions begin before they end: the span reaches a little further on both sides.
SegmentSpan find_span(const WalHistory& history, const std::optional<Timestamp>& from,
                      const std::optional<Timestamp>& to);

}  // namespace barman::accident

// The files of a streaming directory as pg_receivewal writes them, so that either program can
// continue the other's work: the current segment is "<segment>.partial", full size and padded with
// zeroes; when complete it is made durable and renamed to its final name.
//
// flushed() never runs ahead of what fsync has confirmed. Errors name the file.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "replication/resume_position.h"
#include "wal/wal_file_name.h"

namespace barman::replication {

class SegmentWriter {
 public:
  // How a new segment gets its size. One that is filled is written twice, but what is written
  // later is flushed faster, because the file system need not note that it is there.
  enum class NewSegments { allocate, fill };

  SegmentWriter(std::filesystem::path directory, wal::SegmentSize segment_size,
                NewSegments new_segments = NewSegments::allocate);

  // Goes on at `position`, the beginning of a segment. What is before counts as durable.
  void begin(const StreamPosition& position);
  // Appends WAL that begins at written() and stays within the segment. Returns the path of the
  // segment if it was completed by this: it is durable under its final name then.
  std::optional<std::filesystem::path> write(Bytes data);
  // How much of the current segment is left, the whole size at a boundary.
  std::uint64_t space_left() const;
  // Makes everything written durable.
  void flush();
  // flush(), then closes the partial segment, which stays.
  void close();

  // Writes "<timeline>.history" durably.
  std::filesystem::path write_history(wal::TimelineId timeline, std::string_view content);
  // Timeline 1 has no history and counts as present.
  bool has_history(wal::TimelineId timeline) const;

  wal::TimelineId timeline() const { return timeline_; }
  wal::Lsn written() const { return written_; }
  wal::Lsn flushed() const { return flushed_; }

 private:
  void open_partial();
  void fill_with_zeroes();
  std::filesystem::path complete();

  const std::filesystem::path directory_;
  const wal::SegmentSize segment_size_;
  const NewSegments new_segments_;
  wal::TimelineId timeline_;
  wal::Lsn written_;
  wal::Lsn flushed_;
  std::filesystem::path final_path_;
  std::filesystem::path partial_path_;
  Fd file_;
};

}  // namespace barman::replication

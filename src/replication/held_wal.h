// WAL that we hold from a server, compared with what the server has in the same place. A server
// that was put back to an earlier state (a cold copy, a snapshot of its disks) and goes on from
// there writes another history under the same names, and nothing else tells when it has passed the
// place up to which it was received.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/interrupt.h"
#include "postgres/connection.h"
#include "replication/resume_position.h"

namespace barman::replication {

// A piece of WAL, so much of its end that two histories differ in it.
struct HeldWal {
  StreamPosition begin;
  // Empty when only its digest is known.
  std::vector<std::byte> bytes = {};
  std::uint64_t size_bytes = 0;
  std::string sha256 = {};
  wal::Lsn end() const { return {begin.lsn.value + size_bytes}; }
};

// What the archive holds. Any of them may be empty: then it holds nothing.
struct ArchivedWal {
  // The name of the last complete segment of a timeline.
  LastSegment last_segment;
  // The plain content of a segment, and of the history file of a timeline.
  std::function<std::optional<std::vector<std::byte>>(const std::string& segment)> content;
  // What was noted of the end of a segment whose content cannot be had.
  std::function<std::optional<HeldWal>(const std::string& segment)> noted_end;
  std::function<std::optional<std::string>(wal::TimelineId)> history;
};

// The last piece that is held before, or in the partial segment at, the beginning of a segment.
// nullopt when nothing is.
std::optional<HeldWal> find_held_wal(const std::filesystem::path& streaming_directory,
                                     const ArchivedWal& archive, const StreamPosition& position,
                                     wal::SegmentSize segment_size);
// `segment` begins at `begin`; the zeroes at its end are none.
std::optional<HeldWal> end_of_segment(const StreamPosition& begin, Bytes segment);
// The same of a file, of which little is read at a time. nullopt when it is not there, or no whole
// segment.
std::optional<HeldWal> end_of_segment_file(const std::filesystem::path& path,
                                           const StreamPosition& begin,
                                           wal::SegmentSize segment_size);

// Whether both are the same WAL, as far as both go. Parts of `held` that a crash has left
// unwritten, whole sectors of zeroes, do not count.
bool is_same_wal(Bytes held, Bytes sent);
// The same of a piece. nullopt: less was sent than its digest needs.
std::optional<bool> is_same_wal(const HeldWal& held, Bytes sent);
// Keeps the digest, and not the bytes.
HeldWal reduce_to_digest(const HeldWal& held);

// Asks for WAL without a slot, and leaves the session ready for the next command. nullopt when the
// server does not send it: most likely it has removed it. `size` must not be 0 and end before the
// server's position. Throws `connection`, `interrupted`.
std::optional<std::vector<std::byte>> read_wal(postgres::Connection& connection,
                                               const StreamPosition& begin, std::size_t size,
                                               std::chrono::milliseconds timeout,
                                               const Interrupt& interrupt);

}  // namespace barman::replication

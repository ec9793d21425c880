// Reads the WAL of a server, archived and received, and lists what somebody may want undone
// (accident.h). Nothing is changed.
//
// Segments on the way to the present are taken in pieces by several workers; a record that crosses
// the end of a piece is read to its end. Memory: what pieces have to tell until those before them
// are read (piece_reader.h), and what transactions did that have not ended.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "accident/accident.h"
#include "accident/history_fold.h"
#include "accident/wal_history.h"
#include "base/progress.h"

namespace barman::accident {

struct AccidentReport {
  // In the order of the WAL.
  std::vector<Accident> accidents;
  // What was read: the first and the last segment, and where records begin to count.
  std::string first_segment;
  std::string last_segment;
  std::optional<wal::Lsn> counted_from;
  std::uint64_t segment_count = 0;
  // Of what was read no answer can be given: gaps, damage; or all that was asked for lies before
  // the WAL.
  std::vector<std::string> unread;
  // What was asked for reaches further than the WAL that is here.
  std::vector<std::string> beyond;
  WalNames names;
};

AccidentReport find_accidents(const WalHistory& history, const AccidentFilter& filter,
                              std::size_t worker_count, Progress& progress);

}  // namespace barman::accident

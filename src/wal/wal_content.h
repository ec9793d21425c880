// Whether a file can be what its name says: the light check of everything that comes from outside
// and is to be stored, or given to PostgreSQL, under the name of a WAL file. A segment has the size
// that its header tells, and begins at the place that its name tells; a timeline history file
// (src/backend/access/transam/timeline.c) and a backup history file
// (src/backend/access/transam/xlogbackup.c) have the lines that PostgreSQL writes. Pure.
//
// Records are not looked at (that is wal/record_checker.h): what is intact at its beginning and has
// its size passes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/fd.h"
#include "wal/wal_file_name.h"

namespace barman::wal {

// Larger text files are none of PostgreSQL's.
inline constexpr std::uint64_t kMaxWalTextBytes = std::uint64_t{16} << 20;

struct ContentProblem {
  enum class Fault {
    unfinished,     // what is there does not contradict the name: somebody may still be writing it
    foreign,        // it never becomes that file
    other_cluster,  // nor this one, which is a segment of another cluster
  };
  Fault fault = Fault::foreign;
  // "it is empty": the rest of a sentence about the file.
  std::string text;
};

struct ContentExpectation {
  // Of the cluster; not compared when it is not known.
  std::optional<std::uint64_t> system_id;
  // Zeroes in place of the header are a segment of which nothing has arrived yet.
  bool may_be_unwritten = false;
};

// Takes the content in pieces, in their order. Keeps the header of a segment, or the text.
class ContentCheck {
 public:
  ContentCheck(WalFileName name, ContentExpectation expectation)
      : name_(std::move(name)), expectation_(expectation) {}

  void add(Bytes data);
  // Without the bytes themselves: all that is needed of a plain segment is its beginning.
  void set_size(std::uint64_t size_bytes) { size_bytes_ = size_bytes; }
  std::uint64_t size_bytes() const { return size_bytes_; }
  // How many bytes from the beginning on are looked at.
  std::uint64_t wanted_bytes() const;

  // nullopt when nothing speaks against it.
  std::optional<ContentProblem> find_problem() const;

 private:
  std::optional<ContentProblem> find_segment_problem() const;
  std::optional<ContentProblem> find_history_problem() const;
  std::optional<ContentProblem> find_label_problem() const;

  WalFileName name_;
  ContentExpectation expectation_;
  std::string begin_;
  std::uint64_t size_bytes_ = 0;
};

}  // namespace barman::wal

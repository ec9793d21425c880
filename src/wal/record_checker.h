// Reads WAL as PostgreSQL would replay it and checks what can be checked without replaying: page
// headers, the chain of records, and the CRC of each record (docs/formats/wal_segment.md;
// PostgreSQL src/include/access/xlog_internal.h and xlogrecord.h). Pages of the usual 8 KiB,
// little-endian. The rules are those of PostgreSQL's src/backend/access/transam/xlogreader.c: where
// its reader stops, recovery ends without a word, so what it refuses is damage here.
//
// Memory: one page and what is wanted of one record, whatever the size of records.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "wal/lsn.h"
#include "wal/wal_file_name.h"

namespace barman::wal {

enum class FirstRecord {
  at_the_beginning,
  anywhere,  // the rest of a record that began earlier is passed over
};
enum class LastRecord {
  at_the_end,
  anywhere,  // records may end earlier: the last segment of a timeline
};

struct WalRange {
  TimelineId timeline;
  // The first record begins here; with FirstRecord::anywhere, the beginning of a segment.
  Lsn begin;
  // The last one ends here or later.
  Lsn end;
  SegmentSize segment_size;
  // Of the cluster; unset: that of the first page.
  std::optional<std::uint64_t> system_id;
  FirstRecord first_record = FirstRecord::at_the_beginning;
  LastRecord last_record = LastRecord::at_the_end;
  // With LastRecord::anywhere: where the next timeline left this one. In the last segment the
  // records must come so far, and need not be whole behind it.
  std::optional<Lsn> timeline_end = {};
  // Of the server that wrote it, "17"; unset: that of the first page, whatever it is.
  std::optional<int> server_major = {};
};

// A record whose checksum is right, for those that look at what it says (record_content.h).
struct RecordView {
  Lsn begin;
  // Where the next one begins.
  Lsn end;
  Lsn previous;
  std::uint32_t transaction = 0;
  std::uint8_t manager = 0;
  std::uint8_t info = 0;
  // What follows the header, as much of it as the WantedContent of the checker says. Ends with the
  // call of the observer.
  Bytes content;
  // All that follows the header.
  std::uint32_t content_bytes = 0;
  // Of the server that wrote it, "17"; 0: none that is known.
  int server_major = 0;

  bool is_content_whole() const { return content.size() == content_bytes; }
};
inline constexpr std::size_t kKeptContent = 1024;
inline constexpr std::uint8_t kXlogManager = 0;
inline constexpr std::uint8_t kTransactionManager = 1;
inline constexpr std::uint8_t kTablespaceManager = 5;

constexpr std::uint32_t manager_bit(std::uint8_t manager) {
  return manager < 32 ? std::uint32_t{1} << manager : 0;
}

// Which records an observer gets with what follows their header; those of XLOG always.
struct WantedContent {
  std::uint32_t managers = manager_bit(kXlogManager) | manager_bit(kTransactionManager) |
                           manager_bit(kTablespaceManager);
  // Of each record at most; of records that end transactions, which name files and subtransactions.
  std::size_t limit_bytes = kKeptContent;
  std::size_t transaction_limit_bytes = kKeptContent;
};

class RecordChecker {
 public:
  using Observer = std::function<void(const RecordView&)>;

  // `observer` is called for each record of the range, in order; may be empty.
  explicit RecordChecker(const WalRange& range, Observer observer = {},
                         const WantedContent& wanted = {});

  // The segments of the range, one after the other, from the one that holds `begin`. Pieces of any
  // size; throws `corrupt` naming the LSN for what PostgreSQL would not replay.
  void begin_segment(const Segment& segment);
  void write(Bytes data);
  // Throws `corrupt` when the segment was shorter than it must be.
  void end_segment();
  // After the last segment: throws `corrupt` when the records do not reach `end`.
  void finish() const;

  std::uint64_t record_count() const { return record_count_; }
  // The records have reached the end of the range.
  bool is_done() const { return is_ended_ || (position_ >= end_ && remaining_ == 0); }
  // No record has begun so far.
  bool is_seeking() const { return is_seeking_; }
  // Up to here all records are whole.
  Lsn good_end() const { return {good_end_}; }

 private:
  static constexpr std::size_t kPageSize = 8192;
  static constexpr std::size_t kRecordHeader = 24;

  void check_page_or_end();
  void check_page();
  std::size_t check_page_header();
  void check_timeline();
  std::size_t check_long_header();
  std::size_t continue_record(std::size_t offset);
  std::size_t begin_record(std::size_t offset);
  std::size_t take(std::size_t offset);
  void check_record_header() const;
  void keep_content(Bytes data);
  void check_overwriting() const;
  void end_record();
  std::size_t pass_over_continued(std::size_t offset);
  bool may_end_here();
  bool is_last_segment() const;
  bool is_left_behind() const;
  [[noreturn]] void fail(std::uint64_t position, const std::string& reason) const;

  const WalRange range_;
  // range_.end; the beginning of its page when it is just behind the page's header.
  const std::uint64_t end_;
  const Observer observer_;
  const WantedContent wanted_;
  // The page that is looked at: in the caller's bytes, or put together here.
  Bytes page_;
  std::array<std::byte, kPageSize> buffer_{};
  std::size_t page_fill_ = 0;
  std::uint64_t page_begin_ = 0;
  std::uint64_t segment_end_ = 0;
  std::uint16_t magic_ = 0;
  TimelineId latest_timeline_;
  std::optional<std::uint64_t> system_id_;

  bool is_seeking_;
  // While it is: what the next page must still have of the record that is passed over; 0 = unknown.
  std::uint64_t passed_rest_ = 0;
  bool is_ended_ = false;
  // Where the next record begins, or the current one goes on.
  std::uint64_t position_;
  // Up to here all records are whole.
  std::uint64_t good_end_;
  std::uint64_t record_begin_ = 0;
  std::uint64_t previous_record_ = 0;
  // Bytes of the current record that are still to come.
  std::uint64_t remaining_ = 0;
  std::array<std::byte, kRecordHeader> header_{};
  std::size_t header_fill_ = 0;
  // What is kept of the record: in its page when it lies in one, else copied.
  Bytes content_;
  std::vector<std::byte> copied_content_;
  std::size_t content_limit_ = 0;
  // The record that a crash has left unfinished, until the one that tells so.
  std::uint64_t overwritten_record_ = 0;
  std::uint32_t crc_ = 0;
  std::uint64_t record_count_ = 0;
};

}  // namespace barman::wal

#include "wal/record_checker.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/error.h"

namespace barman::wal {
namespace {

// XLogPageHeaderData and XLogLongPageHeaderData, with their padding.
constexpr std::size_t kShortPageHeader = 24;
constexpr std::size_t kLongPageHeader = 40;
constexpr std::size_t kInfoOffset = 2;
constexpr std::size_t kTimelineOffset = 4;
constexpr std::size_t kAddressOffset = 8;
constexpr std::size_t kRemainingOffset = 16;
constexpr std::size_t kSystemIdOffset = 24;
constexpr std::size_t kSegmentSizeOffset = 32;
constexpr std::size_t kBlockSizeOffset = 36;
constexpr std::uint16_t kContinuesRecord = 0x0001;
constexpr std::uint16_t kHasLongHeader = 0x0002;
constexpr std::uint16_t kOverwritesRecord = 0x0008;

// XLogRecord.
constexpr std::size_t kPreviousOffset = 8;
constexpr std::size_t kRecordInfoOffset = 16;
constexpr std::size_t kResourceManagerOffset = 17;
constexpr std::size_t kCrcOffset = 20;
// XLogRecordMaxSize.
constexpr std::uint32_t kMaxRecordSize = std::uint32_t{1020} << 20;

constexpr std::uint8_t kXlogResourceManager = 0;
constexpr std::uint8_t kSwitchInfo = 0x40;

template <typename T>
T load(Bytes data, std::size_t offset) {
  T value{};
  std::memcpy(&value, data.data() + offset, sizeof value);
  return value;
}

constexpr std::uint64_t align_record(std::uint64_t position) { return (position + 7) & ~7ULL; }

// An LSN just behind a page header is the same place as the end of the page before it.
std::uint64_t before_page_header(Lsn lsn, SegmentSize size) {
  constexpr std::uint64_t kPage = 8192;
  const std::uint64_t header = lsn.value % size.bytes < kPage ? kLongPageHeader : kShortPageHeader;
  return lsn.value % kPage <= header ? lsn.value - lsn.value % kPage : lsn.value;
}

}  // namespace

RecordChecker::RecordChecker(const WalRange& range)
    : range_(range),
      end_(before_page_header(range.end, range.segment_size)),
      system_id_(range.system_id),
      is_seeking_(range.first_record == FirstRecord::anywhere),
      position_(range.begin.value),
      good_end_(range.begin.value) {}

void RecordChecker::fail(std::uint64_t position, const std::string& reason) const {
  throw Error(ErrorKind::corrupt, fmt::format("WAL at {}: {}", format_lsn({position}), reason));
}

void RecordChecker::begin_segment(const Segment& segment) {
  page_begin_ = wal::segment_begin(segment, range_.segment_size).value;
  segment_end_ = page_begin_ + range_.segment_size.bytes;
  page_fill_ = 0;
}

void RecordChecker::write(Bytes data) {
  while (!data.empty()) {
    if (page_begin_ >= segment_end_) fail(segment_end_, "the segment is longer than it may be");
    const std::size_t size = std::min(data.size(), kPageSize - page_fill_);
    std::memcpy(page_.data() + page_fill_, data.data(), size);
    page_fill_ += size;
    data = data.subspan(size);
    if (page_fill_ < kPageSize) return;
    // What lies before the first record or behind the last one is not looked at: the rest of a
    // segment after a switch is zero, or old content of a recycled file.
    const std::uint64_t page_end = page_begin_ + kPageSize;
    if (!is_done() && page_end > position_) check_page_or_end();
    page_begin_ = page_end;
    page_fill_ = 0;
  }
}

void RecordChecker::end_segment() {
  if (page_begin_ != segment_end_) {
    fail(page_begin_ + page_fill_, "the segment is shorter than it must be");
  }
  if (!range_.timeline_end || !is_last_segment()) return;
  const Lsn end = *range_.timeline_end;
  if (good_end_ < end.value && end.value <= segment_end_) {
    fail(good_end_,
         fmt::format("the records end here, but a later timeline begins at {}", format_lsn(end)));
  }
}

void RecordChecker::finish() const {
  if (!is_done()) fail(position_, "the records end here, too early");
}

void RecordChecker::check_page_or_end() {
  // Only here it is known what any of the failures means.
  try {
    check_page();
  } catch (const Error&) {
    if (!is_left_behind()) throw;
    is_ended_ = true;
    remaining_ = 0;
  }
}

void RecordChecker::check_page() {
  if (load<std::uint16_t>(page_, 0) == 0 && may_end_here()) return;
  std::size_t offset = check_page_header();
  if (is_seeking_) {
    offset = pass_over_continued(offset);
    if (is_seeking_) return;
  } else if (remaining_ > 0) {
    offset = continue_record(offset);
  } else if (position_ > page_begin_ + offset) {
    offset = static_cast<std::size_t>(position_ - page_begin_);
  }
  while (offset < kPageSize && !is_done()) {
    offset = remaining_ > 0 ? take(offset) : begin_record(offset);
    // A switch has ended the segment.
    if (remaining_ == 0 && position_ >= segment_end_) return;
  }
}

std::size_t RecordChecker::check_page_header() {
  const Bytes page(page_);
  const auto magic = load<std::uint16_t>(page, 0);
  const auto info = load<std::uint16_t>(page, kInfoOffset);
  if (magic_ == 0) magic_ = magic;
  if (magic == 0) fail(page_begin_, "the page is empty");
  if (magic != magic_) fail(page_begin_, fmt::format("wrong magic number {:04X}", magic));
  if (load<std::uint64_t>(page, kAddressOffset) != page_begin_) {
    fail(page_begin_, "the page belongs to another place of the log");
  }
  // The first segment of a timeline begins with pages of the timeline before it.
  if (load<std::uint32_t>(page, kTimelineOffset) > range_.timeline.value) {
    fail(page_begin_, "the page belongs to a later timeline");
  }
  if ((info & kHasLongHeader) == 0) {
    if (page_begin_ % range_.segment_size.bytes == 0) {
      fail(page_begin_, "the segment has no header");
    }
    return kShortPageHeader;
  }
  const auto system_id = load<std::uint64_t>(page, kSystemIdOffset);
  if (!system_id_) system_id_ = system_id;
  if (system_id != *system_id_) {
    fail(page_begin_,
         fmt::format("the segment is of another cluster (system identifier {})", system_id));
  }
  if (load<std::uint32_t>(page, kSegmentSizeOffset) != range_.segment_size.bytes ||
      load<std::uint32_t>(page, kBlockSizeOffset) != kPageSize) {
    fail(page_begin_, "the segment has another segment or block size");
  }
  return kLongPageHeader;
}

// The page tells how much of a record is still to come on it and behind it.
std::size_t RecordChecker::pass_over_continued(std::size_t offset) {
  const Bytes page(page_);
  const bool is_continued = (load<std::uint16_t>(page, kInfoOffset) & kContinuesRecord) != 0;
  const std::uint64_t rest = is_continued ? load<std::uint32_t>(page, kRemainingOffset) : 0;
  if (rest > kPageSize - offset) return kPageSize;
  is_seeking_ = false;
  position_ = align_record(page_begin_ + offset + rest);
  good_end_ = position_;
  return static_cast<std::size_t>(position_ - page_begin_);
}

bool RecordChecker::is_last_segment() const {
  return range_.last_record == LastRecord::anywhere && segment_end_ >= end_;
}

// The timeline was left in this segment, or at the beginning of the record that reaches into it.
bool RecordChecker::is_left_behind() const {
  if (!range_.timeline_end || !is_last_segment()) return false;
  const std::uint64_t end = range_.timeline_end->value;
  return good_end_ == end || (good_end_ > end && end >= segment_end_ - range_.segment_size.bytes);
}

// What is unfinished then is the end of the log of a server that was stopped.
bool RecordChecker::may_end_here() {
  if (!is_last_segment()) return false;
  is_ended_ = true;
  remaining_ = 0;
  return true;
}

std::size_t RecordChecker::continue_record(std::size_t offset) {
  const Bytes page(page_);
  const auto info = load<std::uint16_t>(page, kInfoOffset);
  if ((info & kOverwritesRecord) != 0) {
    // The server crashed while it wrote that record, and began anew here.
    remaining_ = 0;
    position_ = page_begin_ + offset;
    return offset;
  }
  if ((info & kContinuesRecord) == 0 || load<std::uint32_t>(page, kRemainingOffset) != remaining_) {
    fail(record_begin_, "the record does not go on on the next page");
  }
  position_ = page_begin_ + offset;
  return take(offset);
}

std::size_t RecordChecker::begin_record(std::size_t offset) {
  record_begin_ = page_begin_ + offset;
  const auto size = load<std::uint32_t>(page_, offset);
  if (size == 0 && may_end_here()) return kPageSize;
  if (size == 0) fail(record_begin_, "the records end here, too early");
  if (size < kRecordHeader || size > kMaxRecordSize) {
    fail(record_begin_, fmt::format("a record cannot have {} bytes", size));
  }
  remaining_ = size;
  header_fill_ = 0;
  crc_ = kCrc32cInitial;
  position_ = record_begin_;
  return take(offset);
}

// Takes what this page has of the record; returns where the next one begins.
std::size_t RecordChecker::take(std::size_t offset) {
  const auto size = static_cast<std::size_t>(
      std::min<std::uint64_t>(remaining_, std::uint64_t{kPageSize - offset}));
  Bytes data = Bytes(page_).subspan(offset, size);
  const std::size_t header_size = std::min(kRecordHeader - header_fill_, size);
  if (header_size > 0) {
    std::memcpy(header_.data() + header_fill_, data.data(), header_size);
    header_fill_ += header_size;
    data = data.subspan(header_size);
  }
  crc_ = crc32c_extend(crc_, data);
  remaining_ -= size;
  position_ += size;
  if (remaining_ > 0) return kPageSize;
  end_record();
  return static_cast<std::size_t>(std::min<std::uint64_t>(position_ - page_begin_, kPageSize));
}

void RecordChecker::end_record() {
  const Bytes header(header_);
  crc_ = crc32c_finish(crc32c_extend(crc_, header.first(kCrcOffset)));
  if (crc_ != load<std::uint32_t>(header, kCrcOffset)) {
    fail(record_begin_, "the record has a wrong checksum");
  }
  const auto previous = load<std::uint64_t>(header, kPreviousOffset);
  if (previous_record_ != 0 && previous != previous_record_) {
    fail(record_begin_, "the record does not follow the one before it");
  }
  previous_record_ = record_begin_;
  ++record_count_;
  position_ = align_record(position_);
  const auto manager = load<std::uint8_t>(header, kResourceManagerOffset);
  const auto info = load<std::uint8_t>(header, kRecordInfoOffset);
  if (manager == kXlogResourceManager && (info & 0xF0) == kSwitchInfo) position_ = segment_end_;
  good_end_ = position_;
}

}  // namespace barman::wal

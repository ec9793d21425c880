#include "wal/record_checker.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/error.h"
#include "wal/segment_header.h"

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
// With 0x0004, that full-page images may be left out.
constexpr std::uint16_t kAllFlags = 0x000F;

// XLogRecord.
constexpr std::size_t kTransactionOffset = 4;
constexpr std::size_t kPreviousOffset = 8;
constexpr std::size_t kRecordInfoOffset = 16;
constexpr std::size_t kResourceManagerOffset = 17;
constexpr std::size_t kCrcOffset = 20;
// XLogRecordMaxSize.
constexpr std::uint32_t kMaxRecordSize = std::uint32_t{1020} << 20;

constexpr std::uint8_t kSwitchInfo = 0x40;
// Its content: two bytes that tell its length, then the LSN of what it replaces.
constexpr std::uint8_t kOverwriteInfo = 0xD0;
constexpr std::size_t kOverwrittenLsnOffset = 2;

// Logical messages; extensions have managers of their own from 128 on, since 15.
constexpr std::uint8_t kLastBuiltInManager = 21;
constexpr std::uint8_t kFirstCustomManager = 128;
constexpr int kFirstWithCustomManagers = 15;

bool is_manager(std::uint8_t id, std::optional<int> major) {
  return id <= kLastBuiltInManager ||
         (id >= kFirstCustomManager &&
          major.value_or(kFirstWithCustomManagers) >= kFirstWithCustomManagers);
}

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

RecordChecker::RecordChecker(const WalRange& range, Observer observer, const WantedContent& wanted)
    : range_(range),
      end_(before_page_header(range.end, range.segment_size)),
      observer_(std::move(observer)),
      wanted_(wanted),
      magic_(magic_of_major(range.server_major)),
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
    if (size == kPageSize) {
      page_ = data.first(size);
    } else {
      std::memcpy(buffer_.data() + page_fill_, data.data(), size);
      page_ = buffer_;
    }
    page_fill_ += size;
    data = data.subspan(size);
    if (page_fill_ < kPageSize) return;
    // Of what lies before the first record or behind the last one PostgreSQL reads the header of
    // the segment only: the rest of a segment after a switch is zero, or old content of a recycled
    // file.
    const std::uint64_t page_end = page_begin_ + kPageSize;
    if (!is_done()) {
      if (page_end > position_) {
        check_page_or_end();
      } else if (page_begin_ % range_.segment_size.bytes == 0) {
        check_page_header();
      }
    }
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
  const auto magic = load<std::uint16_t>(page_, 0);
  const auto info = load<std::uint16_t>(page_, kInfoOffset);
  if (magic_ == 0) magic_ = magic;
  if (magic == 0) fail(page_begin_, "the page is empty");
  if (magic != magic_) fail(page_begin_, fmt::format("wrong magic number {:04X}", magic));
  if ((info & ~kAllFlags) != 0) {
    fail(page_begin_, fmt::format("the page header has unknown flags ({:04X})", info));
  }
  if (load<std::uint64_t>(page_, kAddressOffset) != page_begin_) {
    fail(page_begin_, "the page belongs to another place of the log");
  }
  check_timeline();
  if ((info & kHasLongHeader) != 0) return check_long_header();
  if (page_begin_ % range_.segment_size.bytes == 0) {
    fail(page_begin_, "the segment has no header");
  }
  return kShortPageHeader;
}

void RecordChecker::check_timeline() {
  const TimelineId timeline{load<std::uint32_t>(page_, kTimelineOffset)};
  // The first segment of a timeline begins with pages of the timeline before it.
  if (timeline > range_.timeline) fail(page_begin_, "the page belongs to a later timeline");
  if (timeline < latest_timeline_) {
    fail(page_begin_, fmt::format("the page belongs to timeline {}, and the one before it to {}",
                                  timeline.value, latest_timeline_.value));
  }
  latest_timeline_ = timeline;
}

std::size_t RecordChecker::check_long_header() {
  const auto system_id = load<std::uint64_t>(page_, kSystemIdOffset);
  if (!system_id_) system_id_ = system_id;
  if (system_id != *system_id_) {
    fail(page_begin_,
         fmt::format("the segment is of another cluster (system identifier {})", system_id));
  }
  if (load<std::uint32_t>(page_, kSegmentSizeOffset) != range_.segment_size.bytes ||
      load<std::uint32_t>(page_, kBlockSizeOffset) != kPageSize) {
    fail(page_begin_, "the segment has another segment or block size");
  }
  return kLongPageHeader;
}

// The page tells how much of a record is still to come on it and behind it.
std::size_t RecordChecker::pass_over_continued(std::size_t offset) {
  const bool is_continued = (load<std::uint16_t>(page_, kInfoOffset) & kContinuesRecord) != 0;
  const std::uint64_t rest = is_continued ? load<std::uint32_t>(page_, kRemainingOffset) : 0;
  // Not so when the server crashed while it wrote that record, and began anew here.
  const bool is_overwriting = (load<std::uint16_t>(page_, kInfoOffset) & kOverwritesRecord) != 0;
  if (passed_rest_ != 0 && rest != passed_rest_ && !is_overwriting) {
    fail(page_begin_, "the record of the page before does not go on here");
  }
  if (rest > kPageSize - offset) {
    passed_rest_ = rest - (kPageSize - offset);
    return kPageSize;
  }
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
  const auto info = load<std::uint16_t>(page_, kInfoOffset);
  if ((info & kOverwritesRecord) != 0) {
    // The server crashed while it wrote that record, and began anew here.
    overwritten_record_ = record_begin_;
    remaining_ = 0;
    position_ = page_begin_ + offset;
    return offset;
  }
  if ((info & kContinuesRecord) == 0 ||
      load<std::uint32_t>(page_, kRemainingOffset) != remaining_) {
    fail(record_begin_, "the record does not go on on the next page");
  }
  position_ = page_begin_ + offset;
  return take(offset);
}

std::size_t RecordChecker::begin_record(std::size_t offset) {
  record_begin_ = page_begin_ + offset;
  const auto info = load<std::uint16_t>(page_, kInfoOffset);
  const std::size_t header = (info & kHasLongHeader) != 0 ? kLongPageHeader : kShortPageHeader;
  if (offset < header) fail(record_begin_, "a record cannot begin in a page header");
  if (offset == header && (info & kContinuesRecord) != 0) {
    fail(page_begin_, "the page continues a record, but none is unfinished");
  }
  const auto size = load<std::uint32_t>(page_, offset);
  if (size == 0 && may_end_here()) return kPageSize;
  if (size == 0) fail(record_begin_, "the records end here, too early");
  if (size < kRecordHeader || size > kMaxRecordSize) {
    fail(record_begin_, fmt::format("a record cannot have {} bytes", size));
  }
  remaining_ = size;
  header_fill_ = 0;
  content_ = {};
  copied_content_.clear();
  content_limit_ = 0;
  crc_ = kCrc32cInitial;
  position_ = record_begin_;
  return take(offset);
}

// Takes what this page has of the record; returns where the next one begins.
std::size_t RecordChecker::take(std::size_t offset) {
  const auto size = static_cast<std::size_t>(
      std::min<std::uint64_t>(remaining_, std::uint64_t{kPageSize - offset}));
  Bytes data = page_.subspan(offset, size);
  if (header_fill_ < kRecordHeader) {
    const std::size_t header_size = std::min(kRecordHeader - header_fill_, size);
    std::memcpy(header_.data() + header_fill_, data.data(), header_size);
    header_fill_ += header_size;
    data = data.subspan(header_size);
    if (header_fill_ == kRecordHeader) {
      check_record_header();
      const auto manager = load<std::uint8_t>(header_, kResourceManagerOffset);
      if (manager == kXlogManager || (wanted_.managers & manager_bit(manager)) != 0) {
        content_limit_ =
            manager == kTransactionManager ? wanted_.transaction_limit_bytes : wanted_.limit_bytes;
      }
    }
  }
  crc_ = crc32c_extend(crc_, data);
  remaining_ -= size;
  position_ += size;
  if (content_limit_ > 0) keep_content(data);
  if (remaining_ > 0) return kPageSize;
  end_record();
  return static_cast<std::size_t>(std::min<std::uint64_t>(position_ - page_begin_, kPageSize));
}

// `data`: what this page has of it.
void RecordChecker::keep_content(Bytes data) {
  const Bytes kept = data.first(std::min(data.size(), content_limit_ - copied_content_.size()));
  if (copied_content_.empty() && remaining_ == 0) {
    content_ = kept;
    return;
  }
  copied_content_.insert(copied_content_.end(), kept.begin(), kept.end());
  content_ = copied_content_;
}

// PostgreSQL looks at the rest of a record only when its header is right.
void RecordChecker::check_record_header() const {
  const auto manager = load<std::uint8_t>(header_, kResourceManagerOffset);
  if (!is_manager(manager, range_.server_major)) {
    fail(record_begin_, fmt::format("the record has an unknown resource manager ({})", manager));
  }
  const auto previous = load<std::uint64_t>(header_, kPreviousOffset);
  const bool follows =
      previous_record_ == 0 ? previous < record_begin_ : previous == previous_record_;
  if (!follows) fail(record_begin_, "the record does not follow the one before it");
}

// PostgreSQL ends recovery where a record replaces another one than that which was left unfinished.
void RecordChecker::check_overwriting() const {
  if (content_.size() < kOverwrittenLsnOffset + sizeof(std::uint64_t)) return;
  // Where the reading began the unfinished record was not seen.
  const bool is_known = record_count_ > 0;
  if (is_known && load<std::uint64_t>(content_, kOverwrittenLsnOffset) != overwritten_record_) {
    fail(record_begin_, "the record replaces another one than the unfinished one before it");
  }
}

void RecordChecker::end_record() {
  const Bytes header(header_);
  crc_ = crc32c_finish(crc32c_extend(crc_, header.first(kCrcOffset)));
  if (crc_ != load<std::uint32_t>(header, kCrcOffset)) {
    fail(record_begin_, "the record has a wrong checksum");
  }
  const Lsn previous{load<std::uint64_t>(header, kPreviousOffset)};
  const auto manager = load<std::uint8_t>(header, kResourceManagerOffset);
  const auto info = load<std::uint8_t>(header, kRecordInfoOffset);
  const std::uint8_t kind = info & 0xF0;
  if (manager == kXlogManager && kind == kOverwriteInfo) check_overwriting();
  previous_record_ = record_begin_;
  ++record_count_;
  position_ = align_record(position_);
  if (manager == kXlogManager && kind == kSwitchInfo) position_ = segment_end_;
  good_end_ = position_;
  if (!observer_) return;
  observer_(
      {.begin = {record_begin_},
       .end = {good_end_},
       .previous = previous,
       .transaction = load<std::uint32_t>(header, kTransactionOffset),
       .manager = manager,
       .info = info,
       .content = content_,
       .content_bytes = load<std::uint32_t>(header, 0) - static_cast<std::uint32_t>(kRecordHeader),
       .server_major = major_of_magic(magic_)});
}

}  // namespace barman::wal

#include "accident/wal_history.h"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "base/directory.h"
#include "base/error.h"
#include "catalogue/branches.h"
#include "wal/record_checker.h"
#include "wal/record_content.h"
#include "wal/segment_header.h"
#include "wal_archive/read_branches.h"
#include "wal_archive/segment_beginning.h"

namespace barman::accident {
namespace fs = std::filesystem;
namespace {

// Thrown through the filters of a chain when what was looked for is found.
struct EnoughRead {};

class ZeroFilledSink final : public pipeline::Sink {
 public:
  explicit ZeroFilledSink(pipeline::Sink& next) : next_(next) {}
  void write(Bytes data) override {
    size_bytes_ += data.size();
    next_.write(data);
  }
  void finish() override {}
  void fill_up(std::uint64_t wanted_bytes) {
    static constexpr std::array<std::byte, 65536> kZeroes{};
    while (size_bytes_ < wanted_bytes) {
      write(Bytes(kZeroes).first(
          std::min<std::uint64_t>(kZeroes.size(), wanted_bytes - size_bytes_)));
    }
  }

 private:
  pipeline::Sink& next_;
  std::uint64_t size_bytes_ = 0;
};

class FirstEndingSink final : public pipeline::Sink {
 public:
  FirstEndingSink(wal::RecordChecker& checker, const std::optional<Timestamp>& found)
      : checker_(checker), found_(found) {}
  void write(Bytes data) override {
    constexpr std::size_t kPage = 8192;
    while (!data.empty()) {
      const Bytes piece = data.first(std::min(data.size(), kPage));
      checker_.write(piece);
      if (found_) throw EnoughRead();
      data = data.subspan(piece.size());
    }
  }
  void finish() override {}

 private:
  wal::RecordChecker& checker_;
  const std::optional<Timestamp>& found_;
};

// What `read` puts into a sink begins with it; nullopt for what cannot be read.
std::optional<wal::SegmentSize> size_in(const std::function<void(pipeline::Sink&)>& read) {
  try {
    const auto header = wal::parse_segment_header(wal_archive::read_segment_beginning(read));
    if (header && wal::is_valid_segment_size(header->segment_size)) {
      return wal::SegmentSize{header->segment_size};
    }
  } catch (const Error& error) {  // Another file tells the same.
    if (error.kind() != ErrorKind::corrupt && error.kind() != ErrorKind::not_found) throw;
  }
  return std::nullopt;
}

// Where each timeline of a history begins and ends, in numbers of segments, both included.
struct NumberRange {
  std::uint64_t first = 0;
  std::uint64_t last = ~std::uint64_t{0};
};

std::map<wal::TimelineId, NumberRange> ranges_of(const postgres::TimelineHistory& history,
                                                 wal::SegmentSize size) {
  std::map<wal::TimelineId, NumberRange> ranges;
  std::uint64_t first = 0;
  for (const postgres::TimelineHistoryEntry& entry : history.ancestors) {
    const std::uint64_t last = entry.switch_lsn.value / size.bytes;
    ranges[entry.timeline] = {.first = first, .last = last};
    first = last;
  }
  ranges[history.timeline] = {.first = first};
  return ranges;
}

class SegmentCollector {
 public:
  SegmentCollector(std::map<wal::TimelineId, NumberRange> ranges, wal::SegmentSize size)
      : ranges_(std::move(ranges)), size_(size) {}

  void add(std::string_view name, const fs::path& received, bool is_partial) {
    const auto segment = wal::parse_segment_name(name, size_);
    if (!segment) return;
    const auto range = ranges_.find(segment->timeline);
    if (range == ranges_.end() || segment->number < range->second.first ||
        segment->number > range->second.last) {
      return;
    }
    HistorySegment candidate = {.segment = *segment,
                                .name = std::string(name),
                                .received = received,
                                .is_partial = is_partial};
    const auto known = segments_.find(segment->number);
    if (known == segments_.end()) {
      segments_.emplace(segment->number, std::move(candidate));
    } else if (is_better(candidate, known->second)) {
      known->second = std::move(candidate);
    }
  }

  std::vector<HistorySegment> take() && {
    std::vector<HistorySegment> list;
    for (auto& [number, segment] : segments_) list.push_back(std::move(segment));
    return list;
  }

 private:
  // The segment in which a timeline begins has what the one before it wrote, too.
  static bool is_better(const HistorySegment& candidate, const HistorySegment& known) {
    if (candidate.is_partial != known.is_partial) return known.is_partial;
    if (candidate.segment.timeline != known.segment.timeline) {
      return candidate.segment.timeline > known.segment.timeline;
    }
    return candidate.received.empty() && !known.received.empty();
  }

  const std::map<wal::TimelineId, NumberRange> ranges_;
  const wal::SegmentSize size_;
  std::map<std::uint64_t, HistorySegment> segments_;
};

void add_received(const fs::path& directory, SegmentCollector& collector) {
  for (const std::string& name : list_directory(directory)) {
    const auto parsed = wal::parse_wal_file_name(name);
    if (!parsed) continue;
    const bool is_partial = parsed->kind == wal::WalFileKind::partial;
    if (!is_partial && parsed->kind != wal::WalFileKind::segment) continue;
    std::error_code code;
    const std::uintmax_t size_bytes = fs::file_size(directory / name, code);
    // Archived meanwhile, or only a sign for the receiver where to go on.
    if (code || size_bytes == 0) continue;
    collector.add(parsed->segment(), directory / name, is_partial);
  }
}

}  // namespace

WalHistory::WalHistory(const server::Server& server, wal::SegmentSize segment_size)
    : server_(server), segment_size_(segment_size), archive_(server) {
  const catalogue::Branches branches = wal_archive::read_branches(server, segment_size);
  const wal::TimelineId present = branches.present().value_or(wal::TimelineId{1});
  SegmentCollector collector(ranges_of(branches.history_of(present), segment_size), segment_size);
  // Before the index: what is archived meanwhile is found there then.
  add_received(server.locations().streaming_directory, collector);
  add_received(server.locations().incoming_directory, collector);
  archive_.snapshot().for_each([&](const wal_archive::WalIndexLine& line) {
    if (line.name.size() == wal::kSegmentNameLength) collector.add(line.name, {}, false);
    return wal_archive::Visit::proceed;
  });
  segments_ = std::move(collector).take();
}

void WalHistory::read(const HistorySegment& segment, pipeline::Sink& sink) const {
  if (!segment.received.empty()) {
    if (const std::optional<Fd> file = find_file(segment.received)) {
      ZeroFilledSink filled(sink);
      const wal_archive::WalCoding& coding = archive_.coding();
      coding.decode(coding.identify_received(*file, segment.received), *file, segment.received,
                    filled);
      if (segment.is_partial) filled.fill_up(segment_size_.bytes);
      return;
    }
  }
  if (!archive_.read_along(segment.name, sink)) {
    throw Error(
        ErrorKind::not_found,
        fmt::format("WAL file \"{}\" does not exist", archive_.path_of(segment.name).string()),
        "Run 'barman rebuild-xlogdb' if it was removed.");
  }
}

std::optional<Timestamp> WalHistory::find_first_ending(const HistorySegment& segment) const {
  std::optional<Timestamp> found;
  const wal::Lsn begin = begin_of(segment);
  wal::RecordChecker checker({.timeline = segment.segment.timeline,
                              .begin = begin,
                              .end = {begin.value + segment_size_.bytes},
                              .segment_size = segment_size_,
                              .system_id = {},
                              .first_record = wal::FirstRecord::anywhere,
                              .last_record = wal::LastRecord::anywhere},
                             [&](const wal::RecordView& record) {
                               if (found) return;
                               if (const auto end = wal::find_transaction_end(record)) {
                                 found = Timestamp{.microseconds = end->microseconds};
                               }
                             });
  FirstEndingSink sink(checker, found);
  try {
    checker.begin_segment(segment.segment);
    read(segment, sink);
  } catch (const EnoughRead&) {  // The rest of it is of no interest.
  } catch (const Error& error) {
    // The one beside it tells about the same; who reads it all tells of the damage.
    if (error.kind() != ErrorKind::corrupt && error.kind() != ErrorKind::not_found) throw;
  }
  return found;
}

std::optional<wal::SegmentSize> find_segment_size(const server::Server& server) {
  const wal_archive::WalArchive archive(server);
  std::vector<std::string> names = archive.list_newest_names();
  std::ranges::reverse(names);
  constexpr std::size_t kMostTried = 8;
  names.resize(std::min(names.size(), kMostTried));
  for (const std::string& name : names) {
    if (!wal::is_segment_name(name)) continue;
    const auto size = size_in([&](pipeline::Sink& sink) { archive.read_along(name, sink); });
    if (size) return size;
  }
  const catalogue::CatalogueLocations& locations = server.locations();
  for (const fs::path& directory : {locations.streaming_directory, locations.incoming_directory}) {
    for (const std::string& name : list_directory(directory)) {
      const std::optional<Fd> file = find_file(directory / name);
      if (!file || !wal::parse_wal_file_name(name)) continue;
      const auto size = size_in([&](pipeline::Sink& sink) {
        const wal_archive::WalCoding& coding = archive.coding();
        coding.decode(coding.identify_received(*file, directory / name), *file, directory / name,
                      sink);
      });
      if (size) return size;
    }
  }
  return std::nullopt;
}

SegmentSpan find_span(const WalHistory& history, const std::optional<Timestamp>& from,
                      const std::optional<Timestamp>& to) {
  constexpr std::size_t kMargin = 2;
  const std::vector<HistorySegment>& segments = history.segments();
  SegmentSpan span = {.begin = 0, .end = segments.size()};
  std::map<std::size_t, std::optional<Timestamp>> known;
  const auto time_of = [&](std::size_t index) {
    history.server().interrupt().throw_if_requested();
    const auto found = known.find(index);
    if (found != known.end()) return found->second;
    return known[index] = history.find_first_ending(segments[index]);
  };
  if (from) {
    // The first one that begins behind `from`; without a time the earlier half is taken.
    std::size_t low = 0;
    std::size_t high = segments.size();
    while (low < high) {
      const std::size_t middle = low + (high - low) / 2;
      const std::optional<Timestamp> time = time_of(middle);
      if (time && *time <= *from) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    span.begin = low > kMargin + 1 ? low - kMargin - 1 : 0;
  }
  if (to) {
    std::size_t low = span.begin;
    std::size_t high = segments.size();
    while (low < high) {
      const std::size_t middle = low + (high - low) / 2;
      const std::optional<Timestamp> time = time_of(middle);
      if (!time || *time <= *to) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    span.end = std::min(low + kMargin, segments.size());
  }
  return span;
}

}  // namespace barman::accident

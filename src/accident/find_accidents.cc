#include "accident/find_accidents.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/shown_time.h"
#include "base/worker_pool.h"
#include "pipeline/sink.h"
#include "wal/record_checker.h"

namespace barman::accident {
namespace {

constexpr std::uint64_t kPieceBytes = std::uint64_t{128} << 20;

// Of the segments of the history, without a gap.
struct SearchPiece {
  std::size_t begin = 0;
  std::size_t end = 0;
  // The segment behind it follows without a gap.
  bool is_continued = false;
};

// The record that reaches into another piece has been read to its end.
struct PieceIsRead {};

class RecordSink final : public pipeline::Sink {
 public:
  enum class Part { whole, rest_of_record };
  RecordSink(wal::RecordChecker& checker, const Interrupt& interrupt, Part part)
      : checker_(checker), interrupt_(interrupt), part_(part) {}
  void write(Bytes data) override {
    interrupt_.throw_if_requested();
    checker_.write(data);
    if (part_ == Part::rest_of_record && checker_.is_done()) throw PieceIsRead();
  }
  void finish() override {}

 private:
  wal::RecordChecker& checker_;
  const Interrupt& interrupt_;
  const Part part_;
};

class AccidentSearch {
 public:
  AccidentSearch(const WalHistory& history, const AccidentFilter& filter, std::size_t worker_count,
                 Progress& progress)
      : history_(history),
        segments_(history.segments()),
        filter_(filter),
        worker_count_(std::max<std::size_t>(worker_count, 1)),
        progress_(progress),
        fold_(filter) {}

  AccidentReport run() {
    if (segments_.empty()) {
      report_.unread.push_back(
          fmt::format("no WAL of server '{0}' is archived, so nothing tells what was done ('barman "
                      "check {0}' tells why none arrives)",
                      history_.server().name()));
      return std::move(report_);
    }
    const SegmentSpan span = find_span(history_, filter_.from, filter_.to);
    report_.first_segment = segments_[span.begin].name;
    report_.last_segment = segments_[span.end - 1].name;
    report_.segment_count = span.end - span.begin;
    if (span.begin > 0) report_.counted_from = history_.begin_of(segments_[span.begin]);
    const std::vector<SearchPiece> pieces = cut(span);
    progress_.begin("Reading WAL", report_.segment_count * history_.segment_size().bytes);
    WorkerPool workers(std::min(worker_count_, pieces.size()));
    for (std::size_t index = 0; index < pieces.size(); ++index) {
      workers.submit([this, index, piece = pieces[index]] { hand_in(index, read(piece)); });
    }
    workers.wait();
    progress_.end();
    report_.names = std::move(fold_).take_names();
    report_.accidents = std::move(fold_).take();
    for (auto& [place, text] : unread_) report_.unread.push_back(std::move(text));
    tell_borders(span);
    return std::move(report_);
  }

 private:
  bool follows(std::size_t index) const {
    return segments_[index].segment.number == segments_[index - 1].segment.number + 1;
  }

  std::vector<SearchPiece> cut(const SegmentSpan& span) {
    const std::size_t count = span.end - span.begin;
    const std::size_t most = std::max<std::size_t>(
        static_cast<std::size_t>(kPieceBytes / history_.segment_size().bytes), 1);
    const std::size_t size = std::clamp<std::size_t>(count / worker_count_, 1, most);
    std::vector<SearchPiece> pieces;
    for (std::size_t index = span.begin; index < span.end; ++index) {
      const bool is_gap = index > span.begin && !follows(index);
      if (is_gap) tell_gap(index);
      if (pieces.empty() || is_gap || index - pieces.back().begin >= size) {
        if (!pieces.empty()) pieces.back().is_continued = !is_gap;
        pieces.push_back({.begin = index});
      }
      pieces.back().end = index + 1;
    }
    pieces.back().is_continued = span.end < segments_.size() && follows(span.end);
    return pieces;
  }

  void tell_gap(std::size_t index) {
    const wal::Segment& before = segments_[index - 1].segment;
    const wal::Segment first = {.timeline = before.timeline, .number = before.number + 1};
    const wal::Segment last = {.timeline = before.timeline,
                               .number = segments_[index].segment.number - 1};
    const wal::SegmentSize size = history_.segment_size();
    note(index, fmt::format("WAL is missing from {} to {}: what was done there is not known",
                            wal::segment_name(first, size), wal::segment_name(last, size)));
  }

  // An empty answer about a time of which there is no WAL would be taken for "nothing happened".
  void tell_borders(const SegmentSpan& span) {
    const HistorySegment& first = segments_[span.begin];
    const bool is_of_new_cluster =
        first.segment == wal::Segment{.timeline = wal::TimelineId{1}, .number = 1};
    if (span.begin == 0 && !is_of_new_cluster && first_ending_ && filter_.from &&
        *filter_.from < *first_ending_) {
      const bool is_all_before = filter_.to && *filter_.to < *first_ending_;
      (is_all_before ? report_.unread : report_.beyond)
          .push_back(fmt::format("the WAL that is here begins with {}, whose first transaction "
                                 "ended at {}: what was done before is not in it",
                                 first.name, shown_time(*first_ending_)));
    }
    const std::optional<Timestamp>& latest = filter_.to ? filter_.to : filter_.from;
    if (span.end == segments_.size() && last_ending_ && latest && *latest > *last_ending_) {
      report_.beyond.push_back(fmt::format(
          "the WAL that is here ends with {}, whose last transaction ended at {}: if something was "
          "done later, it is not in it yet ('barman switch-wal --archive {}' fetches it)",
          segments_[span.end - 1].name, shown_time(*last_ending_), history_.server().name()));
    }
  }

  void note_endings(const std::vector<TransactionEnding>& endings) {
    const std::lock_guard lock(mutex_);
    for (const TransactionEnding& ending : endings) {
      const Timestamp time = {.microseconds = ending.microseconds};
      if (!first_ending_ || time < *first_ending_) first_ending_ = time;
      if (!last_ending_ || *last_ending_ < time) last_ending_ = time;
    }
  }

  void note(std::size_t index, std::string text) {
    const std::lock_guard lock(mutex_);
    unread_.try_emplace(index, std::move(text));
  }

  wal::WalRange range_from(const SearchPiece& piece, std::size_t index) const {
    return {
        .timeline = segments_[piece.end - 1].segment.timeline,
        .begin = history_.begin_of(segments_[index]),
        .end = {history_.begin_of(segments_[piece.end - 1]).value + history_.segment_size().bytes},
        .segment_size = history_.segment_size(),
        .system_id = {},
        .first_record = wal::FirstRecord::anywhere,
        .last_record =
            piece.is_continued ? wal::LastRecord::at_the_end : wal::LastRecord::anywhere};
  }

  PieceFacts read(const SearchPiece& piece) {
    PieceReader reader(filter_.min_rows);
    std::optional<wal::RecordChecker> checker;
    for (std::size_t index = piece.begin; index < piece.end; ++index) {
      if (!checker) {
        checker.emplace(
            range_from(piece, index),
            [&](const wal::RecordView& record) { reader.look_at(record); },
            PieceReader::wanted_content());
      }
      if (!read_segment(index, *checker, RecordSink::Part::whole)) checker.reset();
      progress_.advance(history_.segment_size().bytes);
    }
    for (std::size_t index = piece.end;
         piece.is_continued && checker && !checker->is_done() && !checker->is_seeking() &&
         index < segments_.size() && follows(index);
         ++index) {
      if (!read_segment(index, *checker, RecordSink::Part::rest_of_record)) break;
    }
    PieceFacts facts = std::move(reader).take();
    facts.timeline = segments_[piece.end - 1].segment.timeline;
    note_endings(facts.endings);
    return facts;
  }

  // False when nothing is known of what follows in it.
  bool read_segment(std::size_t index, wal::RecordChecker& checker, RecordSink::Part part) {
    const HistorySegment& segment = segments_[index];
    try {
      checker.begin_segment(segment.segment);
      RecordSink sink(checker, history_.server().interrupt(), part);
      history_.read(segment, sink);
      checker.end_segment();
    } catch (const PieceIsRead&) {  // The piece that it belongs to reads the rest.
    } catch (const Error& error) {  // The answer has a hole there; the rest of it is worth telling.
      if (error.kind() != ErrorKind::corrupt && error.kind() != ErrorKind::not_found) throw;
      if (part == RecordSink::Part::whole) {
        note(index,
             fmt::format("WAL file '{}': {}; what was done from there to its end is not known",
                         segment.name, error.describe()));
      }
      return false;
    }
    return true;
  }

  // Pieces are added up in their order, whoever reads them first.
  void hand_in(std::size_t index, PieceFacts facts) {
    const std::lock_guard lock(fold_mutex_);
    waiting_.emplace(index, std::move(facts));
    for (auto next = waiting_.find(next_); next != waiting_.end(); next = waiting_.find(next_)) {
      fold_.add(std::move(next->second));
      waiting_.erase(next);
      ++next_;
    }
  }

  const WalHistory& history_;
  const std::vector<HistorySegment>& segments_;
  const AccidentFilter& filter_;
  const std::size_t worker_count_;
  Progress& progress_;
  std::mutex mutex_;
  std::map<std::size_t, std::string> unread_;
  // By the clock.
  std::optional<Timestamp> first_ending_;
  std::optional<Timestamp> last_ending_;
  std::mutex fold_mutex_;
  std::map<std::size_t, PieceFacts> waiting_;
  std::size_t next_ = 0;
  HistoryFold fold_;
  AccidentReport report_;
};

}  // namespace

AccidentReport find_accidents(const WalHistory& history, const AccidentFilter& filter,
                              std::size_t worker_count, Progress& progress) {
  return AccidentSearch(history, filter, worker_count, progress).run();
}

}  // namespace barman::accident

#include "verify/verify_archive.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/worker_pool.h"
#include "postgres/timeline_history.h"
#include "verify/checker_sink.h"
#include "wal/record_checker.h"
#include "wal/record_content.h"
#include "wal_archive/wal_archive.h"

namespace barman::verify {
namespace fs = std::filesystem;
namespace {

constexpr std::uint64_t kPieceSegments = 64;

using Numbers = std::set<std::uint64_t>;

// A run, or a part of one: both ends included.
struct Piece {
  wal::TimelineId timeline;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  // The segment behind it is archived, too.
  bool is_continued = false;
};

class ArchiveVerification {
 public:
  ArchiveVerification(const server::Server& server, const VerifyWalRequest& request,
                      Progress& progress)
      : server_(server), request_(request), archive_(server), progress_(progress) {}

  ArchiveVerdict run() {
    list_pieces();
    progress_.begin("verify WAL", total_segments_ * request_.segment_size.bytes);
    WorkerPool workers(std::max<std::size_t>(request_.worker_count, 1));
    for (const Piece& piece : pieces_) workers.submit([this, piece] { verify(piece); });
    workers.wait();
    progress_.end();
    for (auto& [name, text] : findings_) verdict_.findings.push_back({name, std::move(text)});
    list_minimal();
    return std::move(verdict_);
  }

 private:
  std::string name_of(wal::TimelineId timeline, std::uint64_t number) const {
    return wal::segment_name({.timeline = timeline, .number = number}, request_.segment_size);
  }

  void list_pieces() {
    std::map<wal::TimelineId, Numbers> timelines;
    std::vector<std::string> histories;
    archive_.index().for_each([&](const wal_archive::WalIndexLine& line) {
      const auto name = wal::parse_wal_file_name(line.name);
      if (name && name->kind == wal::WalFileKind::history) histories.emplace_back(line.name);
      const auto segment = wal::parse_segment_name(line.name, request_.segment_size);
      if (segment && is_wanted(line.name)) {
        timelines[segment->timeline].insert(segment->number);
      }
      return wal_archive::Visit::proceed;
    });
    for (const std::string& name : histories) {
      judge(name, [&] { read_history(name); });
    }
    tell_unindexed(timelines);
    for (const auto& [timeline, numbers] : timelines) list_runs(timeline, numbers);
  }

  bool is_wanted(std::string_view name) const {
    return (!request_.first || *request_.first <= name) &&
           (!request_.last || name <= *request_.last);
  }

  // Restores and get-wal do not find them.
  void tell_unindexed(const std::map<wal::TimelineId, Numbers>& timelines) {
    const auto is_indexed = [&](std::string_view name) {
      const auto segment = wal::parse_segment_name(name, request_.segment_size);
      if (!segment) return true;
      const auto numbers = timelines.find(segment->timeline);
      return numbers != timelines.end() && numbers->second.contains(segment->number);
    };
    const auto entries =
        archive_.list_unindexed([&](std::string_view name) { return is_wanted(name); }, is_indexed);
    for (const wal_archive::WalIndexEntry& entry : entries) {
      findings_.try_emplace(
          entry.name,
          fmt::format("WAL file '{}': it lies in the archive and is not in the index; run 'barman "
                      "rebuild-xlogdb {}'",
                      entry.name, server_.name()));
    }
  }

  void read_history(const std::string& name) {
    const postgres::TimelineHistory history = postgres::parse_timeline_history(
        wal::parse_wal_file_name(name)->timeline, archive_.read_text(name));
    for (const postgres::TimelineHistoryEntry& entry : history.ancestors) {
      wal::Lsn& end = timeline_ends_[entry.timeline];
      end = std::max(end, entry.switch_lsn);
    }
  }

  void list_runs(wal::TimelineId timeline, const Numbers& numbers) {
    total_segments_ += numbers.size();
    std::optional<Piece> run;
    for (const std::uint64_t number : numbers) {
      if (run && number == run->last + 1) {
        run->last = number;
        continue;
      }
      if (run) {
        cut(*run);
        verdict_.gaps.push_back({.first = name_of(timeline, run->last + 1),
                                 .last = name_of(timeline, number - 1),
                                 .count = number - run->last - 1});
      }
      run = Piece{.timeline = timeline, .first = number, .last = number};
    }
    if (run) cut(*run);
  }

  // The last piece is a long one, so that it holds the beginning of the record that ends the run.
  void cut(Piece run) {
    while (run.last - run.first >= 2 * kPieceSegments) {
      Piece piece = run;
      piece.last = run.first + kPieceSegments - 1;
      piece.is_continued = true;
      pieces_.push_back(piece);
      run.first = piece.last + 1;
    }
    pieces_.push_back(run);
  }

  void verify(const Piece& piece) {
    std::optional<wal::RecordChecker> checker;
    std::uint64_t records = 0;
    for (std::uint64_t number = piece.first; number <= piece.last; ++number) {
      if (!checker) {
        checker.emplace(range_from(piece, number),
                        [&](const wal::RecordView& record) { note_level(piece.timeline, record); });
      }
      const bool is_good =
          judge(name_of(piece.timeline, number), [&] { read(piece, number, *checker); });
      if (is_good) continue;
      // What follows is judged on its own.
      records += checker->record_count();
      checker.reset();
    }
    if (checker) {
      if (piece.is_continued && !checker->is_done() && !checker->is_seeking()) {
        judge(name_of(piece.timeline, piece.last + 1),
              [&] { read(piece, piece.last + 1, *checker); });
      }
      records += checker->record_count();
    }
    const std::lock_guard lock(mutex_);
    verdict_.wal_count += piece.last - piece.first + 1;
    verdict_.record_count += records;
  }

  void note_level(wal::TimelineId timeline, const wal::RecordView& record) {
    const std::optional<wal::LevelRecord> level = wal::find_wal_level(record);
    if (!level) return;
    const std::lock_guard lock(mutex_);
    levels_[{timeline, record.begin}] = {level->is_minimal, record.previous};
  }

  // Each stretch is told once, by its first record.
  void list_minimal() {
    std::optional<wal::TimelineId> timeline_before;
    bool was_minimal = false;
    for (const auto& [place, level] : levels_) {
      const auto& [timeline, begin] = place;
      if (timeline_before != timeline) was_minimal = false;
      timeline_before = timeline;
      if (level.is_minimal && !was_minimal) {
        const std::string name = wal::segment_name(
            wal::segment_of(timeline, begin, request_.segment_size), request_.segment_size);
        verdict_.minimal.push_back({name, begin, level.previous});
      }
      was_minimal = level.is_minimal;
    }
  }

  wal::WalRange range_from(const Piece& piece, std::uint64_t number) const {
    const auto begin_of = [&](std::uint64_t segment) {
      return wal::segment_begin({.timeline = piece.timeline, .number = segment},
                                request_.segment_size);
    };
    return {
        .timeline = piece.timeline,
        .begin = begin_of(number),
        .end = begin_of(piece.last + 1),
        .segment_size = request_.segment_size,
        .system_id = request_.system_id,
        .first_record = wal::FirstRecord::anywhere,
        // The last segment of a timeline ends where its server ended.
        .last_record = piece.is_continued ? wal::LastRecord::at_the_end : wal::LastRecord::anywhere,
        .timeline_end = piece.is_continued ? std::nullopt : end_of(piece.timeline),
        .server_major = request_.server_major};
  }

  // Where the last of the timelines that came from this one has left it.
  std::optional<wal::Lsn> end_of(wal::TimelineId timeline) const {
    const auto found = timeline_ends_.find(timeline);
    return found == timeline_ends_.end() ? std::nullopt : std::optional(found->second);
  }

  template <typename Function>
  bool judge(const std::string& name, Function&& function) {
    // Damage is the answer, not a failure of the question.
    try {
      function();
      return true;
    } catch (const Error& error) {
      if (!is_finding(error)) throw;
      const std::lock_guard lock(mutex_);
      findings_.try_emplace(name, fmt::format("WAL file '{}': {}", name, error.describe()));
      return false;
    }
  }

  void read(const Piece& piece, std::uint64_t number, wal::RecordChecker& checker) {
    const wal::Segment segment{.timeline = piece.timeline, .number = number};
    const std::string name = name_of(piece.timeline, number);
    const std::optional<wal_archive::StoredWal> wal = archive_.find(name);
    if (!wal) {
      throw Error(ErrorKind::not_found, fmt::format("it is in the index, but \"{}\" does not exist",
                                                    archive_.path_of(name).string()));
    }
    checker.begin_segment(segment);
    CheckerSink sink(checker, server_.interrupt());
    archive_.read(*wal, sink);
    checker.end_segment();
    progress_.advance(request_.segment_size.bytes);
  }

  const server::Server& server_;
  const VerifyWalRequest& request_;
  const wal_archive::WalArchive archive_;
  Progress& progress_;
  // Of each timeline that a history file names; not changed while there are workers.
  std::map<wal::TimelineId, wal::Lsn> timeline_ends_;
  std::vector<Piece> pieces_;
  std::uint64_t total_segments_ = 0;
  std::mutex mutex_;
  std::map<std::string, std::string> findings_;
  struct Level {
    bool is_minimal = false;
    wal::Lsn previous;
  };
  std::map<std::pair<wal::TimelineId, wal::Lsn>, Level> levels_;
  ArchiveVerdict verdict_;
};

}  // namespace

ArchiveVerdict verify_wal_archive(const server::Server& server, const VerifyWalRequest& request,
                                  Progress& progress) {
  return ArchiveVerification(server, request, progress).run();
}

}  // namespace barman::verify

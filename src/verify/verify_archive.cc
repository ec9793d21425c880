#include "verify/verify_archive.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "archive/wal_coding.h"
#include "base/error.h"
#include "base/worker_pool.h"
#include "catalogue/wal_index.h"
#include "verify/checker_sink.h"
#include "wal/record_checker.h"

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
  ArchiveVerification(const server::Server& server, const ArchiveRequest& request,
                      Progress& progress)
      : server_(server), request_(request), coding_(server.config()), progress_(progress) {}

  ArchiveVerdict run() {
    list_pieces();
    progress_.begin("verify WAL", total_segments_ * request_.segment_size.bytes);
    WorkerPool workers(std::max<std::size_t>(request_.worker_count, 1));
    for (const Piece& piece : pieces_) workers.submit([this, piece] { verify(piece); });
    workers.wait();
    progress_.end();
    for (auto& [name, text] : findings_) verdict_.findings.push_back({name, std::move(text)});
    return std::move(verdict_);
  }

 private:
  std::string name_of(wal::TimelineId timeline, std::uint64_t number) const {
    return wal::segment_name({.timeline = timeline, .number = number}, request_.segment_size);
  }

  void list_pieces() {
    std::map<wal::TimelineId, Numbers> timelines;
    catalogue::WalIndex::open(server_.locations())
        .for_each([&](const catalogue::WalIndexLine& line) {
          const auto segment = wal::parse_segment_name(line.name, request_.segment_size);
          const bool is_wanted = segment && (!request_.first || *request_.first <= line.name) &&
                                 (!request_.last || line.name <= *request_.last);
          if (is_wanted) timelines[segment->timeline].insert(segment->number);
          return catalogue::Visit::proceed;
        });
    for (const auto& [timeline, numbers] : timelines) list_pieces(timeline, numbers);
  }

  void list_pieces(wal::TimelineId timeline, const Numbers& numbers) {
    total_segments_ += numbers.size();
    std::optional<Piece> piece;
    for (const std::uint64_t number : numbers) {
      if (piece && number == piece->last + 1 && number - piece->first < kPieceSegments) {
        piece->last = number;
        continue;
      }
      if (piece) {
        piece->is_continued = number == piece->last + 1;
        if (!piece->is_continued) {
          verdict_.gaps.push_back({.first = name_of(timeline, piece->last + 1),
                                   .last = name_of(timeline, number - 1),
                                   .count = number - piece->last - 1});
        }
        pieces_.push_back(*piece);
      }
      piece = Piece{.timeline = timeline, .first = number, .last = number};
    }
    if (piece) pieces_.push_back(*piece);
  }

  void verify(const Piece& piece) {
    std::optional<wal::RecordChecker> checker;
    std::uint64_t records = 0;
    for (std::uint64_t number = piece.first; number <= piece.last; ++number) {
      if (!checker) checker.emplace(range_from(piece, number));
      const bool is_good = judge(piece.timeline, number, [&] { read(piece, number, *checker); });
      if (is_good) continue;
      // What follows is judged on its own.
      records += checker->record_count();
      checker.reset();
    }
    if (checker) {
      if (piece.is_continued && !checker->is_done() && !checker->is_seeking()) {
        judge(piece.timeline, piece.last + 1, [&] { read(piece, piece.last + 1, *checker); });
      }
      records += checker->record_count();
    }
    const std::lock_guard lock(mutex_);
    verdict_.wal_count += piece.last - piece.first + 1;
    verdict_.record_count += records;
  }

  wal::WalRange range_from(const Piece& piece, std::uint64_t number) const {
    const auto begin_of = [&](std::uint64_t segment) {
      return wal::segment_begin({.timeline = piece.timeline, .number = segment},
                                request_.segment_size);
    };
    return {.timeline = piece.timeline,
            .begin = begin_of(number),
            .end = begin_of(piece.last + 1),
            .segment_size = request_.segment_size,
            .system_id = request_.system_id,
            .first_record = wal::FirstRecord::anywhere,
            // The last segment of a timeline ends where its server ended.
            .last_record =
                piece.is_continued ? wal::LastRecord::at_the_end : wal::LastRecord::anywhere};
  }

  template <typename Function>
  bool judge(wal::TimelineId timeline, std::uint64_t number, Function&& function) {
    // Damage is the answer, not a failure of the question.
    try {
      function();
      return true;
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::interrupted) throw;
      const std::string name = name_of(timeline, number);
      const std::lock_guard lock(mutex_);
      findings_.try_emplace(name, fmt::format("WAL file '{}': {}", name, error.describe()));
      return false;
    }
  }

  void read(const Piece& piece, std::uint64_t number, wal::RecordChecker& checker) {
    const wal::Segment segment{.timeline = piece.timeline, .number = number};
    const fs::path path = catalogue::archived_wal_path(server_.locations().wals_directory,
                                                       name_of(piece.timeline, number));
    const std::optional<Fd> file = find_file(path);
    if (!file) {
      throw Error(ErrorKind::not_found,
                  fmt::format("it is in the index, but \"{}\" does not exist", path.string()));
    }
    checker.begin_segment(segment);
    CheckerSink sink(checker, server_.interrupt());
    coding_.decode(coding_.identify(*file, path), *file, path, sink);
    checker.end_segment();
    progress_.advance(request_.segment_size.bytes);
  }

  const server::Server& server_;
  const ArchiveRequest& request_;
  const archive::WalCoding coding_;
  Progress& progress_;
  std::vector<Piece> pieces_;
  std::uint64_t total_segments_ = 0;
  std::mutex mutex_;
  std::map<std::string, std::string> findings_;
  ArchiveVerdict verdict_;
};

}  // namespace

ArchiveVerdict verify_wal_archive(const server::Server& server, const ArchiveRequest& request,
                                  Progress& progress) {
  return ArchiveVerification(server, request, progress).run();
}

}  // namespace barman::verify

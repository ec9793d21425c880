#include "restore/wal_reading.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <iterator>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/nearest.h"
#include "base/shown_time.h"
#include "base/text.h"
#include "base/worker_pool.h"
#include "pipeline/sink.h"
#include "wal/record_checker.h"
#include "wal/record_content.h"
#include "wal/wal_file_name.h"

namespace barman::restore {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kPieceFiles = 16;
// Pieces of a bucket that are read at once, at least.
constexpr std::size_t kBucketReaders = 4;
// Of each piece, and in all.
constexpr std::size_t kMostRestorePoints = 32;
constexpr std::size_t kShownRestorePoints = 5;
constexpr std::size_t kNoPiece = std::numeric_limits<std::size_t>::max();

// Whether recovery stops at a record.
enum class Stop { no, maybe, here };

class TargetMatcher {
 public:
  explicit TargetMatcher(const RecoveryTarget& target) : target_(target) {
    // PostgreSQL takes the lower 32 bits.
    if (target.xid) {
      xid_ = static_cast<std::uint32_t>(std::strtoull(target.xid->c_str(), nullptr, 10));
    }
  }

  bool is_exclusive() const { return target_.exclusive; }
  bool has_name() const { return target_.name.has_value(); }
  // The record at which recovery stops; a time is passed by the transaction behind it.
  bool is_replayed() const { return !target_.exclusive && !target_.time; }
  Stop match(const wal::RecordView& record, const std::optional<wal::TransactionEnd>& end) const {
    if (target_.lsn) return record.begin >= *target_.lsn ? Stop::here : Stop::no;
    if (target_.name) {
      return wal::find_restore_point(record) == target_.name ? Stop::here : Stop::no;
    }
    if (!end) return Stop::no;
    if (target_.time) {
      const std::int64_t time = target_.time->microseconds;
      const bool stops = target_.exclusive ? end->microseconds >= time : end->microseconds > time;
      return stops ? Stop::here : Stop::no;
    }
    if (!target_.xid) return Stop::no;
    if (!end->transaction) return Stop::maybe;
    return *end->transaction == xid_ ? Stop::here : Stop::no;
  }

 private:
  const RecoveryTarget& target_;
  std::uint32_t xid_ = 0;
};

void add_restore_point(std::vector<std::string>& names, std::string name) {
  std::erase(names, name);
  if (names.size() == kMostRestorePoints) names.erase(names.begin());
  names.push_back(std::move(name));
}

// What one piece has to tell.
struct PieceFacts {
  WalReading reading;
  bool is_ended = false;
};

class CheckerSink final : public pipeline::Sink {
 public:
  CheckerSink(wal::RecordChecker& checker, const Interrupt& interrupt)
      : checker_(checker), interrupt_(interrupt) {}
  void write(Bytes data) override {
    interrupt_.throw_if_requested();
    size_bytes_ += data.size();
    checker_.write(data);
  }
  void finish() override {}
  // The rest of a segment that has not arrived.
  void fill_up(std::uint64_t segment_bytes) {
    static constexpr std::array<std::byte, 65536> kZeroes{};
    while (size_bytes_ < segment_bytes) {
      write(Bytes(kZeroes).first(
          std::min<std::uint64_t>(kZeroes.size(), segment_bytes - size_bytes_)));
    }
  }

 private:
  wal::RecordChecker& checker_;
  const Interrupt& interrupt_;
  std::uint64_t size_bytes_ = 0;
};

class Reader {
 public:
  Reader(const ReplayPlan& plan, const RecoveryTarget& target, const wal_archive::WalCoding& coding,
         const ReadingOptions& options)
      : plan_(plan), matcher_(target), coding_(coding), options_(options) {}

  WalReading run() {
    const std::size_t piece_count = (plan_.files.size() + kPieceFiles - 1) / kPieceFiles;
    std::vector<PieceFacts> pieces(piece_count);
    options_.progress.begin("Reading WAL", plan_.files.size() * plan_.segment_size.bytes);
    // Who waits for a store needs no processor.
    const std::size_t least = options_.archive.is_in_bucket() ? kBucketReaders : 1;
    WorkerPool workers(std::max(options_.worker_count, least));
    for (std::size_t i = 0; i < piece_count; ++i) {
      workers.submit([this, i, &pieces] {
        if (i <= last_piece_) pieces[i] = read_piece(i);
      });
    }
    workers.wait();
    options_.progress.end();
    return combine(pieces);
  }

 private:
  wal::Lsn begin_of(std::uint64_t number) const {
    return wal::segment_begin({.timeline = plan_.timeline, .number = number}, plan_.segment_size);
  }

  wal::WalRange range_of(std::size_t first, std::size_t last, bool is_last) const {
    return {.timeline = plan_.timeline,
            .begin = first == 0 ? plan_.begin : begin_of(plan_.files[first].number),
            .end = begin_of(plan_.files[last].number + 1),
            .segment_size = plan_.segment_size,
            .system_id = plan_.system_id,
            .first_record =
                first == 0 ? wal::FirstRecord::at_the_beginning : wal::FirstRecord::anywhere,
            .last_record = is_last ? wal::LastRecord::anywhere : wal::LastRecord::at_the_end,
            .server_major = plan_.server_major};
  }

  PieceFacts read_piece(std::size_t index) {
    const std::size_t first = index * kPieceFiles;
    const std::size_t last = std::min(first + kPieceFiles, plan_.files.size()) - 1;
    PieceFacts facts;
    const bool is_last = last + 1 == plan_.files.size();
    wal::RecordChecker checker(range_of(first, last, is_last), [&](const wal::RecordView& record) {
      look_at(record, facts.reading);
    });
    // The record that crosses the end of the piece is read to its end.
    for (std::size_t i = first; i < plan_.files.size() && !facts.reading.target_record; ++i) {
      if (i > last && (checker.is_done() || checker.is_seeking())) break;
      if (read_file(plan_.files[i], checker, facts.reading)) continue;
      facts.is_ended = true;
      // The server may have stopped in the middle of that record.
      if (i > last && i + 1 == plan_.files.size()) facts.reading.damage.reset();
      break;
    }
    facts.reading.end = checker.good_end();
    if (facts.is_ended || facts.reading.target_record) stop_behind(index);
    return facts;
  }

  void stop_behind(std::size_t index) {
    std::size_t known = last_piece_;
    while (index < known && !last_piece_.compare_exchange_weak(known, index)) {
    }
  }

  static void note_transaction(const wal::TransactionEnd& end, const wal::RecordView& record,
                               WalReading& reading) {
    reading.last_transaction_end = Timestamp{.microseconds = end.microseconds};
    reading.last_transaction_lsn = record.begin;
  }

  void look_at(const wal::RecordView& record, WalReading& reading) const {
    if (reading.target_record) return;
    const std::optional<wal::TransactionEnd> end = wal::find_transaction_end(record);
    const Stop stop = matcher_.match(record, end);
    if (stop == Stop::maybe) reading.may_be_reached = true;
    // The record at a target LSN is replayed, unless it is excluded.
    if (stop != Stop::here || !matcher_.is_exclusive()) {
      if (auto created = wal::find_created_tablespace(record)) {
        reading.tablespaces.push_back({created->oid, std::move(created->location), record.begin});
      }
    }
    if (stop == Stop::here) {
      reading.target_record = record.begin;
      reading.target_segment = (record.end.value - 1) / plan_.segment_size.bytes;
      if (end && matcher_.is_replayed()) note_transaction(*end, record, reading);
      return;
    }
    if (end) note_transaction(*end, record, reading);
    if (matcher_.has_name()) {
      if (auto other = wal::find_restore_point(record))
        add_restore_point(reading.restore_points, *std::move(other));
    }
    if (reading.minimal) return;
    const std::optional<wal::LevelRecord> level = wal::find_wal_level(record);
    if (level && level->is_minimal) {
      reading.minimal = {.begin = record.begin, .last_good_record = record.previous};
    }
  }

  // False when the records end in it.
  bool read_file(const ReplayFile& file, wal::RecordChecker& checker, WalReading& reading) {
    // What PostgreSQL would not replay is the answer, not a failure of the question.
    try {
      decode(file, checker);
      return true;
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::corrupt) throw;
      // What has arrived of a segment ends anywhere.
      if (!file.is_partial) {
        reading.damage = fmt::format("WAL file '{}': {}", file.copy.name, error.describe());
      }
      return false;
    }
  }

  void decode(const ReplayFile& file, wal::RecordChecker& checker) {
    fs::path path = file.copy.source;
    std::optional<Fd> source = options_.archive.find_at(path);
    for (auto place = file.copy.moves_to.begin(); !source && place != file.copy.moves_to.end();
         ++place) {
      path = *place;
      source = options_.archive.find_at(path);
    }
    if (!source) {
      throw Error(ErrorKind::not_found,
                  fmt::format("WAL file \"{}\" is not there", file.copy.source.string()),
                  "Restore again, or run 'barman rebuild-xlogdb' if it was removed.");
    }
    checker.begin_segment({.timeline = plan_.timeline, .number = file.number});
    CheckerSink sink(checker, options_.interrupt);
    coding_.decode(coding_.identify(*source, path), *source, path, sink);
    if (file.is_partial) sink.fill_up(plan_.segment_size.bytes);
    checker.end_segment();
    options_.progress.advance(plan_.segment_size.bytes);
  }

  static WalReading combine(std::vector<PieceFacts>& pieces) {
    WalReading result;
    for (PieceFacts& piece : pieces) {
      WalReading& part = piece.reading;
      result.may_be_reached = result.may_be_reached || part.may_be_reached;
      if (!result.minimal) result.minimal = part.minimal;
      std::ranges::move(part.tablespaces, std::back_inserter(result.tablespaces));
      for (std::string& name : part.restore_points)
        add_restore_point(result.restore_points, std::move(name));
      if (part.last_transaction_end) {
        result.last_transaction_end = part.last_transaction_end;
        result.last_transaction_lsn = part.last_transaction_lsn;
      }
      result.end = std::max(result.end, part.end);
      result.damage = std::move(part.damage);
      result.target_record = part.target_record;
      result.target_segment = part.target_segment;
      if (piece.is_ended || result.target_record) break;
    }
    if (result.target_record) result.damage.reset();
    return result;
  }

  const ReplayPlan& plan_;
  const TargetMatcher matcher_;
  const wal_archive::WalCoding& coding_;
  const ReadingOptions& options_;
  // Nothing behind it is of interest.
  std::atomic<std::size_t> last_piece_ = kNoPiece;
};

bool is_stop_wanted(const RecoveryTarget& target) {
  return target.time || target.xid || target.lsn || target.name;
}

std::string target_words(const RecoveryTarget& target) {
  if (target.time) return "target time " + shown_time(*target.time);
  if (target.lsn) return "target LSN " + target.lsn_text;
  if (target.xid) return "transaction " + *target.xid;
  return fmt::format("restore point '{}'", target.name.value_or(""));
}

std::string reachable_words(const WalReading& reading) {
  std::string text = fmt::format("the WAL ends at {}", wal::format_lsn(reading.end));
  if (reading.last_transaction_end) {
    text += fmt::format(", and its last transaction ended at {} (LSN {})",
                        shown_time(*reading.last_transaction_end),
                        wal::format_lsn(*reading.last_transaction_lsn));
  } else {
    text += ", and no transaction ended in it";
  }
  if (reading.damage) text += "; what follows is damaged: " + *reading.damage;
  return text;
}

// The same LSN, or name, may be on several timelines. "" when the backup's own one is followed.
std::string way_words(const RestorePlan& plan) {
  const auto own = plan.restored.wal_timeline();
  if (!own || plan.replay.timeline == *own) return "";
  return fmt::format(" along timeline {}", plan.replay.timeline.value);
}

// Who mistyped a name sees those there are.
std::string restore_point_words(const WalReading& reading, const RecoveryTarget& target) {
  if (!target.name) return "";
  std::vector<std::string_view> names(reading.restore_points.begin(), reading.restore_points.end());
  if (names.empty()) return "It holds no restore point. ";
  const std::string meant = did_you_mean(*target.name, names);
  const std::size_t left_out = names.size() - std::min(names.size(), kShownRestorePoints);
  names.erase(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(left_out));
  return fmt::format("{}{}{} '{}'. ", meant, meant.empty() ? "" : " ",
                     left_out > 0 ? "Its last restore points:" : "Its restore points:",
                     join(std::vector<std::string>(names.begin(), names.end()), "', '"));
}

std::string end_words(const WalReading& reading, const RecoveryTarget& target,
                      const RestorePlan& plan) {
  std::string text = "the end of the backup";
  if (!target.immediate) {
    text = "LSN " + wal::format_lsn(reading.target_record.value_or(reading.end)) + way_words(plan);
  }
  const bool is_named = target.name && reading.target_record;
  if (is_named) text += ", the first restore point of that name";
  if (target.immediate || !reading.last_transaction_end) return text;
  return text + fmt::format("{} (the last transaction up to there ended at {})",
                            is_named ? "," : "", shown_time(*reading.last_transaction_end));
}

void judge_target(const WalReading& reading, const RecoveryTarget& target, RestorePlan& plan) {
  if (!is_stop_wanted(target)) return;
  if (reading.target_record && *reading.target_record < plan.replay.consistent_at) {
    throw Error(
        ErrorKind::usage,
        fmt::format("The requested {} lies at {} in the WAL, before the end of backup '{}' at {}",
                    target_words(target), wal::format_lsn(*reading.target_record),
                    plan.backup_id.value, wal::format_lsn(plan.replay.consistent_at)),
        "Choose an older backup.");
  }
  if (reading.target_record) return;
  const std::string way = way_words(plan);
  const std::string finding = fmt::format("The requested {} is not in the WAL of this backup{}: {}",
                                          target_words(target), way, reachable_words(reading));
  if (plan.replay.may_more_come || reading.may_be_reached) {
    plan.warnings.push_back(finding +
                            ". Unless more WAL comes, PostgreSQL ends with \"recovery ended before "
                            "configured recovery target was reached\".");
    return;
  }
  throw Error(
      ErrorKind::not_found, finding,
      restore_point_words(reading, target) +
          (way.empty() ? "" : "--target-tli current stays on the backup's own timeline. ") +
          "PostgreSQL would end with \"recovery ended before configured recovery target was "
          "reached\". Give a target before that, or --target-tli latest alone for all there is; "
          "bring more WAL ('barman switch-wal --archive', 'barman put-wal'); or add "
          "--skip-wal-check to prepare it nevertheless.");
}

void judge_minimal(const WalReading& reading, const RestorePlan& plan) {
  if (!reading.minimal) return;
  throw Error(
      ErrorKind::conflict,
      fmt::format(
          "The server ran with wal_level = minimal from {} on: changes that it made without "
          "writing WAL cannot be recovered, and would be missing without a word",
          wal::format_lsn(reading.minimal->begin)),
      fmt::format("Restore a backup that was taken after that time, or add --target-lsn {} to stop "
                  "before it (backup {} ends at {}).",
                  wal::format_lsn(reading.minimal->last_good_record), plan.backup_id.value,
                  wal::format_lsn(plan.replay.consistent_at)));
}

void judge_damage(const WalReading& reading, const RecoveryTarget& target, RestorePlan& plan) {
  if (!reading.damage || (is_stop_wanted(target) && reading.target_record)) return;
  if (reading.end < plan.replay.consistent_at) {
    throw Error(ErrorKind::corrupt,
                fmt::format("backup '{}' cannot be made consistent: {}", plan.backup_id.value,
                            *reading.damage),
                "Put an intact copy of the file in its place, or restore another backup.");
  }
  plan.warnings.push_back(
      fmt::format("Recovery ends at {}: {}", wal::format_lsn(reading.end), *reading.damage));
}

}  // namespace

WalReading read_wal(const ReplayPlan& plan, const RecoveryTarget& target,
                    const wal_archive::WalCoding& coding, const ReadingOptions& options) {
  return Reader(plan, target, coding, options).run();
}

void judge_wal(const WalReading& reading, const RecoveryTarget& target, RestorePlan& plan) {
  judge_minimal(reading, plan);
  judge_damage(reading, target, plan);
  judge_target(reading, target, plan);
  plan.end_text = end_words(reading, target, plan);
  if (!target.lsn || !reading.target_segment) return;
  const auto is_behind = [&](const WalFileCopy& file) {
    const auto segment = wal::parse_segment_name(file.name.substr(0, wal::kSegmentNameLength),
                                                 plan.replay.segment_size);
    return segment && segment->number > *reading.target_segment;
  };
  const auto drop = [&](std::vector<WalFileCopy>& files) {
    std::erase_if(files, [&](const WalFileCopy& file) {
      if (!is_behind(file)) return false;
      const bool is_segment = file.name.size() == wal::kSegmentNameLength;
      plan.wal.total_bytes -= std::min(
          plan.wal.total_bytes, is_segment ? plan.replay.segment_size.bytes : file.size_bytes);
      return true;
    });
  };
  drop(plan.wal.files);
  drop(plan.wal.partials);
}

}  // namespace barman::restore

#include "wal_archive/wal_statistics.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "wal/wal_file_name.h"

namespace barman::wal_archive {
namespace {

// A place between names: before all names that begin with `name`, or right after `name` itself.
enum class Side { before, after };
struct Cut {
  std::string name;
  Side side = Side::before;
  friend auto operator<=>(const Cut&, const Cut&) = default;
};

// What lies between two neighbouring cuts.
struct Bucket {
  std::uint64_t count = 0;
  std::uint64_t size_bytes = 0;
  std::string last_name;
  double last_mtime = 0;
};

// The cuts of one backup: [begin, end] is required, (end, limit] follows.
struct Range {
  Cut begin;
  Cut after_begin;
  Cut end;
  Cut limit;
};

// Behind all names of a timeline: '~' sorts after every hex digit.
Cut end_of_timeline(wal::TimelineId timeline) {
  return {.name = wal::format_timeline(timeline) + "~", .side = Side::before};
}

std::optional<Range> range_of(const catalogue::BackupInfo& backup,
                              const catalogue::BackupInfo* next) {
  const std::optional<wal::TimelineId> timeline = backup.wal_timeline();
  if (!backup.begin_wal || !backup.end_wal || !timeline) return std::nullopt;
  Range range;
  range.begin = {.name = *backup.begin_wal, .side = Side::before};
  range.after_begin = {.name = *backup.begin_wal, .side = Side::after};
  range.end = {.name = *backup.end_wal, .side = Side::after};
  range.limit = end_of_timeline(*timeline);
  if (next != nullptr && next->end_wal) {
    range.limit = std::min(range.limit, Cut{.name = *next->end_wal, .side = Side::after});
  }
  range.limit = std::max(range.limit, range.end);
  return range;
}

// Nothing for files that do not count; throws for names that are none of WAL files.
bool is_counted(std::string_view name) {
  if (name.size() == wal::kSegmentNameLength && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F');
      })) {
    return true;
  }
  const std::optional<wal::WalFileName> parsed = wal::parse_wal_file_name(name);
  if (!parsed) {
    throw Error(ErrorKind::corrupt, fmt::format("invalid WAL segment name '{}'", name),
                "Please run \"barman rebuild-xlogdb\" for this server to solve this issue.");
  }
  return parsed->kind == wal::WalFileKind::segment;
}

class Buckets {
 public:
  explicit Buckets(std::vector<Cut> cuts) : cuts_(std::move(cuts)) {
    std::sort(cuts_.begin(), cuts_.end());
    cuts_.erase(std::unique(cuts_.begin(), cuts_.end()), cuts_.end());
    buckets_.resize(cuts_.size() + 1);
  }

  void add(const WalIndexLine& line) {
    // Lines mostly come in order, so the bucket of the previous one is tried first.
    if (!holds(current_, line.name)) current_ = find(line.name);
    Bucket& bucket = buckets_[current_];
    ++bucket.count;
    bucket.size_bytes += line.size_bytes;
    if (bucket.last_name <= line.name) {
      bucket.last_name = line.name;
      bucket.last_mtime = line.mtime;
    }
  }

  // After the last add(): running sums, so that each range is answered at once.
  void finish() {
    std::size_t last = 0;
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      if (buckets_[i].count > 0) last = i;
      last_filled_.push_back(last);
      counts_.push_back((i > 0 ? counts_.back() : 0) + buckets_[i].count);
      sizes_.push_back((i > 0 ? sizes_.back() : 0) + buckets_[i].size_bytes);
    }
  }

  std::uint64_t count(const Cut& begin, const Cut& end) const {
    return counts_[index_of(end)] - counts_[index_of(begin)];
  }
  std::uint64_t size_bytes(const Cut& begin, const Cut& end) const {
    return sizes_[index_of(end)] - sizes_[index_of(begin)];
  }
  std::optional<WalFileTime> last(const Cut& begin, const Cut& end) const {
    if (count(begin, end) == 0) return std::nullopt;
    const Bucket& bucket = buckets_[last_filled_[index_of(end)]];
    return WalFileTime{.name = bucket.last_name, .mtime = bucket.last_mtime};
  }

 private:
  static bool is_behind(const Cut& cut, std::string_view name) {
    const int order = name.compare(cut.name);
    return order > 0 || (order == 0 && cut.side == Side::before);
  }
  bool holds(std::size_t bucket, std::string_view name) const {
    return (bucket == 0 || is_behind(cuts_[bucket - 1], name)) &&
           (bucket == cuts_.size() || !is_behind(cuts_[bucket], name));
  }
  std::size_t find(std::string_view name) const {
    const auto found = std::partition_point(cuts_.begin(), cuts_.end(),
                                            [&](const Cut& cut) { return is_behind(cut, name); });
    return static_cast<std::size_t>(found - cuts_.begin());
  }
  // The bucket before a cut.
  std::size_t index_of(const Cut& cut) const {
    return static_cast<std::size_t>(std::lower_bound(cuts_.begin(), cuts_.end(), cut) -
                                    cuts_.begin());
  }

  std::vector<Cut> cuts_;
  std::vector<Bucket> buckets_;
  std::size_t current_ = 0;
  std::vector<std::size_t> last_filled_;
  std::vector<std::uint64_t> counts_;
  std::vector<std::uint64_t> sizes_;
};

double compression_ratio(std::uint64_t size_bytes, std::uint64_t count, wal::SegmentSize segment) {
  if (count == 0) return 0;
  return 1 - static_cast<double>(size_bytes) /
                 (static_cast<double>(count) * static_cast<double>(segment.bytes));
}

WalStatistics statistics_of(const catalogue::BackupInfo& backup, const Range& range,
                            const Buckets& buckets) {
  WalStatistics result;
  result.wal_num = buckets.count(range.begin, range.end);
  result.wal_size = buckets.size_bytes(range.begin, range.end);
  result.wal_until_next_num = buckets.count(range.end, range.limit);
  result.wal_until_next_size = buckets.size_bytes(range.end, range.limit);
  result.first = buckets.last(range.begin, range.after_begin);
  result.last = buckets.last(range.begin, range.limit);
  if (!result.first || !result.last) return result;
  result.wal_total_seconds = result.last->mtime - result.first->mtime;
  if (result.wal_total_seconds > 0) {
    result.wals_per_second =
        static_cast<double>(result.wal_num + result.wal_until_next_num) / result.wal_total_seconds;
  }
  result.wal_compression_ratio =
      compression_ratio(result.wal_size, result.wal_num, backup.xlog_segment_size);
  result.wal_until_next_compression_ratio = compression_ratio(
      result.wal_until_next_size, result.wal_until_next_num, backup.xlog_segment_size);
  return result;
}

// "1\t0/5000000\treason"; blank lines and comments are allowed.
bool forks_from(std::string_view line, wal::TimelineId timeline, wal::Lsn from) {
  const std::vector<std::string> fields = split_blanks(line);
  if (fields.size() < 2 || parse_integer(fields[0]) != std::int64_t{timeline.value}) return false;
  const std::optional<wal::Lsn> switch_point = wal::parse_lsn(fields[1]);
  return switch_point && *switch_point >= from;
}

}  // namespace

std::vector<WalStatistics> wal_statistics(const std::vector<catalogue::BackupInfo>& backups,
                                          const WalLines& lines) {
  std::vector<std::optional<Range>> ranges(backups.size());
  std::vector<Cut> cuts;
  const catalogue::BackupInfo* next = nullptr;
  for (std::size_t i = backups.size(); i-- > 0;) {
    ranges[i] = range_of(backups[i], next);
    if (ranges[i]) {
      cuts.insert(cuts.end(),
                  {ranges[i]->begin, ranges[i]->after_begin, ranges[i]->end, ranges[i]->limit});
    }
    if (backups[i].is_copy_done()) next = &backups[i];
  }
  Buckets buckets(std::move(cuts));
  lines([&](const WalIndexLine& line) {
    if (is_counted(line.name)) buckets.add(line);
    return Visit::proceed;
  });
  buckets.finish();
  std::vector<WalStatistics> result(backups.size());
  for (std::size_t i = 0; i < backups.size(); ++i) {
    if (ranges[i]) result[i] = statistics_of(backups[i], *ranges[i], buckets);
  }
  return result;
}

WalStatistics wal_statistics_of(const std::vector<catalogue::BackupInfo>& backups,
                                const catalogue::BackupId& id, const WalLines& lines) {
  std::vector<catalogue::BackupInfo> chosen;
  const catalogue::BackupInfo* const found = catalogue::find_backup(backups, id);
  if (found == nullptr) return {};
  chosen.push_back(*found);
  if (const catalogue::BackupInfo* const next = next_backup(backups, id)) chosen.push_back(*next);
  return wal_statistics(chosen, lines).front();
}

std::vector<wal::TimelineId> children_timelines(const catalogue::BackupInfo& backup,
                                                const HistoryReader& read_history) {
  std::vector<wal::TimelineId> children;
  const std::optional<wal::TimelineId> timeline = backup.wal_timeline();
  if (!timeline) return children;
  for (wal::TimelineId child{timeline->value + 1};; ++child.value) {
    const std::optional<std::string> text = read_history(child);
    if (!text) return children;
    const std::vector<std::string> history = split(*text, '\n');
    if (std::any_of(history.begin(), history.end(), [&](const std::string& line) {
          return forks_from(line, *timeline, backup.end_xlog.value_or(wal::Lsn{}));
        })) {
      children.push_back(child);
    }
  }
}

}  // namespace barman::wal_archive

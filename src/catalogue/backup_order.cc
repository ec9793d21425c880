#include "catalogue/backup_order.h"

#include <algorithm>
#include <map>
#include <utility>

#include "wal/lsn.h"

namespace barman::catalogue {
namespace {

// Timelines and positions only grow: a place in WAL that comes later was written later.
using Place = std::pair<wal::TimelineId, wal::Lsn>;

std::optional<Place> place_of(const BackupInfo& backup) {
  const std::optional<wal::TimelineId> timeline = backup.wal_timeline();
  if (!timeline || !backup.begin_xlog) return std::nullopt;
  return Place{*timeline, *backup.begin_xlog};
}

// When it began; the digits of its ID when nothing else tells.
std::int64_t moment_of(const BackupInfo& backup) {
  if (backup.begin_time) return backup.begin_time->microseconds;
  if (backup.end_time) return backup.end_time->microseconds;
  const std::optional<ParsedTimestamp> parsed = parse_timestamp(backup.id.value);
  return parsed ? parsed->time.microseconds : 0;
}

// The latest moment among places up to each.
class LatestMoments {
 public:
  std::int64_t before(const Place& place) const {
    const auto above = moments_.lower_bound(place);
    return above == moments_.begin() ? INT64_MIN : std::prev(above)->second;
  }
  void add(const Place& place, std::int64_t moment) {
    auto at = moments_.insert_or_assign(place, moment).first;
    for (++at; at != moments_.end() && at->second <= moment;) at = moments_.erase(at);
  }

 private:
  std::map<Place, std::int64_t> moments_;  // both grow
};

}  // namespace

std::vector<const BackupInfo*> in_order_of_age(const std::vector<BackupInfo>& backups) {
  std::vector<std::pair<std::int64_t, const BackupInfo*>> dated;
  dated.reserve(backups.size());
  LatestMoments seen;
  for (const BackupInfo& backup : backups) {
    std::int64_t moment = moment_of(backup);
    if (const std::optional<Place> place = place_of(backup)) {
      // One that has a lower ID and an earlier place in WAL was there before.
      moment = std::max(moment, seen.before(*place));
      seen.add(*place, moment);
    }
    dated.emplace_back(moment, &backup);
  }
  // `backups` are in the order of their IDs, which decides between equal moments.
  std::stable_sort(dated.begin(), dated.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<const BackupInfo*> ordered;
  ordered.reserve(dated.size());
  for (const auto& [moment, backup] : dated) ordered.push_back(backup);
  return ordered;
}

}  // namespace barman::catalogue

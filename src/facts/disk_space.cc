#include "facts/disk_space.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "wal_archive/wal_archive.h"

namespace barman::facts {
namespace {

constexpr double kDaySeconds = 86400;
constexpr double kWindowDays = 28;
// Further away than anybody plans.
constexpr double kFarDays = 3650;

std::string days_text(double days) {
  if (days < 1) return "less than a day";
  const auto whole = static_cast<std::int64_t>(days);
  return whole == 1 ? "about one day" : fmt::format("about {} days", whole);
}

}  // namespace

std::optional<double> DiskSpace::days_until_full() const {
  if (!bytes_a_day || *bytes_a_day <= 0) return std::nullopt;
  const double left = static_cast<double>(space.free_bytes) / *bytes_a_day;
  return left > kFarDays ? std::nullopt : std::optional(left);
}

DiskSpace measure_growth(const FileSystemSpace& space,
                         const std::vector<catalogue::BackupInfo>& backups,
                         const wal_archive::WalLines& wal, double now) {
  const double window_begin = now - kWindowDays * kDaySeconds;
  double first = now;
  double bytes = 0;
  const auto count = [&](double time, double size) {
    // A clock that was wrong tells nothing.
    if (time > now) return;
    first = std::min(first, time);
    if (time >= window_begin) bytes += size;
  };
  for (const catalogue::BackupInfo& backup : backups) {
    const std::optional<std::int64_t> size =
        backup.deduplicated_size ? backup.deduplicated_size : backup.size;
    if (backup.end_time && size) {
      count(backup.end_time->as_double(), static_cast<double>(*size));
    }
  }
  wal([&](const wal_archive::WalIndexLine& line) {
    count(line.mtime, static_cast<double>(line.size_bytes));
    return wal_archive::Visit::proceed;
  });
  DiskSpace result{.space = space, .bytes_a_day = std::nullopt};
  result.days = (now - std::max(first, window_begin)) / kDaySeconds;
  if (result.days >= 1) result.bytes_a_day = bytes / result.days;
  return result;
}

std::optional<DiskSpace> find_disk_space(const server::Server& server,
                                         const std::vector<catalogue::BackupInfo>& backups) {
  if (!server.locations().has_local_backups) return std::nullopt;
  const auto space = find_space(server.locations().basebackups_directory);
  if (!space) return std::nullopt;
  const wal_archive::WalArchive archive(server);
  try {
    return measure_growth(
        *space, backups,
        [&](const wal_archive::WalIndexVisitor& visitor) {
          if (archive.is_local()) archive.visit_lines(visitor);
        },
        server.clock().now().as_double());
  } catch (const Error& error) {  // An index that cannot be read is told elsewhere.
    if (error.kind() == ErrorKind::interrupted) throw;
    return DiskSpace{.space = *space, .bytes_a_day = std::nullopt};
  }
}

std::string describe_space(const DiskSpace& disk) {
  const auto free_bytes = static_cast<double>(disk.space.free_bytes);
  const auto total = static_cast<double>(std::max<std::uint64_t>(disk.space.total_bytes, 1));
  std::string text = fmt::format(
      "{} of {} free ({:.0f} %)", human_size(static_cast<std::int64_t>(disk.space.free_bytes)),
      human_size(static_cast<std::int64_t>(disk.space.total_bytes)), free_bytes * 100 / total);
  const std::optional<double> days = disk.days_until_full();
  if (!days) return text;
  return text + fmt::format(
                    "; full in {} at {} a day (mean of {:.0f} days), unless older backups "
                    "go",
                    days_text(*days), human_size(static_cast<std::int64_t>(*disk.bytes_a_day)),
                    disk.days);
}

}  // namespace barman::facts

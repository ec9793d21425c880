#include "facts/server_summary.h"

#include <algorithm>
#include <utility>

#include "catalogue/chain_doubt.h"
#include "wal/wal_file_name.h"

namespace barman::facts {

using catalogue::BackupInfo;
using catalogue::BackupStatus;

namespace {

bool is_usable(const BackupInfo& backup) {
  return backup.status == BackupStatus::done && backup.end_time.has_value();
}

}  // namespace

wal_archive::WalLines watch_newest(wal_archive::WalLines lines,
                                   std::optional<double>& newest_mtime) {
  return [lines = std::move(lines), &newest_mtime](const wal_archive::WalIndexVisitor& visitor) {
    lines([&](const wal_archive::WalIndexLine& line) {
      if (line.name.size() == wal::kSegmentNameLength) {
        newest_mtime = std::max(newest_mtime.value_or(line.mtime), line.mtime);
      }
      return visitor(line);
    });
  };
}

std::optional<RecoverySpan> find_recovery_span(const std::vector<BackupInfo>& backups,
                                               const catalogue::Annotations& annotations,
                                               std::optional<double> newest_wal_mtime) {
  std::vector<Timestamp> ends;
  for (const BackupInfo& backup : backups) {
    if (!is_usable(backup) || !catalogue::find_chain_doubt(backups, annotations, backup).empty()) {
      continue;
    }
    const auto keep = annotations.keeps.find(backup.id);
    const bool is_standalone =
        keep != annotations.keeps.end() && keep->second == catalogue::KeepTarget::standalone;
    if (!is_standalone) ends.push_back(in_local_zone(*backup.end_time));
  }
  if (ends.empty()) return std::nullopt;
  std::sort(ends.begin(), ends.end());
  RecoverySpan span = {.begin = ends.front(), .end = ends.back(), .backups = ends};
  if (newest_wal_mtime) {
    span.end = std::max(span.end, in_local_zone(from_epoch_seconds(*newest_wal_mtime)));
  }
  return span;
}

ServerSummary summarize_server(const config::ServerConfig& config,
                               const std::optional<ServerFacts>& facts,
                               const std::vector<BackupInfo>& backups, bool is_receiver_running) {
  ServerSummary summary;
  summary.name = config.name;
  summary.state = state_of(config);
  summary.is_passive = config.is_passive();
  summary.has_live_values = facts.has_value();
  if (config.find_unusable("minimum_redundancy") == nullptr) {
    summary.minimum_redundancy =
        static_cast<std::uint64_t>(std::max<std::int64_t>(config.minimum_redundancy, 0));
  } else {
    summary.minimum_redundancy.reset();
  }
  if (facts) {
    summary.postgres_version = facts->version_text;
    if (config.streaming_archiver) summary.is_receiver_running = is_receiver_running;
    if (config.archiver && facts->archiver) summary.is_archiving = facts->archiver->is_archiving;
  }
  for (const BackupInfo& backup : backups) {
    if (backup.status != BackupStatus::done) continue;
    ++summary.backup_count;
    if (!backup.is_incremental()) ++summary.redundancy;
    if (backup.end_time) {
      summary.last_backup_end =
          std::max(summary.last_backup_end.value_or(*backup.end_time), *backup.end_time);
    }
  }
  return summary;
}

}  // namespace barman::facts

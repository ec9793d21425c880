#include "backup/archive_help.h"

#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/log.h"
#include "base/log_components.h"
#include "postgres/queries.h"

namespace barman::backup {

void switch_on_primary(const server::Server& server, Messages& messages,
                       PrimaryCheckpoint checkpoint) {
  try {
    postgres::Connection primary = server.connect_primary();
    // A switch does nothing when nothing was written since the last one.
    if (checkpoint == PrimaryCheckpoint::first) postgres::request_checkpoint(primary);
    postgres::switch_wal(primary, postgres::query_settings(primary).segment_size);
  } catch (const Error& error) {
    // The backup goes on: the primary may complete the segment by itself.
    messages.warning(
        fmt::format("cannot switch WAL on the primary of '{}': {}. The backup has all of its WAL "
                    "when the primary closes the segment by itself; look at primary_conninfo",
                    server.name(), error.describe()));
  }
}

void ArchiveHelp::look(const ArchiveWait& wait) {
  help_standby(wait.duration);
  catalogue::BackupInfo shown = info_;
  shown.error = wait.text;
  try {
    server_.catalogue().save(shown);
  } catch (const Error& error) {  // It is for those who look only.
    log::warning(log::kBackupComponent, "cannot note what backup {} waits for: {}", info_.id.value,
                 error.describe());
  }
}

void ArchiveHelp::help_standby(std::chrono::milliseconds duration) {
  const config::ServerConfig& config = server_.config();
  if (!config.primary_conninfo) return;
  if (!std::exchange(has_switched_, true)) return switch_on_primary(server_, messages_);
  const std::chrono::seconds limit(config.primary_checkpoint_timeout);
  if (limit.count() <= 0 || duration < limit || std::exchange(has_forced_, true)) return;
  messages_.warning(
      fmt::format("No WAL has come from the primary of server '{}' for {} seconds: a checkpoint is "
                  "forced there (primary_checkpoint_timeout)",
                  server_.name(), limit.count()));
  switch_on_primary(server_, messages_, PrimaryCheckpoint::first);
}

}  // namespace barman::backup

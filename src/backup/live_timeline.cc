#include "backup/live_timeline.h"

#include <chrono>

#include "base/error.h"
#include "base/log.h"
#include "base/log_components.h"
#include "postgres/timeline_history.h"
#include "replication/system_identity.h"

namespace barman::backup {

void ask_live_timeline(const server::Server& server, catalogue::Branches& branches) {
  try {
    postgres::Connection connection = server.connect_streaming(
        server.config().streaming_backup_name, {.connect_timeout = std::chrono::seconds(10)});
    const wal::TimelineId timeline = replication::identify_system(connection).timeline;
    if (timeline.value > 1 && !branches.histories.contains(timeline)) {
      branches.histories[timeline] = postgres::parse_timeline_history(
          timeline, replication::read_timeline_history(connection, timeline));
    }
    branches.live_timeline = timeline;
  } catch (const Error& error) {  // Who needs it will tell what is wrong.
    if (error.kind() == ErrorKind::interrupted) throw;
    log::debug(log::kBackupComponent, "the timeline of server {} is not known: {}", server.name(),
               error.describe());
  }
}

}  // namespace barman::backup

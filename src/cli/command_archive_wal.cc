#include <fmt/format.h>

#include "base/remains.h"
#include "catalogue/last_reason.h"
#include "catalogue/locks.h"
#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "server/published_progress.h"
#include "wal_archive/archive_wal.h"

namespace barman::cli {

void run_archive_wal(CommandContext& context) {
  const config::ServerConfig* config = select_server(context);
  // A passive node gets its WAL from the primary node.
  if (config == nullptr || config->is_passive()) return;
  const server::Server server = make_server(context, *config);
  std::uint64_t left = 0;
  catalogue::keeping_last_reason(
      config->backup_directory, "archive-wal", catalogue::archive_wal_lock(server.locks()), [&] {
        // On the terminal the names of the files say it.
        NoProgress unseen;
        server::PublishedProgress progress(unseen, server, "archive-wal");
        left =
            wal_archive::archive_pending_wal(
                server,
                {.when_idle = wal_archive::ArchiveRequest::WhenIdle::tell, .progress = &progress},
                context.reporter)
                .left;
      });
  telling_what_remains(
      fmt::format("What was archived stays; {} WAL file{} archived by the next 'barman archive-wal "
                  "{}', or by cron.",
                  left, left == 1 ? " is" : "s are", server.name()),
      [&] { context.interrupt.throw_if_requested(); });
}

}  // namespace barman::cli

#include <algorithm>
#include <cstdint>
#include <limits>

#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "facts/backup_facts.h"
#include "output/archive_views.h"
#include "wal_archive/wal_range.h"

namespace barman::cli {

void run_check_wal_archive(CommandContext& context) {
  const config::ServerConfig* config = select_server(context);
  if (config == nullptr) return;
  const server::Server server = make_server(context, *config);
  std::optional<wal::TimelineId> timeline;
  if (const auto number = context.arguments.find_integer("timeline")) {
    timeline = wal::TimelineId{static_cast<std::uint32_t>(
        std::min<std::int64_t>(*number, std::numeric_limits<std::uint32_t>::max()))};
  }
  output::write_archive_check(
      context.reporter, server.name(),
      wal_archive::find_archive_conflict(facts::wal_lines(server), timeline));
}

}  // namespace barman::cli

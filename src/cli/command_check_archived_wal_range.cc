#include <algorithm>

#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "facts/backup_facts.h"
#include "output/archive_views.h"
#include "wal_archive/wal_archive.h"
#include "wal_archive/wal_range.h"

namespace barman::cli {
namespace {

// Of the newest usable backup.
std::optional<wal::SegmentSize> find_segment_size(
    const std::vector<catalogue::BackupInfo>& backups) {
  const auto newest =
      std::find_if(backups.rbegin(), backups.rend(),
                   [](const catalogue::BackupInfo& backup) { return backup.is_copy_done(); });
  return newest == backups.rend() ? std::nullopt : std::optional(newest->xlog_segment_size);
}

}  // namespace

void run_check_archived_wal_range(CommandContext& context) {
  const ParsedArguments& arguments = context.arguments;
  const config::ServerConfig* config = select_server(context);
  if (config == nullptr) return;
  const output::CheckedWalRange range = {.begin_wal = arguments.get("begin_wal"),
                                         .end_wal = arguments.get("end_wal")};
  if (const auto problem = wal_archive::find_range_problem(range.begin_wal, range.end_wal)) {
    throw Error(ErrorKind::usage, *problem,
                "Give two names of segments of one timeline, the first one first.");
  }
  const server::Server server = make_server(context, *config);
  std::optional<std::vector<std::string>> missing;
  if (const auto size = find_segment_size(facts::list_readable_backups(context.reporter, server))) {
    missing = wal_archive::WalArchive(server).list_missing(range.begin_wal, range.end_wal, *size);
  }
  output::write_wal_range_check(context.reporter, server.name(), range, missing);
}

}  // namespace barman::cli

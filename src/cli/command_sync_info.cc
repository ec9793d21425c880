#include <unistd.h>

#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "facts/backup_facts.h"
#include "output/json_copy.h"
#include "output/sync_views.h"
#include "sync/primary_node.h"
#include "sync/wanted_wal.h"
#include "wal_archive/wal_archive.h"

namespace barman::cli {
namespace {

Fd raw_output(CommandContext& context) {
  Fd fd(::dup(context.reporter.begin_raw_output()));
  if (!fd.is_open()) throw_errno("cannot write to standard output");
  return fd;
}

sync::SyncRequest request_of(const ParsedArguments& arguments) {
  sync::SyncRequest request{.last_wal = arguments.find("last_wal")};
  // The answer to an empty catalogue has an empty name, and no position that means anything.
  if (request.last_wal && request.last_wal->empty()) request.last_wal.reset();
  if (const auto position = arguments.find_integer("last_position")) {
    request.last_position = static_cast<std::uint64_t>(*position);
  }
  return request;
}

std::vector<catalogue::BackupInfo> list_complete_backups(CommandContext& context,
                                                         const server::Server& server) {
  std::vector<catalogue::BackupInfo> backups =
      facts::list_readable_backups(context.reporter, server);
  std::erase_if(backups, [&](const catalogue::BackupInfo& backup) {
    return !backup.is_copy_done() || server.catalogue().is_being_deleted(backup.id);
  });
  return backups;
}

}  // namespace

void run_sync_info(CommandContext& context) {
  const config::ServerConfig* config = select_server(context);
  if (config == nullptr) return;
  const server::Server server = make_server(context, *config);
  const sync::SyncRequest request = request_of(context.arguments);
  if (context.arguments.is_set("primary")) {
    Fd answer = sync::ask_primary(server, request, context.reporter);
    return output::copy_json_object(raw_output(context), std::move(answer),
                                    "the answer of the primary node");
  }
  const std::vector<catalogue::BackupInfo> backups = list_complete_backups(context, server);
  const auto index = wal_archive::WalArchive(server).snapshot();
  const sync::WantedWal wals = sync::select_wals(index, backups, request);
  const config::ShownOptions options = config::list_exported_options(*config);
  output::write_sync_info(raw_output(context),
                          {.backups = backups, .index = index, .wals = wals, .options = options});
}

}  // namespace barman::cli

#include "wal_transfer/switch_wal.h"

#include "base/hint.h"
#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"

namespace barman::cli {

void run_switch_wal(CommandContext& context) {
  constexpr std::int64_t kDefaultTimeout = 30;
  wal_transfer::SwitchRequest request;
  if (context.arguments.is_set("force"))
    request.checkpoint = wal_transfer::SwitchRequest::Checkpoint::first;
  if (context.arguments.is_set("archive")) {
    request.archive_timeout = std::chrono::seconds(
        context.arguments.find_integer("archive_timeout").value_or(kDefaultTimeout));
    // Who asks for another time has a reason: cron starts one every minute.
    if (*request.archive_timeout != std::chrono::seconds(kDefaultTimeout))
      request.without_receiver = wal_transfer::SwitchRequest::WithoutReceiver::wait;
  }
  for_each_server(context, [&](const config::ServerConfig& config) {
    if (config.is_passive()) {
      context.reporter.error(
          with_hint("switch-wal is not possible on passive server '" + config.name + "'",
                    "Run it on the primary node: this one copies what that one has."));
      return;
    }
    wal_transfer::switch_wal(make_server(context, config), request, context.reporter);
  });
}

}  // namespace barman::cli

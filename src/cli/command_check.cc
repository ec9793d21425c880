#include "check/check_server.h"
#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "output/check_report.h"

namespace barman::cli {

void run_check(CommandContext& context) {
  if (context.arguments.is_set("nagios")) context.reporter.use_nagios();
  output::CheckReport report(context.reporter);
  for_each_server(context, [&](const config::ServerConfig& config) {
    const server::Server server = make_server(context, config);
    const std::int64_t limit =
        context.arguments.find_integer("check_timeout").value_or(config.check_timeout);
    report.begin_server(config.name, state_of(config));
    check::check_server(server, std::chrono::seconds(limit), context.reporter,
                        [&](const check::CheckResult& result) {
                          report.add({.label = result.label,
                                      .ok = result.ok,
                                      .hint = result.hint,
                                      .details = result.details});
                        });
    const check::SizeFacts facts = check::measure_last_backup(server);
    report.end_server(
        {.backup_size_bytes = facts.backup_size_bytes, .wal_size_bytes = facts.wal_size_bytes});
  });
}

}  // namespace barman::cli

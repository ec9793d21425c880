#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "config/rendering.h"
#include "facts/backup_facts.h"
#include "facts/receiver.h"
#include "facts/server_facts.h"
#include "output/server_views.h"

namespace barman::cli {
namespace {

using catalogue::BackupInfo;

// What follows the configured age: how old the last usable backup is.
std::string backup_age_text(std::int64_t maximum_seconds, const std::vector<BackupInfo>& backups,
                            Timestamp now) {
  const auto last = std::find_if(backups.rbegin(), backups.rend(), [](const BackupInfo& backup) {
    return backup.is_copy_done() && backup.end_time.has_value();
  });
  if (last == backups.rend()) return " (WARNING! latest backup is No available backups old)";
  const double age = now.as_double() - last->end_time->as_double();
  if (age > static_cast<double>(maximum_seconds)) {
    return fmt::format(" (WARNING! latest backup is {} old)", human_duration(age));
  }
  return fmt::format(" (latest backup: {} )", human_duration(age));
}

void append_backup_age(CommandContext& context, const server::Server& server,
                       config::ShownOptions& values) {
  const std::optional<config::Interval>& maximum = server.config().last_backup_maximum_age;
  if (!maximum) return;
  for (auto& [key, value] : values) {
    if (key != "last_backup_maximum_age") continue;
    value = {config::python_text(value) +
             backup_age_text(maximum->seconds(),
                             facts::list_readable_backups(context.reporter, server),
                             server.clock().now())};
  }
}

}  // namespace

void run_show_servers(CommandContext& context) {
  for_each_server(context, [&context](const config::ServerConfig& config) {
    const server::Server server = make_server(context, config);
    config::ShownOptions values = config::list_native_options(config);
    append_backup_age(context, server, values);
    if (facts::has_live_values(config)) {
      const config::ShownOptions live =
          facts::list_live_values(server, facts::gather_server_facts(server));
      values.insert(values.end(), live.begin(), live.end());
    }
    for (const catalogue::LastReason& reason : facts::list_current_reasons(server)) {
      values.emplace_back("last_failure_of_" + replace_all(reason.task, "-", "_"),
                          config::OptionValue{reason.describe()});
    }
    output::write_properties(context.reporter, config.name, facts::state_of(config),
                             std::move(values));
  });
}

}  // namespace barman::cli

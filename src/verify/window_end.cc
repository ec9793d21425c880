#include "verify/window_end.h"

#include <optional>
#include <string>

#include <fmt/format.h>

#include "base/shown_time.h"
#include "base/timestamp.h"
#include "catalogue/last_reason.h"
#include "facts/receiver.h"
#include "facts/wal_flow.h"

namespace barman::verify {
namespace {

std::string arrival_text(double seconds) { return shown_second(from_epoch_seconds(seconds)); }

std::string window_since_text(const facts::WalFlow& flow, const std::string& last_segment) {
  if (!flow.archived_at || last_segment.empty()) return "nothing is archived";
  return fmt::format("it has not moved since {} ({})", arrival_text(*flow.archived_at),
                     last_segment);
}

}  // namespace

std::vector<Finding> find_stopped_wal(const server::Server& server,
                                      const std::string& last_segment) {
  const config::ServerConfig& config = server.config();
  std::vector<Finding> findings;
  if (!config.active || !server.archives_wal()) return findings;
  const facts::WalFlow flow = facts::gather_wal_flow(server, std::nullopt);
  const auto add = [&](const std::string& cause, std::string next_step) {
    findings.push_back({Finding::Severity::notice, "recovery window",
                        window_since_text(flow, last_segment) + ", and does not move: " + cause,
                        std::move(next_step)});
  };
  if (flow.is_receiver_running == false) {
    const facts::ReceiverProcess process = facts::find_receiver(server);
    add("no receive-wal is running, " + process.problem,
        fmt::format("{}, and look at 'barman check {}'.", process.next_step, server.name()));
  }
  const auto archiver = catalogue::find_last_reason(config.backup_directory, "archive-wal");
  if (archiver) {
    add("archive-wal fails: " + archiver->describe(),
        fmt::format("Remove the cause, and run 'barman cron'; 'barman check {}' tells more.",
                    server.name()));
  } else if (facts::is_queue_stalled(flow, server.clock().now().as_double())) {
    add(fmt::format("{} wait to be archived, the first since {}", facts::describe_queue(flow),
                    arrival_text(flow.queue().waits_since.value_or(0))),
        "Let 'barman cron' run each minute.");
  }
  return findings;
}

}  // namespace barman::verify

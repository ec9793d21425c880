#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "backup/choose_parent.h"
#include "backup/choose_source.h"
#include "backup/take_backup.h"
#include "base/hint.h"
#include "base/log.h"
#include "base/text.h"
#include "check/check_server.h"
#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "cli/worker_count.h"
#include "output/backup_fields.h"
#include "server/published_progress.h"

namespace barman::cli {
namespace {

using config::ServerConfig;

// The option rules over the configuration; a source that copies no files has nothing to reuse.
config::ReuseBackup reuse_of(const std::optional<std::string>& option, const ServerConfig& config) {
  using config::ReuseBackup;
  if (config.backup_method == config::BackupMethod::postgres) return ReuseBackup::off;
  if (!option) return config.reuse_backup.value_or(ReuseBackup::off);
  if (*option == "link") return ReuseBackup::link;
  return *option == "copy" ? ReuseBackup::copy : ReuseBackup::off;
}

backup::BackupRequest make_backup_request(const ParsedArguments& arguments,
                                          const ServerConfig& config) {
  backup::BackupRequest request;
  request.name = arguments.find("name");
  request.wait = arguments.is_set("wait") ? backup::WaitForWal::yes : backup::WaitForWal::no;
  request.wait_timeout = std::chrono::seconds(arguments.find_integer("wait_timeout").value_or(0));
  const bool is_fast =
      arguments.choice_of("immediate_checkpoint").value_or(config.immediate_checkpoint);
  request.checkpoint =
      is_fast ? replication::CheckpointMode::fast : replication::CheckpointMode::spread;
  request.retry_times =
      arguments.find_integer("retry_times").value_or(config.basebackup_retry_times);
  request.retry_sleep = std::chrono::seconds(
      arguments.find_integer("retry_sleep").value_or(config.basebackup_retry_sleep));
  const std::optional<std::int64_t> limit = arguments.find_integer("bwlimit");
  request.bandwidth_limit = TransferLimit::of(limit ? limit : config.bandwidth_limit);
  request.reuse = reuse_of(arguments.find("reuse_backup"), config);
  request.manifest = arguments.choice_of("manifest").value_or(config.autogenerate_manifest)
                         ? backup::WriteManifest::yes
                         : backup::WriteManifest::no;
  request.jobs = arguments.find_integer("jobs").value_or(config.parallel_jobs);
  request.jobs_start_batch_size = arguments.find_integer("jobs_start_batch_size");
  request.jobs_start_batch_period = arguments.find_integer("jobs_start_batch_period");
  request.worker_count = worker_count(arguments, config);
  request.keepalive_interval = std::chrono::seconds(
      arguments.find_integer("keepalive_interval").value_or(config.keepalive_interval));
  return request;
}

// Why no backup is taken, and what mends it. What names its own next step is the reason of the
// others: another cluster has neither the slot nor a receiver.
std::string refusal_of(const std::vector<check::CheckResult>& failures, const std::string& server) {
  std::string text =
      fmt::format("Impossible to start the backup. {} 'barman check {}'",
                  log::has_file() ? "Check the log for more details, or run" : "Run", server);
  const auto cause = std::find_if(failures.begin(), failures.end(),
                                  [](const auto& failure) { return !failure.next_step.empty(); });
  for (auto failure = failures.begin(); failure != failures.end(); ++failure) {
    if (cause != failures.end() && failure != cause) continue;
    std::vector<std::string> reasons = failure->details;
    if (!failure->hint.empty()) reasons.insert(reasons.begin(), failure->hint);
    text = with_hint(text, failure->label + ": " + join(reasons, "; "));
  }
  return with_hint(text, cause == failures.end()
                             ? fmt::format("For what mends it, run: barman doctor {}", server)
                             : cause->next_step);
}

}  // namespace

void run_backup(CommandContext& context) {
  // A parent that is not there is a mistake in the command line: no server is backed up after it.
  bool is_stopped = false;
  for_each_server(context, [&](const ServerConfig& config) {
    if (is_stopped) return;
    const server::Server server = make_server(context, config);
    backup::require_supported(config);
    backup::BackupRequest request = make_backup_request(context.arguments, config);
    if (const auto parent = context.arguments.find("incremental")) {
      is_stopped = true;
      request.parent = backup::choose_parent(server, *parent, context.reporter);
      is_stopped = false;
      backup::require_parent(server, *request.parent);
    }
    const std::int64_t limit =
        context.arguments.find_integer("check_timeout").value_or(config.check_timeout);
    const auto failures = check::find_critical_failures(server, std::chrono::seconds(limit));
    if (!failures.empty()) {
      context.reporter.error(refusal_of(failures, config.name));
      return;
    }
    server::PublishedProgress progress(context.progress, server, "backup");
    const catalogue::BackupInfo info =
        backup::take_backup(server, request, context.reporter, progress);
    output::write_backup_fields(context.reporter, info);
    // Usable, but of a damaged cluster: nobody must overlook it.
    if (info.is_copy_done() && info.error) context.reporter.set_exit_code(1);
  });
}

}  // namespace barman::cli

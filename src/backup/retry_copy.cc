#include "backup/retry_copy.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/retry.h"

namespace barman::backup {

void copy_with_retries(const BackupJob& job, const std::string& program,
                       const std::function<void()>& attempt) {
  const BackupRequest& request = job.request;
  const RetryRules rules = {.times = request.retry_times, .pause = request.retry_sleep};
  const auto tell = [&](const Error& error, std::int64_t number) {
    log::warning(log::kBackupComponent, "attempt {} failed: {}", number, error.describe());
    job.messages.warning(
        fmt::format("Failure executing a backup using {} (attempt {})", program, number));
    job.messages.warning(
        fmt::format("The files copied so far will be removed and the backup process will restart "
                    "in {} seconds",
                    request.retry_sleep.count()));
  };
  retry(rules, job.server.interrupt(), attempt, tell);
}

}  // namespace barman::backup

#include "backup/retry_copy.h"

#include <chrono>

#include <fmt/format.h>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/log_components.h"

namespace barman::backup {
namespace {

bool is_worth_a_retry(const Error& error) {
  return error.kind() != ErrorKind::interrupted && error.kind() != ErrorKind::config;
}

}  // namespace

void copy_with_retries(const BackupJob& job, const std::string& program,
                       const std::function<void()>& attempt) {
  const BackupRequest& request = job.request;
  const Interrupt& interrupt = job.server.interrupt();
  for (std::int64_t number = 0;; ++number) {
    try {
      return attempt();
    } catch (const Error& error) {  // One attempt of several.
      if (number >= request.retry_times || !is_worth_a_retry(error)) throw;
      log::warning(log::kBackupComponent, "attempt {} failed: {}", number, error.describe());
    }
    job.messages.warning(
        fmt::format("Failure executing a backup using {} (attempt {})", program, number));
    job.messages.warning(
        fmt::format("The files copied so far will be removed and the backup process will restart "
                    "in {} seconds",
                    request.retry_sleep.count()));
    const auto pause = std::chrono::milliseconds(request.retry_sleep).count();
    if (sleep_unless_interrupted(static_cast<int>(pause), interrupt))
      interrupt.throw_if_requested();
  }
}

}  // namespace barman::backup

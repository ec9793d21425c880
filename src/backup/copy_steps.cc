#include "backup/copy_steps.h"

#include <chrono>

#include <fmt/format.h>

#include "base/log.h"
#include "base/log_components.h"
#include "base/text.h"

namespace barman::backup {

void CopySteps::run(std::size_t step, std::optional<std::size_t> bucket, const std::string& what,
                    const std::function<void()>& action) const {
  using StepClock = std::chrono::steady_clock;
  const auto begun = StepClock::now();
  tell(step, bucket, "starting", what);
  action();
  const double seconds = std::chrono::duration<double>(StepClock::now() - begun).count();
  tell(step, bucket, fmt::format("finished (duration: {})", human_duration(seconds)), what);
}

void CopySteps::skip(std::size_t step, const std::string& what) const {
  tell(step, std::nullopt, "skipping", what);
}

void CopySteps::tell(std::size_t step, std::optional<std::size_t> bucket, const std::string& event,
                     const std::string& what) const {
  const std::string who = bucket ? fmt::format("bucket {}", *bucket) : "global";
  log::info(log::kBackupComponent, "Copy step {} of {}: [{}] {} {}", step, count_, who, event,
            what);
}

}  // namespace barman::backup

#include "catalogue/backup_turn.h"

#include <fmt/format.h>

#include "base/error.h"

namespace barman::catalogue {
namespace {

constexpr int kPollMs = 50;
// The end of check-backup holds the lock for a moment, too; and between two looks at two locks cron
// may have come or gone.
constexpr int kLooks = 20;

// Cron holds its own lock for as long as it works on the server.
bool is_held_by_cron(const LockLocation& location) {
  const auto holder = FileLock::holder(backup_lock(location));
  return holder && holder == FileLock::holder(cron_lock(location));
}

}  // namespace

std::optional<FileLock> take_backup_turn(const LockLocation& location, const Interrupt& interrupt,
                                         Messages& messages, std::chrono::milliseconds patience) {
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + patience;
  int strangers = 0;
  bool is_told = false;
  for (;;) {
    if (std::optional<FileLock> lock = FileLock::try_lock(backup_lock(location))) return lock;
    strangers = is_held_by_cron(location) ? 0 : strangers + 1;
    if (strangers == 0 && !is_told) {
      is_told = true;
      messages.info(fmt::format("Waiting until cron has applied the retention policy of server {}",
                                location.server_name));
    }
    if (strangers == kLooks || Clock::now() >= deadline) return std::nullopt;
    if (sleep_unless_interrupted(kPollMs, interrupt)) interrupt.throw_if_requested();
  }
}

std::string busy_hint(const LockLocation& location, const std::filesystem::path& lock) {
  std::string hint = "Try again when it has ended.";
  const std::optional<pid_t> pid = FileLock::holder(lock);
  if (pid && *pid > 0) hint += fmt::format(" It is process {}.", *pid);
  return hint +
         fmt::format(" What runs is shown by 'barman list-processes {}'.", location.server_name);
}

FileLock take_backup_turn_or_throw(const LockLocation& location, const std::string& busy_message,
                                   const Interrupt& interrupt, Messages& messages) {
  std::optional<FileLock> lock = take_backup_turn(location, interrupt, messages);
  if (!lock) {
    throw Error(ErrorKind::conflict, busy_message, busy_hint(location, backup_lock(location)));
  }
  return *std::move(lock);
}

}  // namespace barman::catalogue

// The backup lock of a server, for commands of the user. Beside another backup or deletion they end
// with a message, as Barman's do; the retention of cron, which Barman does without that lock, is
// nothing that anybody has asked for: it is waited for.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>

#include "base/file_lock.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "catalogue/locks.h"

namespace barman::catalogue {

// A retention that deletes large backups takes its time.
inline constexpr std::chrono::minutes kRetentionPatience{60};

// Told once when it waits. nullopt when another process holds the lock: not cron, or for longer
// than `patience`. Throws `interrupted`.
std::optional<FileLock> take_backup_turn(const LockLocation& location, const Interrupt& interrupt,
                                         Messages& messages,
                                         std::chrono::milliseconds patience = kRetentionPatience);
// What who was not let in by that lock file can do.
std::string busy_hint(const LockLocation& location, const std::filesystem::path& lock);
// The same, or throws `conflict` with `busy_message`.
FileLock take_backup_turn_or_throw(const LockLocation& location, const std::string& busy_message,
                                   const Interrupt& interrupt, Messages& messages);

}  // namespace barman::catalogue

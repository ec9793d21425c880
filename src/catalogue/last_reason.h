// Why the last run of a background process failed: receive-wal, archive-wal, sync-backup,
// sync-wals. Nobody sees what such a process says; its reason is kept in a file of the server until
// a run ends well, and told by check, status and show-servers.
//
// `<backup_directory>/.last-reason-<task>`: when, in ISO form, on the first line; then the reason,
// without secrets. Keeping and forgetting never fail: on a full disk there is the log.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace barman::catalogue {

struct LastReason {
  std::string task;
  std::string time;
  std::string text;  // one line
  // "<text> (at <time>)"
  std::string describe() const;
};

// nullopt when there is none, or it cannot be read.
std::optional<LastReason> find_last_reason(const std::filesystem::path& backup_directory,
                                           std::string_view task);
// Of all tasks that have failed, receive-wal first.
std::vector<LastReason> list_last_reasons(const std::filesystem::path& backup_directory);

void keep_last_reason(const std::filesystem::path& backup_directory, std::string_view task,
                      const Error& error);
void forget_last_reason(const std::filesystem::path& backup_directory, std::string_view task);

// Runs the task; what it throws is kept, and thrown on. Not when another process holds `lock`: that
// one is the run that counts. An interrupt is no failure.
void keeping_last_reason(const std::filesystem::path& backup_directory, std::string_view task,
                         const std::filesystem::path& lock, const std::function<void()>& run);

}  // namespace barman::catalogue

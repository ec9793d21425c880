#include "catalogue/last_reason.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cmath>

#include <fmt/format.h>

#include "base/durable.h"
#include "base/fd.h"
#include "base/file_lock.h"
#include "base/hint.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/secrets.h"
#include "base/shown_time.h"
#include "base/text.h"
#include "base/timestamp.h"

namespace barman::catalogue {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMaxText = 4096;
constexpr std::array<std::string_view, 4> kTasks = {"receive-wal", "archive-wal", "sync-backup",
                                                    "sync-wals"};

fs::path path_of(const fs::path& backup_directory, std::string_view task) {
  return backup_directory / (".last-reason-" + std::string(task));
}

}  // namespace

std::string LastReason::describe() const {
  const std::optional<ParsedTimestamp> at = parse_timestamp(time);
  return fmt::format("{} (at {})", text, at ? shown_time(at->time) : time);
}

std::optional<LastReason> find_last_reason(const fs::path& backup_directory,
                                           std::string_view task) {
  try {
    const auto content =
        find_and_read_file(path_of(backup_directory, task), std::size_t{2} * kMaxText);
    if (!content) return std::nullopt;
    const std::size_t end = content->find('\n');
    if (end == std::string::npos) return std::nullopt;
    const std::string time = content->substr(0, end);
    const std::string text = replace_all(std::string(strip(content->substr(end + 1))), "\n", " ");
    if (!parse_timestamp(time) || text.empty()) return std::nullopt;
    return LastReason{.task = std::string(task), .time = time, .text = text};
  } catch (const Error& error) {  // It only makes a message better.
    log::debug(log::kServerComponent, "{}", error.describe());
    return std::nullopt;
  }
}

std::vector<LastReason> list_last_reasons(const fs::path& backup_directory) {
  std::vector<LastReason> reasons;
  for (const std::string_view task : kTasks) {
    if (auto reason = find_last_reason(backup_directory, task)) {
      reasons.push_back(*std::move(reason));
    }
  }
  return reasons;
}

void keep_last_reason(const fs::path& backup_directory, std::string_view task, const Error& error) {
  std::string text =
      mask_secrets(replace_all(with_hint_inside(error.describe(), error.hint()), "\n", " "));
  if (text.size() > kMaxText) text.resize(kMaxText);
  // In whole seconds.
  const Timestamp now = in_local_zone(from_epoch_seconds(std::floor(now_local().as_double())));
  try {
    write_file_durably(path_of(backup_directory, task),
                       fmt::format("{}\n{}\n", format_iso(now), text));
  } catch (const Error& failure) {  // The log has the reason, too.
    log::debug(log::kServerComponent, "the reason why {} failed is not kept: {}", task,
               failure.describe());
  }
}

void forget_last_reason(const fs::path& backup_directory, std::string_view task) {
  const fs::path path = path_of(backup_directory, task);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    log::debug(log::kServerComponent, "cannot remove \"{}\": {}", path.string(), errno_text(errno));
  }
}

void keeping_last_reason(const fs::path& backup_directory, std::string_view task,
                         const fs::path& lock, const std::function<void()>& run) {
  try {
    run();
  } catch (const Error& error) {
    const bool is_busy = error.kind() == ErrorKind::conflict && FileLock::holder(lock).has_value();
    // A call that was a mistake tells nothing of the task, and nothing would end it.
    const bool is_told = error.kind() == ErrorKind::usage;
    if (error.kind() != ErrorKind::interrupted && !is_busy && !is_told) {
      keep_last_reason(backup_directory, task, error);
    }
    throw;
  }
  forget_last_reason(backup_directory, task);
}

}  // namespace barman::catalogue

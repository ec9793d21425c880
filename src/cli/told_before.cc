#include "cli/told_before.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/text.h"

namespace barman::cli {
namespace {

constexpr std::int64_t kDay = 86400;
// Longer than from one weekly backup to the next.
constexpr std::int64_t kForgottenAfter = 8 * kDay;
constexpr std::size_t kMaxToldFile = std::size_t{1} << 20;
constexpr std::size_t kMaxEntries = 500;

// One line.
std::string line_of(const std::string& text) {
  return replace_all(replace_all(text, "\\", "\\\\"), "\n", "\\n");
}

}  // namespace

ToldBefore::ToldBefore(std::filesystem::path barman_home, std::string command, Timestamp now)
    : path_(std::move(barman_home) / (".told-" + command)),
      command_(std::move(command)),
      now_seconds_(now.seconds()) {
  try {
    const std::string content = find_and_read_file(path_, kMaxToldFile).value_or("");
    for (std::string_view rest = content; !rest.empty();) {
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      const std::string_view line = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      const std::size_t first = line.find('\t');
      const std::size_t second =
          first == std::string_view::npos ? first : line.find('\t', first + 1);
      if (second == std::string_view::npos) continue;
      const auto told = parse_integer(line.substr(0, first));
      const auto seen = parse_integer(line.substr(first + 1, second - first - 1));
      // A clock that was set back makes nothing old.
      if (!told || !seen || *seen > now_seconds_ || now_seconds_ - *seen > kForgottenAfter)
        continue;
      entries_[std::string(line.substr(second + 1))] = {*told, *seen};
    }
  } catch (const Error& error) {  // Then everything is new.
    log::debug(log::kCliComponent, "{}", error.describe());
  }
}

bool ToldBefore::is_kept_for(std::string_view command) {
  return command == "cron" || command == "backup";
}

bool ToldBefore::is_new(output::MessageLevel level, const std::string& text) {
  const bool is_error =
      level == output::MessageLevel::error || level == output::MessageLevel::exception;
  if (level != output::MessageLevel::warning && !(is_error && command_ == "cron")) return true;
  const auto [entry, is_first] = entries_.try_emplace(line_of(text));
  const bool is_due = is_error && now_seconds_ - entry->second.told_seconds >= kDay;
  // Once an hour is often enough to know that it is still so.
  constexpr std::int64_t kHour = 3600;
  is_changed_ =
      is_changed_ || is_first || is_due || now_seconds_ - entry->second.seen_seconds > kHour;
  entry->second.seen_seconds = now_seconds_;
  if (is_first || is_due) entry->second.told_seconds = now_seconds_;
  return is_first || is_due;
}

void ToldBefore::keep() const {
  if (!is_changed_) return;
  std::string content;
  std::size_t count = 0;
  for (const auto& [text, entry] : entries_) {
    if (++count > kMaxEntries) break;
    content += fmt::format("{}\t{}\t{}\n", entry.told_seconds, entry.seen_seconds, text);
  }
  try {
    write_file_durably(path_, content, 0600);
  } catch (const Error& error) {  // Then it is told again.
    log::debug(log::kCliComponent, "{}", error.describe());
  }
}

}  // namespace barman::cli

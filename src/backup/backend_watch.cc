#include "backup/backend_watch.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "postgres/queries.h"

namespace barman::backup {
namespace {

constexpr std::string_view kComponent = "barman.backup";
constexpr std::chrono::minutes kTellEvery{10};
constexpr postgres::ConnectionLimits kLimits = {.connect_timeout = std::chrono::seconds(10),
                                                .statement_timeout = std::chrono::seconds(10)};

std::string duration_text(std::chrono::milliseconds duration) {
  return human_duration(std::chrono::duration<double>(duration).count());
}

}  // namespace

BackendWatch::BackendWatch(const server::Server& server, int pid, Messages& messages)
    : server_(server), pid_(pid), messages_(messages) {
  // Without the answer the backup is as good as before, only not watched.
  try {
    was_seen_ = ask().has_value();
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    log::debug(kComponent, "cannot look for process {}: {}", pid_, error.describe());
  }
}

std::optional<std::string> BackendWatch::ask() const {
  postgres::Connection connection = server_.connect(kLimits);
  return postgres::find_backend_activity(connection, pid_);
}

void BackendWatch::look(std::chrono::milliseconds silence) {
  // Each silence begins anew.
  if (silence <= kInterval) {
    told_at_ = {};
    unreachable_since_.reset();
  }
  std::optional<std::string> activity;
  try {
    activity = ask();
  } catch (const Error& error) {  // Perhaps for a moment only.
    if (error.kind() == ErrorKind::interrupted) throw;
    if (!unreachable_since_) unreachable_since_ = silence;
    if (silence - *unreachable_since_ >= kMaxUnreachable) {
      throw Error(ErrorKind::connection,
                  fmt::format("PostgreSQL has sent nothing for {}, and cannot be asked why: {}",
                              duration_text(silence), error.describe()),
                  "Check PostgreSQL and the network, then take the backup again.");
    }
    return tell("it cannot be asked why: " + error.describe(), silence);
  }
  unreachable_since_.reset();
  if (!activity && was_seen_) {
    throw Error(ErrorKind::connection,
                fmt::format("PostgreSQL has sent nothing for {}, and its process {} that sent the "
                            "backup is gone: the connection was lost on the way",
                            duration_text(silence), pid_),
                "Look into PostgreSQL's log, and for firewalls and proxies that drop connections.");
  }
  const std::string doing = activity && !activity->empty() ? " (" + *activity + ")" : "";
  tell(fmt::format("its process {} still exists{}", pid_, doing), silence);
}

void BackendWatch::tell(const std::string& text, std::chrono::milliseconds silence) {
  const std::string line =
      fmt::format("PostgreSQL has sent nothing for {}; {}. Waiting.", duration_text(silence), text);
  if (told_at_.count() > 0 && silence - told_at_ < kTellEvery) {
    log::debug(kComponent, "{}", line);
    return;
  }
  told_at_ = silence;
  messages_.info(line);
}

}  // namespace barman::backup

#include "backup/backend_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/shown_time.h"
#include "base/text.h"
#include "base/timestamp.h"
#include "postgres/queries.h"

namespace barman::backup {
namespace {

constexpr std::chrono::minutes kTellEvery{10};
constexpr postgres::ConnectionLimits kLimits = {.connect_timeout = std::chrono::seconds(10),
                                                .statement_timeout = std::chrono::seconds(10)};

std::string duration_text(std::chrono::milliseconds duration) {
  return human_duration(std::chrono::duration<double>(duration).count());
}

}  // namespace

BackendWatch::BackendWatch(const server::Server& server, int pid, Messages& messages,
                           OnArchiveWait on_archive_wait)
    : server_(server),
      pid_(pid),
      messages_(messages),
      on_archive_wait_(std::move(on_archive_wait)) {
  // Without the answer the backup is as good as before, only not watched.
  try {
    was_seen_ = ask().activity.has_value();
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    log::debug(log::kBackupComponent, "cannot look for process {}: {}", pid_, error.describe());
  }
}

BackendWatch::Answer BackendWatch::ask() {
  postgres::Connection connection = server_.connect_beside_streaming(kLimits);
  Answer answer{.activity = postgres::find_backend_activity(connection, pid_),
                .phase = postgres::find_backup_phase(connection, pid_)};
  if (answer.phase == postgres::kWaitsForCheckpoint) tell_of_checkpoint(connection);
  if (answer.phase == postgres::kWaitsForArchiving) tell_of_archiving(connection);
  return answer;
}

void BackendWatch::look(std::chrono::milliseconds silence) {
  // Each silence begins anew.
  if (silence <= kStep) {
    due_ = {};
    told_at_ = {};
    unreachable_since_.reset();
  }
  if (silence < due_) return;
  due_ = silence + std::clamp<std::chrono::milliseconds>(silence, kStep, kInterval);
  Answer answer;
  try {
    answer = ask();
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
  if (!answer.activity && was_seen_) {
    throw Error(ErrorKind::connection,
                fmt::format("PostgreSQL has sent nothing for {}, and its process {} that sent the "
                            "backup is gone: the connection was lost on the way",
                            duration_text(silence), pid_),
                "Look into PostgreSQL's log, and for firewalls and proxies that drop connections.");
  }
  const std::string doing =
      answer.activity && !answer.activity->empty() ? " (" + *answer.activity + ")" : "";
  tell(fmt::format("its process {} still exists{}", pid_, doing), silence);
}

void BackendWatch::hear(const std::string& notice) {
  const std::lock_guard lock(mutex_);
  heard_ = notice;
}

// What was heard since the last time; the words before the wait are about something else.
std::string BackendWatch::take_heard(bool is_about_archiving) {
  const std::lock_guard lock(mutex_);
  if (!is_about_archiving) heard_.clear();
  return heard_;
}

void BackendWatch::tell_of_checkpoint(postgres::Connection& connection) {
  if (std::exchange(has_told_of_checkpoint_, true)) return;
  messages_.info(
      fmt::format("PostgreSQL makes a checkpoint first, which it spreads over {} at most "
                  "(checkpoint_timeout x checkpoint_completion_target). Use "
                  "--immediate-checkpoint to have it at once",
                  human_duration(postgres::query_checkpoint_seconds(connection))));
}

void BackendWatch::tell_of_archiving(postgres::Connection& connection) {
  const std::string heard = take_heard(archive_wait_begun_.has_value());
  if (!archive_wait_begun_) {
    archive_wait_begun_ = Clock::now();
    archive_wait_since_ = shown_second(now_local());
  }
  std::string text = fmt::format(
      "waiting since {} until PostgreSQL has archived the WAL of the backup", archive_wait_since_);
  const postgres::ArchiverStatistics archiver = postgres::query_archiver_statistics(connection);
  if (!archiver.is_archiving && archiver.last_failed_wal) {
    text += fmt::format(": its archive_command fails, last for {}", *archiver.last_failed_wal);
    if (archiver.last_failed_time) text += " at " + shown_second(*archiver.last_failed_time);
  }
  if (!heard.empty()) text += ". PostgreSQL: " + join(split(heard, '\n'), " ");
  on_archive_wait_({.duration = std::chrono::duration_cast<std::chrono::milliseconds>(
                        Clock::now() - *archive_wait_begun_),
                    .text = text});
  if (std::exchange(told_of_archiving_, text) != text) messages_.warning("The backup is " + text);
}

void BackendWatch::tell(const std::string& text, std::chrono::milliseconds silence) {
  const std::string line =
      fmt::format("PostgreSQL has sent nothing for {}; {}. Waiting.", duration_text(silence), text);
  // A short one needs no words, and of a wait for archiving more is told already.
  const bool is_known = silence < kInterval || archive_wait_begun_;
  if (is_known || (told_at_.count() > 0 && silence - told_at_ < kTellEvery)) {
    log::debug(log::kBackupComponent, "{}", line);
    return;
  }
  told_at_ = silence;
  messages_.info(line);
}

}  // namespace barman::backup

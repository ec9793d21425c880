#include "backup/held_session.h"

#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/worker_pool.h"
#include "postgres/low_level_backup.h"
#include "postgres/queries.h"

namespace barman::backup {
namespace {

// How soon the watch ends.
constexpr std::chrono::milliseconds kWatchStep{100};

}  // namespace

HeldSession::HeldSession(postgres::Connection connection, std::chrono::seconds interval)
    : connection_(std::move(connection)),
      watcher_(
          start_thread([this, interval](const std::stop_token& stop) { watch(stop, interval); })) {}

void HeldSession::watch(const std::stop_token& stop, std::chrono::seconds interval) {
  using Clock = std::chrono::steady_clock;
  auto next = Clock::now() + interval;
  try {
    while (!stop.stop_requested()) {
      postgres::require_held(connection_, kWatchStep);
      if (interval.count() <= 0 || Clock::now() < next) continue;
      postgres::probe(connection_);
      next = Clock::now() + interval;
    }
  } catch (const Error& error) {  // The end of a thread; require_alive() tells.
    log::error(log::kBackupComponent, "the session of the backup is lost: {}", error.describe());
    is_lost_ = true;
  }
}

void HeldSession::require_alive() const {
  if (!is_lost_) return;
  throw Error(ErrorKind::connection,
              "Connection to the Postgres server was lost during the backup.",
              "Look into the log of PostgreSQL for the reason, and take the backup again.");
}

postgres::Connection& HeldSession::take_back() {
  watcher_.request_stop();
  if (watcher_.joinable()) watcher_.join();
  require_alive();
  return connection_;
}

}  // namespace barman::backup

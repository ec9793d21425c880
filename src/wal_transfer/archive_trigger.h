// Archives what a receiver has completed, at once instead of at the next cron: `archive-wal` as a
// child process, one at a time, so that hooks, compression and a slow disk of the archive never
// hold the stream up, and the receiver stays small.
//
// Nothing depends on it: a child that fails, or finds another archiver at work, is started again
// after a pause as long as files wait, and cron does the rest. Errors go to the log of the child.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>

#include "base/fd.h"
#include "base/worker_pool.h"
#include "server/server.h"

namespace barman::wal_transfer {

class ArchiveTrigger {
 public:
  // `server` must live longer.
  explicit ArchiveTrigger(const server::Server& server);
  ArchiveTrigger(const ArchiveTrigger&) = delete;
  ArchiveTrigger& operator=(const ArchiveTrigger&) = delete;
  // Ends a running child in good order.
  ~ArchiveTrigger();

  // Something is complete. Returns at once.
  void pull();

 private:
  void run(const std::stop_token& stop);
  // False when the object goes away.
  bool wait_for_work(const std::stop_token& stop, std::chrono::milliseconds pause);
  void run_child(const std::stop_token& stop) const;
  bool are_files_waiting() const;

  const server::Server& server_;
  Fd stop_event_;
  std::mutex mutex_;
  std::condition_variable_any wake_up_;
  bool is_pulled_ = false;
  std::jthread thread_;
};

}  // namespace barman::wal_transfer

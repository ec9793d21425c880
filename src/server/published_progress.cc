#include "server/published_progress.h"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/timestamp.h"

namespace barman::server {

PublishedProgress::PublishedProgress(Progress& next, const Server& server, std::string task,
                                     std::string object)
    : next_(next),
      work_(catalogue::work_of_this_process(server.name(), std::move(task), std::move(object))) {
  path_ = catalogue::work_path(server.locks(), work_);
  try {
    file_ = create_file(path_, O_WRONLY, 0644);
  } catch (const Error& error) {  // A full or read-only disk.
    log::debug(log::kServerComponent, "{}", error.describe());
  }
  start(work_.phase, 0);
}

PublishedProgress::~PublishedProgress() {
  if (file_.is_open()) ::unlink(path_.c_str());
}

void PublishedProgress::begin(std::string_view what, std::uint64_t total_bytes) {
  next_.begin(what, total_bytes);
  start(what, total_bytes);
}

void PublishedProgress::phase(std::string_view what) {
  next_.phase(what);
  start(what, 0);
}

void PublishedProgress::start(std::string_view phase, std::uint64_t total_bytes) {
  const std::lock_guard lock(mutex_);
  work_.phase = phase;
  work_.total_bytes = total_bytes;
  work_.phase_began = now_local().as_double();
  done_bytes_.store(0, std::memory_order_relaxed);
  write_locked();
}

void PublishedProgress::advance(std::uint64_t size_bytes) {
  next_.advance(size_bytes);
  done_bytes_.fetch_add(size_bytes, std::memory_order_relaxed);
  const Clock::time_point now = Clock::now();
  Clock::rep due = next_write_.load(std::memory_order_relaxed);
  if (now.time_since_epoch().count() < due) return;
  const Clock::rep next = (now + std::chrono::seconds(1)).time_since_epoch().count();
  // One of the workers writes, the others go on.
  if (!next_write_.compare_exchange_strong(due, next, std::memory_order_relaxed)) return;
  const std::lock_guard lock(mutex_);
  write_locked();
}

void PublishedProgress::write_locked() {
  if (!file_.is_open()) return;
  work_.done_bytes = done_bytes_.load(std::memory_order_relaxed);
  work_.updated = now_local().as_double();
  try {
    write_full_at(file_, as_bytes(catalogue::format_work(work_)), 0, path_);
  } catch (const Error& error) {
    log::debug(log::kServerComponent, "{}", error.describe());
  }
}

}  // namespace barman::server

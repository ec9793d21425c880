#include "pipeline/file_syncer.h"

#include <utility>

#include "base/error.h"

namespace barman::pipeline {

FileSyncer::FileSyncer(std::size_t worker_count) : pending_(kMaxPending), workers_(worker_count) {
  for (std::size_t index = 0; index < worker_count; ++index) workers_.submit([this] { run(); });
}

FileSyncer::~FileSyncer() {
  is_abandoned_ = true;
  pending_.close();
}

void FileSyncer::submit(Fd fd, std::filesystem::path path) {
  if (pending_.push({std::move(fd), std::move(path)})) return;
  wait();
  throw Error(ErrorKind::internal, "file submitted to a syncer that has finished");
}

void FileSyncer::wait() {
  pending_.close();
  if (std::exchange(is_waited_for_, true)) return;
  workers_.wait();
}

void FileSyncer::run() {
  try {
    while (auto pending = pending_.pop()) {
      if (is_abandoned_) continue;
      sync_fd(pending->fd, pending->path);
      pending->fd.close(pending->path);
    }
  } catch (...) {
    // The others drop what is left, and submit() learns of the failure from the closed queue.
    is_abandoned_ = true;
    pending_.close();
    throw;
  }
}

}  // namespace barman::pipeline

// Makes files durable in the background: fsync of finished files runs beside the stream that fills
// the next ones, and concurrent fsyncs share the file system's journal commits.
//
// submit() takes the descriptor over; it blocks while kMaxPending files wait, so descriptors and
// dirty data are bounded. The first failure names its file, stops the rest, and is thrown by the
// next submit() or by wait().
#pragma once

#include <atomic>
#include <filesystem>

#include "base/fd.h"
#include "base/worker_pool.h"

namespace barman::pipeline {

class FileSyncer {
 public:
  static constexpr std::size_t kMaxPending = 128;
  static constexpr std::size_t kDefaultWorkerCount = 4;

  explicit FileSyncer(std::size_t worker_count = kDefaultWorkerCount);
  FileSyncer(const FileSyncer&) = delete;
  FileSyncer& operator=(const FileSyncer&) = delete;
  // Without wait(): what is pending is closed and not synced.
  ~FileSyncer();

  // fsync and close of a file or directory.
  void submit(Fd fd, std::filesystem::path path);
  // Returns when everything submitted is durable. Called once.
  void wait();

 private:
  struct Pending {
    Fd fd;
    std::filesystem::path path;
  };
  void run();

  BoundedQueue<Pending> pending_;
  std::atomic<bool> is_abandoned_ = false;
  bool is_waited_for_ = false;
  WorkerPool workers_;
};

}  // namespace barman::pipeline

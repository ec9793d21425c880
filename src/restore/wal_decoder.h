// Decompresses archived WAL files into the restored cluster, by several workers. What a file is
// stored in is told by its content, not by the index, so mixed archives need no settings. Files
// that are received while they are copied come through here, too.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <exception>
#include <filesystem>
#include <map>
#include <mutex>
#include <stop_token>
#include <thread>
#include <variant>
#include <vector>

#include "base/fd.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "base/worker_pool.h"
#include "copy/file_copier.h"
#include "restore/restore_plan.h"
#include "wal_archive/wal_archive.h"
#include "wal_archive/wal_coding.h"

namespace barman::restore {

struct OpenedWal {
  Fd file;
  // Where it is now.
  std::filesystem::path path;
};
// A file that may have moved to one of the other places, in this order. Throws `not_found`.
OpenedWal open_wal(const wal_archive::WalArchive& archive, const std::filesystem::path& source,
                   const std::vector<std::filesystem::path>& moves_to);

// Opens files in their order. Those of a bucket are fetched some ahead, by a few threads, since
// each of them takes a while.
class WalAhead {
 public:
  // `files` and `archive` live longer.
  WalAhead(const wal_archive::WalArchive& archive, const std::vector<WalFileCopy>& files);
  WalAhead(const WalAhead&) = delete;
  WalAhead& operator=(const WalAhead&) = delete;
  ~WalAhead();

  // The next one; called once for each file.
  OpenedWal next();

 private:
  using Result = std::variant<OpenedWal, std::exception_ptr>;
  void fetch(const std::stop_token& stop);

  const wal_archive::WalArchive& archive_;
  const std::vector<WalFileCopy>& files_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<std::size_t, Result> fetched_;
  std::size_t next_to_fetch_ = 0;
  std::size_t next_ = 0;
  std::vector<std::jthread> threads_;
};

class WalDecoder {
 public:
  // The plan lives longer. What comes from a bucket is fetched by more workers: they wait most of
  // the time.
  WalDecoder(const WalPlan& plan, std::size_t worker_count, Progress& progress,
             const Interrupt& interrupt);

  // False when the file is stored plain and stays where it is: it is to be copied. Blocks while the
  // workers are busy. A file that moves is opened here, where it is now, and read to its end from
  // there; one of a bucket is opened by its worker. Throws `not_found` when it is nowhere.
  bool take(const copy::CopyTask& task, const std::vector<std::filesystem::path>& moves_to);
  // All files that were taken are complete and fsynced when it returns; their directory is not
  // flushed. Throws the first failure. Called once.
  void wait() { workers_.wait(); }

 private:
  void decode(const copy::CopyTask& task, const wal_archive::WalStoredForm& form, const Fd& source);

  const WalPlan& plan_;
  Progress& progress_;
  Interrupt interrupt_;
  WorkerPool workers_;
};

}  // namespace barman::restore

// Decompresses archived WAL files into the restored cluster, by several workers. What a file is
// stored in is told by its content, not by the index, so mixed archives need no settings. Files
// that are received while they are copied come through here, too.
#pragma once

#include <filesystem>
#include <vector>

#include "base/fd.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "base/worker_pool.h"
#include "copy/file_copier.h"
#include "wal_archive/wal_coding.h"

namespace barman::restore {

struct OpenedWal {
  Fd file;
  // Where it is now.
  std::filesystem::path path;
};
// A file that may have moved to one of the other places, in this order. Throws `not_found`.
OpenedWal open_wal(const std::filesystem::path& source,
                   const std::vector<std::filesystem::path>& moves_to);

class WalDecoder {
 public:
  WalDecoder(const wal_archive::WalCoding& coding, std::size_t worker_count, Progress& progress,
             const Interrupt& interrupt);

  // False when the file is stored plain and stays where it is: it is to be copied. Blocks while the
  // workers are busy. A file that moves is opened here, where it is now, and read to its end from
  // there. Throws `not_found` when it is nowhere.
  bool take(const copy::CopyTask& task, const std::vector<std::filesystem::path>& moves_to);
  // All files that were taken are complete and fsynced when it returns; their directory is not
  // flushed. Throws the first failure. Called once.
  void wait() { workers_.wait(); }

 private:
  void decode(const copy::CopyTask& task, const wal_archive::WalStoredForm& form, const Fd& source);

  const wal_archive::WalCoding& coding_;
  Progress& progress_;
  Interrupt interrupt_;
  WorkerPool workers_;
};

}  // namespace barman::restore

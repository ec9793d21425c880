// Files that are on another host already, sent here and judged here by what the backup knows of
// them: where the backup lies far away (a bucket), its checksums cost less than its content, and no
// program there computes those of a manifest, or of a chain.
//
// Several sessions at a time, each of which gets the names of its files, ends with NULs, and sends
// them as tar in their order; needs GNU tar there. Each has a thread that reads and one that
// judges. Memory: a few files' names and 4 MiB for each session.
#pragma once

#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "base/interrupt.h"
#include "base/linked_interrupt.h"
#include "base/throttle.h"
#include "copy/copy_task.h"
#include "host/host.h"

namespace barman::restore {

struct RemoteCopying {
  // By gzip on the way.
  bool is_compressed = false;
  TransferLimit bandwidth_limit;
};

class RemoteCopies {
 public:
  // Of a file that is there as it shall be. Called by several threads.
  using OnRight = std::function<void(const copy::CopyTask& task, std::uint32_t crc32c)>;

  // `host` lives longer.
  RemoteCopies(const host::Host& host, std::filesystem::path directory,
               const RemoteCopying& options, const Interrupt& interrupt);
  RemoteCopies(const RemoteCopies&) = delete;
  RemoteCopies& operator=(const RemoteCopies&) = delete;
  // Without wait() the sessions are cut.
  ~RemoteCopies();

  // Each of `names` is a list below the directory.
  void start(std::vector<Fd> names, const OnRight& on_right);
  // One file after the other, as they are in the lists: the first of the first list, the first of
  // the second one ... Blocks while its session has enough to do. What the session does not send
  // (it went away, or cannot be read) is not right. Throws the first failure.
  void judge(copy::CopyTask task);
  // All files are judged when it returns. Throws the first failure.
  void wait();

 private:
  class Session;

  void note_failure();
  void throw_failure();

  const host::Host& host_;
  const std::filesystem::path directory_;
  const RemoteCopying options_;
  Throttle throttle_;
  LinkedInterrupt stop_;
  std::mutex mutex_;
  std::exception_ptr failure_;
  std::size_t next_ = 0;
  std::vector<std::unique_ptr<Session>> sessions_;
  // The last member: they use the others.
  std::vector<std::jthread> threads_;
};

}  // namespace barman::restore

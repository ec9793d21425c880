// Several connections into one directory of another host: each is an ssh session of its own with a
// tar in it, opened when there is something to send, and gets the next file when it has sent one.
// Memory: a buffer for each.
#pragma once

#include <cstddef>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/interrupt.h"
#include "base/linked_interrupt.h"
#include "base/worker_pool.h"
#include "host/host.h"
#include "host/tar_sender.h"
#include "pipeline/tar_writer.h"

namespace barman::restore {

class TarStreams {
 public:
  // Gets an archive of its own, and the interrupt that also fires when another one fails.
  using Send = std::function<void(pipeline::TarWriter& archive, const Interrupt& interrupt)>;
  // Gets none, and needs no connection.
  using Work = std::function<void(const Interrupt& interrupt)>;

  // `directory` is there. `host` lives longer.
  TarStreams(const host::Host& host, std::filesystem::path directory,
             const host::TarSending& options, std::size_t count, const Interrupt& interrupt);
  TarStreams(const TarStreams&) = delete;
  TarStreams& operator=(const TarStreams&) = delete;
  // Without finish() the connections are cut.
  ~TarStreams();

  // Blocks while all are busy. With one connection in the order of the calls. Throws the first
  // failure of one of them; the others are cut then.
  void submit(Send send);
  void submit_work(Work work);
  // Inside of a work, which takes a connection only when it has something to send.
  void send_now(const Send& send);
  // All of it is unpacked when it returns. Throws as submit() does. Called once.
  void finish();

 private:
  using Stream = std::unique_ptr<host::TarSender>;

  void run(const Work& work);
  Stream take_stream();
  void note_failure();
  void throw_failure();

  const host::Host& host_;
  const std::filesystem::path directory_;
  const host::TarSending options_;
  LinkedInterrupt stop_;
  const Interrupt interrupt_;
  std::mutex mutex_;
  std::exception_ptr failure_;
  std::vector<Stream> idle_;
  std::optional<WorkerPool> workers_;  // the last member: its threads use the others
};

}  // namespace barman::restore

// One gpg process as a filter, through gpgme. For cipher.cc only; the promises are in cipher.h.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/worker_pool.h"
#include "encryption/passphrase.h"
#include "pipeline/sink.h"

namespace barman::encryption {

struct GpgJob {
  enum class Direction { encrypt, decrypt };
  Direction direction = Direction::encrypt;
  std::string recipient;
  // For errors.
  std::string object_name;
  // For decrypting.
  std::shared_ptr<PassphraseSource> passphrase;
};

class GpgFilter final : public pipeline::Sink {
 public:
  GpgFilter(GpgJob job, pipeline::Sink& next);
  GpgFilter(const GpgFilter&) = delete;
  GpgFilter& operator=(const GpgFilter&) = delete;
  ~GpgFilter() override;

  void write(Bytes data) override;
  void finish() override;

  // gpgme's side, in the worker thread: as read(2) and write(2). They do not throw.
  ssize_t give_input(void* buffer, std::size_t size) noexcept;
  ssize_t take_output(const void* buffer, std::size_t size) noexcept;
  // gpg says by this that all encrypted data is written.
  void note_status(std::string_view keyword) noexcept;
  const GpgJob& job() const { return job_; }

 private:
  using Chunk = std::vector<std::byte>;

  void push_chunk();
  void run();
  void end_worker();

  const GpgJob job_;
  pipeline::Sink& next_;
  Chunk gathered_;
  BoundedQueue<Chunk> queue_;
  // All input is in the queue: its end is the end of the data.
  std::atomic<bool> is_complete_ = false;
  // Of the worker, until it is joined.
  Chunk current_;
  std::size_t current_offset_ = 0;
  std::exception_ptr failure_;
  // gpg told how its work ended.
  bool has_ended_ = false;
  std::jthread worker_;
};

}  // namespace barman::encryption

// One gpg process as a filter, started by ourselves: only its parent learns how it has ended. A gpg
// that cannot read its input any more takes that for the end, writes a message that is complete in
// itself, says END_ENCRYPTION, and exits with 2. So its work counts when everything fits: the exit
// code is 0, it has said that it is done, it took all that it was given, and what it gave out is
// not less. For cipher.cc only; the promises are in cipher.h.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "base/process.h"
#include "encryption/gpg_report.h"
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

 private:
  std::vector<std::string> arguments(int status, int passphrase) const;
  void start();
  void send_gathered();
  // The reader's thread: hands on what gpg gives out and keeps what it says, until it has ended.
  void read_all();
  void hand_on(Bytes data);
  // Waits for the end of gpg and of the thread.
  void end_worker();
  // After the end. Throws what went wrong; always when gpg did not read everything.
  void require_success() const;

  const GpgJob job_;
  pipeline::Sink& next_;
  std::vector<std::byte> gathered_;
  std::uint64_t taken_bytes_ = 0;
  // gpg's standard input is a socket: the kernel tells when it was closed before all was read.
  Fd input_;
  bool is_input_refused_ = false;
  std::atomic<bool> is_given_up_ = false;
  std::optional<ChildProcess> gpg_;
  // Of the worker, until it is joined.
  Fd output_;
  Fd status_;
  Fd log_;
  GpgReport report_;
  std::uint64_t given_bytes_ = 0;
  std::exception_ptr failure_;
  std::jthread worker_;
};

}  // namespace barman::encryption

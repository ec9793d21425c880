// The standard output as the place where a WAL file goes: a reader that does not read must not keep
// the program from ending when it is told to.
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/fd.h"
#include "base/interrupt.h"
#include "pipeline/sink.h"

namespace barman::wal_transfer {

// Writes to a descriptor that it does not own: pipe, socket, file or device. Throws
// compression::ReaderGone when nobody reads it any more, `interrupted` while it waits for the
// reader.
class RawOutput final : public pipeline::Sink {
 public:
  RawOutput(int fd, std::filesystem::path path, const Interrupt& interrupt);

  void write(Bytes data) override;
  void finish() override {}
  // All of `source`, inside the kernel where that is possible without waiting.
  void send(const Fd& source, const std::filesystem::path& source_path);

 private:
  enum class Kind { pipe, socket, other };

  void wait() const;
  ssize_t write_some(Bytes data) const;
  [[noreturn]] void throw_failure() const;

  int fd_;
  std::filesystem::path path_;
  const Interrupt& interrupt_;
  Kind kind_ = Kind::other;
};

// Throws when `fd` is what open_standard_descriptors() has put in the place of a descriptor that
// the caller had closed: nothing would be delivered.
void refuse_closed_output(int fd);

}  // namespace barman::wal_transfer

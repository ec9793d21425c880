// What both streams need of libpq inside COPY: reads that never block longer than they are told,
// and writes that are really sent. For the .cc files of this folder only, as libpq_handle.h.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>

#include "base/fd.h"
#include "base/interrupt.h"
#include "postgres/libpq_handle.h"
#include "replication/silence_limit.h"

namespace barman::replication {

// One CopyData message, in libpq's memory.
struct CopyMessage {
  postgres::CopyBuffer memory;
  std::size_t size_bytes = 0;
  Bytes bytes() const { return std::as_bytes(std::span(memory.get(), size_bytes)); }
};

// Takes the next message if it is there; does not wait. Throws `connection`.
enum class CopyRead { message, nothing, end };
CopyRead read_copy(PGconn* handle, CopyMessage& message);

// Waits until the server sent something and takes it in. A zero timeout means no limit.
WaitResult wait_for_input(PGconn* handle, std::chrono::milliseconds timeout,
                          const Interrupt& interrupt);

// Waits like wait_for_input(), up to the limit. Throws `interrupted`, and `connection` or what
// limit.look() throws.
void wait_patiently(PGconn* handle, const SilenceLimit& limit, const Interrupt& interrupt);

// The next result of the running command; nullptr when there is no further one. Throws SqlError,
// `connection` (also after too long a silence), `interrupted`.
postgres::ResultHandle wait_for_result(postgres::Connection& connection, const SilenceLimit& limit,
                                       const Interrupt& interrupt);

// Sends a CopyData message, or the end of COPY, and waits until the kernel has it. Throws
// `connection` when the server takes nothing for `timeout`.
void write_copy(PGconn* handle, Bytes message, std::chrono::milliseconds timeout);
void end_copy(PGconn* handle, std::chrono::milliseconds timeout);

// What the server says beside its answers, in its own language.
struct Notice {
  std::string text;
  bool is_warning = false;
};

// While it lives, notices of the server go to `receive`, which must not throw.
class NoticeScope {
 public:
  NoticeScope(postgres::Connection& connection, std::function<void(const Notice&)> receive);
  NoticeScope(const NoticeScope&) = delete;
  NoticeScope& operator=(const NoticeScope&) = delete;
  ~NoticeScope();

 private:
  postgres::Connection& connection_;
  std::function<void(const Notice&)> receive_;
  PQnoticeReceiver previous_ = nullptr;
};

}  // namespace barman::replication

#include "replication/copy_session.h"

#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"

namespace barman::replication {
namespace {

// The rest of libpq's message is advice for users of psql.
[[noreturn]] void throw_lost(PGconn* handle) {
  const std::string message = postgres::last_message(handle);
  const std::string reason = message.substr(0, message.find('\n'));
  throw Error(ErrorKind::connection,
              "lost the connection to PostgreSQL" + (reason.empty() ? "" : ": " + reason),
              "Check that PostgreSQL still runs, and its log.");
}

int as_poll_timeout(std::chrono::milliseconds timeout) {
  return timeout.count() == 0 ? -1 : static_cast<int>(timeout.count());
}

void flush_output(PGconn* handle, std::chrono::milliseconds timeout) {
  while (true) {
    const int status = PQflush(handle);
    if (status == 0) return;
    if (status < 0) throw_lost(handle);
    // The interrupt is left out: what is begun to be sent must be sent whole, and it is short.
    if (wait_for_fd(PQsocket(handle), WaitFor::writable, as_poll_timeout(timeout), {}) ==
        WaitResult::timeout)
      throw Error(ErrorKind::connection,
                  fmt::format("the server accepted no data for {} ms", timeout.count()));
    // The server may be blocked because it wants to send.
    if (PQconsumeInput(handle) == 0) throw_lost(handle);
  }
}

extern "C" void pass_notice(void* receiver, const PGresult* result) noexcept {
  const auto& receive = *static_cast<std::function<void(const Notice&)>*>(receiver);
  // The word that is never translated, since PostgreSQL 9.6.
  const char* const severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
  receive({.text = std::string(strip(PQresultErrorMessage(result))),
           .is_warning = severity != nullptr && std::string_view(severity) == "WARNING"});
}

}  // namespace

CopyRead read_copy(PGconn* handle, CopyMessage& message) {
  constexpr int kAsync = 1;
  // The second round follows a look at the socket without asking poll(2) first. Whatever was taken
  // in is looked at before this returns "nothing": a message inside of libpq wakes no poll.
  for (int round = 0;; ++round) {
    char* memory = nullptr;
    const int size = PQgetCopyData(handle, &memory, kAsync);
    if (size > 0) {
      message.memory.reset(memory);
      message.size_bytes = static_cast<std::size_t>(size);
      return CopyRead::message;
    }
    if (size == -1) return CopyRead::end;
    if (size == -2) throw_lost(handle);
    if (round > 0) return CopyRead::nothing;
    if (PQconsumeInput(handle) == 0) throw_lost(handle);
  }
}

WaitResult wait_for_input(PGconn* handle, std::chrono::milliseconds timeout,
                          const Interrupt& interrupt) {
  const WaitResult result = postgres::wait_for_data(handle, as_poll_timeout(timeout), interrupt);
  if (result == WaitResult::ready && PQconsumeInput(handle) == 0) throw_lost(handle);
  return result;
}

void wait_patiently(PGconn* handle, const SilenceLimit& limit, const Interrupt& interrupt) {
  std::chrono::milliseconds silence{0};
  for (;;) {
    switch (wait_for_input(handle, limit.interval, interrupt)) {
      case WaitResult::ready:
        return;
      case WaitResult::interrupted:
        interrupt.throw_if_requested();
        return;
      case WaitResult::timeout:
        silence += limit.interval;
        if (!limit.look) {
          throw Error(ErrorKind::connection,
                      fmt::format("the server was silent for {} ms", silence.count()),
                      "Check the server and the network.");
        }
        limit.look(silence);
    }
  }
}

postgres::ResultHandle wait_for_result(postgres::Connection& connection, const SilenceLimit& limit,
                                       const Interrupt& interrupt) {
  PGconn* handle = postgres::handle_of(connection);
  while (PQisBusy(handle) != 0) wait_patiently(handle, limit, interrupt);
  postgres::ResultHandle result(PQgetResult(handle));
  if (result == nullptr) return result;
  const ExecStatusType status = PQresultStatus(result.get());
  if (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE)
    postgres::throw_result_error(connection, result.get());
  return result;
}

void write_copy(PGconn* handle, Bytes message, std::chrono::milliseconds timeout) {
  const std::string_view text = as_text(message);
  if (PQputCopyData(handle, text.data(), static_cast<int>(text.size())) != 1) throw_lost(handle);
  flush_output(handle, timeout);
}

void end_copy(PGconn* handle, std::chrono::milliseconds timeout) {
  if (PQputCopyEnd(handle, nullptr) != 1) throw_lost(handle);
  flush_output(handle, timeout);
}

NoticeScope::NoticeScope(postgres::Connection& connection,
                         std::function<void(const Notice&)> receive)
    : connection_(connection),
      receive_(std::move(receive)),
      previous_(PQsetNoticeReceiver(postgres::handle_of(connection), pass_notice, &receive_)) {}

NoticeScope::~NoticeScope() {
  // Gone when the session was lost meanwhile.
  PGconn* handle = connection_.state().handle.get();
  if (handle != nullptr) PQsetNoticeReceiver(handle, previous_, nullptr);
}

}  // namespace barman::replication

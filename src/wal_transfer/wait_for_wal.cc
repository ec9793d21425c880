#include "wal_transfer/wait_for_wal.h"

#include <sys/stat.h>

#include <functional>
#include <set>
#include <system_error>

#include <fmt/format.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/hint.h"
#include "wal/wal_file_name.h"
#include "wal_archive/archive_wal.h"
#include "wal_archive/wal_archive.h"

namespace barman::wal_transfer {
namespace fs = std::filesystem;
namespace {

constexpr int kPauseMs = 100;

std::string limit_text(std::chrono::seconds timeout) {
  return timeout.count() > 0 ? fmt::format(" (max: {} seconds)", timeout.count()) : "";
}

WaitOutcome wait_until(const server::Server& server, const std::function<bool()>& is_archived,
                       std::chrono::seconds timeout, Messages& messages,
                       const OnWait& on_wait = {}) {
  const auto begun = std::chrono::steady_clock::now();
  const auto deadline = begun + timeout;
  wal_archive::ArchiveRequest request;
  for (;;) {
    if (server.interrupt().is_requested()) return WaitOutcome::interrupted;
    const wal_archive::ArchiveCounts counts =
        wal_archive::archive_pending_wal(server, request, messages);
    if (counts.is_busy) request.when_busy = wal_archive::ArchiveRequest::WhenBusy::be_silent;
    if (is_archived()) return WaitOutcome::archived;
    if (timeout.count() > 0 && std::chrono::steady_clock::now() >= deadline)
      return WaitOutcome::timed_out;
    if (on_wait) {
      on_wait(std::chrono::duration_cast<std::chrono::milliseconds>(
          std::chrono::steady_clock::now() - begun));
    }
    sleep_unless_interrupted(kPauseMs, server.interrupt());
  }
}

}  // namespace

WaitOutcome wait_for_wal(const server::Server& server, const std::string& wal_name,
                         std::chrono::seconds timeout, Messages& messages, const OnWait& on_wait) {
  messages.info(fmt::format("Waiting for the WAL file {} from server '{}'{}", wal_name,
                            server.name(), limit_text(timeout)));
  const wal_archive::WalArchive archive(server);
  const auto is_archived = [&] { return archive.holds(wal_name); };
  const WaitOutcome outcome = wait_until(server, is_archived, timeout, messages, on_wait);
  if (outcome == WaitOutcome::timed_out) {
    messages.error(with_hint(fmt::format("The WAL file {} has not been received in {} seconds",
                                         wal_name, timeout.count()),
                             fmt::format("'barman status {0}' tells how far WAL has come, 'barman "
                                         "doctor {0}' what keeps it.",
                                         server.name())));
  } else if (outcome == WaitOutcome::interrupted) {
    messages.info(
        fmt::format("Got CTRL-C. Continuing without waiting for '{}' to be archived", wal_name));
  }
  return outcome;
}

LastSegments list_last_segments(const server::Server& server) {
  return wal_archive::WalArchive(server).list_last_segments();
}

WaitOutcome wait_for_any_wal(const server::Server& server, const LastSegments& before,
                             std::chrono::seconds timeout, Messages& messages) {
  messages.info(fmt::format("Waiting for a WAL file from server '{}' to be archived{}",
                            server.name(), limit_text(timeout)));
  const WaitOutcome outcome = wait_until(
      server, [&] { return list_last_segments(server) != before; }, timeout, messages);
  if (outcome == WaitOutcome::timed_out) {
    messages.info(fmt::format("A WAL file has not been received in {} seconds", timeout.count()));
  } else if (outcome == WaitOutcome::interrupted) {
    messages.info("Got CTRL-C. Continuing without waiting for a WAL file to be archived");
  }
  return outcome;
}

}  // namespace barman::wal_transfer

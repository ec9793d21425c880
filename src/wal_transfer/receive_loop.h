// The loop of one receive-wal process: streams until it is told to stop, and opens a lost session
// again, for ever. What a session is, is WalSession's; here is when another one is worth it, what
// the user is told, and what becomes of completed segments.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/progress.h"
#include "replication/wal_stream.h"
#include "server/server.h"
#include "wal_archive/receiver_note.h"
#include "wal_transfer/archive_trigger.h"
#include "wal_transfer/wal_session.h"

namespace barman::wal_transfer {

struct ReceivePatience {
  // Between two sessions; the last one again and again. Short, because commits may be waiting for a
  // synchronous standby.
  std::vector<std::chrono::milliseconds> pauses = {
      std::chrono::milliseconds(100), std::chrono::milliseconds(250),
      std::chrono::milliseconds(500), std::chrono::milliseconds(1000)};
  // The same failure is told again after so long.
  std::chrono::milliseconds repeat_report = std::chrono::seconds(300);
  // How long a slot may be found in use by the session that was lost: the server needs its
  // wal_sender_timeout, a minute by default, to notice.
  std::chrono::milliseconds busy_slot = std::chrono::seconds(600);
};

class ReceiveLoop final : public replication::WalReceiverEvents {
 public:
  // All of them live longer. Archives at once what is complete, when the server says so.
  ReceiveLoop(const server::Server& server, WalSession& session, Messages& messages,
              ReceivePatience patience = {});

  // Returns when the interrupt asks to stop. Throws for what will not pass by itself.
  void run();

  void on_message(const std::string& text) override;
  void on_warning(const std::string& text) override;
  void on_streaming() override;
  // Before a file of that timeline is there: from now on the archiver leaves the newest one alone.
  void on_timeline(wal::TimelineId timeline) override;
  void on_segment_complete(const std::filesystem::path& path) override;
  void on_history_file(const std::filesystem::path& path) override;

 private:
  using Clock = std::chrono::steady_clock;

  bool is_worth_another(const Error& error);
  void report_loss(const Error& error);
  void note_source();
  void note_end(const std::filesystem::path& path);

  const server::Server& server_;
  WalSession& session_;
  Messages& messages_;
  const ReceivePatience patience_;
  wal_archive::ReceiverNote note_;
  const bool is_encrypting_;
  std::optional<ArchiveTrigger> archive_trigger_;
  std::size_t failures_ = 0;
  // When the slot was first found in use since WAL streamed.
  std::optional<Clock::time_point> busy_since_;
  std::string reported_;
  Clock::time_point reported_at_;
};

}  // namespace barman::wal_transfer

// Streams WAL from a server into a directory (START_REPLICATION), as pg_receivewal does: partial
// segments, resume, timeline switches with their history files.
//
// The server is told only what is durable: the flush position moves after fdatasync, at each status
// interval, when the server asks, at the end of each segment, and with Synchronous::yes as soon as
// the socket has nothing more (so that all commits that came together share one fdatasync). Without
// it, WAL is durable flush_delay after it came: that much is lost with this host, and a commit that
// waits for us all the same waits no longer. One thread, one connection; run() returns when the
// interrupt asks to stop, everything else throws:
//   connection   the session was lost, the server was stopped or was silent too long: reconnect
//   not_found    the slot does not exist; WalRemoved: the server has removed the WAL already
//   conflict     SlotBusy: the slot is in use; OtherHistory: the server was put back to an earlier
//                state and writes another history under the names that we have
//   config       the server belongs to another system
//   corrupt      a partial file has an impossible size; the server sends what is no WAL stream
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/interrupt.h"
#include "postgres/connection.h"
#include "postgres/system_id.h"
#include "postgres/timeline_history.h"
#include "replication/held_wal.h"
#include "replication/messages.h"
#include "replication/resume_position.h"
#include "replication/segment_writer.h"
#include "replication/system_identity.h"

namespace barman::replication {

enum class Synchronous { no, yes };

// Ends that callers tell apart.
class WalRemoved final : public Error {
 public:
  using Error::Error;
};
class SlotBusy final : public Error {
 public:
  using Error::Error;
};
class OtherHistory final : public Error {
 public:
  using Error::Error;
};

struct WalReceiverOptions {
  std::filesystem::path directory;  // exists
  std::string slot_name;            // empty: no slot; the flush position is not reported then
  // Where to begin when the directory is empty and the slot does not say (always before PostgreSQL
  // 15, where the slot can be asked by SQL only). Default: the server's current segment.
  std::optional<StreamPosition> fallback_position;
  // Refuses to stream from another system.
  std::optional<postgres::SystemId> system_id;
  ArchivedWal archive = {};
  Synchronous synchronous = Synchronous::no;
  std::chrono::milliseconds flush_delay = std::chrono::seconds(1);
  std::chrono::milliseconds status_interval = std::chrono::seconds(10);
  // A server that is silent so long counts as lost; after half of it, it is asked for a sign.
  std::chrono::milliseconds silence_timeout = std::chrono::seconds(60);
};

// Called in the thread of run(). An exception ends the stream.
class WalReceiverEvents {
 public:
  virtual ~WalReceiverEvents() = default;
  // A line for the user: "starting log streaming at 0/2300000 (timeline 1)".
  virtual void on_message(const std::string&) {}
  // What somebody should know, although streaming goes on.
  virtual void on_warning(const std::string& text) { on_message(text); }
  // Of what will be written next; nothing of it is yet.
  virtual void on_timeline(wal::TimelineId) {}
  // The server has accepted START_REPLICATION.
  virtual void on_streaming() {}
  // Durable under its final name.
  virtual void on_segment_complete(const std::filesystem::path&) {}
  virtual void on_history_file(const std::filesystem::path&) {}
};

class WalReceiver {
 public:
  // `connection` is a replication session; it must outlive the receiver.
  WalReceiver(postgres::Connection& connection, WalReceiverOptions options,
              WalReceiverEvents& events, Interrupt interrupt);

  void run();

 private:
  using Clock = std::chrono::steady_clock;
  enum class StreamEnd { stop_requested, next_timeline };
  enum class ReplyRequest { no, yes };

  StreamPosition find_start(const SystemIdentity& identity);
  StreamPosition go_on_from(const StreamPosition& resumed, const std::vector<StreamFile>& files,
                            const SystemIdentity& identity);
  std::optional<StreamPosition> find_slot_position(const SystemIdentity& identity);
  void refuse_other_history(const StreamPosition& position, const SystemIdentity& identity);
  // The server's, or else the archive's.
  std::optional<std::string> find_history(wal::TimelineId timeline);
  std::optional<postgres::TimelineHistory> find_path(wal::TimelineId timeline);
  void fetch_history();
  // Streams the writer's timeline; at its end, `next` is where the next one begins.
  StreamEnd stream_timeline(StreamPosition& next);
  StreamEnd pump(StreamPosition& next);
  bool drain();
  void handle_message(Bytes message);
  void handle_wal(const WalData& wal);
  Clock::time_point next_flush();
  void send_status(ReplyRequest reply);
  void flush_and_send_status();
  void wait_for_server();
  void end_of_copy(StreamPosition& next);
  void stop_copy();

  postgres::Connection& connection_;
  const WalReceiverOptions options_;
  WalReceiverEvents& events_;
  Interrupt interrupt_;
  wal::SegmentSize segment_size_;
  std::optional<SegmentWriter> writer_;
  Clock::time_point last_status_;
  Clock::time_point last_input_;
  // When the oldest WAL that is not durable came; unset: all is.
  std::optional<Clock::time_point> unflushed_since_;
  // Until then the server is not told where we are, unless WAL comes before.
  std::optional<Clock::time_point> first_status_due_;
  bool is_sign_requested_ = false;
  bool has_copy_ended_ = false;
};

}  // namespace barman::replication

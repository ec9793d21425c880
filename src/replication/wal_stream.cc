// docs/formats/replication_messages.md
#include "replication/wal_stream.h"

#include <algorithm>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"
#include "postgres/libpq_handle.h"
#include "postgres/timeline_history.h"
#include "replication/copy_session.h"
#include "replication/slot.h"

namespace barman::replication {
namespace {

using std::chrono::milliseconds;

// After so many messages (128 KiB each) without a pause, the clock and the interrupt are looked at,
// and a synchronous stream is flushed.
constexpr int kMessagesBetweenChecks = 64;
// For the polite end of the stream after a stop request.
constexpr milliseconds kStopTimeout = std::chrono::seconds(5);

// The outcomes that callers tell apart get their own kind and a way out.
[[noreturn]] void throw_explained(const postgres::SqlError& error, const std::string& slot_name) {
  const std::string& state = error.sqlstate();
  if (state == "58P01")
    throw Error(ErrorKind::not_found, error.message(),
                "The server no longer has this WAL: if it is not in the archive either, go on "
                "behind the gap with 'barman receive-wal --reset' and take a new base backup.");
  if (state == "42704" && !slot_name.empty())
    throw Error(ErrorKind::not_found,
                fmt::format("replication slot \"{}\" does not exist", slot_name),
                "Create it with 'barman receive-wal --create-slot'.");
  if (state == "55006" && !slot_name.empty())
    throw Error(ErrorKind::conflict,
                fmt::format("replication slot \"{}\" is in use: {}", slot_name, error.message()),
                "End the other process that streams from this slot.");
  if (state == "55000" && !slot_name.empty())
    throw Error(ErrorKind::conflict, error.message(),
                "Drop and create the replication slot again, and take a new base backup.");
  throw postgres::SqlError(error);
}

StreamPosition read_next_timeline(const PGresult* result) {
  const std::string timeline_text = postgres::get_text(result, 0, 0);
  const std::string lsn_text = postgres::get_text(result, 0, 1);
  const auto timeline = parse_integer(timeline_text);
  const auto lsn = wal::parse_lsn(lsn_text);
  if (!timeline || *timeline <= 0 || *timeline > UINT32_MAX || !lsn)
    throw Error(ErrorKind::corrupt,
                fmt::format("unexpected next timeline \"{}\" at \"{}\" at the end of a WAL stream",
                            timeline_text, lsn_text));
  return {{static_cast<std::uint32_t>(*timeline)}, *lsn};
}

}  // namespace

WalReceiver::WalReceiver(postgres::Connection& connection, WalReceiverOptions options,
                         WalReceiverEvents& events, Interrupt interrupt)
    : connection_(connection),
      options_(std::move(options)),
      events_(events),
      interrupt_(std::move(interrupt)) {}

void WalReceiver::run() {
  const SystemIdentity identity = identify_system(connection_);
  if (options_.system_id && *options_.system_id != identity.system_id)
    throw Error(ErrorKind::config,
                fmt::format("the server has the system identifier {} instead of {}",
                            postgres::format_system_id(identity.system_id),
                            postgres::format_system_id(*options_.system_id)),
                "Check that the streaming connection leads to the right server.");
  segment_size_ = read_segment_size(connection_);
  // Somebody waits for each flush of a synchronous stream.
  writer_.emplace(options_.directory, segment_size_,
                  options_.synchronous == Synchronous::yes ? SegmentWriter::NewSegments::fill
                                                           : SegmentWriter::NewSegments::allocate);

  StreamPosition position = find_start(identity);
  if (position.timeline > identity.timeline)
    throw Error(ErrorKind::conflict,
                fmt::format("timeline {} is not present in the server, which is on timeline {}",
                            position.timeline.value, identity.timeline.value),
                "Check that the streaming connection leads to the current primary.");
  position = on_path_of_server(position, identity);
  position.lsn.value -= wal::segment_offset(position.lsn, segment_size_);
  events_.on_message(fmt::format("starting log streaming at {} (timeline {})",
                                 wal::format_lsn(position.lsn), position.timeline.value));
  while (!interrupt_.is_requested()) {
    writer_->begin(position);
    fetch_history();
    StreamPosition next;
    if (stream_timeline(next) == StreamEnd::stop_requested) break;
    if (next.timeline <= position.timeline || next.lsn > writer_->written())
      throw Error(ErrorKind::corrupt,
                  fmt::format("the server ended timeline {} at {}, but timeline {} begins at {}",
                              position.timeline.value, wal::format_lsn(writer_->written()),
                              next.timeline.value, wal::format_lsn(next.lsn)));
    events_.on_message(fmt::format("switched to timeline {} at {}", next.timeline.value,
                                   wal::format_lsn(next.lsn)));
    position = next;
    position.lsn.value -= wal::segment_offset(position.lsn, segment_size_);
  }
  events_.on_message("received interrupt signal, exiting");
}

StreamPosition WalReceiver::find_start(const SystemIdentity& identity) {
  std::vector<std::string> ignored;
  const auto resumed =
      resume_position(list_stream_files(options_.directory), segment_size_, &ignored);
  for (const std::string& name : ignored)
    events_.on_message(fmt::format("segment file \"{}\" has incorrect size, skipping", name));
  if (resumed) return *resumed;
  if (!options_.slot_name.empty() && can_read_slot(connection_)) {
    const auto slot = read_slot(connection_, options_.slot_name);
    if (!slot)
      throw Error(ErrorKind::not_found,
                  fmt::format("replication slot \"{}\" does not exist", options_.slot_name),
                  "Create it with 'barman receive-wal --create-slot'.");
    if (slot->restart_lsn)
      return {slot->restart_timeline.value_or(identity.timeline), *slot->restart_lsn};
  }
  if (options_.fallback_position) return *options_.fallback_position;
  return {identity.timeline, identity.flush_lsn};
}

// A standby that was promoted without all that its primary had sent has left the old timeline
// before the place where we are. What was received behind that place stays in the archive, where
// recovery along the new timeline does not look.
StreamPosition WalReceiver::on_path_of_server(const StreamPosition& position,
                                              const SystemIdentity& identity) {
  if (position.timeline >= identity.timeline) return position;
  const auto history = postgres::parse_timeline_history(
      identity.timeline, read_timeline_history(connection_, identity.timeline));
  const auto left_at = history.switch_point(position.timeline);
  if (!left_at || position.lsn <= *left_at) return position;
  const auto gone_on = resume_position(
      newer_timelines(list_stream_files(options_.directory), position.timeline), segment_size_);
  if (gone_on) return on_path_of_server(*gone_on, identity);
  const wal::TimelineId next = history.timeline_at(*left_at);
  events_.on_message(fmt::format(
      "the server has left timeline {} at {}, before {}, which was received already; going on with "
      "timeline {} there",
      position.timeline.value, wal::format_lsn(*left_at), wal::format_lsn(position.lsn),
      next.value));
  return {next, *left_at};
}

void WalReceiver::fetch_history() {
  const wal::TimelineId timeline = writer_->timeline();
  if (writer_->has_history(timeline)) return;
  const auto path = writer_->write_history(timeline, read_timeline_history(connection_, timeline));
  events_.on_history_file(path);
}

WalReceiver::StreamEnd WalReceiver::stream_timeline(StreamPosition& next) {
  const std::string slot =
      options_.slot_name.empty() ? "" : fmt::format("SLOT \"{}\" ", options_.slot_name);
  const std::string command =
      fmt::format("START_REPLICATION {}PHYSICAL {} TIMELINE {}", slot,
                  wal::format_lsn(writer_->written()), writer_->timeline().value);
  PGconn* handle = postgres::handle_of(connection_);
  try {
    if (PQsendQuery(handle, command.c_str()) == 0)
      throw Error(ErrorKind::connection, postgres::last_message(handle));
    const auto result =
        wait_for_result(connection_, {.interval = options_.silence_timeout}, interrupt_);
    switch (PQresultStatus(result.get())) {
      case PGRES_COPY_BOTH:
        return pump(next);
      case PGRES_TUPLES_OK:
        // Nothing to stream: the timeline ends exactly where we begin.
        next = read_next_timeline(result.get());
        while (wait_for_result(connection_, {.interval = options_.silence_timeout}, interrupt_) !=
               nullptr) {
        }
        return StreamEnd::next_timeline;
      default:
        throw Error(ErrorKind::corrupt, fmt::format("unexpected answer to START_REPLICATION: {}",
                                                    PQresStatus(PQresultStatus(result.get()))));
    }
  } catch (const postgres::SqlError& error) {
    throw_explained(error, options_.slot_name);
  }
}

WalReceiver::StreamEnd WalReceiver::pump(StreamPosition& next) {
  has_copy_ended_ = false;
  is_sign_requested_ = false;
  last_input_ = Clock::now();
  events_.on_streaming();
  // The server learns at once where we are.
  send_status(ReplyRequest::no);
  while (!interrupt_.is_requested()) {
    const bool has_more = drain();
    if (has_copy_ended_) {
      end_of_copy(next);
      return StreamEnd::next_timeline;
    }
    if (Clock::now() >= next_flush() || Clock::now() - last_status_ >= options_.status_interval)
      flush_and_send_status();
    if (!has_more) wait_for_server();
  }
  stop_copy();
  return StreamEnd::stop_requested;
}

// When what is written and not durable has to be.
WalReceiver::Clock::time_point WalReceiver::next_flush() {
  if (writer_->flushed() == writer_->written()) {
    unflushed_since_.reset();
    return Clock::time_point::max();
  }
  if (!unflushed_since_) unflushed_since_ = Clock::now();
  return options_.synchronous == Synchronous::yes ? *unflushed_since_
                                                  : *unflushed_since_ + options_.flush_delay;
}

// Handles what the socket has. True when there may be more.
bool WalReceiver::drain() {
  PGconn* handle = postgres::handle_of(connection_);
  CopyMessage message;
  for (int count = 0; count < kMessagesBetweenChecks; ++count) {
    switch (read_copy(handle, message)) {
      case CopyRead::message:
        last_input_ = Clock::now();
        is_sign_requested_ = false;
        handle_message(message.bytes());
        break;
      case CopyRead::nothing:
        return false;
      case CopyRead::end:
        has_copy_ended_ = true;
        return false;
    }
  }
  return true;
}

void WalReceiver::handle_message(Bytes bytes) {
  const WalMessage message = decode_wal_message(bytes);
  if (const auto* wal = std::get_if<WalData>(&message))
    handle_wal(*wal);
  else if (std::get<Keepalive>(message).reply_requested)
    flush_and_send_status();
}

void WalReceiver::handle_wal(const WalData& wal) {
  if (wal.begin != writer_->written())
    throw Error(ErrorKind::corrupt,
                fmt::format("the server sent WAL at {} where {} was expected",
                            wal::format_lsn(wal.begin), wal::format_lsn(writer_->written())));
  Bytes data = wal.data;
  while (!data.empty()) {
    const auto size =
        static_cast<std::size_t>(std::min<std::uint64_t>(data.size(), writer_->space_left()));
    const auto completed = writer_->write(data.first(size));
    data = data.subspan(size);
    if (!completed) continue;
    // First the server: whoever waits for this WAL must not wait for what the caller does now.
    send_status(ReplyRequest::no);
    events_.on_message(fmt::format("finished segment at {} (timeline {})",
                                   wal::format_lsn(writer_->written()), writer_->timeline().value));
    events_.on_segment_complete(*completed);
  }
}

void WalReceiver::send_status(ReplyRequest reply) {
  // Who reports a flush position may be taken for a synchronous standby, so only those who have a
  // slot, or are meant to be one, do so.
  const bool reports_flush =
      !options_.slot_name.empty() || options_.synchronous == Synchronous::yes;
  const auto message =
      encode_standby_status({.written = writer_->written(),
                             .flushed = reports_flush ? writer_->flushed() : wal::Lsn{},
                             .clock = postgres_clock_now(),
                             .reply_requested = reply == ReplyRequest::yes});
  write_copy(postgres::handle_of(connection_), message, options_.silence_timeout);
  last_status_ = Clock::now();
}

void WalReceiver::flush_and_send_status() {
  writer_->flush();
  unflushed_since_.reset();
  send_status(ReplyRequest::no);
}

void WalReceiver::wait_for_server() {
  const auto silence_due =
      last_input_ + (is_sign_requested_ ? options_.silence_timeout : options_.silence_timeout / 2);
  const auto due = std::min({last_status_ + options_.status_interval, silence_due, next_flush()});
  const auto timeout =
      std::max(milliseconds(1), std::chrono::ceil<milliseconds>(due - Clock::now()));
  if (wait_for_input(postgres::handle_of(connection_), timeout, interrupt_) != WaitResult::timeout)
    return;
  const auto silence = Clock::now() - last_input_;
  if (silence >= options_.silence_timeout)
    throw Error(ErrorKind::connection,
                fmt::format("no message from the server for {} seconds",
                            std::chrono::duration_cast<std::chrono::seconds>(silence).count()),
                "Check the server and the network.");
  if (silence >= options_.silence_timeout / 2 && !is_sign_requested_) {
    send_status(ReplyRequest::yes);
    is_sign_requested_ = true;
  }
}

void WalReceiver::end_of_copy(StreamPosition& next) {
  const auto next_result = [this] {
    return wait_for_result(connection_, {.interval = options_.silence_timeout}, interrupt_);
  };
  postgres::ResultHandle result = next_result();
  const bool is_partial = wal::segment_offset(writer_->written(), segment_size_) != 0;
  if (is_partial)
    events_.on_message(fmt::format(
        "not renaming \"{}.partial\", segment is not complete",
        wal::segment_name(wal::segment_of(writer_->timeline(), writer_->written(), segment_size_),
                          segment_size_)));
  writer_->close();
  if (PQresultStatus(result.get()) == PGRES_COPY_IN) {
    end_copy(postgres::handle_of(connection_), options_.silence_timeout);
    result = next_result();
  }
  if (PQresultStatus(result.get()) != PGRES_TUPLES_OK)
    throw Error(ErrorKind::connection, "the server ended the WAL stream",
                "Check whether PostgreSQL was stopped; streaming goes on when it runs again.");
  next = read_next_timeline(result.get());
  while (next_result() != nullptr) {
  }
}

void WalReceiver::stop_copy() {
  writer_->close();
  PGconn* handle = postgres::handle_of(connection_);
  try {
    send_status(ReplyRequest::no);
    end_copy(handle, kStopTimeout);
    // What still comes is dropped; it will be sent again.
    const auto deadline = Clock::now() + kStopTimeout;
    CopyMessage message;
    for (CopyRead read = read_copy(handle, message);
         read != CopyRead::end && Clock::now() < deadline; read = read_copy(handle, message))
      if (read == CopyRead::nothing) wait_for_input(handle, kStopTimeout, {});
  } catch (const Error& error) {
    // Everything received is durable already; a server that is gone does not spoil the stop.
    if (error.kind() != ErrorKind::connection) throw;
  }
}

}  // namespace barman::replication

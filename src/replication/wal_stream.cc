// docs/formats/replication_messages.md
#include "replication/wal_stream.h"

#include <algorithm>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "base/error.h"
#include "base/log.h"
#include "base/log_components.h"
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
// The position that is reported moves the slot, also back to a segment that the server has removed:
// first it must have shown that it can read it, or have nothing to send.
constexpr milliseconds kFirstStatusDelay = std::chrono::seconds(1);
constexpr const char* kDecide =
    "Nothing is streamed until somebody has decided. To keep what the server is now, give it a "
    "timeline of its own: stop it, create \"recovery.signal\", set restore_command = 'barman "
    "get-wal "
    "...', start it and promote it; then run 'barman receive-wal --reset' if it is still refused, "
    "and "
    "take a base backup. Or back it up as a server with a section and directories of its own.";
// For the polite end of the stream after a stop request.
constexpr milliseconds kStopTimeout = std::chrono::seconds(5);

// The outcomes that callers tell apart get their own kind and a way out.
[[noreturn]] void throw_explained(const postgres::SqlError& error, const std::string& slot_name) {
  const std::string& state = error.sqlstate();
  if (state == "58P01")
    throw WalRemoved(
        ErrorKind::not_found, error.message(),
        "The server no longer has this WAL: if it is not in the archive either, go on "
        "behind the gap with 'barman receive-wal --reset' and take a new base backup.");
  if (state == "42704" && !slot_name.empty())
    throw Error(ErrorKind::not_found,
                fmt::format("replication slot \"{}\" does not exist", slot_name),
                "Create it with 'barman receive-wal --create-slot'.");
  if (state == "55006" && !slot_name.empty())
    throw SlotBusy(ErrorKind::conflict,
                   fmt::format("replication slot \"{}\" is in use: {}", slot_name, error.message()),
                   "End the other process that streams from this slot.");
  if (state == "55000" && !slot_name.empty())
    throw Error(ErrorKind::not_found, error.message(),
                "Make it anew with 'barman receive-wal --reset', and take a new base backup.");
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
  position.lsn.value -= wal::segment_offset(position.lsn, segment_size_);
  refuse_other_history(position, identity);
  events_.on_message(fmt::format("starting log streaming at {} (timeline {})",
                                 wal::format_lsn(position.lsn), position.timeline.value));
  while (!interrupt_.is_requested()) {
    events_.on_timeline(position.timeline);
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
  const std::vector<StreamFile> files = list_stream_files(options_.directory);
  const auto resumed = resume_position(files, segment_size_, &ignored);
  for (const std::string& name : ignored)
    events_.on_message(fmt::format("segment file \"{}\" has incorrect size, skipping", name));
  if (resumed) return go_on_from(*resumed, files, identity);
  return find_slot_position(identity).value_or(
      StreamPosition{identity.timeline, identity.flush_lsn});
}

std::optional<StreamPosition> WalReceiver::find_slot_position(const SystemIdentity& identity) {
  if (!options_.slot_name.empty() && can_read_slot(connection_)) {
    const auto slot = read_slot(connection_, options_.slot_name);
    if (!slot)
      throw Error(ErrorKind::not_found,
                  fmt::format("replication slot \"{}\" does not exist", options_.slot_name),
                  "Create it with 'barman receive-wal --create-slot'.");
    if (slot->restart_lsn)
      return StreamPosition{slot->restart_timeline.value_or(identity.timeline), *slot->restart_lsn};
  }
  return options_.fallback_position;
}

// Decided by what the server is now, and by what is held. What was received and is no part of the
// server's way stays in the archive, where recovery along that way does not look. A standby that
// was promoted without all that its primary had sent has left the old timeline before the place
// where we are; a server that was restored may have come another way altogether.
StreamPosition WalReceiver::go_on_from(const StreamPosition& resumed,
                                       const std::vector<StreamFile>& files,
                                       const SystemIdentity& identity) {
  const wal::TimelineId now = identity.timeline;
  if (resumed.timeline == now) return resumed;
  auto path = find_path(now);
  // A place on a later timeline tells nothing of this one.
  if (!path && resumed.timeline > now)
    path = postgres::TimelineHistory{.timeline = now, .ancestors = {}};
  if (!path) {
    events_.on_warning(fmt::format(
        "WAL was received up to {} of timeline {}, and without the history of timeline {} nobody "
        "knows where it begins: going on with timeline {} at {}",
        wal::format_lsn(resumed.lsn), resumed.timeline.value, now.value, now.value,
        wal::format_lsn(resumed.lsn)));
    return {now, resumed.lsn};
  }
  const auto left_at = path->switch_point(resumed.timeline);
  if (left_at && resumed.lsn <= *left_at) return resumed;
  StreamPosition next =
      position_on_path(*path, files, options_.archive.last_segment, segment_size_)
          .value_or(find_slot_position(identity).value_or(StreamPosition{now, identity.flush_lsn}));
  if (left_at && next.lsn == *left_at) {
    events_.on_message(fmt::format(
        "the server has left timeline {} at {}, before {}, which was received already; going on "
        "with timeline {} there",
        resumed.timeline.value, wal::format_lsn(*left_at), wal::format_lsn(resumed.lsn),
        next.timeline.value));
  } else if (!left_at) {
    events_.on_warning(fmt::format(
        "the server is on timeline {}, and did not come through timeline {}, of which WAL was "
        "received up to {}: it was restored or put back to an earlier state; going on with "
        "timeline {} at {}",
        now.value, resumed.timeline.value, wal::format_lsn(resumed.lsn), next.timeline.value,
        wal::format_lsn(next.lsn)));
  }
  return next;
}

void WalReceiver::refuse_other_history(const StreamPosition& position,
                                       const SystemIdentity& identity) {
  const bool is_current = position.timeline == identity.timeline;
  const auto held = find_held_wal(options_.directory, options_.archive, position, segment_size_);
  const wal::Lsn end = held ? std::max(held->end(), position.lsn) : position.lsn;
  if (is_current && end > identity.flush_lsn) {
    const std::string where = fmt::format("{} of timeline {}", wal::format_lsn(identity.flush_lsn),
                                          position.timeline.value);
    if (!is_standby(connection_))
      throw OtherHistory(
          ErrorKind::conflict,
          fmt::format(
              "the server is at {}, but WAL up to {} of that timeline was received already: "
              "it was put back to an earlier state, and what it writes now is another "
              "history under the same names",
              where, wal::format_lsn(end)),
          kDecide);
    if (position.lsn > identity.flush_lsn)
      throw Error(
          ErrorKind::connection,
          fmt::format("the standby is at {}, and has not come to {} yet, up to which WAL was "
                      "received already",
                      where, wal::format_lsn(position.lsn)),
          "Wait until it has caught up.");
  }
  if (!held) return;
  wal::Lsn limit = identity.flush_lsn;
  if (!is_current) {
    const auto path = find_path(identity.timeline);
    const auto left_at = path ? path->switch_point(held->begin.timeline) : std::nullopt;
    if (!left_at) return;
    limit = *left_at;
  }
  if (limit <= held->begin.lsn) return;
  const std::uint64_t size =
      std::min<std::uint64_t>(held->size_bytes, limit.value - held->begin.lsn.value);
  const auto sent = read_wal(connection_, held->begin, static_cast<std::size_t>(size),
                             options_.silence_timeout, interrupt_);
  if (!sent || is_same_wal(*held, *sent).value_or(true)) return;
  throw OtherHistory(
      ErrorKind::conflict,
      fmt::format(
          "the WAL before {} of timeline {} is not what was received from the server: it was "
          "put back to an earlier state, and has written another history under the same "
          "names since",
          wal::format_lsn(held->end()), held->begin.timeline.value),
      kDecide);
}

std::optional<std::string> WalReceiver::find_history(wal::TimelineId timeline) {
  // A server may have lost the file and go on all the same; the archive has it, perhaps.
  try {
    return read_timeline_history(connection_, timeline);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;
    log::debug(log::kWalArchiverComponent, "{}", error.describe());
  }
  return options_.archive.history ? options_.archive.history(timeline) : std::nullopt;
}

std::optional<postgres::TimelineHistory> WalReceiver::find_path(wal::TimelineId timeline) {
  if (timeline.value == 1) return postgres::TimelineHistory{.timeline = timeline, .ancestors = {}};
  const auto text = find_history(timeline);
  if (!text) return std::nullopt;
  // A damaged file says as little as a missing one.
  try {
    return postgres::parse_timeline_history(timeline, *text);
  } catch (const Error& error) {
    events_.on_warning(fmt::format("the history of timeline {} cannot be read: {}", timeline.value,
                                   error.describe()));
    return std::nullopt;
  }
}

void WalReceiver::fetch_history() {
  const wal::TimelineId timeline = writer_->timeline();
  if (writer_->has_history(timeline)) return;
  const auto text = find_history(timeline);
  if (!text) {
    events_.on_warning(
        fmt::format("neither the server nor the archive has \"{}\": WAL of timeline {} is "
                    "streamed, but without "
                    "that file no older backup can be recovered into it. Take a base backup",
                    wal::history_file_name(timeline), timeline.value));
    return;
  }
  const auto path = writer_->write_history(timeline, *text);
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
  first_status_due_ = Clock::now() + kFirstStatusDelay;
  while (!interrupt_.is_requested()) {
    const bool has_more = drain();
    if (first_status_due_ && Clock::now() >= *first_status_due_) send_status(ReplyRequest::no);
    if (has_copy_ended_) {
      end_of_copy(next);
      return StreamEnd::next_timeline;
    }
    const bool is_status_due =
        !first_status_due_ && Clock::now() - last_status_ >= options_.status_interval;
    if (Clock::now() >= next_flush() || is_status_due) flush_and_send_status();
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
  if (const auto* wal = std::get_if<WalData>(&message)) {
    if (first_status_due_) send_status(ReplyRequest::no);
    handle_wal(*wal);
  } else if (std::get<Keepalive>(message).reply_requested) {
    flush_and_send_status();
  }
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
  first_status_due_.reset();
}

void WalReceiver::flush_and_send_status() {
  writer_->flush();
  unflushed_since_.reset();
  send_status(ReplyRequest::no);
}

void WalReceiver::wait_for_server() {
  const auto silence_due =
      last_input_ + (is_sign_requested_ ? options_.silence_timeout : options_.silence_timeout / 2);
  const auto status_due = first_status_due_.value_or(last_status_ + options_.status_interval);
  const auto due = std::min({status_due, silence_due, next_flush()});
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

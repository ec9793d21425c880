#include "wal_transfer/receive_loop.h"

#include <unistd.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "base/file_lock.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/secrets.h"
#include "catalogue/last_reason.h"
#include "catalogue/locks.h"
#include "wal/wal_file_name.h"
#include "wal_archive/wal_coding.h"
#include "wal_transfer/stream_files.h"

namespace barman::wal_transfer {
namespace fs = std::filesystem;
namespace {

Error archiver_failure(const Error& error) {
  return {error.kind(), "ArchiverFailure:" + error.describe(), error.hint()};
}

bool is_slot_busy(const Error& error) {
  return dynamic_cast<const replication::SlotBusy*>(&error) != nullptr;
}

}  // namespace

ReceiveLoop::ReceiveLoop(const server::Server& server, WalSession& session, Messages& messages,
                         ReceivePatience patience)
    : server_(server),
      session_(session),
      messages_(messages),
      patience_(std::move(patience)),
      note_(wal_archive::find_receiver_note(server.locations().backup_directory)),
      is_encrypting_(wal_archive::WalCoding(server.config()).is_encrypting()) {
  if (!server.config().streaming_archiver_prompt) return;
  archive_trigger_.emplace(server);
  // What has come in while nobody was here.
  archive_trigger_->pull();
}

void ReceiveLoop::run() {
  while (!server_.interrupt().is_requested()) {
    // A lost session is what this loop is for.
    try {
      session_.stream(*this);
      return;
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::interrupted) return;
      if (!is_worth_another(error)) throw archiver_failure(error);
      const auto pause = patience_.pauses.at(std::min(failures_, patience_.pauses.size() - 1));
      ++failures_;
      report_loss(error);
      sleep_unless_interrupted(static_cast<int>(pause.count()), server_.interrupt());
    }
  }
}

// Narrower than is_transient() (base/retry.h), and without an end: who receives WAL waits for its
// server, but ends for a lost slot, WAL that was removed or a full disk, so that they are seen.
bool ReceiveLoop::is_worth_another(const Error& error) {
  if (error.kind() == ErrorKind::connection) return true;
  // The server has not noticed yet that the old session is gone.
  if (!is_slot_busy(error) || !session_.has_streamed()) return false;
  if (!busy_since_) busy_since_ = Clock::now();
  return Clock::now() - *busy_since_ < patience_.busy_slot;
}

void ReceiveLoop::report_loss(const Error& error) {
  const std::string text = error.describe();
  if (text == reported_ && Clock::now() - reported_at_ < patience_.repeat_report) {
    log::debug(log::kWalArchiverComponent, "{}: {}", server_.name(), text);
    return;
  }
  reported_ = text;
  reported_at_ = Clock::now();
  // Who looks from elsewhere sees a process that lives, and no WAL.
  catalogue::keep_last_reason(server_.locations().backup_directory, "receive-wal", error);
  messages_.warning(
      fmt::format("{}: WAL streaming was interrupted ({}); trying again until it succeeds",
                  server_.name(), text));
}

void ReceiveLoop::on_message(const std::string& text) {
  messages_.info(server_.name() + ": " + text);
}

void ReceiveLoop::on_warning(const std::string& text) {
  messages_.warning(server_.name() + ": " + text);
}

void ReceiveLoop::on_streaming() {
  failures_ = 0;
  busy_since_.reset();
  if (!reported_.empty())
    catalogue::forget_last_reason(server_.locations().backup_directory, "receive-wal");
  reported_.clear();
  note_source();
}

// So that a change of the configuration beside a running receiver is seen.
void ReceiveLoop::note_source() {
  const std::string source = mask_conninfo(server_.config().streaming_conninfo.value_or(""));
  const pid_t pid = ::getpid();
  if (source.empty() || (note_.source == source && note_.pid == pid)) return;
  note_.source = source;
  note_.pid = pid;
  try {
    wal_archive::save_receiver_note(server_.locations().backup_directory, note_);
  } catch (const Error& error) {  // WAL comes first, on a full disk, too.
    log::debug(log::kWalArchiverComponent, "{}", error.describe());
  }
}

void ReceiveLoop::on_timeline(wal::TimelineId timeline) {
  if (note_.timeline == timeline) return;
  std::optional<FileLock> lock;
  const std::vector<replication::StreamFile> files =
      replication::list_stream_files(server_.locations().streaming_directory);
  const bool has_later = std::any_of(files.begin(), files.end(), [&](const auto& file) {
    const auto name = wal::parse_wal_file_name(file.name);
    return name && name->timeline > timeline;
  });
  if (has_later) {
    // A run that began without the note may take an old partial file of this timeline away.
    lock = FileLock::try_lock(catalogue::archive_wal_lock(server_.locks()));
    if (!lock) {
      throw Error(ErrorKind::connection,
                  fmt::format("archive-wal is at work, and WAL of timeline {} cannot be received "
                              "beside it before it has ended",
                              timeline.value));
    }
  }
  note_.timeline = timeline;
  wal_archive::save_receiver_note(server_.locations().backup_directory, note_);
}

void ReceiveLoop::on_segment_complete(const fs::path& path) {
  note_end(path);
  mark_next_segment(path);
  if (archive_trigger_) archive_trigger_->pull();
}

void ReceiveLoop::on_history_file(const fs::path&) {
  if (archive_trigger_) archive_trigger_->pull();
}

// In the archive nobody can read it without the key, and the next start has to compare it.
void ReceiveLoop::note_end(const fs::path& path) {
  if (!is_encrypting_) return;
  try {
    std::error_code code;
    const wal::SegmentSize size = {fs::file_size(path, code)};
    const auto segment = wal::parse_segment_name(path.filename().string(), size);
    if (code || !segment) return;
    const auto end = replication::end_of_segment_file(
        path, {segment->timeline, wal::segment_begin(*segment, size)}, size);
    if (!end) return;
    note_.segment = path.filename().string();
    note_.end = replication::reduce_to_digest(*end);
    wal_archive::save_receiver_note(server_.locations().backup_directory, note_);
  } catch (const Error& error) {  // It is WAL that has been received, whatever comes of the note.
    log::warning(log::kWalArchiverComponent, "{}", error.describe());
  }
}

}  // namespace barman::wal_transfer

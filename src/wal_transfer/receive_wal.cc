#include "wal_transfer/receive_wal.h"

#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/durable.h"
#include "base/error.h"
#include "base/log.h"
#include "base/log_components.h"
#include "catalogue/locks.h"
#include "postgres/queries.h"
#include "postgres/synchronous_standbys.h"
#include "replication/slot.h"
#include "replication/system_identity.h"
#include "replication/wal_stream.h"
#include "wal_archive/receiver_note.h"
#include "wal_archive/wal_coding.h"
#include "wal_transfer/archive_trigger.h"
#include "wal_transfer/archived_wal.h"
#include "wal_transfer/receiver_name.h"
#include "wal_transfer/slot_care.h"
#include "wal_transfer/stream_files.h"

namespace barman::wal_transfer {
namespace fs = std::filesystem;
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

// Short, because commits may be waiting for a synchronous standby.
constexpr std::array kPauses = {milliseconds(100), milliseconds(250), milliseconds(500),
                                milliseconds(1000)};
// The same failure is told again after so long.
constexpr seconds kRepeatReport{300};
// How long a slot may be found in use by the session that was lost: the server needs its
// wal_sender_timeout, a minute by default, to notice.
constexpr seconds kMaxBusySlot{600};

Error archiver_failure(const Error& error) {
  return {error.kind(), "ArchiverFailure:" + error.describe(), error.hint()};
}

// For errors whose own text is fixed by Barman.
std::string reason_and_hint(const Error& error) {
  const std::string text = error.describe();
  if (error.hint().empty()) return text;
  return text + (text.ends_with('?') || text.ends_with('.') ? " " : ". ") + error.hint();
}

// The system that this catalogue belongs to, or the one found when streaming began.
void check_system(const server::Server& server, postgres::SystemId found) {
  const std::optional<catalogue::Identity> identity = server.catalogue().find_identity();
  if (!identity || identity->system_id == postgres::format_system_id(found)) return;
  throw Error(ErrorKind::conflict,
              fmt::format("the PostgreSQL server has the system identifier {}, but the backups of "
                          "server '{}' are of {}",
                          postgres::format_system_id(found), server.name(), identity->system_id),
              "Check the connection strings; give another cluster a server section and "
              "directories of its own.");
}

postgres::SystemId check_prerequisites(const server::Server& server) {
  postgres::Connection sql = server.connect();
  const postgres::Privileges privileges = postgres::query_privileges(sql);
  if (!privileges.superuser && !privileges.monitoring) {
    throw Error(ErrorKind::permission,
                fmt::format("user '{}' must not read the settings of the server", sql.user()),
                "Grant it the role pg_monitor.");
  }
  if (postgres::query_settings(sql).wal_level == "minimal") {
    throw Error(ErrorKind::config, "wal_level is 'minimal'",
                "Set wal_level to 'replica' and restart PostgreSQL.");
  }
  const postgres::SystemId system_id = postgres::query_system_id(sql);
  postgres::Connection streaming =
      server.connect_streaming(server.config().streaming_archiver_name);
  const postgres::SystemId streamed = replication::identify_system(streaming).system_id;
  if (streamed != system_id) {
    throw Error(ErrorKind::config,
                "conninfo and streaming_conninfo lead to different PostgreSQL clusters",
                "Make both lead to the same server.");
  }
  check_system(server, system_id);
  return system_id;
}

postgres::SystemId check_or_explain(const server::Server& server) {
  // Whatever the reason, scripts know this text; the reason goes to the log and into the hint.
  try {
    return check_prerequisites(server);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    log::error(log::kWalArchiverComponent, "cannot stream WAL of server '{}': {}", server.name(),
               error.describe());
    throw Error(error.kind(),
                fmt::format("Impossible to start WAL streaming. Check the log for more details, or "
                            "run 'barman check {}'",
                            server.name()),
                reason_and_hint(error));
  }
}

// The loop of one receive-wal process.
class ReceiveLoop final : public replication::WalReceiverEvents {
 public:
  ReceiveLoop(const server::Server& server, postgres::SystemId system_id, Messages& messages)
      : server_(server),
        system_id_(system_id),
        messages_(messages),
        note_(wal_archive::find_receiver_note(server.locations().backup_directory)),
        is_encrypting_(wal_archive::WalCoding(server.config()).is_encrypting()) {
    if (!server.config().streaming_archiver_prompt) return;
    archive_trigger_.emplace(server);
    // What has come in while nobody was here.
    archive_trigger_->pull();
  }

  void run();

  void on_message(const std::string& text) override { tell(text); }
  void on_warning(const std::string& text) override {
    messages_.warning(server_.name() + ": " + text);
  }
  void on_streaming() override { failures_ = 0; }
  // Before a file of that timeline is there: from now on the archiver leaves the newest one alone.
  void on_timeline(wal::TimelineId timeline) override { note_timeline(timeline); }
  void on_segment_complete(const fs::path& path) override {
    note_end(path);
    mark_next_segment(path);
    if (archive_trigger_) archive_trigger_->pull();
  }
  void on_history_file(const fs::path&) override {
    if (archive_trigger_) archive_trigger_->pull();
  }

 private:
  enum class Next { retry, give_up };

  void note_timeline(wal::TimelineId timeline);
  void note_end(const fs::path& path);

  fs::path directory() const { return server_.locations().streaming_directory; }
  void stream_once();
  void require_slot(postgres::Connection& sql, replication::WalReceiverOptions& options);
  void create_missing_slot(const std::string& name);
  Next judge(const Error& error);
  void report_loss(const Error& error);
  void tell(const std::string& text) { messages_.info(server_.name() + ": " + text); }

  const server::Server& server_;
  const postgres::SystemId system_id_;
  Messages& messages_;
  wal_archive::ReceiverNote note_;
  const bool is_encrypting_;
  std::optional<ArchiveTrigger> archive_trigger_;
  bool has_streamed_ = false;
  std::size_t failures_ = 0;
  std::optional<Clock::time_point> busy_since_;
  std::string reported_;
  Clock::time_point reported_at_;
};

void ReceiveLoop::run() {
  while (!server_.interrupt().is_requested()) {
    // A lost session is what this loop is for.
    try {
      stream_once();
      return;
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::interrupted) return;
      if (judge(error) == Next::give_up) throw archiver_failure(error);
      const milliseconds pause = kPauses.at(std::min(failures_, kPauses.size() - 1));
      ++failures_;
      report_loss(error);
      sleep_unless_interrupted(static_cast<int>(pause.count()), server_.interrupt());
    }
  }
}

void ReceiveLoop::note_timeline(wal::TimelineId timeline) {
  if (note_.timeline == timeline) return;
  std::optional<FileLock> lock;
  const std::vector<replication::StreamFile> files = replication::list_stream_files(directory());
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

ReceiveLoop::Next ReceiveLoop::judge(const Error& error) {
  if (error.kind() == ErrorKind::connection) return Next::retry;
  // The server has not noticed yet that the old session is gone.
  if (dynamic_cast<const replication::SlotBusy*>(&error) == nullptr || !has_streamed_)
    return Next::give_up;
  if (!busy_since_) busy_since_ = Clock::now();
  return Clock::now() - *busy_since_ < kMaxBusySlot ? Next::retry : Next::give_up;
}

void ReceiveLoop::report_loss(const Error& error) {
  const std::string text = error.describe();
  if (text == reported_ && Clock::now() - reported_at_ < kRepeatReport) {
    log::debug(log::kWalArchiverComponent, "{}: {}", server_.name(), text);
    return;
  }
  reported_ = text;
  reported_at_ = Clock::now();
  messages_.warning(
      fmt::format("{}: WAL streaming was interrupted ({}); trying again until it succeeds",
                  server_.name(), text));
}

void ReceiveLoop::stream_once() {
  replication::WalReceiverOptions options = {
      .directory = directory(), .system_id = system_id_, .archive = look_at_archived_wal(server_)};
  {
    postgres::Connection sql = server_.connect_beside_streaming();
    const postgres::ServerSettings settings = postgres::query_settings(sql);
    require_slot(sql, options);
    const auto truncated = truncate_broken_partial(directory(), settings.segment_size,
                                                   postgres::query_current_timeline(sql));
    if (truncated) {
      messages_.info(fmt::format(
          "Truncating partial file {} that has wrong size {} while {} was expected.",
          truncated->path.string(), truncated->size_bytes, settings.segment_size.bytes));
    }
    const config::SynchronousReceiving synchronous =
        server_.config().streaming_archiver_synchronous;
    if (synchronous == config::SynchronousReceiving::on ||
        (synchronous == config::SynchronousReceiving::automatic &&
         postgres::is_synchronous_standby(settings.synchronous_standby_names.value_or(""),
                                          receiver_name(server_.config())))) {
      options.synchronous = replication::Synchronous::yes;
    }
  }
  postgres::Connection connection =
      server_.connect_streaming(server_.config().streaming_archiver_name);
  replication::WalReceiver receiver(connection, std::move(options), *this, server_.interrupt());
  has_streamed_ = true;
  // The command is complete with the name of the server, which is known here.
  try {
    receiver.run();
  } catch (const replication::WalRemoved& error) {
    throw Error(
        error.kind(), error.describe(),
        fmt::format("PostgreSQL no longer has this WAL: if it is not in the archive either, "
                    "go on behind the gap with 'barman receive-wal --reset {0}', and take a "
                    "new base backup with 'barman backup {0}'.",
                    server_.name()));
  }
}

void ReceiveLoop::require_slot(postgres::Connection& sql,
                               replication::WalReceiverOptions& options) {
  if (!server_.config().slot_name) return;
  const std::string& name = *server_.config().slot_name;
  options.slot_name = name;
  const auto slot = postgres::find_replication_slot(sql, name);
  if (slot && slot->active) {
    throw replication::SlotBusy(ErrorKind::conflict,
                                fmt::format("replication slot '{}' is already in use", name));
  }
  busy_since_.reset();
  const bool may_create = server_.config().create_slot == config::SlotCreation::automatic;
  if (const auto loss = slot ? describe_slot_loss(*slot) : std::nullopt) {
    if (!may_create) {
      throw Error(ErrorKind::not_found, *loss, slot_loss_next_step(server_.name()) + ".");
    }
    on_warning(*loss +
               ": it is made anew. WAL that PostgreSQL has removed meanwhile is missing in the "
               "archive");
    return renew_slot(server_, messages_);
  }
  if (slot) {
    if (slot->restart_lsn) {
      options.fallback_position = replication::StreamPosition{
          .timeline = postgres::query_current_timeline(sql), .lsn = *slot->restart_lsn};
    }
    return;
  }
  // A slot that vanished during the life of this process had kept WAL that is lost now, perhaps.
  if (!may_create || has_streamed_) {
    throw Error(ErrorKind::not_found,
                fmt::format("replication slot '{}' doesn't exist. Please execute 'barman "
                            "receive-wal --create-slot {}'",
                            name, server_.name()));
  }
  create_missing_slot(name);
}

// The session that has looked for it may know nothing of the server that WAL streams from.
void ReceiveLoop::create_missing_slot(const std::string& name) {
  postgres::Connection connection =
      server_.connect_streaming(server_.config().streaming_archiver_name);
  if (replication::can_read_slot(connection) && replication::read_slot(connection, name)) return;
  messages_.info(fmt::format("Creating replication slot '{}'", name));
  try {
    replication::create_physical_slot(connection, name);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::conflict) throw;
  }
}

// The name of the configured slot, and a session to manage it.
const std::string& require_slot_settings(const server::Server& server, std::string_view action) {
  const std::string prefix = fmt::format("Unable to {} a physical replication slot: ", action);
  if (!server.config().streaming_conninfo) {
    throw Error(ErrorKind::config, prefix + "streaming connection not configured");
  }
  if (!server.config().slot_name) {
    throw Error(ErrorKind::config, prefix + "slot_name configuration option required");
  }
  return *server.config().slot_name;
}

postgres::Connection connect_for_slot(const server::Server& server) {
  // The text of Barman instead of libpq's, which becomes the hint.
  try {
    return server.connect_streaming(server.config().streaming_archiver_name);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::connection && error.kind() != ErrorKind::permission) throw;
    throw Error(error.kind(), fmt::format("Cannot connect to server '{}'", server.name()),
                reason_and_hint(error));
  }
}

}  // namespace

int receive_wal(const server::Server& server, Messages& messages) {
  if (!server.config().streaming_archiver) {
    throw Error(ErrorKind::config,
                "Unable to start receive-wal process: streaming_archiver option set to 'off' in "
                "barman configuration file");
  }
  const postgres::SystemId system_id = check_or_explain(server);
  messages.info(fmt::format("Starting receive-wal for server {}", server.name()));
  const FileLock lock = server::lock_or_throw(
      catalogue::receive_wal_lock(server.locks()),
      fmt::format("Another receive-wal process is already running for server {}.", server.name()));
  make_directories(server.locations().streaming_directory);
  // Scripts of operators look for it with `ps -C` and `pgrep`.
  ::prctl(PR_SET_NAME, "pg_receivewal");
  ReceiveLoop(server, system_id, messages).run();
  const int signal = server.interrupt().signal();
  if (signal == SIGINT) messages.info("SIGINT received. Terminate gracefully.");
  // Somebody has ended it: cron has nothing to warn of.
  if (signal != 0) lock.forget_holder();
  return signal;
}

void create_slot(const server::Server& server, WhenSlotExists when_exists, Messages& messages) {
  const std::string& name = require_slot_settings(server, "create");
  messages.info(
      fmt::format("Creating physical replication slot '{}' on server '{}'", name, server.name()));
  postgres::Connection connection = connect_for_slot(server);
  // Outcomes with texts that scripts know.
  try {
    replication::create_physical_slot(connection, name);
  } catch (const postgres::SqlError& error) {
    if (error.sqlstate() == "53400") {
      throw Error(error.kind(),
                  fmt::format("All replication slots for server '{}' are in use\nFree one or "
                              "increase the max_replication_slots value on your PostgreSQL server.",
                              server.name()));
    }
    throw Error(error.kind(), fmt::format("Cannot create replication slot '{}' on server '{}': {}",
                                          name, server.name(), error.message()));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::conflict) throw;
    if (when_exists == WhenSlotExists::fail) {
      throw Error(error.kind(), fmt::format("Replication slot '{}' already exists", name));
    }
    messages.info(
        fmt::format("Replication slot '{}' already exists and --if-not-exists was "
                    "specified. Skipping creation",
                    name));
    return;
  }
  messages.info(fmt::format("Replication slot '{}' created", name));
}

void drop_slot(const server::Server& server, Messages& messages) {
  const std::string& name = require_slot_settings(server, "drop");
  messages.info(
      fmt::format("Dropping physical replication slot '{}' on server '{}'", name, server.name()));
  postgres::Connection connection = connect_for_slot(server);
  // Outcomes with texts that scripts know.
  try {
    replication::drop_slot(connection, name);
  } catch (const postgres::SqlError& error) {
    throw Error(error.kind(), fmt::format("Cannot drop replication slot '{}' on server '{}': {}",
                                          name, server.name(), error.message()));
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::not_found) {
      throw Error(error.kind(), fmt::format("Replication slot '{}' does not exist", name));
    }
    if (error.kind() != ErrorKind::conflict) throw;
    throw Error(error.kind(), fmt::format("Cannot drop replication slot '{}' on server '{}' "
                                          "because it is in use.",
                                          name, server.name()));
  }
  messages.info(fmt::format("Replication slot '{}' dropped", name));
}

}  // namespace barman::wal_transfer

#include "wal_transfer/wal_session.h"

#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "postgres/queries.h"
#include "postgres/synchronous_standbys.h"
#include "replication/slot.h"
#include "wal_transfer/archived_wal.h"
#include "wal_transfer/receiver_name.h"
#include "wal_transfer/slot_care.h"
#include "wal_transfer/stream_files.h"

namespace barman::wal_transfer {
namespace {

class PostgresWalSession final : public WalSession {
 public:
  PostgresWalSession(const server::Server& server, postgres::SystemId system_id, Messages& messages)
      : server_(server), system_id_(system_id), messages_(messages) {}

  void stream(replication::WalReceiverEvents& events) override;
  bool has_streamed() const override { return has_streamed_; }

 private:
  replication::WalReceiverOptions prepare(replication::WalReceiverEvents& events);
  void require_slot(postgres::Connection& sql, replication::WalReceiverEvents& events,
                    replication::WalReceiverOptions& options);
  void create_missing_slot(const std::string& name);
  bool is_synchronous(const postgres::ServerSettings& settings) const;

  const server::Server& server_;
  const postgres::SystemId system_id_;
  Messages& messages_;
  bool has_streamed_ = false;
};

bool PostgresWalSession::is_synchronous(const postgres::ServerSettings& settings) const {
  switch (server_.config().streaming_archiver_synchronous) {
    case config::SynchronousReceiving::on:
      return true;
    case config::SynchronousReceiving::off:
      return false;
    case config::SynchronousReceiving::automatic:
      break;
  }
  return postgres::is_synchronous_standby(settings.synchronous_standby_names.value_or(""),
                                          receiver_name(server_.config()));
}

replication::WalReceiverOptions PostgresWalSession::prepare(
    replication::WalReceiverEvents& events) {
  const std::filesystem::path directory = server_.locations().streaming_directory;
  replication::WalReceiverOptions options = {
      .directory = directory, .system_id = system_id_, .archive = look_at_archived_wal(server_)};
  postgres::Connection sql = server_.connect_beside_streaming();
  const postgres::ServerSettings settings = postgres::query_settings(sql);
  require_slot(sql, events, options);
  const auto truncated = truncate_broken_partial(directory, settings.segment_size,
                                                 postgres::query_current_timeline(sql));
  if (truncated) {
    messages_.info(
        fmt::format("Truncating partial file {} that has wrong size {} while {} was expected.",
                    truncated->path.string(), truncated->size_bytes, settings.segment_size.bytes));
  }
  if (is_synchronous(settings)) options.synchronous = replication::Synchronous::yes;
  return options;
}

void PostgresWalSession::stream(replication::WalReceiverEvents& events) {
  replication::WalReceiverOptions options = prepare(events);
  postgres::Connection connection =
      server_.connect_streaming(server_.config().streaming_archiver_name);
  replication::WalReceiver receiver(connection, std::move(options), events, server_.interrupt());
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

void PostgresWalSession::require_slot(postgres::Connection& sql,
                                      replication::WalReceiverEvents& events,
                                      replication::WalReceiverOptions& options) {
  if (!server_.config().slot_name) return;
  const std::string& name = *server_.config().slot_name;
  options.slot_name = name;
  const auto slot = postgres::find_replication_slot(sql, name);
  if (slot && slot->active) {
    throw replication::SlotBusy(ErrorKind::conflict,
                                fmt::format("replication slot '{}' is already in use", name));
  }
  const bool may_create = server_.config().create_slot == config::SlotCreation::automatic;
  if (const auto loss = slot ? describe_slot_loss(*slot) : std::nullopt) {
    if (!may_create) {
      throw Error(ErrorKind::not_found, *loss, slot_loss_next_step(server_.name()) + ".");
    }
    events.on_warning(*loss +
                      ": it is made anew. WAL that PostgreSQL has removed meanwhile is missing in "
                      "the archive");
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
void PostgresWalSession::create_missing_slot(const std::string& name) {
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

}  // namespace

std::unique_ptr<WalSession> make_wal_session(const server::Server& server,
                                             postgres::SystemId system_id, Messages& messages) {
  return std::make_unique<PostgresWalSession>(server, system_id, messages);
}

}  // namespace barman::wal_transfer

#include "wal_transfer/slot_care.h"

#include <fmt/format.h>

#include "base/error.h"
#include "replication/slot.h"

namespace barman::wal_transfer {

std::optional<std::string> describe_slot_loss(const postgres::ReplicationSlot& slot) {
  const std::optional<std::string> loss = postgres::find_slot_loss(slot);
  if (!loss) return std::nullopt;
  return fmt::format("replication slot '{}' keeps no WAL any more ({})", slot.name, *loss);
}

std::string slot_loss_next_step(const std::string& server_name) {
  return fmt::format("Run 'barman receive-wal --reset {}', then take a new base backup",
                     server_name);
}

void renew_slot(const server::Server& server, Messages& messages) {
  const std::string& name = *server.config().slot_name;
  postgres::Connection connection =
      server.connect_streaming(server.config().streaming_archiver_name);
  try {
    replication::drop_slot(connection, name);
    messages.info(fmt::format("Dropped replication slot '{}'", name));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;
  }
  messages.info(fmt::format("Creating replication slot '{}'", name));
  try {
    replication::create_physical_slot(connection, name);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::conflict) throw;
  }
}

}  // namespace barman::wal_transfer

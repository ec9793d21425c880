// Physical replication slots, through the replication protocol.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "postgres/connection.h"
#include "wal/lsn.h"

namespace barman::replication {

// Lower-case letters, digits and '_', 1 to 63 of them: what PostgreSQL accepts.
bool is_valid_slot_name(std::string_view name);

// The slot keeps WAL from the last checkpoint on (on a standby: the last restart point), so that a
// backup that begins right after has all of its WAL. Throws `config` for an invalid name;
// `conflict` when the slot exists already; SqlError 53400 when all slots are in use.
void create_physical_slot(postgres::Connection& connection, const std::string& name);

// Throws `not_found` when there is no such slot; `conflict` when it is in use.
void drop_slot(postgres::Connection& connection, const std::string& name);

// Where the slot keeps WAL from; both are absent as long as nothing was streamed through it.
struct SlotPosition {
  std::optional<wal::Lsn> restart_lsn;
  std::optional<wal::TimelineId> restart_timeline;
};
// READ_REPLICATION_SLOT; for servers from PostgreSQL 15 on (can_read_slot). nullopt when there is
// no such slot.
bool can_read_slot(const postgres::Connection& connection);
std::optional<SlotPosition> read_slot(postgres::Connection& connection, const std::string& name);

}  // namespace barman::replication

// The cluster whose restore_command runs: PostgreSQL calls it in its data directory. A server of
// Barman whose name stayed may be another cluster by now (follow-upgrade), and segments of the two
// have the same names; PostgreSQL would take the other one's, and a name that the new one does not
// have, for the end of the WAL.
#pragma once

#include <cstdint>
#include <optional>

namespace barman::client {

// The system identifier of the data directory that is the current one; nullopt when it is none, or
// must not be read.
std::optional<std::uint64_t> find_caller_system_id();

}  // namespace barman::client

// The cluster whose restore_command runs: PostgreSQL calls it in its data directory. A server of
// Barman whose name stayed may be another cluster by now (follow-upgrade), and segments of the two
// have the same names; PostgreSQL would take the other one's, and a name that the new one does not
// have, for the end of the WAL.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace barman::client {

// Of get-wal; a barman that is asked for a file that does not tell whose it is (a history file),
// and knows several of that name, says so on its error output with these words. The first call does
// not have the option: other versions, and restricted keys, do not know it.
inline constexpr std::string_view kClusterOption = "--cluster SYSTEM_ID";

// The system identifier of the data directory that is the current one; nullopt when it is none, or
// must not be read.
std::optional<std::uint64_t> find_caller_system_id();

}  // namespace barman::client

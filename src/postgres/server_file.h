// Files on the host of PostgreSQL, read by the server itself (pg_read_binary_file).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "postgres/connection.h"

namespace barman::postgres {

// The content of an absolute path, its first `limit_bytes`; nullopt when there is no such file.
// Throws SqlError, of kind `permission` when the role lacks a grant (file_grants() of
// postgres/grants.h).
std::optional<std::string> read_server_file(Connection& connection, const std::string& path,
                                            std::uint64_t limit_bytes);

}  // namespace barman::postgres

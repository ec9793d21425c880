// Files on the host of PostgreSQL, read by the server itself (pg_read_binary_file).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "postgres/connection.h"

namespace barman::postgres {

// What a role that is no superuser needs for it, for PostgreSQL 13 to 18.
inline constexpr const char* kServerFileGrants =
    "GRANT pg_read_server_files TO {0}; "
    "GRANT EXECUTE ON FUNCTION pg_read_binary_file(text, bigint, bigint, boolean) TO {0};";

// The content of an absolute path, its first `limit_bytes`; nullopt when there is no such file.
// Throws SqlError, of kind `permission` when the role lacks a grant.
std::optional<std::string> read_server_file(Connection& connection, const std::string& path,
                                            std::uint64_t limit_bytes);

}  // namespace barman::postgres

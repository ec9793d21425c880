// The rights that barman's role needs for SQL, as statements of the superuser. README.md lists the
// same ones.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "postgres/connection.h"

namespace barman::postgres {

struct Grant {
  // In SQL, true when CURRENT_USER has the right.
  std::string condition;
  // Without "GRANT" and "TO ROLE".
  std::string right;
};
// What a backup and its monitoring need on that version.
std::vector<Grant> needed_grants(int version);
std::string grant_statement(const Grant& grant, const std::string& role);

// What the role of this session lacks, as statements; empty for a superuser.
std::vector<std::string> list_missing_grants(Connection& connection);

// What it lacks for reading configuration files outside of the data directory, which a streamed
// backup keeps (on 13 to 18). No backup needs it.
std::vector<std::string> list_missing_file_grants(Connection& connection);
// The same for a role that has none of it, in one line.
std::string file_grants(const std::string& role);

// For psql: makes the roles that are missing (without passwords, in which case it says how to set
// them) and grants what they need on any version. May be run again. `streaming_role` may be empty.
std::vector<std::string> role_script(const std::string& role, const std::string& streaming_role);

// How many WAL files wait for archive_command. nullopt when the role may not see it.
std::optional<std::int64_t> count_waiting_wal(Connection& connection);
inline constexpr const char* kWaitingWalRight =
    "EXECUTE ON FUNCTION pg_catalog.pg_ls_archive_statusdir()";

// Whether a change of the setting counts only after a restart; nullopt for an unknown one.
std::optional<bool> needs_restart(Connection& connection, const std::string& setting);

}  // namespace barman::postgres

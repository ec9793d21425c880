// What makes one server unusable, and what makes two servers collide, as
// far as it can be known without a connection.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/server_config.h"

namespace barman::config {

// Why libpq refuses a connection string; nullopt when it is fine.
using ConninfoCheck = std::function<std::optional<std::string>(const std::string&)>;

// Disables the server for each violated rule and completes what depends on several options
// (archiver, backup_options). An inactive server only gets the messages.
void validate_server(ServerConfig& config, const ConninfoCheck& check_conninfo);

// Two servers that use the same directory, or several, which the text lists. Both are disabled,
// with this text among their messages.
struct PathConflict {
  std::string text;  // "Conflicting path: ..."
  std::string server;
  std::string other_server;
};

using ServerMap = std::map<std::string, ServerConfig, std::less<>>;

// Also disables a server that uses one directory twice. Symbolic links are resolved.
std::vector<PathConflict> find_path_conflicts(ServerMap& servers);

// What is wrong for a PostgreSQL of this version (150004), which is known only when it answers;
// nullopt when nothing is.
std::optional<std::string> find_version_problem(const ServerConfig& config, int postgres_version);

// What encryption of backups lacks; nullopt when nothing, or when
// it is not configured. WAL needs encryption_key_id only.
std::optional<std::string> find_encryption_problem(const ServerConfig& config);

}  // namespace barman::config

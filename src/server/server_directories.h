// The directories of a server on this host, outermost first: what create_directories() makes.
#pragma once

#include <string>
#include <vector>

#include "config/server_config.h"

namespace barman::server {

std::vector<std::string> local_directories(const config::ServerConfig& config);

struct DirectoryProblem {
  std::string path;
  // "does not exist", "cannot be written by this user"
  std::string reason;
};
// Those that are missing or cannot be written; changes nothing.
std::vector<DirectoryProblem> find_directory_problems(const config::ServerConfig& config);

}  // namespace barman::server

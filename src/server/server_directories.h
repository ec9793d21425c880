// The directories of a server on this host, outermost first: what create_directories() makes.
#pragma once

#include <string>
#include <vector>

#include "config/server_config.h"

namespace barman::server {

std::vector<std::string> local_directories(const config::ServerConfig& config);

enum class DirectoryDefect {
  absent,
  other_kind,  // a file, or a link that leads nowhere, has its name
  forbidden,   // to this user
  read_only,   // its file system
};
struct DirectoryProblem {
  std::string path;
  // "does not exist", "cannot be read and written by this user"
  std::string reason;
  DirectoryDefect defect = DirectoryDefect::absent;
};
// Those that are missing or cannot be written; changes nothing.
std::vector<DirectoryProblem> find_directory_problems(const config::ServerConfig& config);

}  // namespace barman::server

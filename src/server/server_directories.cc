#include "server/server_directories.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"

namespace barman::server {

std::vector<std::string> local_directories(const config::ServerConfig& config) {
  std::vector<std::string> directories;
  for (const std::string& directory :
       {config.backup_directory, config.basebackups_directory, config.wals_directory,
        config.incoming_wals_directory, config.streaming_wals_directory, config.errors_directory,
        config.xlogdb_location(), config.meta_directory()}) {
    const bool is_known =
        std::find(directories.begin(), directories.end(), directory) != directories.end();
    if (!is_known && !config::is_cloud_url(directory)) directories.push_back(directory);
  }
  return directories;
}

std::vector<DirectoryProblem> find_directory_problems(const config::ServerConfig& config) {
  std::vector<DirectoryProblem> problems;
  for (const std::string& directory : local_directories(config)) {
    struct stat status = {};
    if (::stat(directory.c_str(), &status) != 0) {
      problems.push_back({directory, errno == ENOENT ? "does not exist" : errno_text(errno)});
    } else if (!S_ISDIR(status.st_mode)) {
      problems.push_back({directory, "is no directory"});
    } else if (::access(directory.c_str(), R_OK | W_OK | X_OK) != 0) {
      problems.push_back({directory, "cannot be written by this user"});
    }
  }
  return problems;
}

}  // namespace barman::server

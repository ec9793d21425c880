#include "server/server_directories.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

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

namespace {

std::optional<DirectoryProblem> find_problem(const std::string& path) {
  using enum DirectoryDefect;
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0) {
    const int error_number = errno;
    if (error_number != ENOENT) return DirectoryProblem{path, errno_text(error_number), forbidden};
    if (::lstat(path.c_str(), &status) != 0) return DirectoryProblem{path, "does not exist"};
    return DirectoryProblem{path, "is a symbolic link that leads nowhere", other_kind};
  }
  if (!S_ISDIR(status.st_mode)) return DirectoryProblem{path, "is no directory", other_kind};
  if (::access(path.c_str(), R_OK | W_OK | X_OK) == 0) return std::nullopt;
  if (errno == EROFS) return DirectoryProblem{path, "is on a read-only file system", read_only};
  return DirectoryProblem{path, "cannot be read and written by this user", forbidden};
}

}  // namespace

std::vector<DirectoryProblem> find_directory_problems(const config::ServerConfig& config) {
  std::vector<DirectoryProblem> problems;
  for (const std::string& directory : local_directories(config)) {
    if (auto problem = find_problem(directory)) problems.push_back(*std::move(problem));
  }
  return problems;
}

}  // namespace barman::server

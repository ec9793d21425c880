// A host that an ssh client of ours connects to, started from an argument vector.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace barman::host {

struct SshTarget {
  std::string host;
  std::string user;
  std::optional<std::string> port;

  // "USER@HOST"
  std::string account() const { return user + "@" + host; }
};

// Where ssh runs: a connection that is kept must not hold the data directory's file system.
inline constexpr const char* kSshDirectory = "/";

// Lets ssh keep its connection open for others with this socket, and for a minute after the last of
// them; it ends when the other host has been silent for half a minute. Empty when the path is too
// long for a socket.
std::vector<std::string> kept_connection_options(const std::filesystem::path& socket);

// `ssh -G`: what ssh's configuration is for this host.
std::vector<std::string> show_configuration_command(const SshTarget& target);

}  // namespace barman::host

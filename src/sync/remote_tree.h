// Files of the primary's host: `tar` there, through the user's primary_ssh_command, taken apart
// here. Nothing but a shell and tar is needed on the primary, be it a Barman of any version.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "base/fd.h"
#include "base/progress.h"
#include "pipeline/tar_reader.h"
#include "server/server.h"

namespace barman::sync {

struct RemoteTree {
  // On the primary's host.
  std::filesystem::path directory;
  // Names relative to the directory, one a line, from the descriptor's position on; -1 = all of it.
  int names = -1;
};

// Delivers the members to `visitor`; honours network_compression and bandwidth_limit. Throws
// `remote` with what ssh or tar says, `corrupt` (also when the archive ends without its end, be it
// that nothing was said at all), `interrupted`.
void receive_tree(const server::Server& server, const RemoteTree& tree,
                  pipeline::TarVisitor& visitor, Progress& progress);

// The SHA-256 of each file below `directory` of the primary's host, as sha256sum prints them.
// nullopt when there is no such program. Throws `remote`, `interrupted`.
std::optional<std::string> list_remote_digests(const server::Server& server,
                                               const std::filesystem::path& directory);

// The command line for the shell; `compressed` by gzip on the way.
std::string tar_command(const config::ServerConfig& config, const RemoteTree& tree);

}  // namespace barman::sync

#include "sync/primary_node.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "host/ssh_words.h"

namespace barman::sync {
namespace fs = std::filesystem;
namespace {

// A login shell that talks, or another program in the place of barman.
void require_document(const Fd& output, const std::string& server_name,
                      const host::SshHost& primary) {
  const std::string begin = host::read_beginning(output);
  if (strip(begin).starts_with('{')) return;
  throw Error(ErrorKind::remote,
              fmt::format("what the primary node of server '{}' has answered (\"{}\") is not "
                          "barman's: {}",
                          server_name, primary.describe(), host::describe_beginning(begin)),
              primary.silence_hint());
}

}  // namespace

host::SshHost primary_host(const config::ServerConfig& config) {
  return host::SshHost({.command = *config.primary_ssh_command,
                        .title = "the primary node",
                        .option = "primary_ssh_command",
                        .words = host::ssh_words(*config.primary_ssh_command)});
}

std::vector<std::string> primary_command(const config::ServerConfig& config,
                                         const fs::path& configuration_path,
                                         const SyncRequest& request) {
  std::vector<std::string> words = {"barman"};
  if (config.forward_config_path && !configuration_path.empty()) {
    words.insert(words.end(), {"-c", configuration_path.string()});
  }
  words.insert(words.end(), {"sync-info", config.name});
  if (request.last_wal) {
    words.push_back(*request.last_wal);
    if (request.last_position) words.push_back(fmt::to_string(*request.last_position));
  }
  return words;
}

Fd ask_primary(const server::Server& server, const SyncRequest& request, Messages& messages) {
  if (!server.config().is_passive()) {
    throw Error(ErrorKind::usage, fmt::format("server {} is not passive", server.name()),
                "Run this on the passive node: the server whose section has primary_ssh_command.");
  }
  const fs::path& path = server.program().configuration_path;
  const host::SshHost primary = primary_host(server.config());
  const auto ask = [&](const SyncRequest& what) {
    return primary.run(primary_command(server.config(), path, what), server.interrupt());
  };
  host::HostAnswer answer = ask(request);
  if (answer.exit_code == 1 && request.last_wal) {
    messages.warning(
        fmt::format("sync-info is out of sync. Self-recovery procedure started: requesting full "
                    "synchronisation from primary server {}",
                    server.name()));
    answer = ask({});
  }
  if (answer.exit_code != 0) {
    throw Error(ErrorKind::remote,
                fmt::format("cannot ask the primary node of server '{}': \"{}\" ended with exit "
                            "code {}{}",
                            server.name(), primary.describe(), answer.exit_code, answer.reason()),
                primary.hint());
  }
  require_document(answer.output, server.name(), primary);
  return std::move(answer.output);
}

void receive_from_primary(const server::Server& server, const host::RemoteTree& tree,
                          pipeline::TarVisitor& visitor, Progress& progress,
                          std::size_t connections) {
  const config::ServerConfig& config = server.config();
  std::optional<std::int64_t> limit = config.bandwidth_limit;
  if (limit && *limit > 0) {
    limit = std::max<std::int64_t>(*limit / static_cast<std::int64_t>(connections), 1);
  }
  host::receive_tree(primary_host(config), tree, visitor,
                     {.is_compressed = config.network_compression,
                      .bandwidth_limit = TransferLimit::of(limit),
                      .progress = progress,
                      .interrupt = server.interrupt()});
}

}  // namespace barman::sync

#include "cli/wal_of_caller.h"

#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/log.h"
#include "base/log_components.h"
#include "cli/server_factory.h"
#include "client/caller_cluster.h"
#include "postgres/system_id.h"
#include "upgrade/follow_upgrade.h"
#include "wal_archive/known_cluster.h"

namespace barman::cli {
namespace {

// By identity.json alone: nothing else of all the other servers is read.
std::optional<server::Server> find_server_of(const CommandContext& context,
                                             const std::string& cluster) {
  for (const std::string& name : context.configuration.server_names()) {
    try {
      server::Server server = make_server(context, *context.configuration.find_server(name));
      const std::optional<catalogue::Identity> identity = server.catalogue().find_identity();
      if (identity && identity->system_id == cluster) return server;
    } catch (const Error& error) {  // The trouble of another server is not the caller's.
      if (error.kind() == ErrorKind::interrupted) throw;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::uint64_t> find_caller(const ParsedArguments& arguments) {
  const std::optional<std::string> named = arguments.find("cluster");
  if (!named) return client::find_caller_system_id();
  const std::optional<postgres::SystemId> id = postgres::parse_system_id(*named);
  if (id) return id->value;
  throw Error(ErrorKind::usage, fmt::format("'{}' is no system identifier", *named),
              "'pg_controldata DIRECTORY' shows it: digits only.");
}

server::Server server_of_caller(const CommandContext& context, server::Server server,
                                std::uint64_t caller) {
  const std::string cluster = postgres::format_system_id({caller});
  const std::optional<catalogue::Identity> known = wal_archive::find_known_cluster(server);
  if (!known || known->system_id == cluster) return server;
  if (std::optional<server::Server> other = find_server_of(context, cluster)) {
    log::info(log::kServerComponent,
              "the cluster with system identifier {} asks server '{}' for WAL: it gets that of "
              "server '{}'",
              cluster, server.name(), other->name());
    return std::move(*other);
  }
  throw Error(ErrorKind::conflict,
              fmt::format("the cluster that asks has the system identifier {}, the WAL of server "
                          "'{}' is of {}",
                          cluster, server.name(), known->system_id),
              "Name the server that has its backups in restore_command.");
}

std::vector<server::Server> predecessors_of(const CommandContext& context,
                                            const server::Server& server) {
  std::vector<server::Server> servers;
  for (const std::string& name : upgrade::list_predecessors(server.name(), context.configuration))
    servers.push_back(make_server(context, *context.configuration.find_server(name)));
  return servers;
}

}  // namespace barman::cli

#include <fmt/format.h>

#include "base/hint.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "facts/wal_flow.h"
#include "output/replication_views.h"
#include "postgres/queries.h"

namespace barman::cli {
namespace {

using postgres::ReplicationClientKind;

constexpr postgres::ConnectionLimits kLimits = {.connect_timeout = std::chrono::seconds(10),
                                                .statement_timeout = std::chrono::seconds(10)};

ReplicationClientKind requested_kind(const ParsedArguments& arguments) {
  const std::string& target = arguments.get("target");
  if (target == "hot-standby") return ReplicationClientKind::hot_standby;
  if (target == "wal-streamer") return ReplicationClientKind::wal_streamer;
  return ReplicationClientKind::all;
}

// The server as the requested host shows it.
server::Server requested_source(CommandContext& context, const server::Server& server) {
  if (context.arguments.get("source") != "wal-host") return server;
  if (const std::string text = server.wal_connections_text(); !text.empty()) {
    context.reporter.info(text);
  }
  return server.with_wal_connections();
}

std::optional<postgres::Connection> connect_or_report(CommandContext& context,
                                                      const server::Server& server) {
  try {
    return server.connect(kLimits);
  } catch (const Error& error) {
    // The message that scripts know comes first, the reason behind it.
    if (error.kind() == ErrorKind::interrupted) throw;
    context.reporter.error(
        with_hint("Unable to connect to server " + server.name(), error.describe()));
    return std::nullopt;
  }
}

}  // namespace

void run_replication_status(CommandContext& context) {
  const ReplicationClientKind kind = requested_kind(context.arguments);
  const auto style =
      context.arguments.is_set("minimal") ? output::ListStyle::minimal : output::ListStyle::full;
  for_each_server(context, [&](const config::ServerConfig& config) {
    const server::Server server = requested_source(context, make_server(context, config));
    std::optional<postgres::Connection> connection = connect_or_report(context, server);
    if (!connection) return;
    if (!postgres::query_privileges(*connection).monitoring) {
      context.reporter.exception(
          fmt::format("Postgres user '{}' is missing required privileges (see \"Pre-requisites\" "
                      "section in the Barman documentation)",
                      connection->user()));
      return;
    }
    const postgres::ReplicationStatus status =
        postgres::query_replication_status(*connection, kind);
    std::optional<facts::WalFlow> flow;
    if (style == output::ListStyle::full) {
      std::optional<facts::StreamLook> stream;
      // Of other kinds the receiver is none.
      if (kind == ReplicationClientKind::all) stream = facts::find_stream(server, status);
      flow = facts::gather_wal_flow(server, stream);
    }
    output::write_replication_status(context.reporter, config.name, status, kind, style, flow);
  });
}

}  // namespace barman::cli

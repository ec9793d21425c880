// What a running PostgreSQL server tells about itself, for status, show-servers and diagnose. A
// server that cannot be reached, a missing privilege or a slow answer leaves facts out; no command
// fails for that.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "config/rendering.h"
#include "facts/receiver.h"
#include "postgres/queries.h"
#include "postgres/system_id.h"
#include "replication/system_identity.h"
#include "server/server.h"

namespace barman::facts {

struct ServerFacts {
  // Why the SQL session, or else the replication session, is missing.
  std::optional<std::string> connection_error;

  // Told by the SQL session.
  std::optional<int> version;
  std::optional<std::string> version_text;
  std::optional<postgres::Privileges> privileges;
  std::optional<bool> is_in_recovery;
  std::optional<postgres::WalPosition> wal_position;
  std::optional<std::uint64_t> size_bytes;
  std::optional<postgres::ServerSettings> settings;
  std::optional<postgres::SystemId> system_id;
  // The configured slot, when it exists.
  std::optional<postgres::ReplicationSlot> slot;
  // Only with the streaming archiver, unless it receives from elsewhere.
  std::optional<StreamLook> stream;
  // Only with the file archiver.
  std::optional<postgres::ArchiverStatistics> archiver;

  // Told by the replication session: its server version, and who it is.
  std::optional<int> streaming_version;
  std::optional<replication::SystemIdentity> streaming;
};

// Whether the server has live values at all: not when it is inactive or passive.
bool has_live_values(const config::ServerConfig& config);

// Opens both sessions once, each question is asked once. Bounded in time. Throws only
// Error(interrupted).
ServerFacts gather_server_facts(const server::Server& server);

// The values in the form of show-servers.
config::ShownOptions list_live_values(const server::Server& server, const ServerFacts& facts);

}  // namespace barman::facts

// The cluster that the catalogue of a server is of, and what every command says when another one
// answers: pg_upgrade and initdb make a new one, a mistyped host leads to a strange one, and names
// of segments of two clusters meet.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "catalogue/catalogue.h"
#include "server/server.h"

namespace barman::wal_archive {

// Of identity.json, which the first backup writes; before that, and when it is damaged, of the
// newest backup, else of the newest archived segment of this host that can be read. nullopt:
// nothing tells. Throws `interrupted` only.
std::optional<catalogue::Identity> find_known_cluster(const server::Server& server);

// For who compares WAL with it. What cannot be read counts as not known, with a warning in the log:
// archiving goes on.
std::optional<std::uint64_t> known_system_id(const server::Server& server);

// The next step: follow-upgrade, or what is wrong ("conninfo", "archive_command").
std::string other_cluster_step(const std::string& server, std::string_view wrong);

// `conflict` when it is known that the catalogue is of another cluster.
std::optional<Error> find_other_cluster(const server::Server& server, const std::string& system_id,
                                        std::string_view wrong);
// Throws it.
void refuse_other_cluster(const server::Server& server, const std::string& system_id,
                          std::string_view wrong);

}  // namespace barman::wal_archive

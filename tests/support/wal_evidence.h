// What became of the WAL: is everything that was acknowledged to PostgreSQL in the catalogue, byte
// by byte, and each segment there and in the index exactly once? Clusters need a wal_keep_size that
// makes them keep their own copy.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "support/barman_home.h"
#include "support/postgres_server.h"

namespace barman::test {

struct WalRange {
  std::string begin;  // LSNs as PostgreSQL prints them
  std::string end;
  std::uint64_t segment_bytes = 16 << 20;
};

// The position that barman has acknowledged: PostgreSQL may drop everything before it.
std::string acknowledged_lsn(const PostgresServer& postgres, const std::string& slot = "barman");

// The differences between the server's pg_wal and the catalogue (archive, streaming directory with
// partial files) in that range, a line each; "" when there are none.
std::string wal_differences(const BarmanHome& barman, const std::string& server,
                            const std::filesystem::path& pg_wal, const WalRange& range);

// Names of archived files with their paths; a name that is there twice has both.
std::multimap<std::string, std::filesystem::path> archived_wals(const BarmanHome& barman,
                                                                const std::string& server);
// Names in the index, in its order.
std::vector<std::string> indexed_wals(const BarmanHome& barman, const std::string& server);

}  // namespace barman::test

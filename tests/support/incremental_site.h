// A PostgreSQL that can be backed up incrementally, with two tables and a tablespace, and what a
// test of a chain does with it.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "support/streaming_site.h"
#include "support/temp_dir.h"

namespace barman::test {

struct IncrementalSite : StreamingSite {
  explicit IncrementalSite(int major = kUsualMajor, const Settings& more = {});

  std::string take_incremental(const std::string& parent);
  std::filesystem::path base(const std::string& id) const {
    return server_directory() / "base" / id;
  }
  // Name and OID of each, in the order of their OIDs.
  Rows tablespaces() const;
  void make_tablespace(const std::string& name) const;
  // The same cluster becomes a standby for a moment: its next timeline begins.
  void promote();
};

// The tables that a restore must bring back, by name, with their rows.
std::map<std::string, Rows> all_rows(const PostgresServer& postgres);

// A restore of the site's server, with all its tablespaces, to a place of its own.
struct Restored {
  explicit Restored(IncrementalSite& site, const std::string& id,
                    const std::vector<std::string>& options = {});
  std::filesystem::path tablespace(const std::string& name) const { return place.path() / name; }

  TempDir place;
  std::filesystem::path data;
  CommandResult result;
};

}  // namespace barman::test

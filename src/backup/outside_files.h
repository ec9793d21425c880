// Configuration files outside of the data directory. The replication protocol does not send them;
// who copies files copies those that a setting names.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "postgres/connection.h"
#include "postgres/queries.h"
#include "stored/kept_configuration.h"

namespace barman::backup {

struct OutsideFile {
  // On the host of PostgreSQL.
  std::string path;
  // Where a restore lays it, below the data directory; nullopt when nothing there would include it.
  std::optional<std::string> name;
  // The setting that names it: "hba_file"; "" for what another configuration file includes.
  std::string setting = {};

  bool is_included() const { return setting.empty(); }
  // PostgreSQL starts without it.
  bool is_optional() const { return setting == "ident_file"; }
  friend bool operator==(const OutsideFile&, const OutsideFile&) = default;
};

// It is not there: a warning where PostgreSQL starts without, else throws `not_found`.
void tell_missing(const OutsideFile& file);

// The three main files get PostgreSQL's own names. What they include keeps its place beside
// postgresql.conf. In the order of Barman's warning. Pure.
std::vector<OutsideFile> list_outside_files(const postgres::ServerSettings& settings);

struct FetchedConfiguration {
  std::vector<stored::KeptFile> files;
  // Paths that are not among them.
  std::vector<std::string> missing;
  // Why, when it is for want of a grant or for another refusal of the server.
  std::optional<std::string> refusal;
};

// Asks the server for their content; a role that may not read them is no error.
FetchedConfiguration fetch_outside_files(postgres::Connection& connection,
                                         const std::vector<OutsideFile>& files);

}  // namespace barman::backup

#include "restore/clearing_rules.h"

#include <algorithm>
#include <filesystem>

#include "restore/save_aside.h"

namespace barman::restore {
namespace fs = std::filesystem;

// At the top of the data directory hidden entries, which PostgreSQL never makes, and the marker of
// this restore; at the top of a tablespace's location the directories of other versions or
// clusters, which may share it.
bool ClearingRules::is_of_others(const std::string& path) const {
  if (path.find('/') != std::string::npos) return false;
  return tree_.is_data_directory ? path.front() == '.' : !is_wanted_(path, true);
}

// A tablespace may lie inside of the data directory, and is cleared as one.
bool ClearingRules::leads_to_tablespace(const fs::path& path) const {
  if (!tree_.is_data_directory) return false;
  return std::any_of(
      plan_.tablespaces.begin(), plan_.tablespaces.end(), [&](const TablespacePlan& tablespace) {
        const fs::path inside =
            fs::path(tablespace.location).lexically_normal().lexically_relative(path);
        return !inside.empty() && *inside.begin() != "..";
      });
}

bool ClearingRules::is_tablespace(const fs::path& path) const {
  return std::any_of(plan_.tablespaces.begin(), plan_.tablespaces.end(),
                     [&](const TablespacePlan& tablespace) {
                       return fs::path(tablespace.location).lexically_normal() / "" == path / "";
                     });
}

Treatment ClearingRules::treatment_of(const std::string& path, FoundKind kind) const {
  if (is_of_others(path)) return Treatment::leave;
  const bool is_directory = kind == FoundKind::directory;
  if (tree_.is_data_directory && path == plan_.pg_wal_name &&
      (is_directory || kind == FoundKind::directory_link)) {
    return Treatment::enter_wal;
  }
  const fs::path complete = tree_.destination / path;
  if (is_directory && leads_to_tablespace(complete)) {
    return is_tablespace(complete) ? Treatment::leave : Treatment::enter;
  }
  if (is_directory && is_wanted_(path, true)) return Treatment::enter;
  if (kind == FoundKind::file && is_wanted_(path, false)) return Treatment::keep;
  return tree_.is_data_directory && !is_of_cluster(path) ? Treatment::save : Treatment::remove;
}

}  // namespace barman::restore

#include "restore/replayed_tablespaces.h"

#include <algorithm>
#include <filesystem>
#include <string>

#include <fmt/format.h>

#include "base/directory.h"
#include "base/error.h"
#include "base/fd.h"

namespace barman::restore {
namespace {

namespace fs = std::filesystem;

// Files of some cluster, of whatever version.
bool holds_cluster_files(const fs::path& location) {
  const std::vector<std::string> names = list_directory(location);
  return std::ranges::any_of(names, [&](const std::string& name) {
    return name.starts_with("PG_") && !list_directory(location / name).empty();
  });
}

// The restore writes there itself, which has been judged, or the destination's own link leads
// there.
bool is_own(const ReplayedTablespace& created, const RestoreFacts& facts, const RestorePlan& plan) {
  const auto is_planned = [&](const TablespacePlan& tablespace) {
    return tablespace.oid == created.oid && tablespace.location == created.location;
  };
  if (std::ranges::any_of(plan.tablespaces, is_planned)) return true;
  const auto link = facts.destination.tablespace_links.find(created.oid);
  return plan.updates_existing && link != facts.destination.tablespace_links.end() &&
         link->second == fs::weakly_canonical(created.location);
}

}  // namespace

void judge_replayed_tablespaces(const std::vector<ReplayedTablespace>& tablespaces,
                                const RestoreFacts& facts, RestorePlan& plan) {
  for (const ReplayedTablespace& created : tablespaces) {
    if (is_own(created, facts, plan)) continue;
    const std::string what = fmt::format(
        "The WAL creates tablespace {} at {}: recovery makes it in \"{}\", whatever --tablespace "
        "says",
        created.oid, wal::format_lsn(created.record), created.location);
    if (!holds_cluster_files(created.location)) {
      plan.warnings.push_back(
          what + (find_status(created.location)
                      ? "."
                      : ". Make that directory, empty and owned by the user of PostgreSQL, before "
                        "you start the server."));
      continue;
    }
    throw Error(ErrorKind::conflict,
                what + ". That directory holds files of a cluster, which recovery would write into",
                fmt::format("Restore on another host, or a backup that was taken later, or stop "
                            "before with --target-lsn {} --exclusive; if nobody needs what is in "
                            "that directory, move it away.",
                            wal::format_lsn(created.record)));
  }
}

}  // namespace barman::restore

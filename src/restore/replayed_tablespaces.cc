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

// Why recovery must not write there; "" when it may. Files of some cluster, of whatever version,
// are in the way; so is what this user may not see.
std::string find_obstacle(const fs::path& location) {
  try {
    const std::vector<std::string> names = list_directory(location);
    const bool is_used = std::ranges::any_of(names, [&](const std::string& name) {
      return name.starts_with("PG_") &&
             !list_directory(location / name, IfAbsent::or_other_is_empty).empty();
    });
    return is_used ? "That directory holds files of a cluster, which recovery would write into"
                   : "";
  } catch (const SystemError& error) {
    return "Whether that directory holds files of a cluster cannot be told: " + error.describe();
  }
}

// The restore writes there itself, which has been judged, or the destination's own link leads
// there.
bool is_own(const ReplayedTablespace& created, const RestoreFacts& facts, const RestorePlan& plan) {
  const auto is_planned = [&](const TablespacePlan& tablespace) {
    return tablespace.oid == created.oid && tablespace.location == created.location;
  };
  if (std::ranges::any_of(plan.tablespaces, is_planned)) return true;
  const auto link = facts.destination.tablespace_links.find(created.oid);
  if (!plan.updates_existing || link == facts.destination.tablespace_links.end()) return false;
  return link->second == (plan.remote_command.empty() ? fs::weakly_canonical(created.location)
                                                      : fs::path(created.location));
}

}  // namespace

void judge_replayed_tablespaces(const std::vector<ReplayedTablespace>& tablespaces,
                                const RecoveryTarget& target, const RestoreFacts& facts,
                                RestorePlan& plan) {
  for (const ReplayedTablespace& created : tablespaces) {
    // Recovery has ended before.
    if (target.immediate && created.record >= plan.replay.consistent_at) continue;
    if (is_own(created, facts, plan)) continue;
    const std::string what = fmt::format(
        "The WAL creates tablespace {} at {}: recovery makes it in \"{}\", whatever --tablespace "
        "says",
        created.oid, wal::format_lsn(created.record), created.location);
    // What is in the directories of another host is not known here.
    const bool is_elsewhere = !plan.remote_command.empty();
    const std::string obstacle = is_elsewhere ? "" : find_obstacle(created.location);
    if (obstacle.empty()) {
      plan.warnings.push_back(
          what + (!is_elsewhere && find_status(created.location)
                      ? "."
                      : fmt::format(". Make that directory{}, empty and owned by the user of "
                                    "PostgreSQL, before you start the server.",
                                    is_elsewhere ? " on the destination host" : "")));
      continue;
    }
    throw Error(ErrorKind::conflict, what + ". " + obstacle,
                fmt::format("Restore on another host, or a backup that was taken later, or stop "
                            "before with --target-lsn {} --exclusive; if nobody needs what is in "
                            "that directory, move it away.",
                            wal::format_lsn(created.record)));
  }
}

}  // namespace barman::restore

#include "restore/refuse_places.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"
#include "restore/live_clusters.h"
#include "restore/save_aside.h"

namespace barman::restore {
namespace fs = std::filesystem;

namespace {

// In the destination: where WAL goes when nobody says where.
constexpr std::string_view kOwnStagingDirectory = "barman_wal";

bool is_inside_or_equal(const fs::path& path, const fs::path& directory) {
  const fs::path relative = path.lexically_relative(directory);
  return !relative.empty() && *relative.begin() != "..";
}

bool is_restore_of(const RestorePlan& plan, const std::optional<RestoreMarker>& marker) {
  return marker && marker->is_of(plan.server_name, plan.backup_id);
}

bool is_nested(const fs::path& a, const fs::path& b) {
  return is_inside_or_equal(a, b) || is_inside_or_equal(b, a);
}

// The catalogue, and what running servers write.
void refuse_overlap(const RestoreFacts& facts, const fs::path& place, const std::string& what) {
  for (const fs::path& directory : facts.catalogue_directories) {
    if (is_nested(place, directory)) {
      throw Error(
          ErrorKind::conflict,
          fmt::format("The {} overlaps the backup catalogue in '{}'", what, directory.string()),
          "Choose a directory outside of the catalogue.");
    }
  }
  for (const LiveCluster& cluster : facts.live_clusters) {
    for (const fs::path& directory : cluster.places) {
      if (!is_nested(place, directory)) continue;
      throw Error(
          ErrorKind::conflict,
          fmt::format("The {} overlaps '{}', which the running PostgreSQL server of '{}' "
                      "(pid {}) uses",
                      what, directory.string(), cluster.data_directory.string(), cluster.pid),
          kRunningClusterHint);
    }
  }
}

std::string reason_of(const DirectoryFacts& place) {
  return place.owner_text.empty() ? "" : ": " + place.owner_text;
}

std::string user_of(const DirectoryFacts& place) {
  if (!place.remote_user) return "this user";
  return place.remote_user->empty() ? "the user that ssh logs in as"
                                    : fmt::format("'{}'", *place.remote_user);
}

std::string tried_by(const DirectoryFacts& place) {
  return user_of(place) + (place.remote_user ? " on the destination host" : "") + reason_of(place);
}

// Nothing else is known of such a place.
void refuse_unreadable(const RestoreFacts& facts, const DirectoryFacts& place,
                       const std::string& what) {
  if (place.is_readable) return;
  const std::string text = fmt::format("The {} cannot be looked into by {}", what, tried_by(place));
  if (place.remote_user) {
    throw Error(ErrorKind::permission, text,
                fmt::format("Give it there to {}, let --remote-ssh-command log in as its owner, or "
                            "choose another directory.",
                            user_of(place)));
  }
  throw Error(ErrorKind::permission, text,
              fmt::format("Give it to {0}, or restore as its owner: --remote-ssh-command 'ssh "
                          "postgres@localhost'.",
                          facts.barman_user.empty() ? "the user of barman" : facts.barman_user));
}

// `what` names the place in messages: "destination directory '/srv/pg'".
void refuse_place(const RestoreFacts& facts, const RestoreRequest& request,
                  const DirectoryFacts& place, const std::string& what) {
  refuse_unreadable(facts, place, what);
  if (place.exists && !place.is_directory) {
    throw Error(ErrorKind::conflict, fmt::format("The {} is not a directory", what),
                "Choose another path.");
  }
  refuse_overlap(facts, place.resolved, what);
  if (place.is_on_read_only_disk) {
    throw Error(ErrorKind::permission,
                fmt::format("The {} is on a file system that is mounted read-only", what),
                "Mount it for writing, or choose a directory on another one.");
  }
  // A plan may come before the place.
  const bool is_yet_to_come = request.dry_run && !place.exists;
  if (!place.is_writable && !is_yet_to_come) {
    throw Error(ErrorKind::permission,
                fmt::format("The {} cannot be written by {}", what, tried_by(place)),
                fmt::format("Create it{} and give it to {}, or choose another one.",
                            place.remote_user ? " there" : "", user_of(place)));
  }
}

// Whatever is in the directory and not in the backup will be deleted: it must be a data directory
// of this cluster, or what is left of a restore.
void refuse_delta(const RestoreFacts& facts, const RestorePlan& plan) {
  const DirectoryFacts& place = facts.destination;
  if (place.is_empty || place.interrupted_restore) return;
  const std::string what =
      fmt::format("Cannot restore into '{}' with delta mode: ", plan.destination.string());
  if (!place.is_data_directory) {
    throw Error(ErrorKind::conflict,
                what +
                    "it is not a PostgreSQL data directory, and everything in it that is not in "
                    "the backup would be deleted",
                "Choose the data directory, or an empty one.");
  }
  if (!place.system_id || !facts.backup.systemid) return;
  const std::string found = std::to_string(place.system_id->value);
  if (found != *facts.backup.systemid) {
    throw Error(ErrorKind::conflict,
                what + fmt::format("it belongs to another cluster (system identifier {}, the "
                                   "backup's is {})",
                                   found, *facts.backup.systemid),
                "Choose the data directory of the cluster that was backed up, or an empty one.");
  }
}

void refuse_resume(const RestoreFacts& facts, const RestorePlan& plan) {
  const std::optional<RestoreMarker>& marker = facts.destination.interrupted_restore;
  if (is_restore_of(plan, marker)) return;
  const std::string what =
      marker ? fmt::format("it holds an interrupted restore of backup '{}' of server '{}'",
                           marker->backup_id.value, marker->server_name)
             : std::string("it holds no interrupted restore");
  throw Error(ErrorKind::conflict,
              fmt::format("Cannot resume the restore of backup '{}' of server '{}' in '{}': {}",
                          plan.backup_id.value, plan.server_name, plan.destination.string(), what),
              "Restore without --resume into an empty directory.");
}

// What may be done with a directory that is not empty, beside emptying it.
std::string way_on(const RestoreFacts& facts, bool can_resume) {
  if (can_resume) {
    return "It holds an interrupted restore of this backup: --resume goes on with it.";
  }
  const DirectoryFacts& place = facts.destination;
  const bool is_of_cluster = place.is_data_directory && place.system_id && facts.backup.systemid &&
                             std::to_string(place.system_id->value) == *facts.backup.systemid;
  return is_of_cluster ? "It is a data directory of this cluster: --delta-restore restores over "
                         "it, and copies only what differs."
                       : "";
}

void refuse_destination(const RestoreFacts& facts, const RestoreRequest& request,
                        const RestorePlan& plan) {
  const std::string destination = plan.destination.string();
  const DirectoryFacts& place = facts.destination;
  refuse_unreadable(facts, place, fmt::format("destination directory '{}'", destination));
  if (place.running_postmaster) {
    throw Error(ErrorKind::conflict,
                fmt::format("The restore operation cannot proceed because the destination folder "
                            "'{}' is not empty. PostgreSQL runs on it (pid {}).",
                            destination, *place.running_postmaster),
                kRunningClusterHint);
  }
  if (!place.is_empty && !plan.updates_existing) {
    const bool can_resume = is_restore_of(plan, place.interrupted_restore);
    throw Error(ErrorKind::conflict,
                fmt::format("The restore operation cannot proceed because the destination folder "
                            "'{}' is not empty. Empty it or choose another directory.",
                            destination),
                way_on(facts, can_resume));
  }
  if (request.resume) {
    refuse_resume(facts, plan);
  } else if (request.delta_restore) {
    refuse_delta(facts, plan);
  }
  refuse_place(facts, request, place, fmt::format("destination directory '{}'", destination));
  if (plan.updates_existing && place.wal_link) {
    refuse_overlap(facts, *place.wal_link,
                   fmt::format("directory '{}', where the WAL directory of '{}' leads,",
                               place.wal_link->string(), destination));
  }
}

// An interrupted restore into the same destination, which still has its marker, wrote there.
bool was_written_for(const DirectoryFacts& place, const RestoreFacts& facts) {
  return facts.destination.interrupted_restore && place.interrupted_restore &&
         place.interrupted_restore->destination == facts.destination.resolved;
}

// Whatever is there may be lost, as it is the destination's: its own link leads there already. The
// name of a location says nothing: it is that of the cluster that was backed up.
bool is_own(const RestoreFacts& facts, const RestorePlan& plan, const TablespacePlan& tablespace) {
  const DirectoryFacts& place = facts.tablespace_targets.at(tablespace.name);
  if (!plan.updates_existing || !place.holds_tablespace_only) return false;
  const auto link = facts.destination.tablespace_links.find(tablespace.oid);
  const bool leads_there =
      link != facts.destination.tablespace_links.end() && link->second == place.resolved;
  return leads_there || was_written_for(place, facts);
}

// For each tablespace the option that gives it a place: where the destination has it, or anywhere.
std::string relocation_options(const RestoreFacts& facts, const RestorePlan& plan) {
  std::string options;
  for (const TablespacePlan& tablespace : plan.tablespaces) {
    const auto link = facts.destination.tablespace_links.find(tablespace.oid);
    const bool has_own = plan.updates_existing && link != facts.destination.tablespace_links.end();
    options += fmt::format(
        " --tablespace {}",
        shell_quote(fmt::format("{}:{}", tablespace.name,
                                has_own ? link->second.string() : std::string("PLACE"))));
  }
  return options;
}

// PostgreSQL keeps its own files there.
bool is_place_of_postgres(const fs::path& in_destination) {
  return in_destination == "." || is_of_cluster(in_destination.string());
}

void refuse_nested_in_destination(const RestoreFacts& facts, const RestorePlan& plan,
                                  const TablespacePlan& tablespace, const std::string& what) {
  const fs::path& place = facts.tablespace_targets.at(tablespace.name).resolved;
  const fs::path& destination = facts.destination.resolved;
  if (!is_nested(place, destination)) return;
  // As it was in the cluster that was backed up: beside what PostgreSQL has in its directory.
  const bool is_inside = is_inside_or_equal(place, destination);
  if (is_inside && !is_place_of_postgres(place.lexically_relative(destination))) return;
  throw Error(ErrorKind::conflict,
              fmt::format("The {} and the destination directory lie one inside the other", what),
              "Relocate the tablespace:" + relocation_options(facts, plan));
}

// Nobody must empty that place.
std::string live_server_at(const RestoreFacts& facts, const fs::path& place) {
  for (const LiveCluster& cluster : facts.live_clusters) {
    for (const fs::path& directory : cluster.places) {
      if (!is_nested(place, directory)) continue;
      return fmt::format("the PostgreSQL server of '{}' (pid {}) runs on it",
                         cluster.data_directory.string(), cluster.pid);
    }
  }
  return "";
}

void refuse_tablespace(const RestoreFacts& facts, const RestoreRequest& request,
                       const RestorePlan& plan, const TablespacePlan& tablespace) {
  const DirectoryFacts& place = facts.tablespace_targets.at(tablespace.name);
  if (!place.is_empty && !is_own(facts, plan, tablespace)) {
    const std::string reason = plan.updates_existing
                                   ? fmt::format(", and nothing in '{}' says that it belongs to it",
                                                 plan.destination.string())
                                   : std::string();
    const std::string server = live_server_at(facts, place.resolved);
    throw Error(ErrorKind::conflict,
                fmt::format("The restore operation cannot proceed. The destination path '{}' for "
                            "the tablespace '{}' is not empty{}. {} relocate the tablespace with "
                            "--tablespace.",
                            tablespace.location, tablespace.name, server.empty() ? reason : "",
                            server.empty() ? "Empty it or" : "Do not empty it, " + server + ":"),
                "Give every tablespace an empty directory:" + relocation_options(facts, plan));
  }
  const std::string what =
      fmt::format("directory '{}' for tablespace '{}'", tablespace.location, tablespace.name);
  refuse_place(facts, request, place, what);
  refuse_nested_in_destination(facts, plan, tablespace, what);
}

void refuse_nested_tablespaces(const RestoreFacts& facts, const RestorePlan& plan) {
  for (std::size_t i = 0; i < plan.tablespaces.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const TablespacePlan& a = plan.tablespaces[j];
      const TablespacePlan& b = plan.tablespaces[i];
      if (!is_nested(facts.tablespace_targets.at(a.name).resolved,
                     facts.tablespace_targets.at(b.name).resolved))
        continue;
      throw Error(ErrorKind::conflict,
                  fmt::format("The directories '{}' and '{}' of tablespaces '{}' and '{}' lie one "
                              "inside the other",
                              a.location, b.location, a.name, b.name),
                  "Give each tablespace a directory of its own with --tablespace.");
    }
  }
}

void refuse_staging_wal(const RestoreFacts& facts, const RestoreRequest& request,
                        const RestorePlan& plan) {
  if (!facts.staging_wal) return;
  const DirectoryFacts& place = *facts.staging_wal;
  const std::string what = fmt::format("staging WAL directory '{}'", plan.wal.directory.string());
  refuse_place(facts, request, place, what);
  // recovery_end_command removes it with all that is in it by then.
  const auto refuse = [&](const std::string& reason) {
    throw Error(
        ErrorKind::conflict,
        fmt::format("The {} {}; PostgreSQL would remove it at the end of recovery", what, reason),
        "Give an empty directory that serves nothing else.");
  };
  const bool is_left_over = plan.updates_existing && was_written_for(place, facts);
  if (!place.is_empty && !is_left_over) refuse("is not empty");
  const fs::path& destination = facts.destination.resolved;
  if (is_inside_or_equal(destination, place.resolved)) refuse("contains the destination directory");
  if (is_inside_or_equal(place.resolved, destination) &&
      *place.resolved.lexically_relative(destination).begin() != kOwnStagingDirectory) {
    refuse("lies in the destination directory, among the files of PostgreSQL");
  }
  for (const auto& [name, target] : facts.tablespace_targets) {
    if (!is_nested(place.resolved, target.resolved)) continue;
    refuse(fmt::format("and the directory of tablespace '{}' lie one inside the other", name));
  }
}

void refuse_full_disks(const RestoreFacts& facts, const RestorePlan& plan) {
  // The sizes of the trees are known as a sum only; it is asked of the data directory's disk unless
  // the tablespaces lie elsewhere, where PostgreSQL's part cannot be told from theirs.
  const DirectoryFacts& place = facts.destination;
  std::uint64_t available = place.available_bytes;
  std::map<std::uint64_t, std::uint64_t> other_disks;
  for (const auto& [name, target] : facts.tablespace_targets) {
    if (target.device != place.device) other_disks[target.device] = target.available_bytes;
  }
  for (const auto& [device, bytes] : other_disks) available += bytes;
  // What is there already is not counted: it may be all.
  const bool is_small = place.shares_blocks_with_catalogue || plan.updates_existing;
  const std::uint64_t base = is_small ? 0 : plan.total_bytes;
  const bool wal_is_elsewhere = facts.staging_wal && facts.staging_wal->device != place.device;
  const std::uint64_t needed = base + (wal_is_elsewhere ? 0 : plan.wal.total_bytes);
  if (needed > available) {
    throw Error(
        ErrorKind::io,
        fmt::format("Not enough free space for '{}': {} are needed, {} are available",
                    plan.destination.string(), human_size(static_cast<std::int64_t>(needed)),
                    human_size(static_cast<std::int64_t>(available))),
        "Free space there, or choose another directory.");
  }
  if (wal_is_elsewhere && plan.wal.total_bytes > facts.staging_wal->available_bytes) {
    throw Error(ErrorKind::io,
                fmt::format("Not enough free space for WAL in '{}': {} are needed",
                            plan.wal.directory.string(),
                            human_size(static_cast<std::int64_t>(plan.wal.total_bytes))),
                "Free space there, or use --get-wal.");
  }
}

}  // namespace

void refuse_places(const RestoreFacts& facts, const RestoreRequest& request,
                   const RestorePlan& plan) {
  refuse_destination(facts, request, plan);
  for (const TablespacePlan& tablespace : plan.tablespaces) {
    refuse_tablespace(facts, request, plan, tablespace);
  }
  refuse_nested_tablespaces(facts, plan);
  refuse_staging_wal(facts, request, plan);
  refuse_full_disks(facts, plan);
}

void warn_of_places_to_come(const RestoreFacts& facts, RestorePlan& plan) {
  const auto warn = [&](const DirectoryFacts& place, const fs::path& path) {
    if (place.exists || place.is_writable) return;
    const std::string& owner = place.remote_user ? *place.remote_user : facts.barman_user;
    plan.warnings.push_back(fmt::format(
        "\"{}\" does not exist{}, and {} cannot make it: make it before the restore, for example "
        "as "
        "root{}: install -d -m 700 -o {} \"{}\"",
        path.string(), place.remote_user ? " on the destination host" : "", user_of(place),
        place.remote_user ? " there" : "", owner.empty() ? "barman" : owner, path.string()));
  };
  warn(facts.destination, plan.destination);
  for (const TablespacePlan& tablespace : plan.tablespaces) {
    warn(facts.tablespace_targets.at(tablespace.name), tablespace.location);
  }
}

}  // namespace barman::restore

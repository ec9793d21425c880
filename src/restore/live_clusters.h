// PostgreSQL servers that run on this host, as far as this user may see them, and the directories
// that they use: nothing is restored into those, whatever links lead there.
#pragma once

#include <filesystem>
#include <vector>

namespace barman::restore {

// The next step of whoever wants to restore over one.
inline constexpr const char* kRunningClusterHint =
    "Choose another directory. If that cluster is to be replaced, stop it first (pg_ctl stop -D "
    "its "
    "data directory; on Debian pg_ctlcluster), then restore with --delta-restore.";

struct LiveCluster {
  int pid = 0;
  std::filesystem::path data_directory;
  // Links resolved: the data directory, its WAL directory, and the PG_* directories in the
  // locations of its tablespaces.
  std::vector<std::filesystem::path> places;
};

// Looks at processes whose working directory has a postmaster.pid with their pid. Those of other
// users are seen by root only.
std::vector<LiveCluster> list_live_clusters();

}  // namespace barman::restore

// A server whose connection leads to another cluster than its catalogue (pg_upgrade, initdb) goes
// on with an empty catalogue under its old name; the old one becomes an inactive server of its own,
// whose backups and WAL stay as they are. One catalogue for both would mix WAL: pg_upgrade begins
// on timeline 1 again, and names of segments meet.
//
// Decides only. upgrade/follow_upgrade.h looks and acts.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "catalogue/catalogue.h"
#include "config/config_update.h"
#include "config/server_config.h"

namespace barman::upgrade {

struct UpgradeFacts {
  config::ServerConfig config;
  std::string barman_home;
  // The section of the server as it is written, all files merged.
  std::map<std::string, std::string> written;
  // Names of all sections.
  std::set<std::string> taken_names;
  // The cluster of the catalogue (wal_archive/known_cluster.h).
  std::optional<catalogue::Identity> known;
  // Whether WAL is archived.
  bool has_wal = false;
  // The cluster that conninfo leads to; of a passive node that of the primary's newest backup.
  catalogue::Identity cluster;
  // What an earlier run that was killed has left: the name that it had chosen, while the directory
  // is still in its place; the server to which the directory has gone.
  std::optional<std::string> begun_name;
  std::optional<std::string> moved_name;
  // --old-name
  std::optional<std::string> wanted_name;
  // "2026-11-30"
  std::string today;
};

enum class Stage {
  begins,  // everything is to be done
  moved,   // the old catalogue has its new place; the new one is not complete
  done,    // the catalogue is that of the cluster
};

struct Move {
  std::filesystem::path from;
  std::filesystem::path to;
  bool operator==(const Move&) const = default;
};

struct UpgradePlan {
  std::string server;
  Stage stage = Stage::done;
  // Of the old catalogue; "" when the stage is `done`.
  std::string old_name;
  std::optional<catalogue::Identity> old_cluster;
  catalogue::Identity new_cluster;
  // The section of the old catalogue.
  config::ChangeSet section;
  // In order. The last one is that of the directory of the server: the commit point.
  std::vector<Move> moves;
  // The index of archived WAL bears the name of its server; when everything has been moved.
  Move index;
};

// Throws `conflict` when the catalogue has nothing that tells its cluster or when the wanted name
// is taken, `usage` when that cannot be a name, `config` when a setting cannot be copied. The
// directories are those of this host.
UpgradePlan plan_upgrade(const UpgradeFacts& facts);

// What is to be done where directories cannot be renamed.
std::string other_way(const std::string& server, const catalogue::Identity& cluster);

}  // namespace barman::upgrade

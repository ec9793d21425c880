// Keeps of backups travel with them: what the primary node keeps is kept here, too, until it is
// released there. A keep that somebody has set here, or released here, is left as it is.
//
// sync-info does not tell keeps, and a real Barman must understand it; so the annotations are read
// through the same ssh command. A primary that lets nothing but sync-info and tar be run has none.
#pragma once

#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "catalogue/catalogue.h"
#include "server/server.h"
#include "sync/primary_info.h"

namespace barman::sync {

struct PrimaryKeep {
  catalogue::KeepTarget target = catalogue::KeepTarget::full;
  // The backup was here, and got it.
  bool is_applied = false;
  friend bool operator==(const PrimaryKeep&, const PrimaryKeep&) = default;
};
using PrimaryKeeps = std::map<catalogue::BackupId, PrimaryKeep>;

struct KeepChanges {
  std::map<catalogue::BackupId, catalogue::KeepTarget> set;
  std::vector<catalogue::BackupId> released;
  // What is known of the primary from now on, if all of that succeeds.
  PrimaryKeeps known;
};

// Pure. `known` as it was after the last time, `told` what the primary says now, `here` the keeps
// of this node, `complete` its complete backups.
KeepChanges plan_keeps(const PrimaryKeeps& known,
                       const std::map<catalogue::BackupId, catalogue::KeepTarget>& told,
                       const std::map<catalogue::BackupId, catalogue::KeepTarget>& here,
                       const std::vector<catalogue::BackupId>& complete);

// What the last cron has learned: `.primary-keeps` of the server, "<id> <target> <applied>" a line.
PrimaryKeeps load_primary_keeps(const catalogue::CatalogueLocations& locations);
// "<id>-keep <target>" a line, of what find prints; other lines are passed over.
std::map<catalogue::BackupId, catalogue::KeepTarget> parse_told_keeps(std::string_view text);

// Asks, and does what follows. Nothing changes when the primary does not answer (log). A backup
// that somebody works on has its turn the next time.
void follow_primary_keeps(const server::Server& server, const PrimaryInfo& primary);

}  // namespace barman::sync

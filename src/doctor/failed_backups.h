// FAILED backups that a later good one has made useless. `cron --remove-failed` deletes them;
// without that option nobody does, and `check` says FAILED until a person does, as in Barman.
#pragma once

#include <vector>

#include "base/progress.h"
#include "catalogue/catalogue.h"
#include "server/server.h"

namespace barman::doctor {

// FAILED, older than a DONE one, without backups that build on them; oldest first. Pure.
std::vector<catalogue::BackupInfo> list_superseded_failures(
    const std::vector<catalogue::BackupInfo>& backups, const catalogue::Annotations& annotations);

// Deletes them as `delete` does; refusals are told, and the others are deleted all the same.
void remove_superseded_failures(const server::Server& server, Messages& messages);

}  // namespace barman::doctor

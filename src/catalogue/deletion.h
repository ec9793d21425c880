// May a backup be deleted, and which ones go with it? Pure; the flow
// that deletes prints the texts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catalogue/backup_info.h"
#include "catalogue/branches.h"
#include "catalogue/catalogue.h"

namespace barman::catalogue {

struct DeletionPlan {
  // Set when nothing may be deleted: the text of the warning.
  std::optional<std::string> refusal;
  // A warning to show before the deletion begins.
  std::optional<std::string> warning;
  // What to delete, in this order: descendants leaves first, then the backup itself.
  std::vector<BackupId> order;
};

// Why nothing is deleted while nobody knows how much has to stay; the configuration's own warning
// tells the rest.
std::string redundancy_not_understood(const BackupId& id, std::string_view server_name);

// `backup` is one of the list.
DeletionPlan plan_deletion(const BackupList& list, const BackupInfo& backup,
                           const Annotations& annotations, std::uint64_t minimum_redundancy,
                           std::string_view server_name, const Branches& branches = {});

// A backup that cannot be read and that this one builds on, or that builds on this one; nullptr
// when there is none. Deleting this one could take from that one what it needs.
const BrokenBackup* unreadable_relative(const BackupList& list, const BackupInfo& backup);

// Why a kept backup is not deleted, as the user is told.
std::string keep_refusal(const BackupId& id, std::string_view server_name);

}  // namespace barman::catalogue

// From which backup the moment before an accident can be restored.
#pragma once

#include <string>
#include <vector>

#include "accident/accident.h"
#include "catalogue/branches.h"
#include "catalogue/catalogue.h"

namespace barman::accident {

// Sets `backup_id` of each as `restore auto --target-lsn` would choose it. Pure.
void choose_backups(const catalogue::BackupList& list, const catalogue::Annotations& annotations,
                    const catalogue::Branches& branches, std::vector<Accident>& accidents);

// The words behind "barman" of the command that restores the moment before it, into a directory
// that the user puts in the place of kDestination.
std::vector<std::string> undo_words(const Accident& accident, const std::string& server);
inline constexpr const char* kDestination = "DEST";

}  // namespace barman::accident

// Where the configuration of a restored cluster comes from when it did not lie in the data
// directory. Pure.
#pragma once

#include <string>
#include <vector>

#include "catalogue/backup_info.h"
#include "restore/restore_plan.h"

namespace barman::restore {

// Where a restored cluster finds its files, when the backup has those that lay outside.
FilePlaces file_places_of(const catalogue::BackupInfo& backup);

// `kept` was kept with the backup. What the configuration says about places is made harmless: it
// would lead the restored cluster to the directory and the files of the old one.
void plan_configuration(const catalogue::BackupInfo& backup, std::vector<stored::KeptFile> kept,
                        RestorePlan& plan);

// How to start what was restored; empty when the files were in the backup, as usual.
std::vector<std::string> start_advice(const RestorePlan& plan,
                                      const std::vector<std::string>& laid_files,
                                      const std::vector<std::string>& missing_files);

}  // namespace barman::restore

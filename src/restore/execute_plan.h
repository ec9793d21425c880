// Carries a RestorePlan out. Nothing is decided here.
//
// Order: tablespaces, data directory (without pg_control), .barman-recover.info, WAL, recovery
// settings, configuration; all of it durable; then global/pg_control, the commit point: before it
// PostgreSQL refuses to start on the directory, after it the restore is complete.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/interrupt.h"
#include "restore/destination.h"
#include "restore/restore_plan.h"
#include "restore/review_configuration.h"
#include "stored/manifest_index.h"

namespace barman::restore {

struct ExecutedRestore {
  ConfigurationReview configuration;
  std::vector<std::string> missing_files;
  // Configuration files from outside of the data directory of the backup, now in it.
  std::vector<std::string> laid_files;
  // Of the files, how much was right already.
  std::uint64_t kept_bytes = 0;
};

// `manifest` may be nullptr: then only sizes are verified.
ExecutedRestore execute_plan(const RestorePlan& plan, std::unique_ptr<Destination> destination,
                             stored::ManifestIndex* manifest, const RestoreReporting& reporting,
                             const Interrupt& interrupt);

}  // namespace barman::restore

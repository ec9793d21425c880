// Before a data directory that is there is changed: archives that can be read through only are read
// once, so that whatever a restore from them could be refused for is found while the directory is
// still what it was (copy/surveyed_tree.h).
#pragma once

#include "base/error.h"
#include "base/interrupt.h"
#include "restore/destination.h"
#include "restore/restore_plan.h"
#include "stored/manifest_index.h"

namespace barman::restore {

// Nothing to do for empty places and for trees with random access. Afterwards the trees of the plan
// are listed, and its total is that of their files. `manifest` may be nullptr. Throws `corrupt`:
// damage, links, files that are missing or not those of the manifest, files of another backup.
void survey_plan(RestorePlan& plan, stored::ManifestIndex* manifest,
                 const RestoreReporting& reporting, const Interrupt& interrupt);

// The same failure, which says that the destination is what it was.
Error explain_unchanged(const Error& error, const RestorePlan& plan);

}  // namespace barman::restore

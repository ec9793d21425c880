// Places that nothing may be restored to. Pure; the first reason found is thrown.
#pragma once

#include "restore/restore_facts.h"
#include "restore/restore_plan.h"
#include "restore/restore_request.h"

namespace barman::restore {

void refuse_places(const RestoreFacts& facts, const RestoreRequest& request,
                   const RestorePlan& plan);

// Of a dry run, which is not refused for it: directories that somebody else must make first.
void warn_of_places_to_come(const RestoreFacts& facts, RestorePlan& plan);

}  // namespace barman::restore

// Places that nothing may be restored to. Pure; the first reason found is thrown.
#pragma once

#include "restore/restore_facts.h"
#include "restore/restore_plan.h"

namespace barman::restore {

void refuse_places(const RestoreFacts& facts, const RestorePlan& plan);

}  // namespace barman::restore

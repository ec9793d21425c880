// `doctor --apply`: does what a cure's action says, and nothing of its lines. Each action may be
// repeated; none takes anything away, and none needs root.
#pragma once

#include <string>
#include <vector>

#include "base/progress.h"
#include "doctor/cure.h"
#include "server/server.h"

namespace barman::doctor {

struct AppliedCure {
  Cure cure;
  bool is_done = false;
  // Why it could not be done; empty when it is, or when there is no action.
  std::string problem{};
};
// One for each cure, in order. What one says goes to `messages`.
std::vector<AppliedCure> apply_cures(const server::Server& server, const std::vector<Cure>& cures,
                                     Messages& messages);

}  // namespace barman::doctor

#include "doctor/apply_cures.h"

#include "base/error.h"
#include "wal_transfer/processes.h"
#include "wal_transfer/receive_wal.h"

namespace barman::doctor {
namespace {

void act(const server::Server& server, Action action, Messages& messages) {
  switch (action) {
    case Action::none:
      return;
    case Action::create_directories:
      return server.create_directories();
    case Action::create_slot:
      return wal_transfer::create_slot(server.with_wal_connections(),
                                       wal_transfer::WhenSlotExists::skip, messages);
    case Action::start_receiver:
      return wal_transfer::restart_receiver(server, messages);
  }
}

}  // namespace

std::vector<AppliedCure> apply_cures(const server::Server& server, const std::vector<Cure>& cures,
                                     Messages& messages) {
  std::vector<AppliedCure> applied;
  for (const Cure& cure : cures) {
    AppliedCure& entry = applied.emplace_back(AppliedCure{.cure = cure});
    if (cure.action == Action::none) continue;
    try {
      act(server, cure.action, messages);
      entry.is_done = true;
    } catch (const Error& error) {  // The others can be done all the same; this one is told.
      if (error.kind() == ErrorKind::interrupted) throw;
      entry.problem = error.describe();
    }
  }
  return applied;
}

}  // namespace barman::doctor

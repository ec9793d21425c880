#include "archive/remove_wals.h"

#include "archive/hook_variables.h"
#include "catalogue/wal_index.h"
#include "hooks/hook_scripts.h"

namespace barman::archive {
namespace {

std::vector<catalogue::WalIndexEntry> list_doomed(const server::Server& server,
                                                  const catalogue::WalRemovalPlan& plan) {
  std::vector<catalogue::WalIndexEntry> doomed;
  const catalogue::WalIndex index = catalogue::WalIndex::open(server.locations());
  index.for_each([&](const catalogue::WalIndexLine& line) {
    if (plan.removes(line.name)) doomed.push_back(line.entry());
    return catalogue::Visit::proceed;
  });
  return doomed;
}

}  // namespace

std::vector<std::string> remove_wals(const server::Server& server,
                                     const catalogue::WalRemovalPlan& plan) {
  std::vector<std::string> removed;
  if (!plan.is_removing) return removed;
  const hooks::HookScripts scripts = make_hooks(server, hooks::HookKind::wal_delete);
  const auto& wals = server.locations().wals_directory;
  const auto variables = [&](const catalogue::WalIndexEntry& entry) {
    return wal_hook_variables(entry, catalogue::archived_wal_path(wals, entry.name));
  };
  if (scripts.is_configured()) {
    for (const auto& entry : list_doomed(server, plan)) scripts.run_pre(variables(entry));
  }
  std::vector<catalogue::WalIndexEntry> gone;
  {
    catalogue::WalIndex index = catalogue::WalIndex::open(server.locations());
    const catalogue::WalRemovalObserver observer = {
        .after = [&](const catalogue::WalIndexEntry& entry) {
          removed.push_back(entry.name);
          if (scripts.is_configured()) gone.push_back(entry);
        }};
    catalogue::remove_planned_wal(plan, index, wals, observer);
  }
  for (const auto& entry : gone) scripts.run_post(variables(entry), "");
  return removed;
}

}  // namespace barman::archive

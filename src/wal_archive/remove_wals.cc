#include "wal_archive/remove_wals.h"

#include "hooks/hook_scripts.h"
#include "wal_archive/wal_hooks.h"
#include "wal_archive/wal_index.h"

namespace barman::wal_archive {
namespace {

std::vector<WalIndexEntry> list_doomed(const server::Server& server, const WalRemovalPlan& plan) {
  std::vector<WalIndexEntry> doomed;
  const WalIndex index = WalIndex::open(server.locations());
  index.for_each([&](const WalIndexLine& line) {
    if (plan.removes(line.name)) doomed.push_back(line.entry());
    return Visit::proceed;
  });
  return doomed;
}

}  // namespace

std::vector<std::string> remove_wals(const server::Server& server, const WalRemovalPlan& plan) {
  std::vector<std::string> removed;
  if (!plan.is_removing) return removed;
  const hooks::HookScripts scripts = make_hooks(server, hooks::HookKind::wal_delete);
  const auto& wals = server.locations().wals_directory;
  const auto variables = [&](const WalIndexEntry& entry) {
    return wal_hook_variables(entry, archived_wal_path(wals, entry.name));
  };
  if (scripts.is_configured()) {
    for (const auto& entry : list_doomed(server, plan)) scripts.run_pre(variables(entry));
  }
  std::vector<WalIndexEntry> gone;
  {
    WalIndex index = WalIndex::open(server.locations());
    const WalRemovalObserver observer = {.after = [&](const WalIndexEntry& entry) {
      removed.push_back(entry.name);
      if (scripts.is_configured()) gone.push_back(entry);
    }};
    remove_planned_wal(plan, index, wals, observer);
  }
  for (const auto& entry : gone) scripts.run_post(variables(entry), "");
  return removed;
}

}  // namespace barman::wal_archive

#include "wal_archive/remove_wals.h"

#include "server/server_hooks.h"
#include "wal_archive/wal_archive.h"
#include "wal_archive/wal_hooks.h"

namespace barman::wal_archive {
namespace {

std::vector<WalIndexEntry> list_doomed(const WalArchive& archive, const WalRemovalPlan& plan) {
  std::vector<WalIndexEntry> doomed;
  archive.index().for_each([&](const WalIndexLine& line) {
    if (plan.removes(line.name)) doomed.push_back(line.entry());
    return Visit::proceed;
  });
  return doomed;
}

}  // namespace

std::vector<std::string> remove_wals(const server::Server& server, WalRemovalPlan plan) {
  std::vector<std::string> removed;
  if (!plan.is_removing) return removed;
  plan.leaves_immutable =
      server.config().worm_mode || server.config().aws_object_lock_mode.has_value();
  const server::HookScripts scripts = server::make_hooks(server, server::HookKind::wal_delete);
  const WalArchive archive(server);
  const auto variables = [&](const WalIndexEntry& entry) {
    return wal_hook_variables(entry, archive.path_of(entry.name));
  };
  if (scripts.is_configured()) {
    for (const auto& entry : list_doomed(archive, plan)) scripts.run_pre(variables(entry));
  }
  std::vector<WalIndexEntry> gone;
  archive.remove(plan, [&](const WalIndexEntry& entry) {
    removed.push_back(entry.name);
    if (scripts.is_configured()) gone.push_back(entry);
  });
  for (const auto& entry : gone) scripts.run_post(variables(entry), "");
  return removed;
}

}  // namespace barman::wal_archive

#include "wal_archive/remove_wals.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/log.h"
#include "base/log_components.h"
#include "base/shown_time.h"
#include "object_store/object_store.h"
#include "server/server_hooks.h"
#include "wal_archive/locked_wal.h"
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

// When the last one may go: locks of neighbours end in the order of their names. nullopt when it is
// not locked, so that something else keeps it.
std::optional<Timestamp> find_end_of_locks(const server::Server& server, const WalArchive& archive,
                                           const std::string& last_name) {
  const auto bucket = server.find_bucket(server::ObjectsOf::wal);
  if (!bucket) return std::nullopt;
  const auto object = archive.storage().find(WalArchive::key_of(last_name));
  const auto lock = object ? bucket->find_lock(object->stored_key) : std::nullopt;
  // Nobody knows when somebody ends a legal hold.
  constexpr std::int64_t kDay = std::int64_t{86'400} * 1'000'000;
  const Timestamp tomorrow = {.microseconds = server.clock().now().microseconds + kDay};
  if (lock && lock->has_legal_hold)
    return std::max(tomorrow, lock->retain_until.value_or(tomorrow));
  return lock ? lock->retain_until : std::nullopt;
}

// Tells and notes what has stayed.
std::string note_left(const server::Server& server, const WalArchive& archive,
                      const WalRemovalResult& result) {
  const std::filesystem::path& directory = server.locations().backup_directory;
  const bool may_be_locked = archive.is_in_bucket() && server.config().aws_object_lock_mode;
  if (result.left.empty()) {
    if (archive.is_in_bucket()) note_locked_wal(directory, std::nullopt);
    return {};
  }
  const bool is_one = result.left.size() == 1;
  const std::string files =
      is_one ? fmt::format("WAL file {} of server {}", result.left.front(), server.name())
             : fmt::format("{} WAL files of server {}, from {} on,", result.left.size(),
                           server.name(), result.left.front());
  const auto until = may_be_locked ? find_end_of_locks(server, archive, result.left.back())
                                   : std::optional<Timestamp>();
  if (!until) {
    return fmt::format("{} cannot be removed yet, and {} until WAL is removed again: {}", files,
                       is_one ? "stays" : "stay", result.refusal);
  }
  note_locked_wal(
      directory,
      LockedWal{.count = result.left.size(), .first = result.left.front(), .until = *until});
  return fmt::format(
      "{} {} locked in the bucket until {}: {} in the index, and cron removes {} then", files,
      is_one ? "is" : "are", shown_time(*until), is_one ? "it stays" : "they stay",
      is_one ? "it" : "them");
}

}  // namespace

RemovedWals remove_wals(const server::Server& server, WalRemovalPlan plan) {
  RemovedWals removed;
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
  const WalRemovalResult result = archive.remove(plan, [&](const WalIndexEntry& entry) {
    removed.names.push_back(entry.name);
    if (scripts.is_configured()) gone.push_back(entry);
  });
  removed.left = note_left(server, archive, result);
  if (!removed.left.empty()) log::warning(log::kCatalogueComponent, "{}", removed.left);
  for (const auto& entry : gone) scripts.run_post(variables(entry), "");
  return removed;
}

}  // namespace barman::wal_archive

#include "sync/primary_keeps.h"

#include <algorithm>
#include <filesystem>
#include <string>

#include <fmt/format.h>

#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/file_lock.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/text.h"
#include "catalogue/locks.h"
#include "sync/primary_node.h"

namespace barman::sync {
namespace {

namespace fs = std::filesystem;

using catalogue::BackupId;
using catalogue::KeepTarget;
using Keeps = std::map<BackupId, KeepTarget>;

constexpr std::string_view kKeepSuffix = "-keep";

fs::path primary_keeps_path(const catalogue::CatalogueLocations& locations) {
  return locations.backup_directory / ".primary-keeps";
}

// As the catalogue reads annotations: whatever else stands there, somebody wanted the backup kept.
KeepTarget target_of(std::string_view word) {
  return word == catalogue::keep_text(KeepTarget::standalone) ? KeepTarget::standalone
                                                              : KeepTarget::full;
}

std::optional<Keeps> ask_keeps(const server::Server& server, const PrimaryInfo& primary) {
  if (!primary.backup_directory) return std::nullopt;
  const host::HostAnswer answer =
      primary_host(server.config())
          .run({"find", (*primary.backup_directory / "meta").string(), "-maxdepth", "1", "-name",
                "*-keep", "-printf", "%f ", "-exec", "cat", "{}", ";", "-printf", "\\n"},
               server.interrupt());
  if (answer.exit_code == 0) return parse_told_keeps(answer.read_output());
  log::info(log::kServerComponent,
            "server '{}': the primary node does not tell which backups it keeps{}", server.name(),
            answer.reason());
  return std::nullopt;
}

// False when somebody works on the backup.
template <typename Change>
bool change_under_lock(const server::Server& server, const BackupId& id, const Change& change) {
  const std::optional<FileLock> lock =
      FileLock::try_lock(catalogue::backup_id_lock(server.locks(), id));
  if (!lock) return false;
  change();
  return true;
}

void save_primary_keeps(const fs::path& path, const PrimaryKeeps& keeps) {
  std::string text;
  for (const auto& [id, keep] : keeps) {
    text += fmt::format("{} {} {}\n", id.value, catalogue::keep_text(keep.target),
                        keep.is_applied ? "applied" : "waiting");
  }
  write_file_durably(path, text);
}

}  // namespace

KeepChanges plan_keeps(const PrimaryKeeps& known, const Keeps& told, const Keeps& here,
                       const std::vector<BackupId>& complete) {
  KeepChanges changes;
  for (const auto& [id, target] : told) {
    PrimaryKeep keep{.target = target};
    const auto before = known.find(id);
    const auto ours = here.find(id);
    const bool was_applied = before != known.end() && before->second.is_applied;
    const bool is_complete = std::find(complete.begin(), complete.end(), id) != complete.end();
    keep.is_applied = was_applied && is_complete;
    if (is_complete && !was_applied) {
      // One that was set here stays, whatever becomes of that of the primary.
      keep.is_applied = ours == here.end();
      if (keep.is_applied) changes.set.emplace(id, target);
    } else if (is_complete && before->second.target != target && ours != here.end() &&
               ours->second == before->second.target) {
      changes.set.emplace(id, target);
    }
    changes.known.emplace(id, keep);
  }
  for (const auto& [id, keep] : known) {
    const auto ours = here.find(id);
    if (told.contains(id) || !keep.is_applied || ours == here.end()) continue;
    if (ours->second == keep.target) changes.released.push_back(id);
  }
  return changes;
}

Keeps parse_told_keeps(std::string_view text) {
  Keeps keeps;
  for (const std::string& line : split(text, '\n')) {
    const std::vector<std::string> words = split_blanks(line);
    if (words.empty() || !words.front().ends_with(kKeepSuffix)) continue;
    const std::string_view name = words.front();
    const auto id = catalogue::parse_backup_id(name.substr(0, name.size() - kKeepSuffix.size()));
    if (id) keeps.emplace(*id, target_of(words.size() > 1 ? words[1] : ""));
  }
  return keeps;
}

PrimaryKeeps load_primary_keeps(const catalogue::CatalogueLocations& locations) {
  PrimaryKeeps keeps;
  const std::optional<std::string> text = find_and_read_file(primary_keeps_path(locations));
  for (const std::string& line : split(text.value_or(""), '\n')) {
    const std::vector<std::string> words = split_blanks(line);
    const auto id = words.size() == 3 ? catalogue::parse_backup_id(words[0]) : std::nullopt;
    if (!id) continue;
    keeps.emplace(*id,
                  PrimaryKeep{.target = target_of(words[1]), .is_applied = words[2] == "applied"});
  }
  return keeps;
}

void follow_primary_keeps(const server::Server& server, const PrimaryInfo& primary) {
  const std::optional<Keeps> told = ask_keeps(server, primary);
  if (!told) return;
  const catalogue::Catalogue& catalogue = server.catalogue();
  const PrimaryKeeps known = load_primary_keeps(server.locations());
  std::vector<BackupId> complete;
  for (const catalogue::BackupInfo& backup : catalogue.list_backups().backups) {
    if (backup.is_copy_done()) complete.push_back(backup.id);
  }
  KeepChanges changes = plan_keeps(known, *told, catalogue.list_annotations().keeps, complete);
  for (const auto& [id, target] : changes.set) {
    const BackupId& kept = id;
    const KeepTarget how = target;
    const bool is_done = change_under_lock(server, kept, [&] {
      if (catalogue.find_backup(kept)) catalogue.write_keep(kept, how);
    });
    if (is_done) {
      log::info(log::kServerComponent, "backup {} of server '{}' is kept, as on the primary node",
                id.value, server.name());
    } else if (const auto before = known.find(id); before != known.end()) {
      changes.known[id] = before->second;
    } else {
      changes.known[id].is_applied = false;
    }
  }
  for (const BackupId& id : changes.released) {
    if (change_under_lock(server, id, [&] { catalogue.remove_keep(id); })) {
      log::info(log::kServerComponent,
                "backup {} of server '{}' is not kept any more, as on the primary node", id.value,
                server.name());
    } else {
      changes.known[id] = known.at(id);
    }
  }
  if (changes.known != known)
    save_primary_keeps(primary_keeps_path(server.locations()), changes.known);
}

}  // namespace barman::sync

#include "wal_archive/wal_removal.h"

#include <algorithm>
#include <map>
#include <set>
#include <span>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/immutable.h"
#include "base/log.h"
#include "base/log_components.h"
#include "wal/wal_file_name.h"

namespace barman::wal_archive {
namespace {

WalRemovalPlan nothing(std::string reason) { return {.reason = std::move(reason)}; }

WalRemovalPlan nothing_beside(const catalogue::BrokenBackup& broken) {
  return {.reason = fmt::format("the metadata of backup {} cannot be read, so that the WAL that it "
                                "needs is not known: {}",
                                broken.id.value, broken.reason),
          .is_damage = true};
}

// Everything that a remaining backup needs stays, whatever the rules above say.
void protect_backup(const catalogue::BackupInfo& backup, bool is_standalone, WalRemovalPlan& plan) {
  if (!backup.begin_wal) return;
  if (is_standalone && backup.end_wal) {
    plan.protected_ranges.push_back({.begin = *backup.begin_wal, .end = *backup.end_wal});
    return;
  }
  plan.first_needed =
      plan.first_needed ? std::min(*plan.first_needed, *backup.begin_wal) : *backup.begin_wal;
}

// The boundary and all protections. `boundary` is the backup from whose begin on WAL stays.
WalRemovalPlan make_plan(const std::vector<catalogue::BackupInfo>& backups,
                         const catalogue::BackupId& excluded, const catalogue::BackupInfo* boundary,
                         const std::set<catalogue::BackupId>& standalone) {
  WalRemovalPlan plan = {.is_removing = true};
  if (boundary != nullptr) plan.first_needed = boundary->begin_wal;
  for (const catalogue::BackupInfo& backup : backups) {
    if (backup.id == excluded || !backup.needs_wal()) continue;
    const std::optional<wal::TimelineId> timeline = backup.wal_timeline();
    if (!timeline) {
      return nothing("the WAL that backup " + backup.id.value + " needs is not known yet");
    }
    protect_backup(backup, standalone.contains(backup.id), plan);
    const bool is_of_boundary = boundary != nullptr && boundary->wal_timeline() == timeline;
    // A standalone backup needs its range, not its timeline, unless the range is unknown.
    const bool is_range_enough = standalone.contains(backup.id) && backup.end_wal;
    if (!is_of_boundary && !is_range_enough) plan.protected_timelines.insert(*timeline);
  }
  return plan;
}

}  // namespace

bool WalRemovalPlan::removes(std::string_view name) const {
  if (!is_removing) return false;
  const std::optional<wal::WalFileName> parsed = wal::parse_wal_file_name(name);
  if (!parsed || parsed->kind == wal::WalFileKind::history) return false;
  if (first_needed && name >= *first_needed) return false;
  if (protected_timelines.contains(parsed->timeline)) return false;
  const std::string segment = parsed->segment();
  return std::none_of(
      protected_ranges.begin(), protected_ranges.end(),
      [&](const SegmentRange& range) { return range.begin <= segment && segment <= range.end; });
}

WalRemovalPlan plan_wal_removal(const WalRemovalInput& input) {
  if (!input.list.broken.empty()) return nothing_beside(input.list.broken.front());
  const std::vector<catalogue::BackupInfo>& backups = input.list.backups;
  const catalogue::BackupInfo* const deleted = input.list.find(input.deleted);
  if (deleted == nullptr) return nothing("backup " + input.deleted.value + " is not known");
  for (const catalogue::BackupInfo& backup : backups) {
    if (!(backup.id < input.deleted) || !backup.is_copy_done()) continue;
    const bool is_standalone = input.standalone.contains(backup.id);
    if (!is_standalone || input.cause == WalRemovalInput::Cause::command) {
      return nothing("the older backup " + backup.id.value + " needs them");
    }
  }
  const catalogue::BackupInfo* boundary = input.list.next(input.deleted);
  if (boundary == nullptr &&
      input.without_next == WalRemovalInput::WithoutNext::keep_from_deleted) {
    boundary = deleted;
  }
  if (boundary != nullptr && !boundary->begin_wal) {
    return nothing("the begin of backup " + boundary->id.value + " is not known");
  }
  return make_plan(backups, input.deleted, boundary, input.standalone);
}

WalRemovalPlan plan_first_backup_purge(const catalogue::BackupList& list,
                                       const catalogue::BackupInfo& first,
                                       const std::set<catalogue::BackupId>& standalone) {
  if (!list.broken.empty()) return nothing_beside(list.broken.front());
  if (first.status == catalogue::BackupStatus::failed || !first.begin_wal) {
    return nothing("the begin of backup " + first.id.value + " is not known");
  }
  if (const catalogue::BackupInfo* const previous = list.previous(first.id)) {
    return nothing("the older backup " + previous->id.value + " needs them");
  }
  return make_plan(list.backups, first.id, &first, standalone);
}

WalRemovalPlan plan_unneeded_wal(const catalogue::BackupList& list,
                                 const std::set<catalogue::BackupId>& standalone) {
  if (!list.broken.empty()) return nothing_beside(list.broken.front());
  const auto boundary = std::find_if(
      list.backups.begin(), list.backups.end(), [&](const catalogue::BackupInfo& backup) {
        return backup.is_copy_done() && !standalone.contains(backup.id);
      });
  if (boundary == list.backups.end() || !boundary->begin_wal) {
    return nothing("no backup tells from where on WAL is needed");
  }
  return make_plan(list.backups, {}, &*boundary, standalone);
}

namespace {

// Files of some directories at once: each directory is flushed once then.
constexpr std::size_t kRemovedAtOnce = 8192;

// Collects names, and removes what they name.
class ObjectRemover {
 public:
  enum class IfImmutable { fail, leave };

  ObjectRemover(storage::Storage& storage, const WalRemovalObserver& observer,
                IfImmutable if_immutable)
      : storage_(storage), observer_(observer), if_immutable_(if_immutable) {}

  void add(WalIndexEntry entry) {
    entries_.push_back(std::move(entry));
    if (entries_.size() == kRemovedAtOnce) remove();
  }
  void remove() {
    std::vector<std::string> keys;
    for (const WalIndexEntry& entry : entries_) {
      keys.push_back(archived_wal_path("", entry.name).string());
      // One question for each is cheap where the answer is near.
      if (storage_.local() != nullptr && !find_status(storage_.local()->path_of(keys.back()))) {
        log::warning(log::kCatalogueComponent, "{} was removed already",
                     storage_.describe(keys.back()));
      }
    }
    remove_objects(keys);
    for (const WalIndexEntry& entry : entries_) {
      if (left_.contains(entry.name)) continue;
      ++count_;
      if (observer_) observer_(entry);
    }
    entries_.clear();
  }
  std::uint64_t count() const { return count_; }
  // Names.
  const std::set<std::string, std::less<>>& left() const { return left_; }
  const std::string& refusal() const { return refusal_; }

 private:
  void remove_objects(const std::vector<std::string>& keys) {
    try {
      return storage_.remove(keys);
    } catch (const SystemError& error) {
      if (if_immutable_ == IfImmutable::fail || !means_immutable(error.error_number())) throw;
    } catch (const Error& error) {
      const bool is_refused =
          error.kind() == ErrorKind::remote || error.kind() == ErrorKind::permission;
      if (if_immutable_ == IfImmutable::fail || storage_.local() != nullptr || !is_refused) throw;
      log::info(log::kCatalogueComponent, "{}", error.describe());
      refusal_ = error.describe();
      return note_left(keys);
    }
    // One by one, to know which.
    for (std::size_t i = 0; i < keys.size(); ++i) {
      try {
        storage_.remove(std::span(keys).subspan(i, 1));
      } catch (const SystemError& error) {
        if (!means_immutable(error.error_number())) throw;
        refusal_ = error.describe();
        left_.insert(entries_[i].name);
      }
    }
  }

  // Objects that are there still: a listing for each directory.
  void note_left(const std::vector<std::string>& keys) {
    std::map<std::string, std::map<std::string, std::string>> by_directory;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const std::size_t slash = keys[i].rfind('/');
      const std::string directory =
          slash == std::string::npos ? keys[i] : keys[i].substr(0, slash + 1);
      by_directory[directory].emplace(keys[i], entries_[i].name);
    }
    for (const auto& [directory, names] : by_directory) {
      storage_.list(directory, [&, &known = names](const storage::ObjectFacts& object) {
        const auto found = known.find(object.key);
        if (found != known.end()) left_.insert(found->second);
      });
    }
  }

  storage::Storage& storage_;
  const WalRemovalObserver& observer_;
  const IfImmutable if_immutable_;
  std::set<std::string, std::less<>> left_;
  std::string refusal_;
  std::vector<WalIndexEntry> entries_;
  std::uint64_t count_ = 0;
};

}  // namespace

WalRemovalResult remove_planned_wal(const WalRemovalPlan& plan, WalIndex& index,
                                    storage::Storage& storage, const WalRemovalObserver& observer) {
  if (!plan.is_removing) return {};
  // A damaged index stops the removal before its first file, not in the middle.
  std::vector<LineRange> doomed =
      index.find_lines([&](const WalIndexLine& line) { return plan.removes(line.name); });
  if (doomed.empty()) return {};
  using IfImmutable = ObjectRemover::IfImmutable;
  ObjectRemover remover(storage, observer,
                        plan.leaves_immutable ? IfImmutable::leave : IfImmutable::fail);
  for (const LineRange& range : doomed) {
    index.for_each_of(range, [&](const WalIndexLine& line) { remover.add(line.entry()); });
  }
  remover.remove();
  const WalRemovalResult result = {.count = remover.count(),
                                   .left = {remover.left().begin(), remover.left().end()},
                                   .refusal = remover.refusal()};
  if (!remover.left().empty()) {
    doomed = index.find_lines([&](const WalIndexLine& line) {
      return plan.removes(line.name) && !remover.left().contains(line.name);
    });
    if (doomed.empty()) return result;
  }
  // Commit point: the lines go once their files are gone for good.
  try {
    index.cut_out(doomed);
  } catch (const SystemError& error) {
    // Lines of files that are gone do no harm, and go with the next removal.
    if (!is_out_of_space(error.error_number())) throw;
    log::warning(log::kCatalogueComponent, "{}: the lines of {} removed files stay for now",
                 error.describe(), result.count);
  }
  return result;
}

}  // namespace barman::wal_archive

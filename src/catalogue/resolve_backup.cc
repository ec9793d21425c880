// Of catalogue.h: what a word of a command stands for.
#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "base/nearest.h"
#include "catalogue/backup_order.h"
#include "catalogue/backup_word.h"
#include "catalogue/catalogue.h"
#include "catalogue/chain_doubt.h"
#include "catalogue/gone_backups.h"

namespace barman::catalogue {
namespace {

Error no_backups(std::string_view word, std::string_view server_name, std::size_t count) {
  const Error unknown = unknown_backup(word, server_name);
  const std::string there_are =
      count == 0 ? fmt::format("Server '{}' has no backups.", server_name)
                 : fmt::format(
                       "Server '{}' has no complete backup ('barman list-backups {}' shows "
                       "what became of the others).",
                       server_name, server_name);
  return {unknown.kind(), unknown.message(),
          fmt::format("{} Take one: 'barman backup {}'.", there_are, server_name)};
}

// nullptr when there is none.
template <typename Iterator, typename Predicate>
const BackupInfo* first_of(Iterator begin, Iterator end, const Predicate& matches) {
  const auto found =
      std::find_if(begin, end, [&](const BackupInfo* const backup) { return matches(*backup); });
  return found == end ? nullptr : *found;
}

const BackupInfo* find_named(const std::vector<BackupInfo>& backups, std::string_view name) {
  std::vector<const BackupInfo*> named;
  for (const BackupInfo& backup : backups) {
    if (backup.is_copy_done() && backup.backup_name == name) named.push_back(&backup);
  }
  if (named.size() <= 1) return named.empty() ? nullptr : named.front();
  std::string ids;
  for (const BackupInfo* const backup : named) ids += " " + backup->id.value;
  throw Error(
      ErrorKind::conflict,
      fmt::format("Multiple backups found matching name '{}' (try using backup ID instead):{}",
                  name, ids));
}

bool is_answer(const BackupInfo& backup, BackupWord word) {
  if (word == BackupWord::newest_failed) return backup.status == BackupStatus::failed;
  if (!backup.is_copy_done()) return false;
  if (word != BackupWord::newest_full) return true;
  return backup.type() == BackupType::full || backup.type() == BackupType::rsync;
}

std::string passed_over_text(const BackupInfo& backup, std::string_view doubt) {
  return fmt::format("Backup {} is passed over, it cannot be restored: {}.", backup.id.value,
                     doubt);
}

// The newest one of those that match that can be restored, or that matches at all. nullptr when
// none does.
const BackupInfo* find_newest_usable(const BackupList& list, const Annotations& annotations,
                                     const std::function<bool(const BackupInfo&)>& matches,
                                     std::vector<std::string>& passed_over) {
  const std::vector<const BackupInfo*> by_age = in_order_of_age(list.backups);
  const BackupInfo* newest = nullptr;
  for (auto next = by_age.rbegin(); next != by_age.rend(); ++next) {
    const BackupInfo& backup = **next;
    if (!matches(backup)) continue;
    const std::string doubt = find_chain_doubt(list.backups, annotations, backup);
    if (doubt.empty()) {
      for (const BackupInfo& gone : list.gone) {
        if (!(backup.id < gone.id) || !matches(gone)) continue;
        passed_over.push_back(
            passed_over_text(gone, "its directory and its WAL were removed by another program"));
      }
      return &backup;
    }
    if (newest == nullptr) newest = &backup;
    passed_over.push_back(passed_over_text(backup, doubt));
  }
  // What is wrong with it is told by who wants it.
  passed_over.clear();
  return newest;
}

// Two letters at most: IDs are like each other.
std::string nearest_backup(const BackupList& list, std::string_view word) {
  constexpr std::size_t kMost = 2;
  std::vector<std::string_view> known = {"latest", "last",        "latest-full", "last-full",
                                         "oldest", "last-failed", "first"};
  for (const BackupInfo& backup : list.backups) {
    known.emplace_back(backup.id.value);
    if (backup.backup_name) known.emplace_back(*backup.backup_name);
  }
  return did_you_mean(word, known, kMost);
}

}  // namespace

const BackupInfo& resolve_backup(const BackupList& list, const Annotations& annotations,
                                 std::string_view word, std::string_view server_name,
                                 std::vector<std::string>* passed_over, Unusable unusable) {
  const std::vector<BackupInfo>& backups = list.backups;
  const BackupInfo* found = nullptr;
  const std::optional<BackupWord> asked = parse_backup_word(word);
  const auto matches = [&](const BackupInfo& backup) {
    return is_answer(backup, *asked) && !annotations.being_deleted.contains(backup.id);
  };
  if (const std::optional<BackupId> id = parse_backup_id(word)) {
    found = list.find(*id);
    const BrokenBackup* const broken = list.find_broken(*id);
    if (found == nullptr && broken != nullptr) throw Error(ErrorKind::corrupt, broken->reason);
    if (const BackupInfo* const gone = list.find_gone(*id); found == nullptr && gone != nullptr) {
      throw Error(ErrorKind::not_found, unknown_backup(word, server_name).message(),
                  fmt::format("The {}.", describe_gone(*gone, server_name)));
    }
  } else if (asked == BackupWord::oldest) {
    const std::vector<const BackupInfo*> by_age = in_order_of_age(backups);
    found = first_of(by_age.begin(), by_age.end(), matches);
  } else if (unusable == Unusable::pass_over &&
             (asked == BackupWord::newest || asked == BackupWord::newest_full)) {
    std::vector<std::string> notes;
    found = find_newest_usable(list, annotations, matches, notes);
    if (passed_over != nullptr) *passed_over = std::move(notes);
  } else if (asked && asked != BackupWord::automatic) {
    const std::vector<const BackupInfo*> by_age = in_order_of_age(backups);
    found = first_of(by_age.rbegin(), by_age.rend(), matches);
  } else {
    found = find_named(backups, word);
  }
  if (found != nullptr) return *found;
  if (!asked) throw unknown_backup(word, server_name, nearest_backup(list, word));
  if (asked == BackupWord::newest_failed || !list.broken.empty()) {
    throw unknown_backup(word, server_name);
  }
  const bool has_any = std::any_of(backups.begin(), backups.end(),
                                   [](const BackupInfo& backup) { return backup.is_copy_done(); });
  if (has_any) throw unknown_backup(word, server_name);
  throw no_backups(word, server_name, backups.size());
}

}  // namespace barman::catalogue

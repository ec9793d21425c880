#include "catalogue/newest_backup.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "catalogue/backup_word.h"

namespace barman::catalogue {

bool asks_for_newest(std::string_view word) {
  const std::optional<BackupWord> asked = parse_backup_word(word);
  return asked == BackupWord::automatic || asked == BackupWord::newest ||
         asked == BackupWord::newest_full;
}

std::string passed_over_note(const BackupInfo& backup, const Branches& branches) {
  return fmt::format("Backup {} is passed over: {}.", backup.id.value,
                     describe_standing(branches.standing_of(backup)));
}

NewestBackup find_newest(const BackupList& list, const Annotations& annotations,
                         const Branches& branches, std::string_view word,
                         std::string_view server_name) {
  NewestBackup newest;
  newest.backup = resolve_backup(list, annotations, word, server_name, &newest.warnings);
  if (branches.counts(newest.backup)) return newest;
  BackupList living = {.backups = {}, .broken = list.broken};
  std::copy_if(list.backups.begin(), list.backups.end(), std::back_inserter(living.backups),
               [&](const BackupInfo& backup) { return branches.counts(backup); });
  try {
    NewestBackup other = {.backup = {}, .note = passed_over_note(newest.backup, branches)};
    other.backup = resolve_backup(living, annotations, word, server_name, &other.warnings);
    return other;
  } catch (const Error& error) {  // None leads to the present.
    if (error.kind() != ErrorKind::not_found) throw;
    return newest;
  }
}

}  // namespace barman::catalogue

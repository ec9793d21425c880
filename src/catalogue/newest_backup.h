// What the words for the newest backup mean in an archive with branches: the newest one that leads
// to the present. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "catalogue/branches.h"
#include "catalogue/catalogue.h"

namespace barman::catalogue {

// "auto", "latest", "last", "latest-full", "last-full".
bool asks_for_newest(std::string_view word);

struct NewestBackup {
  BackupInfo backup;
  // A newer one of another branch that was passed over, in a sentence; "" = none.
  std::string note;
  // The same of those that cannot be restored.
  std::vector<std::string> warnings = {};
};

// `word` as typed, but not "auto". When no backup leads to the present, the word means what it
// always means. Throws like resolve_backup().
NewestBackup find_newest(const BackupList& list, const Annotations& annotations,
                         const Branches& branches, std::string_view word,
                         std::string_view server_name);

// "Backup 20261121T014237 is passed over: abandoned at 0/3000158, where …."
std::string passed_over_note(const BackupInfo& backup, const Branches& branches);

}  // namespace barman::catalogue

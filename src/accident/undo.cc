#include "accident/undo.h"

#include "base/error.h"
#include "restore/choose_backup.h"
#include "restore/recovery_target.h"

namespace barman::accident {

void choose_backups(const catalogue::BackupList& list, const catalogue::Annotations& annotations,
                    const catalogue::Branches& branches, std::vector<Accident>& accidents) {
  for (Accident& accident : accidents) {
    restore::RecoveryTarget target;
    target.lsn = accident.stop_before;
    target.lsn_text = wal::format_lsn(accident.stop_before);
    target.exclusive = true;
    try {
      accident.backup_id =
          restore::choose_backup(list, annotations, target, branches).backup.id.value;
    } catch (const Error& error) {  // That there is none is an answer, too.
      if (error.kind() != ErrorKind::not_found) throw;
    }
  }
}

// An LSN is the one target that is right for all: a recovery to a transaction removes the files of
// a database that was dropped, whose record comes before the commit, and `auto` takes no
// transaction. Not paused: a paused recovery holds the locks of what drops or truncates a table.
std::vector<std::string> undo_words(const Accident& accident, const std::string& server) {
  return {"restore",      server,
          "auto",         kDestination,
          "--target-lsn", wal::format_lsn(accident.stop_before),
          "--exclusive",  "--target-action",
          "promote"};
}

}  // namespace barman::accident

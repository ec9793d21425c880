// What is done while PostgreSQL waits for the WAL of a backup to be archived.
#pragma once

#include "backup/backend_watch.h"
#include "base/progress.h"
#include "catalogue/backup_info.h"
#include "server/server.h"

namespace barman::backup {

enum class PrimaryCheckpoint { no, first };
// Only the primary of a standby can complete the segment that is waited for. A failure is a
// warning: the primary may complete it by itself.
void switch_on_primary(const server::Server& server, Messages& messages,
                       PrimaryCheckpoint checkpoint = PrimaryCheckpoint::no);

// Whether the primary has been asked already.
enum class PrimarySwitch { needed, done };

// The primary is made to complete the segment, at once and, with a checkpoint, after
// primary_checkpoint_timeout; and the metadata of the backup tell what it waits for.
class ArchiveHelp {
 public:
  // `info` is not changed by anybody meanwhile; whoever saves it next takes the text away.
  ArchiveHelp(const server::Server& server, const catalogue::BackupInfo& info, Messages& messages,
              PrimarySwitch primary_switch = PrimarySwitch::needed)
      : server_(server),
        info_(info),
        messages_(messages),
        has_switched_(primary_switch == PrimarySwitch::done) {}

  void look(const ArchiveWait& wait);
  // Its part for a standby.
  void help_standby(std::chrono::milliseconds duration);

 private:
  const server::Server& server_;
  const catalogue::BackupInfo& info_;
  Messages& messages_;
  bool has_switched_;
  bool has_forced_ = false;
};

}  // namespace barman::backup

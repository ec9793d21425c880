#include "client/recovery_end.h"

#include <unistd.h>

#include "base/hint.h"
#include "command_line/run_program.h"

namespace barman::client {

bool is_called_for_the_last_time() {
  return ::access("recovery.signal", F_OK) == 0 && !is_called_by_standby();
}

bool is_called_by_standby() { return ::access("standby.signal", F_OK) == 0; }

int stop_recovery() {
  // What has failed has been told.
  command_line::tell(
      hint_alone("Whether there is more WAL is not known, so PostgreSQL stops its recovery. Start "
                 "it again when the reason is gone; it goes on where it was."));
  return kExitStopRecovery;
}

}  // namespace barman::client

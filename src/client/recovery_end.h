// What a failed restore_command means to the PostgreSQL that has called it (decision 0008): exit
// codes from 1 to 125 are "there is no such file" to it, and a recovery that is no standby's ends
// there and begins to write.
#pragma once

namespace barman::client {

// PostgreSQL stops at codes above 125, and goes on when it is started again.
inline constexpr int kExitStopRecovery = 126;

// Whether the caller, whose data directory is the current one, would end its recovery at "no more
// WAL". A standby asks again.
bool is_called_for_the_last_time();

// Whether the caller's data directory, the current one, is a standby's: it asks again.
bool is_called_by_standby();

// Says on stderr why PostgreSQL stops; kExitStopRecovery.
int stop_recovery();

}  // namespace barman::client

// Processes of a server: those that hold its locks, and the children that cron starts.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/process.h"
#include "base/progress.h"
#include "catalogue/catalogue.h"
#include "server/server.h"

namespace barman::wal_transfer {

// SIGINT to the first process of this task ("receive-wal"), or the end of the systemd unit that it
// belongs to, then polls for ten seconds. Throws when there is none or it stays.
void terminate_process(const server::Server& server, const std::string& task, Messages& messages);

// `program -c configuration -q ARGUMENTS`.
std::vector<std::string> child_command(const server::Server& server,
                                       const std::vector<std::string>& arguments);
// The same as a process in its own session; its pid.
pid_t start_child(const server::Server& server, const std::vector<std::string>& arguments,
                  DaemonOutputs outputs);

// What cron does for the WAL of an active server, in children that it does not wait for:
// archive-wal, receive-wal (or its end when streaming is off; as a systemd unit where that is
// possible), check-backup for one backup (choose_for_wal_check() of backup_wals.h).
void run_wal_cron(const server::Server& server, catalogue::BackupListReader& backups,
                  DaemonOutputs outputs, Messages& messages);
// The last part of it.
void start_wal_check(const server::Server& server, catalogue::BackupListReader& backups,
                     DaemonOutputs outputs, Messages& messages);
// After a change of the configuration: ends a running receive-wal, and begins a new one when the
// server is active and streams. The new one has its lock when this returns, so that the next change
// finds it; one that cannot begin is waited for until it fails, at most five seconds.
void restart_receiver(const server::Server& server, Messages& messages);
// Whether a process `... receive-wal SERVER` of this configuration is there, with or without its
// lock yet.
bool is_receiver_starting(const server::Server& server);
// For an inactive server: ends its receive-wal. Silent when there is none.
void stop_receiver_of_inactive_server(const server::Server& server, Messages& messages);

}  // namespace barman::wal_transfer

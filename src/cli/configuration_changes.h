// Changes of the configuration by commands: the queue of config-update, and what follows a change.
#pragma once

#include <set>
#include <string>

#include "cli/command_context.h"

namespace barman::cli {

// The configuration as its files say now.
config::Configuration reload_configuration(const CommandContext& context);

// Writes the queued changes to the automatic file and takes them out of the queue, set by set. A
// set that can never be written is reported and dropped, one that cannot be written now is reported
// and stays; the others are written all the same. Returns the names of the changed sections. The
// caller holds the lock of `.config-update.lock`.
std::set<std::string> apply_queued_changes(CommandContext& context);

// After a change: receive-wal of the server begins anew with the configuration of `context`, which
// must be a fresh one. A receiver of a server that has become unusable goes on.
void restart_receiver(CommandContext& context, const std::string& server_name);
// The same for each server that a change of these sections (servers or models) concerns.
void restart_receivers(CommandContext& context, const std::set<std::string>& sections);

}  // namespace barman::cli

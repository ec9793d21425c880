// The recovery target as the options of a command line say it: those of `barman restore` and of
// `barman-cloud-restore` are the same (--target-time, -xid, -lsn, -name, -immediate, -tli, -action,
// --exclusive).
#pragma once

#include <optional>

#include "command_line/parsed_arguments.h"
#include "restore/restore_request.h"
#include "wal/timeline_target.h"

namespace barman::restore {

// Throws `usage` for a timeline that is none.
std::optional<wal::TimelineTarget> read_timeline_target(
    const command_line::ParsedArguments& arguments);
TargetRequest read_target(const command_line::ParsedArguments& arguments);

}  // namespace barman::restore

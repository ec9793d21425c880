// How a run ends, and how errors are told.
#pragma once

#include <string_view>

#include "base/error.h"
#include "base/progress.h"
#include "command_line/parsed_arguments.h"

namespace barman::cli {

inline constexpr int kExitSuccess = 0;
inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;
// get-wal: invalid WAL name, or the output file cannot be opened.
inline constexpr int kExitBadWalRequest = 3;
// get-wal where no recovery waits for its output: whether the file is there is not known, or it
// cannot be handed out.
inline constexpr int kExitWalUnreadable = 4;

// What errors of this command end with: 1, and for one whose output may be what a recovery waits
// for, a code at which PostgreSQL stops (decision 0008). Then 1 says one thing only: the file is
// not there.
int failure_code(std::string_view command, const command_line::ParsedArguments& arguments);

// "ERROR: text" (+ "HINT: …") for what can happen, "EXCEPTION: text" for what should not.
void report_error(Messages& messages, const Error& error);

}  // namespace barman::cli

// How a run ends, and how errors are told.
#pragma once

#include "base/error.h"
#include "base/progress.h"

namespace barman::cli {

inline constexpr int kExitSuccess = 0;
inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;
// get-wal: invalid WAL name, or the output file cannot be opened.
inline constexpr int kExitBadWalRequest = 3;
// get-wal: whether the file is there is not known, or it cannot be handed out. Not what "it is not
// there" is told with: for PostgreSQL that is the end of the WAL.
inline constexpr int kExitWalUnreadable = 4;

// "ERROR: text" (+ "HINT: …") for what can happen, "EXCEPTION: text" for what should not.
void report_error(Messages& messages, const Error& error);

}  // namespace barman::cli

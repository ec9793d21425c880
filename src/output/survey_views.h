// Results of `catalogue-check`; not a part of Barman's interface.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "output/reporter.h"
#include "verify/survey.h"

namespace barman::output {

// Text: what can be recovered, then the findings. JSON: {server: {"status": "ok" or "damaged",
// "backups", "wal_files", "wal_size_bytes", "continuous": bool, "windows": [{"timeline",
// "first_backup", "backups", "from_time", "from_lsn", "to_segment", "to_lsn", "to_time"}], "holes":
// [{"first", "last", "count", "expected"}], "findings": [{"severity", "object", "reason",
// "next_step"}]}}.
void write_survey(Reporter& reporter, std::string_view server, const verify::SurveyReport& report);

// The branches of an archive as lines of a tree: "|-" before a branch that others of its parent
// follow, "`-" before the last.
std::vector<std::string> branch_lines(const std::vector<catalogue::BranchRow>& rows);

}  // namespace barman::output

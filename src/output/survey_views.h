// Results of `catalogue-check`; not a part of Barman's interface.
#pragma once

#include <string_view>

#include "check/survey.h"
#include "output/reporter.h"

namespace barman::output {

// Text: what can be recovered, then the findings. JSON: {server: {"status": "ok" or "damaged",
// "backups", "wal_files", "wal_size_bytes", "continuous": bool, "windows": [{"timeline",
// "first_backup", "backups", "from_time", "from_lsn", "to_segment", "to_lsn", "to_time"}], "holes":
// [{"first", "last", "count", "expected"}], "findings": [{"severity", "object", "reason",
// "next_step"}]}}.
void write_survey(Reporter& reporter, std::string_view server, const check::SurveyReport& report);

}  // namespace barman::output

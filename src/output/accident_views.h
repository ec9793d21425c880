// Results of `find-accident`; not a part of Barman's interface.
#pragma once

#include <string>

#include "accident/find_accidents.h"
#include "output/reporter.h"

namespace barman::output {

struct AccidentQuestion {
  // Somebody named a time; else it is the last day.
  bool names_time = false;
  accident::AccidentFilter filter;
  // What lost nothing is told, too.
  bool shows_all = false;
};

// Text: each accident with what it hit and the command that restores the moment before it. JSON:
// {server: {"from", "to", "min_rows", "first_segment", "last_segment", "segments", "counted_from",
// "accidents": [{"kind": "dropped" | "truncated" | "rewritten" | "rows_changed" |
// "database_dropped", "time", "lsn", "timeline", "xid", "database_oid", "database", "deleted_rows",
// "updated_rows", "dropped_files", "created_files", "known_size_bytes", "relations": [{"file",
// "name", "kind", "dropped", "deleted_rows", "updated_rows", "size_bytes"}], "backup", "command":
// [words]}], "unread": [texts], "beyond": [texts]}}. What is not known is null. Of truncated
// relations that the backup does not know the server may tell the names: they are listed by the
// file that they have since.
void write_accidents(Reporter& reporter, const std::string& server,
                     const accident::AccidentReport& report, const AccidentQuestion& question);

}  // namespace barman::output

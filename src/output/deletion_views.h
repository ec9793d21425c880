// Results of the dry runs of `delete` and `cron`: what stays and why, what would go and why. Not a
// part of Barman's interface.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "backup/deletion_preview.h"
#include "output/reporter.h"

namespace barman::output {

struct PolicyText {
  // "REDUNDANCY 2"; nullopt without a policy.
  std::optional<std::string> policy;
  // nullopt: what stands in the configuration is not understood.
  std::optional<std::uint64_t> minimum_redundancy = 0;
};

// JSON: {server: {"dry_run": true, "retention_policy", "minimum_redundancy", "backups":
// [{"backup_id", "action": "keep", "delete" or "wait", "retention_status", "reason"}], "wal":
// {"delete": [{"first", "last", "count", "size_bytes", "size"}], "keep": {"count", "size_bytes",
// "size", "reasons"}}}}.
void write_deletion_preview(Reporter& reporter, std::string_view server, const PolicyText& policy,
                            const backup::DeletionPreview& preview);

}  // namespace barman::output

#include "output/deletion_views.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "output/size_text.h"

namespace barman::output {
namespace {

using Action = backup::BackupFate::Action;

std::string_view action_text(Action action) {
  switch (action) {
    case Action::remove:
      return "delete";
    case Action::wait:
      return "wait";
    case Action::keep:
      break;
  }
  return "keep";
}

std::string files_text(std::uint64_t count, std::uint64_t size_bytes) {
  return fmt::format("{} file{}, {}", count, count == 1 ? "" : "s", size_text(size_bytes));
}

JsonValue backups_json(const backup::DeletionPreview& preview) {
  JsonValue backups = JsonValue::array();
  for (const backup::BackupFate& fate : preview.backups) {
    JsonValue entry = JsonValue::object();
    entry.add("backup_id", fate.id.value);
    entry.add("action", action_text(fate.action));
    entry.add("retention_status", catalogue::retention_text(fate.status));
    entry.add("reason", fate.reason);
    backups.push_back(std::move(entry));
  }
  return backups;
}

JsonValue wal_json(const backup::DeletionPreview& preview) {
  JsonValue removed = JsonValue::array();
  for (const backup::WalRun& run : preview.removed_wal) {
    JsonValue entry = JsonValue::object();
    entry.add("first", run.first);
    entry.add("last", run.last);
    entry.add("count", run.count);
    entry.add("size_bytes", run.size_bytes);
    entry.add("size", size_text(run.size_bytes));
    removed.push_back(std::move(entry));
  }
  JsonValue kept = JsonValue::object();
  kept.add("count", preview.kept_wal_count);
  kept.add("size_bytes", preview.kept_wal_size_bytes);
  kept.add("size", size_text(preview.kept_wal_size_bytes));
  kept.add("reasons", preview.wal_reasons);
  JsonValue wal = JsonValue::object();
  wal.add("delete", std::move(removed));
  wal.add("keep", std::move(kept));
  return wal;
}

void write_text(Reporter& reporter, std::string_view server, const PolicyText& policy,
                const backup::DeletionPreview& preview) {
  reporter.result_line(fmt::format("Dry run for server {}: nothing is changed", server));
  reporter.result_line(
      fmt::format("\tRetention policy: {}, minimum redundancy: {}", policy.policy.value_or("none"),
                  policy.minimum_redundancy ? fmt::to_string(*policy.minimum_redundancy)
                                            : "not understood, so nothing is deleted"));
  if (preview.backups.empty()) reporter.result_line("\tNo backups");
  std::size_t id_width = 0;
  for (const auto& fate : preview.backups) id_width = std::max(id_width, fate.id.value.size());
  for (const backup::BackupFate& fate : preview.backups) {
    reporter.result_line(fmt::format("\t{:<6}  {:<{}}  {:<15}  {}", action_text(fate.action),
                                     fate.id.value, id_width,
                                     catalogue::retention_text(fate.status), fate.reason));
  }
  for (const backup::WalRun& run : preview.removed_wal) {
    const std::string range =
        run.first == run.last ? run.first : fmt::format("{} to {}", run.first, run.last);
    reporter.result_line(
        fmt::format("\tdelete  WAL {}: {}", range, files_text(run.count, run.size_bytes)));
  }
  reporter.result_line(fmt::format(
      "\tkeep    WAL: {}{}{}", files_text(preview.kept_wal_count, preview.kept_wal_size_bytes),
      preview.wal_reasons.empty() ? "" : ": ", join(preview.wal_reasons, "; ")));
}

}  // namespace

void write_deletion_preview(Reporter& reporter, std::string_view server, const PolicyText& policy,
                            const backup::DeletionPreview& preview) {
  write_text(reporter, server, policy, preview);
  JsonValue document = JsonValue::object();
  document.add("dry_run", true);
  document.add("retention_policy", JsonValue(policy.policy));
  document.add("minimum_redundancy", JsonValue(policy.minimum_redundancy));
  document.add("backups", backups_json(preview));
  document.add("wal", wal_json(preview));
  reporter.add_json(server, std::move(document));
}

}  // namespace barman::output

#include <algorithm>
#include <thread>

#include <fmt/format.h>

#include "base/hint.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "cli/shown_work.h"
#include "verify/verify_backup.h"

namespace barman::cli {
namespace {

constexpr std::size_t kMaxBackupWorkers = 8;
constexpr std::size_t kMaxShownFindings = 100;

void tell_report(const verify::VerifyReport& report, const std::string& server_name,
                 const catalogue::BackupId& id, const std::filesystem::path& directory,
                 output::Reporter& reporter) {
  reporter.info(fmt::format("Checked {} files ({}, {} pages) and {} WAL files ({} records)",
                            report.file_count,
                            human_size(static_cast<std::int64_t>(report.size_bytes)),
                            report.page_count, report.wal_count, report.record_count));
  if (report.is_good()) {
    reporter.info("backup successfully verified");
    return;
  }
  reporter.error(fmt::format("verify backup failure on directory '{}'", directory.string()));
  std::vector<std::string> lines;
  const std::size_t shown = std::min(report.findings.size(), kMaxShownFindings);
  for (std::size_t i = 0; i < shown; ++i) lines.push_back(report.findings[i].text);
  if (report.finding_count > shown) {
    lines.push_back(fmt::format("... and {} more", report.finding_count - shown));
  }
  const std::string hint =
      report.lacks_manifest_only()
          ? fmt::format(
                "Nothing is known to be wrong with this backup, but its files cannot be "
                "verified. Try 'barman generate-manifest {} {}': later changes are found "
                "from then on.",
                server_name, id.value)
          : "Do not rely on this backup: take a new one. 'catalogue-check' tells what can be "
            "recovered with the others.";
  lines.back() = with_hint(lines.back(), hint);
  for (const std::string& line : lines) reporter.error(line);
}

}  // namespace

void run_verify_backup(CommandContext& context) {
  const config::ServerConfig* config = select_server(context);
  if (config == nullptr) return;
  const server::Server server = make_server(context, *config);
  const std::string& word = context.arguments.get("backup_id");
  const catalogue::BackupInfo backup = server.catalogue().resolve_to_judge(word);
  context.reporter.info(fmt::format("Verifying backup '{}' on server {}", word, server.name()));
  if (backup.status == catalogue::BackupStatus::waiting_for_wals) {
    context.reporter.warning(
        fmt::format("backup {} waits for WAL; only what is archived is verified", backup.id.value));
  }
  const auto workers =
      std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, kMaxBackupWorkers);
  const ShownWork work = {
      .task = "verify-backup",
      .object = "of " + backup.id.value,
      .remains = fmt::format("Nothing was changed, and no verdict was reached: 'barman "
                             "verify-backup {} {}' begins anew.",
                             server.name(), backup.id.value)};
  const verify::VerifyReport report = run_shown(context, server, work, [&](Progress& progress) {
    return verify::verify_backup(server, backup, workers, progress);
  });
  tell_report(report, server.name(), backup.id, server.catalogue().data_directory(backup.id),
              context.reporter);
}

}  // namespace barman::cli

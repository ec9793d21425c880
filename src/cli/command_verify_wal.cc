#include <algorithm>
#include <thread>

#include <fmt/format.h>

#include "base/hint.h"
#include "catalogue/minimal_wal.h"
#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "cli/shown_work.h"
#include "facts/backup_facts.h"
#include "output/survey_views.h"
#include "verify/gather_survey.h"
#include "verify/survey.h"
#include "verify/verify_archive.h"
#include "wal_archive/wal_range.h"

namespace barman::cli {
namespace {

constexpr std::size_t kMaxWorkers = 8;
constexpr std::size_t kMaxShown = 100;

// Segment size and system of the newest usable backup.
verify::VerifyWalRequest make_archive_request(CommandContext& context,
                                              const server::Server& server) {
  const std::vector<catalogue::BackupInfo> backups =
      facts::list_readable_backups(context.reporter, server);
  const auto newest =
      std::find_if(backups.rbegin(), backups.rend(),
                   [](const catalogue::BackupInfo& backup) { return backup.is_copy_done(); });
  if (newest == backups.rend()) {
    throw Error(ErrorKind::not_found,
                fmt::format("No backup found for server '{}': cannot "
                            "determine WAL segment size",
                            server.name()),
                fmt::format("Take one: barman backup {}.", server.name()));
  }
  const ParsedArguments& arguments = context.arguments;
  verify::VerifyWalRequest request = {
      .segment_size = newest->xlog_segment_size,
      .system_id = verify::find_system_id(*newest),
      .server_major = verify::find_server_major(*newest),
      .first = arguments.find("from"),
      .last = arguments.find("to"),
      .worker_count = std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, kMaxWorkers)};
  for (const std::optional<std::string>& name : {request.first, request.last}) {
    if (!name || wal::parse_segment_name(*name, request.segment_size)) continue;
    throw Error(ErrorKind::usage, "Invalid WAL segment name: " + *name,
                "Give 24 hexadecimal digits, as 'barman list-files' shows them.");
  }
  return request;
}

bool is_asked_for(const verify::VerifyWalRequest& request, const verify::WalHole& hole) {
  return (!request.first || *request.first <= hole.last) &&
         (!request.last || hole.first <= *request.last);
}

// " (timeline 1 was left at 0/3000158 for timeline 2)" behind what the present does not need.
std::string branch_note(const verify::SurveyReport& survey, const std::string& name,
                        wal::SegmentSize size) {
  const auto segment = wal::parse_segment_name(name, size);
  const std::string text =
      segment ? catalogue::describe_abandoned(survey.branches, *segment, size) : "";
  return text.empty() ? "" : " (" + text + ")";
}

// Those in front of which the recovery of a backup ends. WAL around backups that are kept for ever
// may be missing.
std::size_t tell_holes(const verify::SurveyReport& survey, const verify::VerifyWalRequest& request,
                       output::Reporter& reporter) {
  std::size_t count = 0;
  for (const verify::WalHole& hole : survey.holes) {
    if (hole.is_expected || !is_asked_for(request, hole)) continue;
    if (++count > kMaxShown) continue;
    reporter.error(
        fmt::format("WAL is missing from {} to {}: recovery from the backups before it "
                    "ends there{}",
                    hole.first, hole.last, branch_note(survey, hole.last, request.segment_size)));
  }
  return count;
}

void tell_minimal(const verify::ArchiveVerdict& verdict, output::Reporter& reporter) {
  for (const catalogue::MinimalWal& place : verdict.minimal) {
    reporter.error(with_hint(
        fmt::format("The server ran with wal_level = minimal from {} on (WAL file '{}'): changes "
                    "without WAL were made then, and no backup taken before can be recovered "
                    "beyond {}",
                    wal::format_lsn(place.begin), place.segment,
                    wal::format_lsn(place.last_good_record)),
        "Set wal_level = replica for good, and take a new backup."));
  }
}

void tell_gaps(const verify::ArchiveVerdict& verdict, const verify::SurveyReport& survey,
               wal::SegmentSize size, output::Reporter& reporter) {
  for (const std::string& line : output::branch_lines(survey.branches)) {
    reporter.info("Branches: " + line);
  }
  for (const verify::WalGap& gap : verdict.gaps) {
    const std::string note = branch_note(survey, gap.last, size);
    reporter.info(gap.count == 1 ? fmt::format("Gap: {} is not archived{}", gap.first, note)
                                 : fmt::format("Gap: {} to {} are not archived ({} segments){}",
                                               gap.first, gap.last, gap.count, note));
  }
}

void tell_verdict(const verify::ArchiveVerdict& verdict, std::size_t hole_count,
                  output::Reporter& reporter) {
  reporter.info(
      fmt::format("Checked {} WAL files ({} records)", verdict.wal_count, verdict.record_count));
  if (hole_count > 0) {
    reporter.error(with_hint(
        fmt::format("{} gaps in the WAL archive", hole_count),
        "Look for the files in PostgreSQL's pg_wal and in errors/; otherwise take a new backup. "
        "'catalogue-check' tells what can be recovered."));
  }
  if (verdict.findings.empty()) {
    if (hole_count == 0 && verdict.minimal.empty()) {
      reporter.info("WAL archive successfully verified");
    }
    return;
  }
  for (std::size_t i = 0; i < std::min(verdict.findings.size(), kMaxShown); ++i) {
    reporter.error(verdict.findings[i].text);
  }
  reporter.error(with_hint(
      fmt::format("{} WAL files are damaged", verdict.findings.size()),
      "Recovery ends in front of a damaged file. Put an intact copy in its place, or take a new "
      "backup; 'catalogue-check' tells what can be recovered."));
}

}  // namespace

void run_verify_wal(CommandContext& context) {
  const config::ServerConfig* config = select_server(context);
  if (config == nullptr) return;
  const server::Server server = make_server(context, *config);
  const verify::VerifyWalRequest request = make_archive_request(context, server);
  context.reporter.info("Verifying the WAL archive of server " + server.name());
  const ShownWork work = {
      .task = "verify-wal",
      .object = "",
      .remains = fmt::format("Nothing was changed, and no verdict was reached: 'barman verify-wal "
                             "{}' begins anew; --from and --to read a part of the archive.",
                             server.name())};
  const verify::ArchiveVerdict verdict = run_shown(context, server, work, [&](Progress& progress) {
    return verify::verify_wal_archive(server, request, progress);
  });
  catalogue::note_minimal_wal(server.locations().backup_directory, verdict.minimal);
  tell_minimal(verdict, context.reporter);
  const verify::SurveyReport survey = telling_what_remains(
      work.remains, [&] { return verify::survey_catalogue(verify::gather_wal_survey(server)); });
  const std::size_t hole_count = tell_holes(survey, request, context.reporter);
  tell_gaps(verdict, survey, request.segment_size, context.reporter);
  tell_verdict(verdict, hole_count, context.reporter);
}

}  // namespace barman::cli

#include "check/gather_survey.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "archive/read_branches.h"

namespace barman::check {
namespace {

namespace fs = std::filesystem;
using catalogue::BackupInfo;
using verify::VerifyDepth;
using Severity = Finding::Severity;

constexpr std::size_t kReaders = 4;
// Of one backup; the rest is counted.
constexpr std::size_t kShownFiles = 10;
// The first version with a manifest.
constexpr int kFirstWithManifest = 130000;

bool has_plain_files(const BackupInfo& info) {
  return info.type() != catalogue::BackupType::snapshot &&
         (!info.compression || *info.compression == "none") &&
         (!info.encryption || *info.encryption == "none");
}

std::string object_of(const BackupInfo& info) { return "backup " + info.id.value; }

void add_damage(SurveyedBackup& backup, std::string reason) {
  backup.damage.push_back({Severity::error, object_of(backup.info), std::move(reason),
                           "Do not rely on this backup: take a new one, and look at the disk."});
}

void compare_with_manifest(const server::Server& server, VerifyDepth depth, Progress& progress,
                           SurveyedBackup& backup) {
  const verify::VerifyReport report =
      verify::verify_files(server, backup.info, depth, kReaders, progress);
  const std::size_t shown = std::min(kShownFiles, report.findings.size());
  for (std::size_t i = 0; i < shown; ++i) add_damage(backup, report.findings[i].text);
  if (report.finding_count > shown) {
    add_damage(backup, fmt::format("{} more files are damaged", report.finding_count - shown));
  }
}

wal::SegmentSize segment_size_of(const std::vector<BackupInfo>& backups) {
  return backups.empty() ? wal::SegmentSize{} : backups.back().xlog_segment_size;
}

}  // namespace

void survey_backup_files(const server::Server& server, VerifyDepth depth, Progress& progress,
                         SurveyedBackup& backup) {
  const BackupInfo& info = backup.info;
  const catalogue::Catalogue& catalogue = server.catalogue();
  if (!info.is_copy_done() || backup.is_being_deleted ||
      info.type() == catalogue::BackupType::snapshot) {
    return;
  }
  const fs::path data = catalogue.data_directory(info.id);
  std::error_code code;
  if (!fs::is_directory(data, code)) {
    return add_damage(backup, "its directory \"" + data.string() + "\" does not exist");
  }
  if (!has_plain_files(info)) {
    if (fs::is_empty(data, code)) {
      add_damage(backup, "its directory \"" + data.string() + "\" is empty");
    }
    return;
  }
  for (const catalogue::Tablespace& tablespace : info.tablespaces) {
    if (!fs::is_directory(catalogue.tablespace_directory(info.id, tablespace.oid), code)) {
      add_damage(backup, fmt::format("the directory of tablespace {} ({}) is missing",
                                     tablespace.name, tablespace.oid));
    }
  }
  if (fs::exists(data / "backup_manifest", code)) {
    return compare_with_manifest(server, depth, progress, backup);
  }
  if (info.mode == "postgres" && info.version.value_or(0) >= kFirstWithManifest) {
    add_damage(backup, "its backup_manifest is missing");
  }
  for (const char* const name : {"PG_VERSION", "global/pg_control"}) {
    if (!fs::exists(data / name, code)) add_damage(backup, std::string(name) + " is missing");
  }
}

SurveyFacts gather_survey(const server::Server& server, VerifyDepth depth, Progress& progress) {
  const catalogue::Catalogue& catalogue = server.catalogue();
  catalogue::BackupList list = catalogue.list_backups();
  const catalogue::Annotations annotations = catalogue.list_annotations();
  SurveyFacts facts = {.server_name = server.name(),
                       .segment_size = segment_size_of(list.backups),
                       .broken = std::move(list.broken)};
  survey_wal_archive(server.locations(), archive::WalCoding(server.config()), server.interrupt(),
                     facts);
  facts.branches = archive::read_branches(server, facts.segment_size);
  std::uint64_t total_bytes = 0;
  for (const BackupInfo& info : list.backups) {
    total_bytes += static_cast<std::uint64_t>(std::max<std::int64_t>(0, info.size.value_or(0)));
  }
  if (depth == VerifyDepth::checksums) progress.begin("Checksums of backups", total_bytes);
  for (BackupInfo& info : list.backups) {
    SurveyedBackup backup = {.info = std::move(info)};
    const auto keep = annotations.keeps.find(backup.info.id);
    if (keep != annotations.keeps.end()) backup.keep = keep->second;
    backup.is_being_deleted = annotations.being_deleted.contains(backup.info.id);
    survey_backup_files(server, depth, progress, backup);
    facts.backups.push_back(std::move(backup));
  }
  if (depth == VerifyDepth::checksums) progress.end();
  return facts;
}

}  // namespace barman::check

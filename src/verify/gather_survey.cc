#include "verify/gather_survey.h"

#include <sys/stat.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "base/directory.h"
#include "base/error.h"
#include "base/fd.h"
#include "catalogue/backup_kind.h"
#include "catalogue/cloud_catalogue.h"
#include "catalogue/gone_backups.h"
#include "postgres/versions.h"
#include "stored/archive_file.h"
#include "stored/backup_store.h"
#include "stored/backup_writer.h"
#include "stored/own_manifest.h"
#include "stored/restorable.h"
#include "verify/window_end.h"
#include "wal/wal_file_name.h"
#include "wal_archive/read_branches.h"
#include "wal_archive/wal_archive.h"

namespace barman::verify {
namespace {

namespace fs = std::filesystem;
using catalogue::BackupInfo;
using verify::VerifyDepth;

constexpr std::size_t kReaders = 4;
// Of one backup; the rest is counted.
constexpr std::size_t kShownFiles = 10;
// The first version with a manifest.
constexpr int kFirstWithManifest = postgres::kVersion13;

bool has_plain_files(const BackupInfo& info) {
  return info.type() != catalogue::BackupType::snapshot &&
         catalogue::stored_form_of(info) == catalogue::StoredForm::plain;
}

std::string damaged_backup(const BackupInfo& info) { return "backup " + info.id.value; }

constexpr const char* kLookAtDisk =
    "Do not rely on this backup: take a new one, and look at the disk.";
constexpr const char* kLookAtBucket =
    "Do not rely on this backup: take a new one, and find out who deletes in the bucket (its "
    "lifecycle rules, other hosts with keys); versions that it keeps can be brought back.";

void add_damage(SurveyedBackup& backup, std::string reason,
                const std::string& next_step = kLookAtDisk) {
  backup.damage.push_back(
      {Finding::Severity::error, damaged_backup(backup.info), std::move(reason), next_step});
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

bool is_there(const fs::path& path) { return find_status(path).has_value(); }

bool has_directory(const fs::path& path) {
  const auto status = find_status(path);
  return status && S_ISDIR(status->st_mode);
}

// A DONE that cannot be restored is found without reading much: each archive is there and holds
// something. The rest is what verify-backup does.
void survey_archives(const server::Server& server, VerifyDepth depth, Progress& progress,
                     SurveyedBackup& backup) {
  const BackupInfo& info = backup.info;
  const fs::path data = server.catalogue().data_directory(info.id);
  const auto look_at = [&](std::uint32_t oid, const std::string& what) {
    const auto archive = stored::find_archive(data, oid);
    if (!archive) {
      add_damage(backup, fmt::format("the archive of {} (\"{}.tar\" with a suffix) is missing",
                                     what, (data / stored::archive_stem(oid)).string()));
    } else if (const auto status = find_status(archive->path); !status || status->st_size == 0) {
      add_damage(backup,
                 fmt::format("the archive of {} (\"{}\") is empty", what, archive->path.string()));
    }
  };
  look_at(0, "the data directory");
  for (const catalogue::Tablespace& tablespace : info.tablespaces) {
    look_at(tablespace.oid, fmt::format("tablespace {} ({})", tablespace.name, tablespace.oid));
  }
  const bool has_manifest = is_there(stored::manifest_in(data));
  if (!has_manifest && catalogue::source_of(info) == catalogue::SourceKind::postgres_stream &&
      info.version.value_or(0) >= kFirstWithManifest) {
    add_damage(backup, "its backup_manifest is missing");
  }
  if (!backup.damage.empty()) return;
  if (depth == VerifyDepth::sizes || !has_manifest) {
    backup.not_looked_at = has_manifest ? "archives are there and were not read (--deep reads them)"
                                        : "archives are there, and no manifest tells what they "
                                          "must hold";
    return;
  }
  try {
    compare_with_manifest(server, depth, progress, backup);
  } catch (const Error& error) {  // Without key or passphrase nothing is known.
    if (error.kind() != ErrorKind::config) throw;
    backup.not_looked_at = error.describe();
  }
}

// Each archive is there; what is in them is read with --deep only.
void survey_bucket(const server::Server& server, VerifyDepth depth, Progress& progress,
                   SurveyedBackup& backup) {
  if (!backup.objects) {
    backup.objects = server.catalogue().bucket()->list_objects(backup.info.id);
  }
  const std::string problem = catalogue::find_archive_problem(backup.info, *backup.objects);
  if (!problem.empty()) {
    const std::string place = server.catalogue().shown_directory(backup.info.id);
    return add_damage(backup, fmt::format("it {} in the bucket, below \"{}/\"", problem, place),
                      kLookAtBucket);
  }
  const bool has_manifest =
      std::ranges::find(backup.objects->other_names, std::string(catalogue::kManifestObject)) !=
      backup.objects->other_names.end();
  if (depth == VerifyDepth::sizes || !has_manifest) {
    backup.not_looked_at = has_manifest ? "archives are there and were not read (--deep reads them)"
                                        : "archives are there, and no manifest tells what they "
                                          "must hold";
    return;
  }
  compare_with_manifest(server, depth, progress, backup);
}

wal::SegmentSize segment_size_of(const std::vector<BackupInfo>& backups) {
  return backups.empty() ? wal::SegmentSize{} : backups.back().xlog_segment_size;
}

void add_archive(const server::Server& server, SurveyFacts& facts) {
  wal_archive::ArchiveCheck archive =
      wal_archive::WalArchive(server).check(facts.segment_size, server.interrupt());
  facts.segments = std::move(archive.segments);
  facts.histories = std::move(archive.histories);
  facts.unread_histories = std::move(archive.unread_histories);
  facts.wal_count = archive.file_count;
  facts.wal_size_bytes = archive.size_bytes;
  for (wal_archive::ArchiveDamage& damage : archive.damage) {
    using Severity = Finding::Severity;
    facts.wal_damage.push_back({.severity = damage.is_harmless ? Severity::notice : Severity::error,
                                .object = std::move(damage.object),
                                .reason = std::move(damage.reason),
                                .next_step = std::move(damage.next_step)});
  }
}

void add_identity(const server::Server& server, SurveyFacts& facts) {
  try {
    static_cast<void>(server.catalogue().find_identity());
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    facts.catalogue_damage.push_back({.object = "identity of the cluster",
                                      .reason = error.describe(),
                                      .next_step = error.hint().empty()
                                                       ? "Let the user that runs barman read it."
                                                       : error.hint()});
  }
}

void survey_files(const server::Server& server, VerifyDepth depth, Progress& progress,
                  SurveyedBackup& backup) {
  const BackupInfo& info = backup.info;
  const catalogue::Catalogue& catalogue = server.catalogue();
  if (!info.is_copy_done() || backup.is_being_deleted) return;
  if (info.type() == catalogue::BackupType::snapshot) {
    backup.not_looked_at = "the disks of a snapshot are at the cloud provider";
    return;
  }
  if (!server.locations().has_local_backups) {
    return survey_bucket(server, depth, progress, backup);
  }
  const fs::path data = catalogue.data_directory(info.id);
  if (!has_directory(data)) {
    return add_damage(backup, "its directory \"" + data.string() + "\" does not exist");
  }
  if (!has_plain_files(info)) {
    return survey_archives(server, depth, progress, backup);
  }
  for (const catalogue::Tablespace& tablespace : info.tablespaces) {
    if (!has_directory(catalogue.tablespace_directory(info.id, tablespace.oid))) {
      add_damage(backup, fmt::format("the directory of tablespace {} ({}) is missing",
                                     tablespace.name, tablespace.oid));
    }
  }
  if (stored::has_own_manifest(info, stored::manifest_in(data))) {
    compare_with_manifest(server, depth, progress, backup);
    if (depth == VerifyDepth::sizes) {
      backup.not_looked_at =
          "files are there with their sizes and were not read (--deep reads them)";
    }
    return;
  }
  backup.not_looked_at = "no manifest tells which files must be there";
  if (catalogue::source_of(info) == catalogue::SourceKind::postgres_stream &&
      info.version.value_or(0) >= kFirstWithManifest) {
    add_damage(backup, "its backup_manifest is missing");
  }
  for (const char* const name : {"PG_VERSION", "global/pg_control"}) {
    if (!is_there(data / name)) add_damage(backup, std::string(name) + " is missing");
  }
}

}  // namespace

void survey_backup_files(const server::Server& server, VerifyDepth depth, Progress& progress,
                         SurveyedBackup& backup) {
  try {
    survey_files(server, depth, progress, backup);
  } catch (const SystemError& error) {  // Damage of this backup; the others are looked at.
    add_damage(backup, error.describe());
  }
}

namespace {

void add_received(const fs::path& directory, SurveyFacts& facts) {
  for (const std::string& name : list_directory(directory)) {
    const auto parsed = wal::parse_wal_file_name(name);
    const bool is_segment = parsed && (parsed->kind == wal::WalFileKind::segment ||
                                       parsed->kind == wal::WalFileKind::partial);
    if (!is_segment) continue;
    const auto segment = wal::parse_segment_name(
        std::string_view(name).substr(0, wal::kSegmentNameLength), facts.segment_size);
    // Gone meanwhile: it was archived.
    const auto status = find_status(directory / name);
    if (!segment || !status || status->st_size <= 0) continue;
    ReceivedSegment& known = facts.received[segment->timeline][segment->number];
    const auto size = static_cast<std::uint64_t>(status->st_size);
    if (size <= known.size_bytes) continue;
    known = {.file_name = name,
             .size_bytes = std::min(size, facts.segment_size.bytes),
             .mtime = static_cast<double>(status->st_mtim.tv_sec)};
  }
}

// What can be recovered without them is told all the same.
void add_received(const catalogue::CatalogueLocations& locations, SurveyFacts& facts) {
  if (!locations.has_local_wals) return;
  for (const fs::path& directory : {locations.streaming_directory, locations.incoming_directory}) {
    try {
      add_received(directory, facts);
    } catch (const SystemError& error) {
      facts.stopped_wal.push_back(
          {.object = "received WAL",
           .reason = error.describe(),
           .next_step = error.hint().empty() ? "Look at that directory." : error.hint()});
    }
  }
}

}  // namespace

SurveyFacts gather_wal_survey(const server::Server& server) {
  const catalogue::Catalogue& catalogue = server.catalogue();
  const catalogue::CatalogueLocations& locations = server.locations();
  catalogue::KnownBackups known = catalogue.load();
  catalogue::BackupList& list = known.list;
  const catalogue::Annotations& annotations = known.annotations;
  SurveyFacts facts = {.server_name = server.name(),
                       .segment_size = segment_size_of(list.backups),
                       .broken = std::move(list.broken),
                       .gone = std::move(list.gone),
                       .nameless = catalogue::list_nameless(catalogue, annotations)};
  for (const fs::path& path :
       {locations.backup_directory, locations.basebackups_directory, locations.wals_directory}) {
    const bool is_local =
        (locations.has_local_backups || path != locations.basebackups_directory) &&
        (locations.has_local_wals || path != locations.wals_directory);
    if (is_local && !has_directory(path)) {
      facts.missing_directories.push_back(path.string());
    }
  }
  facts.minimal_wal = catalogue::list_minimal_wal(locations.backup_directory);
  // In this order nothing is overlooked that is archived meanwhile.
  add_received(locations, facts);
  add_archive(server, facts);
  facts.branches = wal_archive::read_branches(server, facts.segment_size);
  for (BackupInfo& info : list.backups) {
    SurveyedBackup backup = {.info = std::move(info)};
    const auto keep = annotations.keeps.find(backup.info.id);
    if (keep != annotations.keeps.end()) backup.keep = keep->second;
    backup.is_being_deleted = annotations.being_deleted.contains(backup.info.id);
    if (known.annotations.objects) {
      backup.objects = std::move((*known.annotations.objects)[backup.info.id]);
    }
    facts.backups.push_back(std::move(backup));
  }
  return facts;
}

SurveyFacts gather_survey(const server::Server& server, VerifyDepth depth, Progress& progress) {
  SurveyFacts facts = gather_wal_survey(server);
  add_identity(server, facts);
  const auto present = facts.branches.present();
  const auto last =
      present ? facts.branches.last_segments.find(*present) : facts.branches.last_segments.end();
  std::ranges::move(
      find_stopped_wal(server, last == facts.branches.last_segments.end() ? "" : last->second),
      std::back_inserter(facts.stopped_wal));
  std::uint64_t total_bytes = 0;
  for (const SurveyedBackup& backup : facts.backups) {
    total_bytes +=
        static_cast<std::uint64_t>(std::max<std::int64_t>(0, backup.info.size.value_or(0)));
  }
  if (depth == VerifyDepth::checksums) progress.begin("Checksums of backups", total_bytes);
  for (SurveyedBackup& backup : facts.backups) {
    survey_backup_files(server, depth, progress, backup);
  }
  if (depth == VerifyDepth::checksums) progress.end();
  return facts;
}

}  // namespace barman::verify

#include "cloud/restore_cloud_backup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "backup/copied_cluster.h"
#include "base/directory.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/log_components.h"
#include "cloud/operation_failed.h"
#include "cloud/restore_over.h"
#include "cloud/unpack_archives.h"
#include "postgres/version_facts.h"
#include "postgres/versions.h"
#include "restore/configuration_places.h"
#include "restore/place_locks.h"
#include "restore/restore_marker.h"
#include "stored/backup_evidence.h"

namespace barman::cloud {
namespace {

namespace fs = std::filesystem;

using catalogue::BackupInfo;

// Complete and durable, and no name that PostgreSQL knows.
constexpr const char* kHiddenControlFile = "global/pg_control.barman-restoring";

// Where everything goes.
struct Places {
  fs::path data_directory;
  std::map<std::uint32_t, fs::path> tablespaces;

  std::vector<fs::path> all() const {
    std::vector<fs::path> paths = {data_directory};
    for (const auto& [oid, path] : tablespaces) paths.push_back(path);
    return paths;
  }
};

class CloudRestore {
 public:
  CloudRestore(const CloudCatalogue& catalogue, const CloudRestoreRequest& request)
      : catalogue_(catalogue), request_(request) {}

  CloudRestoreResult run();

 private:
  void require_restorable() const;
  bool is_anything_there() const;
  void choose_places();
  UnpackPlan plan_archives() const;
  void require_whole(const BackupObjects& objects) const;
  void make_tablespace_links() const;
  std::map<std::string, UnpackedFile> unpack(const UnpackPlan& plan) const;
  void put_held(const std::map<std::string, UnpackedFile>& files) const;
  CloudRestoreResult fill(const UnpackPlan& plan) const;
  CloudRestoreResult configure(const std::map<std::string, UnpackedFile>& files) const;
  void give_owner(const std::map<std::string, UnpackedFile>& files) const;
  [[noreturn]] void fail_damaged(const std::string& reason) const;

  const CloudCatalogue& catalogue_;
  const CloudRestoreRequest& request_;
  BackupInfo info_;
  std::optional<CloudRecoveryFiles> recovery_;
  Places places_;
};

// Tells of what is read.
class ObservedStorage final : public storage::Storage {
 public:
  ObservedStorage(storage::Storage& storage, Progress& progress)
      : storage_(storage), progress_(progress) {}
  std::unique_ptr<pipeline::Sink> create(const std::string& key,
                                         storage::IfPresent if_present) override {
    return storage_.create(key, if_present);
  }
  std::unique_ptr<pipeline::ContentFile> open(const std::string& key) const override {
    progress_.set_item(key.substr(key.rfind('/') + 1));
    return std::make_unique<File>(storage_.open(key), progress_);
  }
  std::optional<storage::ObjectFacts> find(const std::string& key) const override {
    return storage_.find(key);
  }
  void list(std::string_view prefix, const storage::ObjectVisitor& visitor) const override {
    storage_.list(prefix, visitor);
  }
  void remove(std::span<const std::string> keys) override { storage_.remove(keys); }
  std::string describe(const std::string& key) const override { return storage_.describe(key); }

 private:
  class File final : public pipeline::ContentFile {
   public:
    File(std::unique_ptr<pipeline::ContentFile> file, Progress& progress)
        : file_(std::move(file)), progress_(progress) {}
    std::size_t read_at(std::uint64_t offset, MutableBytes buffer) override {
      const std::size_t size = file_->read_at(offset, buffer);
      progress_.advance(size);
      return size;
    }
    std::uint64_t size_bytes() const override { return file_->size_bytes(); }

   private:
    std::unique_ptr<pipeline::ContentFile> file_;
    Progress& progress_;
  };

  storage::Storage& storage_;
  Progress& progress_;
};

void CloudRestore::fail_damaged(const std::string& reason) const {
  throw Error(ErrorKind::corrupt,
              fmt::format("Backup {} for server {} is damaged: {}", info_.id.value,
                          catalogue_.layout().server_name(), reason),
              "Restore another backup.");
}

void CloudRestore::require_restorable() const {
  const auto refuse = [&](const std::string& reason, const std::string& hint) {
    throw OperationFailed(fmt::format("Backup {} for server {} cannot be restored: {}",
                                      info_.id.value, catalogue_.layout().server_name(), reason),
                          hint);
  };
  if (!info_.is_copy_done()) {
    refuse(fmt::format("its status is {}", catalogue::status_text(info_.status)),
           "Restore another backup.");
  }
  if (info_.snapshots_info) {
    refuse("it was made of snapshots of disks, which this version cannot restore",
           "Restore the snapshots with the tools of their provider.");
  }
  if (info_.is_incremental()) {
    refuse("it is incremental, and needs its parents", "Restore it with 'barman restore'.");
  }
  if (info_.encryption) {
    refuse("it is encrypted", "Restore it with 'barman restore'.");
  }
}

fs::path location_of(const catalogue::Tablespace& tablespace, const CloudRestoreRequest& request) {
  const auto rule = request.locations.find(tablespace.name);
  return rule == request.locations.end() ? fs::path(tablespace.location) : rule->second;
}

// Absent, or without entries.
void require_empty(const fs::path& directory) {
  const auto status = find_status(directory);
  if (!status) return;
  if (!S_ISDIR(status->st_mode)) {
    throw OperationFailed(fmt::format("Destination {} is no directory", directory.string()),
                          "Name another one.");
  }
  if (list_directory(directory).empty()) return;
  throw OperationFailed(
      fmt::format("Destination {} already exists and it is not empty", directory.string()),
      find_status(directory / "PG_VERSION")
          ? "Name another one. If it is a data directory of this cluster: --delta-restore restores "
            "over it, and fetches only what differs."
          : "Empty it, or name another one.");
}

bool is_inside(const fs::path& path, const fs::path& directory) {
  const fs::path relative = path.lexically_relative(directory);
  return !relative.empty() && *relative.begin() != "..";
}

bool CloudRestore::is_anything_there() const {
  const auto has_entries = [](const fs::path& place) {
    return find_status(place) && (!fs::is_directory(place) || !list_directory(place).empty());
  };
  return has_entries(request_.destination) ||
         std::any_of(info_.tablespaces.begin(), info_.tablespaces.end(),
                     [&](const catalogue::Tablespace& tablespace) {
                       return has_entries(location_of(tablespace, request_));
                     });
}

void CloudRestore::choose_places() {
  places_.data_directory = fs::weakly_canonical(fs::absolute(request_.destination));
  for (const catalogue::Tablespace& tablespace : info_.tablespaces) {
    places_.tablespaces[tablespace.oid] =
        fs::weakly_canonical(fs::absolute(location_of(tablespace, request_)));
  }
  const std::vector<fs::path> all = places_.all();
  for (const fs::path& place : all) {
    require_empty(place);
    for (const fs::path& other : all) {
      // A tablespace may lie in the data directory, if the user has wanted that.
      const bool is_itself = &place == &other;
      if (is_itself || !is_inside(place, other)) continue;
      if (other == places_.data_directory && place != other) continue;
      throw OperationFailed(fmt::format("\"{}\" is to hold two things: it is in \"{}\"",
                                        place.string(), other.string()),
                            "Name other places with --tablespace NAME:LOCATION.");
    }
  }
}

void CloudRestore::require_whole(const BackupObjects& objects) const {
  std::map<std::uint32_t, std::set<std::uint32_t>> numbers;
  for (const StoredArchive& archive : objects.archives) {
    if (!numbers[archive.name.tablespace_oid].insert(archive.name.number).second) {
      fail_damaged(fmt::format("there are two archives {}_{:04}", archive.name.tablespace_oid,
                               archive.name.number));
    }
  }
  const std::string prefix = catalogue_.layout().shown(catalogue_.layout().backup_prefix(info_.id));
  const auto require = [&](std::uint32_t oid) {
    const std::set<std::uint32_t>& found = numbers[oid];
    const std::string tree = oid == 0 ? "data" : std::to_string(oid);
    if (!found.contains(0)) {
      throw OperationFailed(fmt::format("Missing file {}{}.* for server {}", prefix, tree,
                                        catalogue_.layout().server_name()),
                            "Restore another backup.");
    }
    if (*found.rbegin() + 1 != found.size()) {
      fail_damaged(fmt::format("of its archives {}{}_NNNN.* some are missing", prefix, tree));
    }
  };
  require(0);
  for (const catalogue::Tablespace& tablespace : info_.tablespaces) require(tablespace.oid);
}

UnpackPlan CloudRestore::plan_archives() const {
  const BackupObjects objects = catalogue_.list_objects(info_.id);
  for (const std::string& name : objects.other_names) {
    const auto parsed = parse_backup_archive_name(name);
    if (!parsed) continue;
    log::warning(log::kBackupComponent, "Skipping unknown extension: {}",
                 parsed->unknown_extension);
  }
  require_whole(objects);
  UnpackPlan plan{.items = {}, .jobs = request_.jobs, .interrupt = request_.interrupt};
  for (const StoredArchive& archive : objects.archives) {
    if (archive.name.is_encrypted) {
      throw OperationFailed(fmt::format("\"{}\" is encrypted by the server that has made it",
                                        catalogue_.layout().shown(archive.key)),
                            "Restore it with 'barman restore', on a host where the server has its "
                            "encryption_passphrase_command.");
    }
    const std::uint32_t oid = archive.name.tablespace_oid;
    const auto place = places_.tablespaces.find(oid);
    if (oid != 0 && place == places_.tablespaces.end()) {
      log::warning(log::kBackupComponent, "{} is of a tablespace that the backup does not have",
                   catalogue_.layout().shown(archive.key));
      continue;
    }
    plan.items.push_back(
        {.archive = archive, .root = oid == 0 ? places_.data_directory : place->second});
  }
  // The large ones first: the last one that is unpacked is a small one.
  std::stable_sort(plan.items.begin(), plan.items.end(), [](const auto& a, const auto& b) {
    return a.archive.size_bytes > b.archive.size_bytes;
  });
  return plan;
}

void make_private(const fs::path& directory) {
  make_directories(directory, 0700);
  if (::chmod(directory.c_str(), 0700) != 0) {
    throw_errno(fmt::format("cannot set permissions of \"{}\"", directory.string()));
  }
}

void CloudRestore::make_tablespace_links() const {
  const fs::path links = places_.data_directory / "pg_tblspc";
  if (places_.tablespaces.empty()) return;
  make_directories(links, 0700);
  for (const auto& [oid, location] : places_.tablespaces) {
    const fs::path link = links / std::to_string(oid);
    if (::symlink(location.c_str(), link.c_str()) != 0) {
      throw_errno(fmt::format("cannot create symbolic link \"{}\"", link.string()));
    }
  }
  sync_directory(links);
}

std::map<std::string, UnpackedFile> CloudRestore::unpack(const UnpackPlan& plan) const {
  NoProgress nobody;
  Progress& progress = request_.progress != nullptr ? *request_.progress : nobody;
  std::uint64_t total_bytes = 0;
  for (const UnpackPlan::Item& item : plan.items) total_bytes += item.archive.size_bytes;
  progress.begin("restore", total_bytes);
  const ObservedStorage observed(catalogue_.storage(), progress);
  auto held = unpack_archives(observed, plan);
  progress.end();
  return held;
}

// The files are there, under their names; only pg_control is not.
CloudRestoreResult CloudRestore::configure(const std::map<std::string, UnpackedFile>& files) const {
  const restore::FilePlaces places = restore::file_places_of(info_);
  if (!recovery_ && places == restore::FilePlaces::as_set) return {};
  constexpr mode_t kOwner = 0600;
  const mode_t mode = kOwner | (files.at(backup::kControlFileName).mode & S_IRGRP);
  restore::ConfigurationRequest request = {
      .data_directory = places_.data_directory,
      .files = {"postgresql.conf", "postgresql.auto.conf"},
      .settings_file = "",
      .settings = "",
      .file_mode = mode,
      .rules = {.places = places, .scope = restore::ReviewScope::places}};
  CloudRestoreResult result;
  if (!recovery_) {
    result.configuration = restore::review_configuration(request);
    // What is yours to review is yours to find, as ever.
    result.configuration.warnings.clear();
    return result;
  }
  request.settings_file = recovery_->settings_file;
  request.settings = recovery_->settings;
  request.rules.scope = restore::ReviewScope::all;
  request.rules.restore_command = restore::RestoreCommand::ours;
  result.missing_files = restore::list_missing_configuration(places_.data_directory);
  result.settings_file = recovery_->settings_file;
  result.configuration = restore::review_configuration(request);
  if (!recovery_->signal_file.empty()) {
    write_file_durably(places_.data_directory / recovery_->signal_file, "", mode);
  }
  return result;
}

void CloudRestore::put_held(const std::map<std::string, UnpackedFile>& files) const {
  for (const auto& [path, file] : files) {
    const bool is_control = path == backup::kControlFileName;
    const fs::path place =
        places_.data_directory / (is_control ? std::string(kHiddenControlFile) : path);
    make_directories(place.parent_path(), 0700);
    write_file_durably(place, file.content, file.mode);
    if (::chmod(place.c_str(), file.mode) != 0) {
      throw_errno(fmt::format("cannot set permissions of \"{}\"", place.string()));
    }
  }
}

// root restores for the user who had the files.
void CloudRestore::give_owner(const std::map<std::string, UnpackedFile>& files) const {
  if (::geteuid() != 0 || files.empty()) return;
  const auto found = files.find("PG_VERSION");
  const UnpackedFile& owner = (found == files.end() ? files.begin() : found)->second;
  const auto give = [&](const fs::path& path) {
    if (::lchown(path.c_str(), static_cast<uid_t>(owner.uid), static_cast<gid_t>(owner.gid)) != 0) {
      throw_errno(fmt::format("cannot change the owner of \"{}\"", path.string()));
    }
  };
  for (const fs::path& place : places_.all()) {
    give(place);
    walk_directory(place, [&](const fs::path& path, EntryKind) {
      give(path);
      return Descend::yes;
    });
  }
}

Error explain_incomplete(const Error& error, const fs::path& destination) {
  const std::string step =
      error.kind() == ErrorKind::corrupt ? "Restore another backup." : error.hint();
  return {error.kind(), error.describe(),
          fmt::format("{}{}'{}' is incomplete: it has no global/pg_control, so PostgreSQL cannot "
                      "start there. Empty it before you restore into it again.",
                      step, step.empty() ? "" : " ", destination.string())};
}

CloudRestoreResult CloudRestore::run() {
  auto info = catalogue_.find(request_.id);
  if (!info) {
    throw OperationFailed(fmt::format("Backup {} for server {} does not exists", request_.id.value,
                                      catalogue_.layout().server_name()),
                          "barman-cloud-backup-list shows the backups.");
  }
  info_ = *std::move(info);
  require_restorable();
  if (request_.recovery) recovery_ = plan_cloud_recovery(*request_.recovery, info_);
  if (request_.delta_restore && is_anything_there()) {
    return restore_over(catalogue_, info_, request_, recovery_);
  }
  choose_places();
  const UnpackPlan plan = plan_archives();
  for (const fs::path& place : places_.all()) make_private(place);
  const restore::PlaceLocks locks = restore::PlaceLocks::take(places_.all());
  try {
    return fill(plan);
  } catch (const OperationFailed&) {
    throw;
  } catch (const Error& error) {  // Only here it is known what is left behind.
    throw explain_incomplete(error, places_.data_directory);
  }
}

// Of places that this process alone writes to.
CloudRestoreResult CloudRestore::fill(const UnpackPlan& plan) const {
  for (const fs::path& place : places_.all()) {
    restore::write_restore_marker(place, {.server_name = catalogue_.layout().server_name(),
                                          .backup_id = info_.id,
                                          .destination = places_.data_directory,
                                          .tablespaces = places_.tablespaces,
                                          .staging_wal = std::nullopt});
  }
  const auto held = unpack(plan);
  for (const char* needed : {backup::kControlFileName, backup::kLabelFileName}) {
    if (!held.contains(needed))
      fail_damaged(fmt::format("none of its archives has \"{}\"", needed));
  }
  put_held(held);
  const bool is_old = info_.version.value_or(postgres::kVersion10) < postgres::kVersion10;
  make_directories(places_.data_directory / (is_old ? "pg_xlog" : "pg_wal"), 0700);
  make_tablespace_links();
  CloudRestoreResult result = configure(held);
  stored::require_consistent(
      info_, stored::gather_evidence(places_.data_directory, kHiddenControlFile, nullptr));
  give_owner(held);
  for (const fs::path& place : places_.all()) restore::remove_restore_marker(place);
  // Commit point: everything else is there and durable.
  rename_durably(places_.data_directory / kHiddenControlFile,
                 places_.data_directory / backup::kControlFileName);
  log::info(log::kBackupComponent, "Restored backup {} to {}", info_.id.value,
            places_.data_directory.string());
  return result;
}

}  // namespace

CloudRestoreResult restore_cloud_backup(const CloudCatalogue& catalogue,
                                        const CloudRestoreRequest& request) {
  return CloudRestore(catalogue, request).run();
}

std::optional<catalogue::BackupId> choose_cloud_backup(const CloudBackups& backups,
                                                       const RecoveryGoal& goal) {
  const auto reaches = [&](const BackupInfo& backup) {
    if (!backup.is_copy_done()) return false;
    if (goal.timeline && backup.wal_timeline() != goal.timeline) return false;
    if (goal.time && (!backup.end_time || *backup.end_time > *goal.time)) return false;
    return !goal.lsn || (backup.end_xlog && *backup.end_xlog <= *goal.lsn);
  };
  const std::vector<BackupInfo>& list = backups.list.backups;
  const auto found = std::find_if(list.rbegin(), list.rend(), reaches);
  return found == list.rend() ? std::nullopt : std::optional(found->id);
}

}  // namespace barman::cloud

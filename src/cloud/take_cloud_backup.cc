#include "cloud/take_cloud_backup.h"

#include <fcntl.h>

#include <algorithm>
#include <exception>
#include <filesystem>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "backup/copied_cluster.h"
#include "backup/copied_facts.h"
#include "backup/copied_names.h"
#include "backup/held_session.h"
#include "backup/page_check.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/timestamp.h"
#include "catalogue/backup_id.h"
#include "cloud/delete_cloud_backups.h"
#include "cloud/operation_failed.h"
#include "cloud/tree_upload.h"
#include "postgres/conninfo.h"
#include "postgres/low_level_backup.h"
#include "postgres/queries.h"
#include "postgres/version_facts.h"

namespace barman::cloud {
namespace {

namespace fs = std::filesystem;

using backup::CopiedItem;
using catalogue::BackupInfo;
using catalogue::BackupStatus;
using BackupClock = std::chrono::steady_clock;

// What one more archive at once is worth.
constexpr std::int64_t kLaneBytes = std::int64_t{256} << 20;
// Attempts to find an ID that nobody has taken in this second.
constexpr int kIdAttempts = 60;
constexpr std::int64_t kMicrosecondsPerSecond = 1'000'000;
constexpr const char* kCloudServerName = "cloud";

double seconds_since(BackupClock::time_point begun) {
  return std::chrono::duration<double>(BackupClock::now() - begun).count();
}

std::string first_line_of(const std::string& text) { return text.substr(0, text.find('\n')); }

class CloudBackup {
 public:
  CloudBackup(const CloudCatalogue& catalogue, const CloudBackupRequest& request,
              postgres::Connection connection)
      : catalogue_(catalogue), request_(request), connection_(std::move(connection)) {}

  BackupInfo run();

 private:
  void require_place();
  void begin();
  void announce();
  void copy();
  void copy_tablespace(const catalogue::Tablespace& tablespace);
  void copy_data_directory();
  void copy_external_files();
  void end();
  void complete();
  void fail(const std::string& reason);
  ArchiveSet& add_set(std::uint32_t oid);
  TreeUploadOptions upload_options();
  void require_going_on();
  void give_sign_of_life();
  void require_announced() const;

  const CloudCatalogue& catalogue_;
  const CloudBackupRequest& request_;
  postgres::Connection connection_;
  std::optional<backup::HeldSession> session_;
  backup::CopiedFacts facts_;
  BackupInfo info_;
  bool is_announced_ = false;
  BackupClock::time_point begun_ = BackupClock::now();
  BackupClock::time_point last_sign_ = begun_;
  std::mutex sign_mutex_;
  std::size_t lane_count_ = 1;
  std::vector<CopiedItem> items_;
  backup::PageDamageList damage_;
  std::vector<std::unique_ptr<ArchiveSet>> sets_;  // that of the data directory is the last one
};

// Files of another server, even of the same cluster, are not what this session makes consistent.
void CloudBackup::require_place() {
  const fs::path data = backup::require_data_directory_name(connection_);
  const auto reason =
      backup::find_other_postmaster(find_and_read_file(data / "postmaster.pid"), connection_);
  if (reason) {
    throw Error(ErrorKind::config,
                fmt::format("\"{}\" is not the data directory of the server that was connected to: "
                            "{}",
                            data.string(), *reason),
                "Run the program on the host of that server, as the user that runs it.");
  }
  // Whoever may read this may read the rest.
  open_file(data / backup::kControlFileName, O_RDONLY);
}

void CloudBackup::begin() {
  log::info(log::kBackupComponent, "Starting backup '{}'", info_.id.value);
  const postgres::LowLevelStart start = postgres::start_low_level_backup(
      connection_, fmt::format("Barman backup {} {}", kCloudServerName, info_.id.value),
      request_.has_fast_checkpoint ? postgres::StartCheckpoint::fast
                                   : postgres::StartCheckpoint::spread);
  facts_ = backup::note_begin(connection_, start, info_);
  info_.status = BackupStatus::started;
  lane_count_ = choose_lane_count(request_.jobs, info_.cluster_size);
}

// Another backup may have begun in the same second: then this one fails, and leaves that alone.
void CloudBackup::announce() {
  catalogue_.create(info_);
  is_announced_ = true;
  session_.emplace(std::move(connection_), request_.keepalive_interval);
}

void CloudBackup::require_going_on() {
  request_.interrupt.throw_if_requested();
  session_->require_alive();
  give_sign_of_life();
}

// So that nobody takes a long backup for a dead one (delete_cloud_backups.h).
void CloudBackup::give_sign_of_life() {
  const std::unique_lock lock(sign_mutex_, std::try_to_lock);
  if (!lock || BackupClock::now() - last_sign_ < kSignOfLife) return;
  last_sign_ = BackupClock::now();
  require_announced();
  catalogue_.save(info_);
}

// Somebody may have deleted it meanwhile, with archives that are complete.
void CloudBackup::require_announced() const {
  const auto found = catalogue_.find(info_.id);
  if (found && found->status == BackupStatus::started) return;
  throw OperationFailed(fmt::format("backup {} was deleted while it was made", info_.id.value),
                        "Take another one.");
}

TreeUploadOptions CloudBackup::upload_options() {
  return {.worker_count = lane_count_,
          .checked_before = facts_.checked_before(info_),
          .require_going_on = [this] { require_going_on(); }};
}

ArchiveSet& CloudBackup::add_set(std::uint32_t oid) {
  storage::Storage& storage =
      request_.archives != nullptr ? *request_.archives : catalogue_.storage();
  sets_.push_back(std::make_unique<ArchiveSet>(storage, catalogue_.layout(), info_.id, oid,
                                               request_.form, lane_count_));
  return *sets_.back();
}

void CloudBackup::copy_tablespace(const catalogue::Tablespace& tablespace) {
  const auto begun = BackupClock::now();
  const std::string major = postgres::major_version_text(info_.version.value_or(0));
  ArchiveSet& archives = add_set(tablespace.oid);
  const UploadedTree tree{.source = {.root = tablespace.location,
                                     .is_copied =
                                         [&](std::string_view path) {
                                           return backup::is_copied_from_tablespace(path, major);
                                         },
                                     .is_data_directory = false},
                          .prefix = fmt::format("pg_tblspc/{}/", tablespace.oid)};
  double serial = 0;
  try {
    serial = upload_tree(tree, upload_options(), archives, damage_);
  } catch (const Error& error) {  // A missing place is told with the name that users know.
    if (error.kind() != ErrorKind::not_found) throw;
    throw Error(ErrorKind::not_found,
                fmt::format("cannot read tablespace '{}': {}", tablespace.name, error.describe()),
                "Check that its file system is mounted on this host; if it was dropped, take the "
                "backup again.");
  }
  archives.finish();
  items_.push_back({.label = std::to_string(tablespace.oid),
                    .analysis_seconds = 0,
                    .copy_seconds = seconds_since(begun),
                    .serial_seconds = serial});
}

void CloudBackup::copy_data_directory() {
  const auto begun = BackupClock::now();
  const fs::path data = facts_.data_directory();
  // Tablespaces whose locations are below the data directory.
  std::vector<std::string> separate;
  for (const catalogue::Tablespace& tablespace : info_.tablespaces) {
    const fs::path relative =
        fs::weakly_canonical(tablespace.location).lexically_relative(fs::canonical(data));
    if (!relative.empty() && *relative.begin() != "..") separate.push_back(relative.string());
  }
  ArchiveSet& archives = add_set(0);
  const UploadedTree tree{.source = {.root = data,
                                     .is_copied =
                                         [&](std::string_view path) {
                                           return backup::is_copied_from_data_directory(path) &&
                                                  std::find(separate.begin(), separate.end(),
                                                            path) == separate.end();
                                         },
                                     .is_data_directory = true},
                          .prefix = {}};
  const double serial = upload_tree(tree, upload_options(), archives, damage_);
  // What follows is in the last of its archives.
  archives.close_all_but_last();
  const fs::path control = data / backup::kControlFileName;
  const struct stat status = find_status(control).value();
  upload_text({.name = backup::kControlFileName,
               .content = backup::read_live_control_file(control, info_.systemid),
               .mode = status.st_mode & 07777U,
               .mtime = status.st_mtim.tv_sec},
              data, archives);
  copy_external_files();
  items_.push_back({.label = "data",
                    .analysis_seconds = 0,
                    .copy_seconds = seconds_since(begun),
                    .serial_seconds = serial});
}

void CloudBackup::copy_external_files() {
  for (const backup::ExternalFile& file : facts_.external_files()) {
    const std::string name = "./" + fs::path(file.path).filename().string();
    if (upload_file(file.path, name, *sets_.back())) continue;
    if (!file.is_optional) {
      throw Error(ErrorKind::not_found, fmt::format("there is no file \"{}\"", file.path),
                  fmt::format("Correct {} in the settings of PostgreSQL.", file.label));
    }
    log::warning(log::kBackupComponent, "there is no \"{}\"", file.path);
  }
}

void CloudBackup::copy() {
  const std::string warning = facts_.included_files_warning();
  if (!warning.empty()) log::warning(log::kBackupComponent, "{}", warning);
  for (const catalogue::Tablespace& tablespace : info_.tablespaces) copy_tablespace(tablespace);
  copy_data_directory();
  require_going_on();
}

void CloudBackup::end() {
  postgres::Connection& connection = session_->take_back();
  log::info(log::kBackupComponent, "Stopping backup '{}'", info_.id.value);
  const postgres::LowLevelStop stop = postgres::stop_low_level_backup(connection);
  backup::note_end(connection, stop, stop.backup_label, info_);
  if (!postgres::is_in_recovery(connection)) {
    postgres::switch_wal(connection, info_.xlog_segment_size);
    try {
      postgres::create_restore_point(connection, "barman_" + info_.id.value);
    } catch (const Error& error) {
      // A convenience for later restores; its absence harms nothing.
      log::debug(log::kBackupComponent, "cannot create restore point: {}", error.describe());
    }
  }
  upload_text({.name = std::string("./") + backup::kLabelFileName,
               .content = stop.backup_label,
               .mode = 0644,
               .mtime = 0},
              facts_.data_directory(), *sets_.back());
  sets_.back()->finish();
}

void CloudBackup::complete() {
  info_.copy_stats =
      catalogue::PythonValue{backup::copy_stats(items_, seconds_since(begun_), request_.jobs)};
  if (const auto damage = damage_.facts()) {
    info_.error = fmt::format("{} ({})", damage->finder, damage->details);
    log::warning(log::kBackupComponent,
                 "{} backup {}: {}. The backup holds those pages as they are.", damage->finder,
                 info_.id.value, damage->details);
  }
  require_announced();
  info_.status = BackupStatus::done;
  // Commit point: all archives are complete.
  catalogue_.save(info_);
  log::info(log::kBackupComponent, "Backup completed: '{}'", info_.id.value);
}

// What is open of the archives goes away first, so that the failure is the last word.
void CloudBackup::fail(const std::string& reason) {
  sets_.clear();
  log::error(log::kBackupComponent, "Backup failed uploading data ({})", reason);
  info_.status = BackupStatus::failed;
  info_.error = fmt::format("failure uploading data ({})", reason);
  try {
    is_announced_ ? catalogue_.save(info_) : catalogue_.create(info_);
  } catch (const Error& error) {  // Whoever looks for backups sees a STARTED one that is over.
    log::error(log::kBackupComponent, "Backup failed uploading backup.info file ({})",
               first_line_of(error.describe()));
  }
}

BackupInfo CloudBackup::run() {
  info_.server_name = kCloudServerName;
  info_.backup_name = request_.name;
  info_.systemid = postgres::format_system_id(postgres::query_system_id(connection_));
  require_place();
  Timestamp now = now_local();
  info_.id = catalogue::make_backup_id(now);
  for (int attempt = 0; catalogue_.find(info_.id).has_value(); ++attempt) {
    if (attempt == kIdAttempts) {
      throw OperationFailed(fmt::format("there is a backup {} already", info_.id.value),
                            "Check the clock of this host.");
    }
    now.microseconds += kMicrosecondsPerSecond;
    info_.id = catalogue::make_backup_id(now);
  }
  try {
    begin();
    announce();
    copy();
    end();
    complete();
  } catch (const std::exception& error) {  // Told, recorded, and the end of the program.
    const auto* ours = dynamic_cast<const Error*>(&error);
    fail(first_line_of(ours != nullptr ? ours->describe() : error.what()));
    throw OperationFailed(fmt::format("Backup {} has failed", info_.id.value),
                          ours != nullptr ? ours->hint() : "");
  }
  return std::move(info_);
}

postgres::Connection connect(const CloudBackupRequest& request) {
  try {
    std::string conninfo =
        postgres::with_default(request.conninfo, "application_name", "barman_cloud_backup");
    conninfo = postgres::with_default(conninfo, "options", "-csearch_path=");
    return postgres::Connection::open(conninfo, {}, request.interrupt);
  } catch (const Error& error) {  // Not the store: it has a code of its own.
    if (error.kind() != ErrorKind::connection && error.kind() != ErrorKind::permission) throw;
    throw OperationFailed("Cannot connect to postgres: " + error.describe(), error.hint());
  }
}

}  // namespace

std::size_t choose_lane_count(std::size_t jobs, std::optional<std::int64_t> cluster_size_bytes) {
  const auto worth = static_cast<std::size_t>(cluster_size_bytes.value_or(0) / kLaneBytes);
  return std::clamp<std::size_t>(worth, 1, jobs / 2 + 1);
}

BackupInfo take_cloud_backup(const CloudCatalogue& catalogue, const CloudBackupRequest& request) {
  return CloudBackup(catalogue, request, connect(request)).run();
}

}  // namespace barman::cloud

#include "cloud/take_cloud_backup.h"

#include <fcntl.h>

#include <exception>
#include <filesystem>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "backup/cluster_upload.h"
#include "backup/copied_cluster.h"
#include "backup/copied_facts.h"
#include "backup/held_session.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/timestamp.h"
#include "base/unexpected.h"
#include "catalogue/backup_id.h"
#include "cloud/delete_cloud_backups.h"
#include "cloud/operation_failed.h"
#include "postgres/conninfo.h"
#include "postgres/low_level_backup.h"
#include "postgres/queries.h"

namespace barman::cloud {
namespace {

namespace fs = std::filesystem;

using catalogue::BackupInfo;
using catalogue::BackupStatus;
using BackupClock = std::chrono::steady_clock;

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
  void end();
  void complete();
  void fail(const std::string& reason);
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
  std::optional<backup::ClusterUpload> upload_;
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
  lane_count_ = backup::choose_lane_count(request_.jobs, info_.cluster_size);
}

// Another backup may have begun in the same second: then this one fails, and leaves that alone.
void CloudBackup::announce() {
  catalogue_.create(info_);
  is_announced_ = true;
  session_.emplace(std::move(connection_), request_.keepalive_interval);
  storage::Storage& storage =
      request_.archives != nullptr ? *request_.archives : catalogue_.storage();
  upload_.emplace(backup::UploadPlace{.storage = storage,
                                      .backup_prefix = catalogue_.layout().backup_prefix(info_.id),
                                      .form = request_.form,
                                      .lane_count = lane_count_},
                  facts_, info_, [this] { require_going_on(); });
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

void CloudBackup::copy() {
  const std::string warning = facts_.included_files_warning();
  if (!warning.empty()) log::warning(log::kBackupComponent, "{}", warning);
  for (const catalogue::Tablespace& tablespace : info_.tablespaces) {
    upload_->copy_tablespace(tablespace);
  }
  upload_->copy_data_directory();
  require_going_on();
}

void CloudBackup::end() {
  postgres::Connection& connection = session_->take_back();
  log::info(log::kBackupComponent, "Stopping backup '{}'", info_.id.value);
  const postgres::LowLevelStop stop =
      postgres::stop_low_level_backup(connection, postgres::ArchiveWaiter::server);
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
  upload_->finish(stop.backup_label);
}

void CloudBackup::complete() {
  info_.copy_stats = catalogue::PythonValue{
      backup::copy_stats(upload_->items(), seconds_since(begun_), request_.jobs)};
  if (const auto damage = upload_->damage().facts()) {
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
  upload_.reset();
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
  } catch (const std::exception& any) {  // Told, recorded, and the end of the program.
    const Error error = as_error(any);
    fail(first_line_of(error.describe()));
    throw OperationFailed(fmt::format("Backup {} has failed", info_.id.value), error.hint());
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

BackupInfo take_cloud_backup(const CloudCatalogue& catalogue, const CloudBackupRequest& request) {
  return CloudBackup(catalogue, request, connect(request)).run();
}

}  // namespace barman::cloud

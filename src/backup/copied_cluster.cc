#include "backup/copied_cluster.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include <fmt/format.h>

#include "backup/archive_wait.h"
#include "backup/close_wal.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/text.h"
#include "postgres/low_level_backup.h"
#include "postgres/version_facts.h"
#include "postgres/versions.h"
#include "stored/backup_evidence.h"
#include "stored/backup_store.h"

namespace barman::backup {
namespace {

namespace fs = std::filesystem;

using catalogue::BackupInfo;
using catalogue::PythonDict;

// PostgreSQL notes its start twice.
constexpr std::int64_t kStartTolerance = 5;
constexpr int kFirstWithoutExclusive = postgres::kVersion15;

double micros(double seconds) { return std::round(seconds * 1e6) / 1e6; }

}  // namespace

CopiedItem item_since(std::string label, std::chrono::steady_clock::time_point begun) {
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  return {.label = std::move(label), .copy_seconds = seconds, .serial_seconds = seconds};
}

PythonDict copy_stats(const std::vector<CopiedItem>& items, double total_seconds,
                      std::size_t worker_count) {
  PythonDict analysis;
  PythonDict copied;
  PythonDict serial;
  double analysis_seconds = 0;
  double copy_seconds = 0;
  double serial_seconds = 0;
  for (const CopiedItem& item : items) {
    if (item.analysis_seconds > 0) analysis.set(item.label, {micros(item.analysis_seconds)});
    copied.set(item.label, {micros(item.copy_seconds)});
    serial.set(item.label, {micros(item.serial_seconds)});
    analysis_seconds += item.analysis_seconds;
    copy_seconds += item.copy_seconds;
    serial_seconds += item.serial_seconds;
  }
  PythonDict stats;
  stats.set("total_time", {micros(total_seconds)});
  stats.set("number_of_workers", {static_cast<std::int64_t>(worker_count)});
  stats.set("analysis_time_per_item", {analysis});
  stats.set("copy_time_per_item", {copied});
  stats.set("serialized_copy_time_per_item", {serial});
  stats.set("analysis_time", {micros(analysis_seconds)});
  stats.set("copy_time", {micros(copy_seconds)});
  stats.set("serialized_copy_time", {micros(serial_seconds)});
  return stats;
}

void with_failure_told(BackupJob& job, const std::function<void()>& step) {
  try {
    step();
  } catch (const Error&) {  // Goes on its way.
    job.messages.error("The backup has failed " + job.action);
    throw;
  }
}

std::optional<std::string> find_other_postmaster(const std::optional<std::string>& file,
                                                 postgres::Connection& connection) {
  if (!file) return "no server runs in it";
  const postgres::Postmaster asked = postgres::query_postmaster(connection);
  // pid, data directory, seconds of the start, port
  const std::vector<std::string> lines = split(*file, '\n');
  const auto number = [&](std::size_t index) {
    return index < lines.size() ? parse_integer(strip(lines[index])) : std::nullopt;
  };
  const auto started_at = number(2);
  if (number(3) != asked.port || !started_at ||
      std::abs(*started_at - asked.started_at) > kStartTolerance) {
    return "another server runs in it";
  }
  return std::nullopt;
}

std::string require_data_directory_name(postgres::Connection& connection) {
  const auto data = postgres::query_settings(connection).data_directory;
  if (!data) {
    throw Error(ErrorKind::permission, "PostgreSQL does not tell where its data directory is",
                "Let the user of conninfo read all settings (role pg_monitor).");
  }
  return *data;
}

namespace {

std::string label_of(const server::Server& server, const catalogue::BackupId& id) {
  return fmt::format("Barman backup {} {}", server.name(), id.value);
}

}  // namespace

CopiedCluster::~CopiedCluster() {
  if (!is_running_exclusively_) return;
  try {
    postgres::Connection connection = server_.connect();
    postgres::abort_exclusive_backup(connection);
  } catch (const Error& error) {  // There is nobody to hear it, and the next backup tells, too.
    log::error(log::kBackupComponent,
               "PostgreSQL is still in exclusive backup mode, call pg_stop_backup() by hand: {}",
               error.describe());
  }
}

SourceTitle CopiedCluster::title() const {
  // Of copied files, whatever has copied them.
  return {.mode = is_exclusive() ? "rsync-exclusive" : "rsync-concurrent",
          .finalising = "Asking PostgreSQL server to finalize the backup.",
          .connection_option = "conninfo",
          .has_manifest = false};
}

catalogue::Identity CopiedCluster::require_possible(postgres::Connection& connection) const {
  const std::string version = postgres::major_version_text(connection.server_version());
  if (is_exclusive() && connection.server_version() >= kFirstWithoutExclusive) {
    throw Error(ErrorKind::config,
                fmt::format("exclusive backups are not supported by PostgreSQL {}", version),
                "Set backup_options = concurrent_backup.");
  }
  if (is_exclusive() && postgres::is_in_recovery(connection)) {
    throw Error(ErrorKind::config, "a standby takes no exclusive backups",
                "Set backup_options = concurrent_backup.");
  }
  return {.system_id = postgres::format_system_id(postgres::query_system_id(connection)),
          .version = version};
}

std::optional<catalogue::BackupId> find_exclusive_backup(const server::Server& server,
                                                         postgres::Connection& connection) {
  std::string label;
  try {
    label = postgres::query_exclusive_label(connection);
  } catch (const postgres::SqlError& error) {  // Not everybody may read it.
    log::debug(log::kBackupComponent, "{}", error.describe());
    return std::nullopt;
  }
  const auto id = catalogue::parse_backup_id(std::string_view(label).substr(label.rfind(' ') + 1));
  if (!id || label != label_of(server, *id)) return std::nullopt;
  return id;
}

// An exclusive backup of ours whose process was killed goes on in the server, and lets no other
// begin. Of anybody else's backup PostgreSQL tells.
void CopiedCluster::end_abandoned(const BackupJob& job, postgres::Connection& connection) const {
  const auto id = find_exclusive_backup(server_, connection);
  if (!id) return;
  const auto known = server_.catalogue().find_backup(*id);
  if (!known || known->status != catalogue::BackupStatus::failed) return;
  postgres::abort_exclusive_backup(connection);
  job.messages.warning(
      fmt::format("Backup {} of server {}, which has failed, still went on in PostgreSQL: it has "
                  "been ended there",
                  id->value, server_.name()));
}

void CopiedCluster::begin(BackupJob& job, const RequirePlace& require_place) {
  job.action = "issuing start backup command";
  postgres::Connection connection = server_.connect();
  // The session itself: conninfo may name several hosts.
  require_place(connection);
  if (is_exclusive()) end_abandoned(job, connection);
  log::info(log::kBackupComponent, "waiting for the checkpoint at the start of the backup");
  const postgres::LowLevelStart start = postgres::start_low_level_backup(
      connection, label_of(server_, job.info.id),
      request_.checkpoint == replication::CheckpointMode::fast ? postgres::StartCheckpoint::fast
                                                               : postgres::StartCheckpoint::spread,
      is_exclusive() ? postgres::LowLevelForm::exclusive : postgres::LowLevelForm::concurrent);
  is_running_exclusively_ = is_exclusive();
  facts_ = note_begin(connection, start, job.info);
  if (!is_exclusive()) session_.emplace(std::move(connection), request_.keepalive_interval);
}

bool CopiedCluster::has_tablespace(std::uint32_t oid) const {
  postgres::Connection connection = server_.connect();
  const std::vector<postgres::TablespaceRow> rows = postgres::list_tablespaces(connection);
  return std::any_of(rows.begin(), rows.end(),
                     [&](const postgres::TablespaceRow& row) { return row.oid == oid; });
}

void CopiedCluster::warn_of_included_files(const BackupJob& job) const {
  if (server_.config().backup_options.external_configuration) return;
  const std::string warning = facts_.included_files_warning();
  if (!warning.empty()) job.messages.warning(warning);
}

void CopiedCluster::begin_copy(const BackupJob& job, const std::string& method,
                               const stored::BackupStore& store) const {
  const std::string jobs = request_.jobs > 1 ? fmt::format(" ({} jobs)", request_.jobs) : "";
  job.messages.info(
      fmt::format("Starting backup copy via {} for {}{}", method, job.info.id.value, jobs));
  warn_of_included_files(job);
  store.clear(job.info.id);
  const stored::BackupDirectories places = store.directories(job.info.id);
  for (const catalogue::Tablespace& tablespace : job.info.tablespaces) {
    make_directories(places.tablespace_directory(tablespace.oid), 0700);
  }
}

void CopiedCluster::require_dropped(const BackupInfo& info, const catalogue::Tablespace& tablespace,
                                    const std::string& where) const {
  if (!has_tablespace(tablespace.oid)) return;
  throw Error(ErrorKind::not_found,
              fmt::format("the location of tablespace '{}', \"{}\", holds no directory \"PG_{}_…\"",
                          tablespace.name, tablespace.location,
                          postgres::major_version_text(info.version.value_or(0))),
              fmt::format("Check that its file system is mounted {}.", where));
}

void CopiedCluster::end(BackupJob& job) {
  if (is_exclusive()) {
    postgres::Connection connection = server_.connect();
    stop(job, connection);
  } else {
    stop(job, session_->take_back());
  }
}

void CopiedCluster::stop(BackupJob& job, postgres::Connection& connection) {
  const fs::path label_path =
      stored::BackupStore(server_.catalogue()).directories(job.info.id).data_directory /
      kLabelFileName;
  std::string text;
  if (is_exclusive()) {
    job.action = "reading the backup label";
    text = read_file(label_path);
  }
  text = stop_on_server(job, connection, text);
  job.action = "writing backup label";
  if (!is_exclusive()) write_file_durably(label_path, text);
  stored::require_consistent(
      job.info, stored::gather_evidence(label_path.parent_path(), kControlFileName, nullptr));
  wait_for_wal(job, connection);
}

void CopiedCluster::end(BackupJob& job, const PutLabel& put_label) {
  postgres::Connection& connection = session_->take_back();
  const std::string label = stop_on_server(job, connection, "");
  job.action = "writing backup label";
  put_label(label);
  wait_for_wal(job, connection);
}

// Behind the label: the backup is complete, but for what the archive shows.
void CopiedCluster::wait_for_wal(BackupJob& job, postgres::Connection& connection) const {
  job.action = "waiting for the WAL of the backup to be archived";
  job.progress.phase(job.action);
  wait_until_archived(server_, facts_.settings, job.info, connection, job.messages);
}

// The label of the backup.
std::string CopiedCluster::stop_on_server(BackupJob& job, postgres::Connection& connection,
                                          const std::string& exclusive_label) {
  job.action = is_exclusive() ? "issuing stop of the backup"
                              : "issuing stop backup command (native concurrent)";
  const postgres::LowLevelStop stop = postgres::stop_low_level_backup(
      connection, postgres::ArchiveWaiter::caller,
      is_exclusive() ? postgres::LowLevelForm::exclusive : postgres::LowLevelForm::concurrent);
  is_running_exclusively_ = false;
  std::string label = is_exclusive() ? exclusive_label : stop.backup_label;
  note_end(connection, stop, label, job.info);
  close_last_segment(server_, job.info, connection, job.messages);
  return label;
}

}  // namespace barman::backup

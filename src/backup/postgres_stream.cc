#include "backup/postgres_stream.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "backup/archive_help.h"
#include "backup/backend_watch.h"
#include "backup/backup_form.h"
#include "backup/close_wal.h"
#include "backup/cluster_facts.h"
#include "backup/outside_files.h"
#include "backup/receive_base_backup.h"
#include "backup/retry_copy.h"
#include "base/error.h"
#include "base/log.h"
#include "base/log_components.h"
#include "catalogue/backup_kind.h"
#include "config/validation.h"
#include "object_store/store_url.h"
#include "postgres/backup_label.h"
#include "postgres/grants.h"
#include "postgres/queries.h"
#include "postgres/version_facts.h"
#include "replication/system_identity.h"
#include "stored/backup_store.h"
#include "stored/kept_configuration.h"
#include "wal/wal_file_name.h"

namespace barman::backup {
namespace {

using catalogue::BackupInfo;
using Clock = std::chrono::steady_clock;

class PostgresStream final : public BackupSource {
 public:
  PostgresStream(const server::Server& server, const BackupRequest& request)
      : server_(server),
        request_(request),
        form_(plan_form(server.config(), server.cipher(), std::thread::hardware_concurrency())) {}

  SourceTitle title() const override {
    return {.mode = catalogue::kPostgresMode,
            .finalising = "Finalising the backup.",
            .connection_option = "streaming_conninfo"};
  }
  catalogue::Identity require_possible() override;
  void begin(BackupJob& job) override;
  CopyFacts copy(BackupJob& job) override;
  void end(BackupJob& job) override;

 private:
  ReceivedBaseBackup copy_once(BackupJob& job);
  void keep_outside_files(BackupJob& job) const;

  const server::Server& server_;
  const BackupRequest& request_;
  const BackupForm form_;
  postgres::ServerSettings settings_;
  // As SQL listed them last, those in place included.
  std::vector<postgres::TablespaceRow> tablespaces_;
  replication::BackupEnd end_;
  std::string backup_label_;
};

// Configuration files outside of the data directory are not in the backup: they are kept beside it
// where the server gives them, encrypted as it is.
void PostgresStream::keep_outside_files(BackupJob& job) const {
  const std::vector<OutsideFile> outside = list_outside_files(settings_);
  if (outside.empty()) return;
  postgres::Connection connection = server_.connect();
  const FetchedConfiguration fetched = fetch_outside_files(connection, outside);
  stored::keep_configuration(server_.catalogue(), job.info.id, fetched.files, form_.cipher());
  if (fetched.refusal) {
    log::info(log::kBackupComponent,
              "Configuration files outside of PGDATA cannot be kept with the backup: {}. To keep "
              "them: {}",
              *fetched.refusal, postgres::file_grants(connection.user()));
  }
  if (!fetched.files.empty()) {
    log::info(log::kBackupComponent,
              "{} configuration files outside of PGDATA are kept with the backup.",
              fetched.files.size());
  }
  if (fetched.missing.empty()) return;
  const std::string text =
      "pg_basebackup does not copy the PostgreSQL configuration files that reside outside PGDATA. "
      "Please manually backup the following files:\n\t" +
      fmt::format("{}\n", fmt::join(fetched.missing, "\n\t"));
  if (job.server.config().backup_options.external_configuration) {
    log::debug(log::kBackupComponent, "{}", text);
  } else {
    job.messages.warning(text);
  }
}

// " to the cloud storage aws-s3: s3://bucket/path"
std::string bucket_text(const config::ServerConfig& config) {
  const auto provider = object_store::find_provider_of_url(config.basebackups_directory);
  if (!provider) return {};
  return fmt::format(" to the cloud storage {}: {}", object_store::provider_word(*provider),
                     config.basebackups_directory);
}

catalogue::Identity PostgresStream::require_possible() {
  postgres::Connection connection =
      server_.connect_streaming(server_.config().streaming_backup_name);
  if (const auto problem =
          config::find_version_problem(server_.config(), connection.server_version())) {
    throw Error(ErrorKind::config, *problem, "Set backup_compression_location = client.");
  }
  return {
      .system_id = postgres::format_system_id(replication::identify_system(connection).system_id),
      .version = postgres::major_version_text(connection.server_version())};
}

void PostgresStream::begin(BackupJob& job) {
  postgres::Connection connection = server_.connect();
  settings_ = take_facts(connection, job.info, tablespaces_);
  const postgres::WalPosition position = postgres::query_wal_position(connection);
  job.info.begin_time = position.time;
  job.info.begin_xlog = position.lsn;
  job.info.begin_wal = position.wal_name;
  job.info.begin_offset = position.offset;
}

ReceivedBaseBackup PostgresStream::copy_once(BackupJob& job) {
  postgres::Connection connection =
      server_.connect_streaming(server_.config().streaming_backup_name);
  const BaseBackupTarget target = {.store = stored::BackupStore(server_.catalogue()),
                                   .id = job.info.id,
                                   .form = form_.form,
                                   .coding = form_.coding,
                                   .bucket_form = form_.bucket_archives};
  replication::BaseBackupRequest asked;
  asked.checkpoint = request_.checkpoint;
  if (request_.parent) asked.parent_manifest = target.store.manifest_path(request_.parent->id);
  asked.max_rate = request_.bandwidth_limit;
  ArchiveHelp help(server_, job.info, job.messages);
  BackendWatch watch(server_, connection.backend_pid(), job.messages,
                     [&help](const ArchiveWait& wait) { help.look(wait); });
  asked.silence = {.interval = BackendWatch::kStep,
                   .look = [&watch](std::chrono::milliseconds silence) { watch.look(silence); }};
  asked.compression = form_.server_compression;
  require_same_cluster(job.info, connection);
  asked.tablespace_map =
      choose_tablespace_map(tablespaces_, form_.form, connection.server_version());
  const NoticeHandler on_notice = [&](const std::string& notice) {
    log::info(log::kBackupComponent, "PostgreSQL: {}", notice);
    watch.hear(notice);
  };
  const BaseBackupEvents events = {.on_begin =
                                       [&](const replication::BackupBegin& begin) {
                                         postgres::Connection questions = server_.connect();
                                         take_announcement(questions, begin, asked.tablespace_map,
                                                           job.info, tablespaces_);
                                         job.save();
                                       },
                                   .on_notice = on_notice};
  return receive_base_backup(connection, asked, target, events, job.progress, server_.interrupt());
}

CopyFacts PostgresStream::copy(BackupJob& job) {
  keep_outside_files(job);
  job.messages.info("Starting backup copy via pg_basebackup for " + job.info.id.value +
                    bucket_text(server_.config()));
  if (form_.is_encrypted()) {
    job.messages.info(fmt::format("Encrypting backup using {} encryption",
                                  to_text(server_.config().encryption.value())));
  }
  const auto begun = Clock::now();
  ReceivedBaseBackup received;
  copy_with_retries(job, "pg_basebackup", [&] { received = copy_once(job); });
  const double seconds = std::chrono::duration<double>(Clock::now() - begun).count();
  end_ = received.end;
  backup_label_ = received.backup_label;
  CopyFacts facts;
  facts.stats.set("copy_time", {std::max(std::round(received.transfer_seconds * 1e6), 1.0) / 1e6});
  facts.stats.set("total_time", {std::round(seconds * 1e6) / 1e6});
  if (received.end.checksum_failure) {
    facts.page_damage = {.finder = "PostgreSQL found corrupt pages while it sent",
                         .details = *received.end.checksum_failure};
  }
  facts.warnings = std::move(received.warnings);
  return facts;
}

// Begin and timeline from backup_label, which is what recovery will use.
void read_label(BackupJob& job, const std::string& text) {
  job.action = "reading the backup label";
  const postgres::BackupLabel label =
      in_context("\"backup_label\"", [&] { return postgres::parse_backup_label(text); });
  job.info.backup_label = text;
  job.info.begin_xlog = label.start_wal_location;
  job.info.begin_wal = label.start_wal_file;
  job.info.begin_offset = wal::segment_offset(label.start_wal_location, job.info.xlog_segment_size);
  job.info.timeline = label.start_timeline;
}

// Where WAL is after the copy, at least at the backup's stop position; the segment that holds it is
// the last one the backup needs. A switch makes the server complete that segment.
void PostgresStream::end(BackupJob& job) {
  read_label(job, backup_label_);
  BackupInfo& info = job.info;
  info.compression = form_.compression;
  if (form_.is_encrypted()) info.encryption = to_text(server_.config().encryption.value());
  job.action = "issuing stop of the backup";
  postgres::Connection connection = server_.connect();
  const postgres::WalPosition position = postgres::query_wal_position(connection);
  const bool is_primary = !postgres::is_in_recovery(connection);
  if (is_primary) replication::require_reached(end_, position.lsn);
  info.end_time = position.time;
  info.end_xlog = std::max(position.lsn, end_.lsn);
  info.end_offset = wal::segment_offset(*info.end_xlog, info.xlog_segment_size);
  if (position.wal_name && position.lsn >= end_.lsn) {
    info.end_wal = position.wal_name;
  } else {
    const wal::TimelineId timeline = postgres::query_current_timeline(connection);
    info.end_wal = last_segment_before(timeline, *info.end_xlog, info.xlog_segment_size);
  }
  close_last_segment(server_, info, connection, job.messages);
}

}  // namespace

std::unique_ptr<BackupSource> make_postgres_stream(const server::Server& server,
                                                   const BackupRequest& request) {
  return std::make_unique<PostgresStream>(server, request);
}

}  // namespace barman::backup

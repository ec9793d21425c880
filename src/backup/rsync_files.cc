#include "backup/rsync_files.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "backup/copied_cluster.h"
#include "backup/copied_names.h"
#include "backup/copy_steps.h"
#include "backup/reference_backup.h"
#include "backup/rsync_copy.h"
#include "backup/rsync_run.h"
#include "backup/single_files.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/log_components.h"
#include "host/ssh_words.h"
#include "postgres/control_file.h"
#include "postgres/queries.h"
#include "postgres/version_facts.h"
#include "stored/backup_store.h"

namespace barman::backup {
namespace {

namespace fs = std::filesystem;

using FilesClock = std::chrono::steady_clock;

constexpr const char* kPostmasterFile = "postmaster.pid";
// Beside the data directory, for a moment.
constexpr const char* kLookedAt = ".server";
// pg_control may be read while it is written.
constexpr int kControlFileCopies = 10;

// For a file that is looked at and not kept.
class PlaceToLook {
 public:
  explicit PlaceToLook(fs::path path) : path_(std::move(path)) {
    remove_tree(path_);
    make_directories(path_, 0700);
  }
  PlaceToLook(const PlaceToLook&) = delete;
  PlaceToLook& operator=(const PlaceToLook&) = delete;
  ~PlaceToLook() {
    try {
      remove_tree(path_);
    } catch (const Error& error) {  // It goes with the backup.
      log::warning(log::kBackupComponent, "{}", error.describe());
    }
  }
  const fs::path& path() const { return path_; }

 private:
  const fs::path path_;
};

class RsyncFiles final : public BackupSource {
 public:
  RsyncFiles(const server::Server& server, const BackupRequest& request)
      : server_(server),
        request_(request),
        store_(server.catalogue()),
        cluster_(server, request),
        run_(
            server.config().ssh_command.value_or(""), server.config().network_compression,
            [this] { require_going_on(); },
            host::ssh_words(server.config().ssh_command.value_or(""))) {}

  SourceTitle title() const override { return cluster_.title(); }
  catalogue::Identity require_possible() override;
  void begin(BackupJob& job) override;
  CopyFacts copy(BackupJob& job) override;
  void end(BackupJob& job) override;

 private:
  void require_going_on() const;
  void require_place(const BackupJob& job, postgres::Connection& connection);
  RsyncCopyOptions copy_options(BackupJob& job) const;
  void list_tablespaces(BackupJob& job, RsyncCopy& copy);
  void list_data_directory(BackupJob& job, RsyncCopy& copy);
  void copy_control_file(const BackupJob& job, RsyncCopy& copy);
  void copy_everything(BackupJob& job, RsyncCopy& copy);

  const server::Server& server_;
  const BackupRequest& request_;
  const stored::BackupStore store_;
  CopiedCluster cluster_;
  bool is_begun_ = false;
  RsyncRun run_;
  References references_{store_};
  std::vector<CopiedItem> items_;
  std::optional<CopySteps> steps_;
};

void RsyncFiles::require_going_on() const {
  server_.interrupt().throw_if_requested();
  if (is_begun_) cluster_.require_alive();
}

catalogue::Identity RsyncFiles::require_possible() {
  postgres::Connection connection = server_.connect();
  require_data_directory_name(connection);
  return cluster_.require_possible(connection);
}

// Files of another server, say, of a standby in the same place of another host, would make a backup
// that nothing can recover.
void RsyncFiles::require_place(const BackupJob& job, postgres::Connection& connection) {
  const std::string data = require_data_directory_name(connection);
  const fs::path base = server_.catalogue().base_directory(job.info.id);
  const PlaceToLook place(base / kLookedAt);
  NameList names(base);
  names.add(kPostmasterFile, 0);
  run_.get(names, {.source = data, .destination = place.path()}, [](const ReportedFile&) {});
  const auto text = find_and_read_file(place.path() / kPostmasterFile);
  if (const auto reason = find_other_postmaster(text, connection)) {
    throw Error(ErrorKind::config,
                fmt::format("\"{}\" on {} is not the data directory of the server that conninfo of "
                            "'{}' leads to: {}",
                            data, run_.places().remote, server_.name(), *reason),
                "Correct ssh_command or conninfo, so that both lead to the same server.");
  }
}

void RsyncFiles::begin(BackupJob& job) {
  with_failure_told(job, [&] {
    cluster_.begin(job, [&](postgres::Connection& connection) { require_place(job, connection); });
    is_begun_ = true;
  });
}

RsyncCopyOptions RsyncFiles::copy_options(BackupJob& job) const {
  const config::ServerConfig& config = server_.config();
  return {
      .reuse = request_.reuse,
      .worker_count = static_cast<std::size_t>(std::max<std::int64_t>(request_.jobs, 1)),
      .batch_size = request_.jobs_start_batch_size.value_or(config.parallel_jobs_start_batch_size),
      .batch_period = std::chrono::seconds(
          request_.jobs_start_batch_period.value_or(config.parallel_jobs_start_batch_period)),
      .retries = {.times = request_.retry_times, .pause = request_.retry_sleep},
      .checks = {.checked_before = cluster_.facts().checked_before(job.info),
                 .digests = job.digests_for_manifest()}};
}

void RsyncFiles::list_tablespaces(BackupJob& job, RsyncCopy& copy) {
  const std::string major = postgres::major_version_text(job.info.version.value_or(0));
  const auto& limits = server_.config().tablespace_bandwidth_limit;
  const std::string own = "PG_" + major + "_*";
  for (const catalogue::Tablespace& tablespace : job.info.tablespaces) {
    const auto limit = limits.find(tablespace.name);
    job.progress.set_item(tablespace.name);
    const bool is_there = copy.list_tree(
        {.label = tablespace.name,
         .source = tablespace.location,
         .destination = store_.directories(job.info.id).tablespace_directory(tablespace.oid),
         .references = references_.trees_of(tablespace.oid),
         .is_copied =
             [major](std::string_view path) { return is_copied_from_tablespace(path, major); },
         .filters = {"--exclude=pgsql_tmp*", "--include=/" + own, "--exclude=/*"},
         .prefix = fmt::format("pg_tblspc/{}/", tablespace.oid),
         .limit =
             limit != limits.end() ? TransferLimit::of(limit->second) : request_.bandwidth_limit});
    // Dropped since the backup has begun?
    if (is_there || !cluster_.has_tablespace(tablespace.oid)) continue;
    throw Error(ErrorKind::not_found,
                fmt::format("there is no directory \"{}\", the location of tablespace '{}', on {}",
                            tablespace.location, tablespace.name, run_.places().remote),
                "Check that its file system is mounted there.");
  }
}

void RsyncFiles::list_data_directory(BackupJob& job, RsyncCopy& copy) {
  const std::string& data = cluster_.data_directory();
  RsyncTree tree{.label = "pgdata",
                 .source = data,
                 .destination = store_.directories(job.info.id).data_directory,
                 .references = references_.trees_of(0),
                 .is_copied = {},
                 .filters = {"--exclude=pgsql_tmp*"},
                 .prefix = {},
                 .limit = request_.bandwidth_limit};
  // Those in place are directories, those elsewhere links.
  for (const postgres::TablespaceRow& row : cluster_.facts().tablespaces) {
    if (row.location.starts_with('/')) continue;
    tree.filters.push_back(fmt::format("--include=/pg_tblspc/{}", row.oid));
  }
  for (const char* name :
       {"pg_tblspc", "pg_wal", "pg_xlog", "log", "pg_log", "pg_replslot", "pg_dynshmem",
        "pg_notify", "pg_serial", "pg_stat_tmp", "pg_snapshots", "pg_subtrans"}) {
    tree.filters.push_back(fmt::format("--exclude=/{}/*", name));
  }
  // Tablespaces whose locations are below the data directory.
  std::vector<std::string> inside =
      list_tablespaces_inside(data, job.info.tablespaces, FilesLie::elsewhere);
  for (const std::string& path : inside) {
    tree.filters.push_back("--exclude=/" + rsync_pattern(path));
  }
  tree.is_copied = copied_from_data_directory(std::move(inside));
  job.progress.set_item("pgdata");
  if (copy.list_tree(tree)) return;
  throw Error(ErrorKind::not_found,
              fmt::format("there is no directory \"{}\" on {}", data, run_.places().remote),
              "Correct ssh_command or conninfo, so that both lead to the same server.");
}

// The last file of all: a standby notes in it up to where the files that it has written need WAL.
void RsyncFiles::copy_control_file(const BackupJob& job, RsyncCopy& copy) {
  const auto begun = FilesClock::now();
  const fs::path data = store_.directories(job.info.id).data_directory;
  for (int attempt = 1;; ++attempt) {
    const std::string source = cluster_.data_directory() + "/" + kControlFileName;
    if (!copy.copy_file(source, data / kControlFileName)) {
      throw Error(ErrorKind::not_found, fmt::format("there is no file \"{}\"", source),
                  "Check that PostgreSQL still runs there, and take the backup again.");
    }
    try {
      const postgres::ControlFile control = postgres::read_control_file(data);
      if (postgres::format_system_id(control.system_id) == job.info.systemid) break;
      throw Error(
          ErrorKind::conflict,
          fmt::format("\"{}\" on {} belongs to the cluster with system identifier {}, not "
                      "{}",
                      source, run_.places().remote, postgres::format_system_id(control.system_id),
                      job.info.systemid.value_or("None")),
          "Correct ssh_command or conninfo, so that both lead to the same server.");
    } catch (const Error& error) {  // Read while PostgreSQL was writing it.
      if (error.kind() != ErrorKind::corrupt || attempt == kControlFileCopies) throw;
    }
  }
  items_.push_back(item_since("pg_control", begun));
}

void RsyncFiles::copy_everything(BackupJob& job, RsyncCopy& copy) {
  list_tablespaces(job, copy);
  list_data_directory(job, copy);
  copy.copy_trees();
  for (const RsyncTreeTimes& times : copy.times()) {
    const auto tablespace = std::find_if(job.info.tablespaces.begin(), job.info.tablespaces.end(),
                                         [&](const auto& one) { return one.name == times.label; });
    if (!times.has_copied_names && tablespace != job.info.tablespaces.end()) {
      cluster_.require_dropped(job.info, *tablespace, "there");
    }
    items_.push_back({.label = times.label,
                      .analysis_seconds = times.analysis_seconds,
                      .copy_seconds = times.copy_seconds,
                      .serial_seconds = times.serial_seconds});
  }
  const std::vector<OutsideFile> outside = cluster_.facts().outside_files();
  const SingleFiles singles(*steps_, store_.directories(job.info.id).data_directory,
                            [&](const std::string& source, const fs::path& destination) {
                              return copy.copy_file(source, destination);
                            });
  for (CopiedItem& item : singles.copy_outside_files(outside, steps_->take(outside.size()))) {
    items_.push_back(std::move(item));
  }
  if (cluster_.is_exclusive()) singles.copy_label(cluster_.data_directory(), steps_->take(1));
  steps_->run(steps_->take(1), "pg_control", [&] { copy_control_file(job, copy); });
  copy.make_durable();
}

CopyFacts RsyncFiles::copy(BackupJob& job) {
  CopyFacts facts;
  with_failure_told(job, [&] {
    const auto begun = FilesClock::now();
    cluster_.begin_copy(job, "rsync/SSH", store_);
    references_.choose(job, UseUnfinished::always);
    job.progress.begin("backup", static_cast<std::uint64_t>(job.info.cluster_size.value_or(0)));
    const RsyncCopyOptions options = copy_options(job);
    steps_.emplace(RsyncCopy::kStepsOfTree * (job.info.tablespaces.size() + 1) +
                   cluster_.facts().outside_files().size() + (cluster_.is_exclusive() ? 2 : 1));
    RsyncCopy copy(run_, options, store_.directories(job.info.id).data_directory.parent_path(),
                   *steps_, job.progress, server_.interrupt(), [this] { require_going_on(); });
    copy_everything(job, copy);
    job.progress.end();
    cluster_.require_alive();
    facts.stats = copy_stats(items_, item_since("", begun).copy_seconds, options.worker_count);
    facts.page_damage = copy.damage().facts();
    facts.dead_links = run_.dead_links();
  });
  return facts;
}

void RsyncFiles::end(BackupJob& job) {
  is_begun_ = false;
  with_failure_told(job, [&] { cluster_.end(job); });
}

}  // namespace

std::unique_ptr<BackupSource> make_rsync_files(const server::Server& server,
                                               const BackupRequest& request) {
  return std::make_unique<RsyncFiles>(server, request);
}

}  // namespace barman::backup

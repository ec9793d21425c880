#include "backup/local_files.h"

#include <fcntl.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "backup/copied_cluster.h"
#include "backup/copied_names.h"
#include "backup/copy_steps.h"
#include "backup/local_copy.h"
#include "backup/reference_backup.h"
#include "backup/single_files.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "postgres/low_level_backup.h"
#include "postgres/queries.h"
#include "postgres/version_facts.h"
#include "stored/backup_store.h"

namespace barman::backup {
namespace {

namespace fs = std::filesystem;

using LocalClock = std::chrono::steady_clock;

CopiedItem item_of(const std::string& label, const LocalCopyTimes& times) {
  return {.label = label,
          .analysis_seconds = 0,
          .copy_seconds = times.total_seconds,
          .serial_seconds = times.serial_seconds};
}

class LocalFiles final : public BackupSource {
 public:
  LocalFiles(const server::Server& server, const BackupRequest& request)
      : server_(server), request_(request), store_(server.catalogue()), cluster_(server, request) {}

  SourceTitle title() const override { return cluster_.title(); }
  catalogue::Identity require_possible() override;
  void begin(BackupJob& job) override;
  CopyFacts copy(BackupJob& job) override;
  void end(BackupJob& job) override;

 private:
  void copy_tablespaces(BackupJob& job, LocalCopy& copy);
  void copy_data_directory(BackupJob& job, LocalCopy& copy);
  void copy_control_file(const BackupJob& job);

  const server::Server& server_;
  const BackupRequest& request_;
  const stored::BackupStore store_;
  CopiedCluster cluster_;
  References references_{store_};
  std::vector<CopiedItem> items_;
  std::optional<CopySteps> steps_;
};

catalogue::Identity LocalFiles::require_possible() {
  postgres::Connection connection = server_.connect();
  require_local_data_directory(server_, connection);
  return cluster_.require_possible(connection);
}

void LocalFiles::begin(BackupJob& job) {
  with_failure_told(job, [&] {
    cluster_.begin(job, [&](postgres::Connection& connection) {
      require_local_data_directory(server_, connection);
    });
  });
}

void LocalFiles::copy_tablespaces(BackupJob& job, LocalCopy& copy) {
  const std::string major = postgres::major_version_text(job.info.version.value_or(0));
  const auto& limits = server_.config().tablespace_bandwidth_limit;
  for (const catalogue::Tablespace& tablespace : job.info.tablespaces) {
    const auto limit = limits.find(tablespace.name);
    LocalTree tree{
        .source = tablespace.location,
        .destination = store_.directories(job.info.id).tablespace_directory(tablespace.oid),
        .references = references_.trees_of(tablespace.oid),
        .is_copied = [&](std::string_view path) { return is_copied_from_tablespace(path, major); },
        .prefix = fmt::format("pg_tblspc/{}/", tablespace.oid),
        .bandwidth_limit =
            limit != limits.end() ? TransferLimit::of(limit->second) : request_.bandwidth_limit};
    job.progress.set_item(tablespace.name);
    bool has_directory = false;
    const auto names = tree.is_copied;
    tree.is_copied = [&](std::string_view path) {
      has_directory = has_directory || names(path);
      return names(path);
    };
    LocalCopyTimes times;
    try {
      steps_->run(steps_->take(1), tablespace.name, [&] { times = copy.copy_tree(tree); });
    } catch (const Error& error) {  // Dropped since the backup has begun?
      if (error.kind() != ErrorKind::not_found || cluster_.has_tablespace(tablespace.oid)) throw;
      has_directory = true;
    }
    if (!has_directory) cluster_.require_dropped(job.info, tablespace, "on this host");
    items_.push_back(item_of(tablespace.name, times));
  }
}

void LocalFiles::copy_data_directory(BackupJob& job, LocalCopy& copy) {
  const fs::path data = cluster_.data_directory();
  job.progress.set_item("pgdata");
  const LocalTree tree{.source = data,
                       .destination = store_.directories(job.info.id).data_directory,
                       .references = references_.trees_of(0),
                       .is_copied = copied_from_data_directory(
                           list_tablespaces_inside(data, job.info.tablespaces, FilesLie::here)),
                       .prefix = {},
                       .bandwidth_limit = request_.bandwidth_limit};
  steps_->run(steps_->take(1), "pgdata",
              [&] { items_.push_back(item_of("pgdata", copy.copy_tree(tree))); });
}

// The last file of all: a standby notes in it up to where the files that it has written need WAL.
void LocalFiles::copy_control_file(const BackupJob& job) {
  const auto begun = LocalClock::now();
  const fs::path source = cluster_.data_directory() + "/" + kControlFileName;
  const fs::path destination = store_.directories(job.info.id).data_directory / kControlFileName;
  const std::string content = read_live_control_file(source, job.info.systemid);
  write_file_durably(destination, content, find_status(source).value().st_mode & 0777U);
  items_.push_back(item_since("pg_control", begun));
}

CopyFacts LocalFiles::copy(BackupJob& job) {
  CopyFacts facts;
  with_failure_told(job, [&] {
    const auto begun = LocalClock::now();
    cluster_.begin_copy(job, "local rsync", store_);
    // Copying from here or from there is the same.
    references_.choose(job, UseUnfinished::with_reuse);
    const fs::path data = store_.directories(job.info.id).data_directory;
    const LocalCopyOptions options{
        .reuse = request_.reuse,
        .worker_count = request_.worker_count,
        .checks = {.checked_before = cluster_.facts().checked_before(job.info),
                   .digests = job.digests_for_manifest()}};
    job.progress.begin("backup", static_cast<std::uint64_t>(job.info.cluster_size.value_or(0)));
    LocalCopy copy(options, data.parent_path(), job.progress, [&] {
      server_.interrupt().throw_if_requested();
      cluster_.require_alive();
    });
    const std::vector<OutsideFile> outside = cluster_.facts().outside_files();
    steps_.emplace(job.info.tablespaces.size() + 1 + outside.size() +
                   (cluster_.is_exclusive() ? 2 : 1));
    copy_tablespaces(job, copy);
    copy_data_directory(job, copy);
    const SingleFiles singles(*steps_, data,
                              [&](const std::string& source, const fs::path& destination) {
                                return copy.copy_file(source, destination);
                              });
    for (CopiedItem& item : singles.copy_outside_files(outside, steps_->take(outside.size()))) {
      items_.push_back(std::move(item));
    }
    if (cluster_.is_exclusive()) singles.copy_label(cluster_.data_directory(), steps_->take(1));
    steps_->run(steps_->take(1), "pg_control", [&] { copy_control_file(job); });
    copy.make_durable();
    job.progress.end();
    cluster_.require_alive();
    // Files are listed while others are copied already: nothing is analysed before.
    facts.stats = copy_stats(items_, item_since("", begun).copy_seconds, request_.worker_count);
    facts.page_damage = copy.damage().facts();
    facts.dead_links = copy.dead_links();
  });
  return facts;
}

void LocalFiles::end(BackupJob& job) {
  with_failure_told(job, [&] { cluster_.end(job); });
}

}  // namespace

void require_local_data_directory(const server::Server& server, postgres::Connection& connection) {
  const fs::path data = require_data_directory_name(connection);
  const auto reason =
      find_other_postmaster(find_and_read_file(data / "postmaster.pid"), connection);
  if (reason) {
    throw Error(ErrorKind::config,
                fmt::format("\"{}\" is not the data directory of the server that conninfo of '{}' "
                            "leads to: {}",
                            data.string(), server.name(), *reason),
                "Run barman on the host of that server, as the user that runs it, or set "
                "backup_method = postgres.");
  }
  // Whoever may read this may read the rest.
  open_file(data / kControlFileName, O_RDONLY);
}

std::unique_ptr<BackupSource> make_local_files(const server::Server& server,
                                               const BackupRequest& request) {
  return std::make_unique<LocalFiles>(server, request);
}

}  // namespace barman::backup

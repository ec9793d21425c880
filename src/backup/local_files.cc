#include "backup/local_files.h"

#include <fcntl.h>

#include <algorithm>
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
#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/text.h"
#include "postgres/low_level_backup.h"
#include "postgres/queries.h"
#include "postgres/version_facts.h"
#include "stored/backup_store.h"

namespace barman::backup {
namespace {

namespace fs = std::filesystem;

using LocalClock = std::chrono::steady_clock;

double elapsed(LocalClock::time_point begun) {
  return std::chrono::duration<double>(LocalClock::now() - begun).count();
}

CopiedItem item_of(const std::string& label, const LocalCopyTimes& times) {
  return {.label = label,
          .analysis_seconds = 0,
          .copy_seconds = times.total_seconds,
          .serial_seconds = times.serial_seconds};
}

CopiedItem item_of(const std::string& label, double seconds) {
  return item_of(label, {.total_seconds = seconds, .serial_seconds = seconds});
}

class LocalFiles final : public BackupSource {
 public:
  LocalFiles(const server::Server& server, const BackupRequest& request)
      : server_(server), request_(request), store_(server.catalogue()), cluster_(server, request) {}

  SourceTitle title() const override {
    return {.mode = cluster_.mode(),
            .finalising = "Asking PostgreSQL server to finalize the backup.",
            .connection_option = "conninfo",
            .has_manifest = false};
  }
  catalogue::Identity require_possible() override;
  void begin(BackupJob& job) override;
  CopyFacts copy(BackupJob& job) override;
  void end(BackupJob& job) override;

 private:
  void copy_tablespaces(BackupJob& job, LocalCopy& copy);
  void copy_data_directory(BackupJob& job, LocalCopy& copy);
  void copy_outside_files(BackupJob& job, LocalCopy& copy);
  void copy_label(const BackupJob& job, LocalCopy& copy);
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
    if (!has_directory && cluster_.has_tablespace(tablespace.oid)) {
      throw Error(ErrorKind::not_found,
                  fmt::format("the location of tablespace '{}', \"{}\", holds no directory \"PG_{}_"
                              "…\"",
                              tablespace.name, tablespace.location, major),
                  "Check that its file system is mounted on this host.");
    }
    items_.push_back(item_of(tablespace.name, times));
  }
}

void LocalFiles::copy_data_directory(BackupJob& job, LocalCopy& copy) {
  const fs::path data = cluster_.data_directory();
  // Tablespaces whose locations are below the data directory.
  std::vector<std::string> separate;
  for (const catalogue::Tablespace& tablespace : job.info.tablespaces) {
    const fs::path relative =
        fs::weakly_canonical(tablespace.location).lexically_relative(fs::canonical(data));
    if (!relative.empty() && *relative.begin() != "..") separate.push_back(relative.string());
  }
  job.progress.set_item("pgdata");
  const LocalTree tree{.source = data,
                       .destination = store_.directories(job.info.id).data_directory,
                       .references = references_.trees_of(0),
                       .is_copied =
                           [&](std::string_view path) {
                             return is_copied_from_data_directory(path) &&
                                    std::find(separate.begin(), separate.end(), path) ==
                                        separate.end();
                           },
                       .prefix = {},
                       .bandwidth_limit = request_.bandwidth_limit};
  steps_->run(steps_->take(1), "pgdata",
              [&] { items_.push_back(item_of("pgdata", copy.copy_tree(tree))); });
}

void LocalFiles::copy_outside_files(BackupJob& job, LocalCopy& copy) {
  const fs::path data = store_.directories(job.info.id).data_directory;
  for (const OutsideFile& file : cluster_.facts().outside_files()) {
    const auto begun = LocalClock::now();
    bool is_there = false;
    steps_->run(steps_->take(1), file.setting, [&] {
      is_there = copy.copy_file(file.path, data / fs::path(file.path).filename());
    });
    if (is_there) {
      items_.push_back(item_of(file.setting, elapsed(begun)));
    } else if (file.is_optional()) {
      log::warning(log::kBackupComponent, "there is no \"{}\"", file.path);
    } else {
      throw Error(ErrorKind::not_found, fmt::format("there is no file \"{}\"", file.path),
                  fmt::format("Correct {} in the settings of PostgreSQL.", file.setting));
    }
  }
}

void LocalFiles::copy_label(const BackupJob& job, LocalCopy& copy) {
  const fs::path label = cluster_.data_directory() + "/" + kLabelFileName;
  const fs::path data = store_.directories(job.info.id).data_directory;
  if (copy.copy_file(label, data / kLabelFileName)) return;
  throw Error(
      ErrorKind::not_found,
      fmt::format("there is no file \"{}\": the exclusive backup has ended", label.string()),
      "Take the backup again.");
}

// The last file of all: a standby notes in it up to where the files that it has written need WAL.
void LocalFiles::copy_control_file(const BackupJob& job) {
  const auto begun = LocalClock::now();
  const fs::path source = cluster_.data_directory() + "/" + kControlFileName;
  const fs::path destination = store_.directories(job.info.id).data_directory / kControlFileName;
  const std::string content = read_live_control_file(source, job.info.systemid);
  write_file_durably(destination, content, find_status(source).value().st_mode & 0777U);
  items_.push_back(item_of("pg_control", elapsed(begun)));
}

CopyFacts LocalFiles::copy(BackupJob& job) {
  CopyFacts facts;
  with_failure_told(job, [&] {
    const std::string jobs = request_.jobs > 1 ? fmt::format(" ({} jobs)", request_.jobs) : "";
    job.messages.info(
        fmt::format("Starting backup copy via local rsync for {}{}", job.info.id.value, jobs));
    const auto begun = LocalClock::now();
    cluster_.warn_of_included_files(job);
    store_.clear(job.info.id);
    // Copying from here or from there is the same.
    references_.choose(job, UseUnfinished::with_reuse);
    const stored::BackupDirectories places = store_.directories(job.info.id);
    for (const catalogue::Tablespace& tablespace : job.info.tablespaces) {
      make_directories(places.tablespace_directory(tablespace.oid), 0700);
    }
    const LocalCopyOptions options{
        .reuse = request_.reuse,
        .worker_count = request_.worker_count,
        .checks = {.checked_before = cluster_.facts().checked_before(job.info),
                   .digests = job.digests_for_manifest()}};
    job.progress.begin("backup", static_cast<std::uint64_t>(job.info.cluster_size.value_or(0)));
    LocalCopy copy(options, places.data_directory.parent_path(), job.progress, [&] {
      server_.interrupt().throw_if_requested();
      cluster_.require_alive();
    });
    steps_.emplace(job.info.tablespaces.size() + 1 + cluster_.facts().outside_files().size() +
                   (cluster_.is_exclusive() ? 2 : 1));
    copy_tablespaces(job, copy);
    copy_data_directory(job, copy);
    copy_outside_files(job, copy);
    if (cluster_.is_exclusive()) {
      steps_->run(steps_->take(1), kLabelFileName, [&] { copy_label(job, copy); });
    }
    steps_->run(steps_->take(1), "pg_control", [&] { copy_control_file(job); });
    copy.make_durable();
    job.progress.end();
    cluster_.require_alive();
    // Files are listed while others are copied already: nothing is analysed before.
    facts.stats = copy_stats(items_, elapsed(begun), request_.worker_count);
    facts.page_damage = copy.damage().facts();
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

#include "backup/local_files.h"

#include <fcntl.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "backup/close_wal.h"
#include "backup/cluster_facts.h"
#include "backup/copied_names.h"
#include "backup/held_session.h"
#include "backup/local_copy.h"
#include "backup/reference_backup.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/text.h"
#include "postgres/backup_label.h"
#include "postgres/control_file.h"
#include "postgres/low_level_backup.h"
#include "postgres/page_checksum.h"
#include "postgres/queries.h"
#include "postgres/version_facts.h"
#include "stored/backup_evidence.h"
#include "stored/backup_store.h"
#include "wal/wal_file_name.h"

namespace barman::backup {
namespace {

namespace fs = std::filesystem;

using catalogue::BackupInfo;
using catalogue::PythonDict;
using LocalClock = std::chrono::steady_clock;

// Of copied files, whatever has copied them: the word of the file format.
constexpr const char* kMode = "rsync-concurrent";
constexpr const char* kControlFile = "global/pg_control";
// A file touched so shortly before the reference was begun is compared.
constexpr std::time_t kHorizonMargin = 2;
// PostgreSQL notes its start twice.
constexpr std::int64_t kStartTolerance = 5;
constexpr int kControlFileReads = 50;
constexpr std::size_t kMostShownPages = 10;

double micros(double seconds) { return std::round(seconds * 1e6) / 1e6; }

double elapsed(LocalClock::time_point begun) {
  return std::chrono::duration<double>(LocalClock::now() - begun).count();
}

class LocalFiles final : public BackupSource {
 public:
  LocalFiles(const server::Server& server, const BackupRequest& request)
      : server_(server), request_(request), store_(server.catalogue()) {}

  SourceTitle title() const override {
    return {.mode = kMode,
            .finalising = "Asking PostgreSQL server to finalize the backup.",
            .connection_option = "conninfo",
            .has_manifest = false};
  }
  catalogue::Identity require_possible() override;
  void begin(BackupJob& job) override;
  CopyFacts copy(BackupJob& job) override;
  void end(BackupJob& job) override;

 private:
  struct Item {
    std::string label;
    LocalCopyTimes times;
  };

  void copy_tablespaces(BackupJob& job, LocalCopy& copy);
  void copy_data_directory(BackupJob& job, LocalCopy& copy);
  void copy_external_files(BackupJob& job, LocalCopy& copy);
  void copy_control_file(const BackupJob& job);
  void warn_of_included_files(const BackupJob& job) const;
  std::optional<fs::path> reference_of(std::uint32_t oid) const;
  void choose_reference(const BackupJob& job);
  bool has_tablespace(std::uint32_t oid) const;
  CopyFacts facts_of(const LocalCopy& copy, double seconds) const;
  template <typename Step>
  void tell_failure(BackupJob& job, const Step& step) const;

  const server::Server& server_;
  const BackupRequest& request_;
  const stored::BackupStore store_;
  postgres::ServerSettings settings_;
  std::vector<postgres::TablespaceRow> tablespaces_;
  std::int64_t page_size_ = 0;
  std::optional<HeldSession> session_;
  std::optional<BackupInfo> reference_;
  std::vector<Item> items_;
};

// What users of these methods read first.
template <typename Step>
void LocalFiles::tell_failure(BackupJob& job, const Step& step) const {
  try {
    step();
  } catch (const Error&) {  // Goes on its way.
    job.messages.error("The backup has failed " + job.action);
    throw;
  }
}

catalogue::Identity LocalFiles::require_possible() {
  postgres::Connection connection = server_.connect();
  require_local_data_directory(server_, connection);
  return {.system_id = postgres::format_system_id(postgres::query_system_id(connection)),
          .version = postgres::major_version_text(connection.server_version())};
}

void LocalFiles::begin(BackupJob& job) {
  tell_failure(job, [&] {
    job.action = "issuing start backup command";
    postgres::Connection connection = server_.connect();
    // The session itself: conninfo may name several hosts.
    require_local_data_directory(server_, connection);
    log::info(log::kBackupComponent, "waiting for the checkpoint at the start of the backup");
    const postgres::LowLevelStart start = postgres::start_low_level_backup(
        connection, fmt::format("Barman backup {} {}", server_.name(), job.info.id.value),
        request_.checkpoint == replication::CheckpointMode::fast
            ? postgres::StartCheckpoint::fast
            : postgres::StartCheckpoint::spread);
    BackupInfo& info = job.info;
    // Behind the start: what is made later, WAL makes again.
    settings_ = take_facts(connection, info, tablespaces_);
    if (!settings_.data_directory) {
      throw Error(ErrorKind::permission, "PostgreSQL does not tell where its data directory is",
                  "Let the user of conninfo read all settings (role pg_monitor).");
    }
    for (const postgres::TablespaceRow& row : tablespaces_) {
      // One in place is a directory below the data directory.
      if (row.location.starts_with('/')) {
        info.tablespaces.push_back({.name = row.name, .oid = row.oid, .location = row.location});
      }
    }
    page_size_ = postgres::query_postmaster(connection).page_size;
    info.timeline = postgres::query_current_timeline(connection);
    info.begin_time = start.time;
    info.begin_xlog = start.lsn;
    info.begin_wal = wal::segment_name(
        wal::segment_of(*info.timeline, start.lsn, info.xlog_segment_size), info.xlog_segment_size);
    info.begin_offset = wal::segment_offset(start.lsn, info.xlog_segment_size);
    session_.emplace(std::move(connection), request_.keepalive_interval);
  });
}

// Configuration files outside of the data directory are copied, but not what they include.
void LocalFiles::warn_of_included_files(const BackupJob& job) const {
  if (server_.config().backup_options.external_configuration) return;
  const std::string inside = *settings_.data_directory + "/";
  std::string list;
  for (const std::string& file : settings_.included_files) {
    if (!file.starts_with(inside)) list += "\t" + file + "\n";
  }
  if (list.empty()) return;
  job.messages.warning(
      "The usage of include directives is not supported for files that reside outside PGDATA.\n"
      "Please manually backup the following files:\n" +
      list);
}

void LocalFiles::choose_reference(const BackupJob& job) {
  if (request_.reuse == config::ReuseBackup::off) return;
  ReferenceBackup found =
      find_reference(store_, server_.catalogue().list_backups().backups, job.info);
  if (!found.refusal.empty()) {
    job.messages.warning(
        "All files are copied: reuse_backup needs a previous backup of files, and " +
        found.refusal);
  }
  reference_ = std::move(found.backup);
}

std::optional<fs::path> LocalFiles::reference_of(std::uint32_t oid) const {
  if (!reference_) return std::nullopt;
  const stored::BackupDirectories places = store_.directories(reference_->id);
  return oid == 0 ? places.data_directory : places.tablespace_directory(oid);
}

bool LocalFiles::has_tablespace(std::uint32_t oid) const {
  postgres::Connection connection = server_.connect();
  const std::vector<postgres::TablespaceRow> rows = postgres::list_tablespaces(connection);
  return std::any_of(rows.begin(), rows.end(),
                     [&](const postgres::TablespaceRow& row) { return row.oid == oid; });
}

void LocalFiles::copy_tablespaces(BackupJob& job, LocalCopy& copy) {
  const std::string major = postgres::major_version_text(job.info.version.value_or(0));
  const auto& limits = server_.config().tablespace_bandwidth_limit;
  for (const catalogue::Tablespace& tablespace : job.info.tablespaces) {
    const auto limit = limits.find(tablespace.name);
    LocalTree tree{
        .source = tablespace.location,
        .destination = store_.directories(job.info.id).tablespace_directory(tablespace.oid),
        .reference = reference_of(tablespace.oid),
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
      times = copy.copy_tree(tree);
    } catch (const Error& error) {  // Dropped since the backup has begun?
      if (error.kind() != ErrorKind::not_found || has_tablespace(tablespace.oid)) throw;
      has_directory = true;
    }
    if (!has_directory && has_tablespace(tablespace.oid)) {
      throw Error(ErrorKind::not_found,
                  fmt::format("the location of tablespace '{}', \"{}\", holds no directory \"PG_{}_"
                              "…\"",
                              tablespace.name, tablespace.location, major),
                  "Check that its file system is mounted on this host.");
    }
    items_.push_back({tablespace.name, times});
  }
}

void LocalFiles::copy_data_directory(BackupJob& job, LocalCopy& copy) {
  const fs::path data = *settings_.data_directory;
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
                       .reference = reference_of(0),
                       .is_copied =
                           [&](std::string_view path) {
                             return is_copied_from_data_directory(path) &&
                                    std::find(separate.begin(), separate.end(), path) ==
                                        separate.end();
                           },
                       .prefix = {},
                       .bandwidth_limit = request_.bandwidth_limit};
  items_.push_back({"pgdata", copy.copy_tree(tree)});
}

void LocalFiles::copy_external_files(BackupJob& job, LocalCopy& copy) {
  const fs::path data = store_.directories(job.info.id).data_directory;
  const std::string inside = *settings_.data_directory + "/";
  for (const auto& [label, file] :
       {std::pair{"config_file", settings_.config_file}, std::pair{"hba_file", settings_.hba_file},
        std::pair{"ident_file", settings_.ident_file}}) {
    if (!file || file->starts_with(inside)) continue;
    const auto begun = LocalClock::now();
    if (copy.copy_file(*file, data / fs::path(*file).filename())) {
      items_.push_back(
          {label, {.total_seconds = elapsed(begun), .serial_seconds = elapsed(begun)}});
    } else if (std::string_view(label) == "ident_file") {
      log::warning(log::kBackupComponent, "there is no \"{}\"", *file);
    } else {
      throw Error(ErrorKind::not_found, fmt::format("there is no file \"{}\"", *file),
                  fmt::format("Correct {} in the settings of PostgreSQL.", label));
    }
  }
}

// The last file of all: a standby notes in it up to where the files that it has written need WAL.
void LocalFiles::copy_control_file(const BackupJob& job) {
  const auto begun = LocalClock::now();
  const fs::path source = fs::path(*settings_.data_directory) / kControlFile;
  const fs::path destination = store_.directories(job.info.id).data_directory / kControlFile;
  std::string content;
  for (int read = 1;; ++read) {
    content = read_file(source);
    try {
      const postgres::ControlFile control = postgres::parse_control_file(as_bytes(content));
      if (postgres::format_system_id(control.system_id) == job.info.systemid) break;
      throw Error(ErrorKind::conflict,
                  fmt::format("\"{}\" belongs to the cluster with system identifier {}, not {}",
                              source.string(), postgres::format_system_id(control.system_id),
                              job.info.systemid.value_or("None")),
                  "Check that conninfo leads to the server of this host.");
    } catch (const Error& error) {  // Read while PostgreSQL was writing it.
      if (error.kind() != ErrorKind::corrupt || read == kControlFileReads) throw;
      std::this_thread::yield();
    }
  }
  write_file_durably(destination, content, find_status(source).value().st_mode & 0777U);
  items_.push_back(
      {"pg_control", {.total_seconds = elapsed(begun), .serial_seconds = elapsed(begun)}});
}

CopyFacts LocalFiles::facts_of(const LocalCopy& copy, double seconds) const {
  PythonDict analysis;
  PythonDict copied;
  PythonDict serial;
  double copy_seconds = 0;
  double serial_seconds = 0;
  for (const Item& item : items_) {
    // Files are listed while others are copied already.
    analysis.set(item.label, {0.0});
    copied.set(item.label, {micros(item.times.total_seconds)});
    serial.set(item.label, {micros(item.times.serial_seconds)});
    copy_seconds += item.times.total_seconds;
    serial_seconds += item.times.serial_seconds;
  }
  CopyFacts facts;
  facts.stats.set("total_time", {micros(seconds)});
  facts.stats.set("number_of_workers", {static_cast<std::int64_t>(request_.worker_count)});
  facts.stats.set("analysis_time_per_item", {analysis});
  facts.stats.set("copy_time_per_item", {copied});
  facts.stats.set("serialized_copy_time_per_item", {serial});
  facts.stats.set("analysis_time", {0.0});
  facts.stats.set("copy_time", {micros(copy_seconds)});
  facts.stats.set("serialized_copy_time", {micros(serial_seconds)});
  if (copy.damaged_page_count() > 0) {
    std::vector<std::string> pages = copy.damaged_pages();
    if (pages.size() > kMostShownPages) pages.resize(kMostShownPages);
    facts.page_damage = {
        .finder = "Barman found corrupt pages while it copied",
        .details = fmt::format("{} in total, {}", copy.damaged_page_count(), join(pages, "; "))};
  }
  return facts;
}

CopyFacts LocalFiles::copy(BackupJob& job) {
  CopyFacts facts;
  tell_failure(job, [&] {
    const std::string jobs = request_.jobs > 1 ? fmt::format(" ({} jobs)", request_.jobs) : "";
    job.messages.info(
        fmt::format("Starting backup copy via local rsync for {}{}", job.info.id.value, jobs));
    const auto begun = LocalClock::now();
    choose_reference(job);
    warn_of_included_files(job);
    store_.clear(job.info.id);
    const stored::BackupDirectories places = store_.directories(job.info.id);
    for (const catalogue::Tablespace& tablespace : job.info.tablespaces) {
      make_directories(places.tablespace_directory(tablespace.oid), 0700);
    }
    LocalCopyOptions options{.reuse = request_.reuse,
                             .horizon = {},
                             .worker_count = request_.worker_count,
                             .checked_before = {}};
    if (reference_ && reference_->begin_time) {
      options.horizon = reference_->begin_time->seconds() - kHorizonMargin;
    }
    if (job.info.data_checksums == "on" && page_size_ == postgres::kPageSize)
      options.checked_before = job.info.begin_xlog;
    job.progress.begin("backup", static_cast<std::uint64_t>(job.info.cluster_size.value_or(0)));
    LocalCopy copy(options, places.data_directory.parent_path(), job.progress, [&] {
      server_.interrupt().throw_if_requested();
      session_->require_alive();
    });
    copy_tablespaces(job, copy);
    copy_data_directory(job, copy);
    copy_external_files(job, copy);
    copy_control_file(job);
    copy.make_durable();
    job.progress.end();
    session_->require_alive();
    facts = facts_of(copy, elapsed(begun));
  });
  return facts;
}

void LocalFiles::end(BackupJob& job) {
  tell_failure(job, [&] {
    job.action = "issuing stop backup command (native concurrent)";
    BackupInfo& info = job.info;
    postgres::Connection& connection = session_->take_back();
    log::info(log::kBackupComponent, "waiting for the WAL of the backup to be archived");
    const postgres::LowLevelStop stop = postgres::stop_low_level_backup(connection);
    const postgres::BackupLabel label = in_context(
        "\"backup_label\"", [&] { return postgres::parse_backup_label(stop.backup_label); });
    if (label.start_wal_location != info.begin_xlog) {
      throw Error(
          ErrorKind::corrupt,
          fmt::format("backup_label begins at {}, the backup at {}",
                      wal::format_lsn(label.start_wal_location), wal::format_lsn(*info.begin_xlog)),
          "Take the backup again.");
    }
    info.timeline = label.start_timeline;
    info.begin_wal = label.start_wal_file;
    info.backup_label = stop.backup_label;
    info.end_time = stop.time;
    info.end_xlog = stop.lsn;
    info.end_offset = wal::segment_offset(stop.lsn, info.xlog_segment_size);
    info.end_wal = last_segment_before(postgres::query_current_timeline(connection), stop.lsn,
                                       info.xlog_segment_size);
    close_last_segment(server_, info, connection, job.messages);
    job.action = "writing backup label";
    const fs::path data = store_.directories(info.id).data_directory;
    write_file_durably(data / "backup_label", stop.backup_label);
    stored::require_consistent(info, stored::gather_evidence(data, kControlFile, nullptr));
  });
}

}  // namespace

void require_local_data_directory(const server::Server& server, postgres::Connection& connection) {
  const auto data = postgres::query_settings(connection).data_directory;
  if (!data) {
    throw Error(ErrorKind::permission, "PostgreSQL does not tell where its data directory is",
                "Let the user of conninfo read all settings (role pg_monitor).");
  }
  const postgres::Postmaster asked = postgres::query_postmaster(connection);
  const auto text = find_and_read_file(fs::path(*data) / "postmaster.pid");
  const auto refuse = [&](const std::string& reason) {
    throw Error(ErrorKind::config,
                fmt::format("\"{}\" is not the data directory of the server that conninfo of '{}' "
                            "leads to: {}",
                            *data, server.name(), reason),
                "Run barman on the host of that server, as the user that runs it, or set "
                "backup_method = postgres.");
  };
  if (!text) return refuse("no server runs in it");
  // pid, data directory, seconds of the start, port
  const std::vector<std::string> lines = split(*text, '\n');
  const auto number = [&](std::size_t index) {
    return index < lines.size() ? parse_integer(strip(lines[index])) : std::nullopt;
  };
  const auto started_at = number(2);
  if (number(3) != asked.port || !started_at ||
      std::abs(*started_at - asked.started_at) > kStartTolerance) {
    refuse("another server runs in it");
  }
  // Whoever may read this may read the rest.
  open_file(fs::path(*data) / kControlFile, O_RDONLY);
}

std::unique_ptr<BackupSource> make_local_files(const server::Server& server,
                                               const BackupRequest& request) {
  return std::make_unique<LocalFiles>(server, request);
}

}  // namespace barman::backup

#include "upgrade/follow_upgrade.h"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/directory.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/file_lock.h"
#include "base/interrupt.h"
#include "base/shown_time.h"
#include "base/text.h"
#include "base/timestamp.h"
#include "catalogue/backup_turn.h"
#include "catalogue/locks.h"
#include "config/config_update.h"
#include "config/model.h"
#include "postgres/queries.h"
#include "postgres/system_id.h"
#include "postgres/version_facts.h"
#include "server/server_directories.h"
#include "sync/primary_info.h"
#include "wal_archive/archive_wal.h"
#include "wal_archive/known_cluster.h"
#include "wal_archive/wal_archive.h"
#include "wal_transfer/processes.h"
#include "wal_transfer/receive_wal.h"

namespace barman::upgrade {
namespace {

namespace fs = std::filesystem;

// In the directory of the old catalogue: the server whose it was, the one whose it is.
constexpr const char* kNote = ".barman-put-aside";

struct Note {
  std::string server;
  std::string old_name;
};

std::optional<Note> find_note(const fs::path& directory) {
  const auto text = find_and_read_file(directory / kNote);
  if (!text) return std::nullopt;
  const std::vector<std::string> lines = split(*text, '\n');
  if (lines.size() < 2) return std::nullopt;
  return Note{.server = lines[0], .old_name = lines[1]};
}

catalogue::Identity identity_of(const catalogue::BackupInfo& backup) {
  return {.system_id = backup.systemid.value(),
          .version = backup.version ? postgres::major_version_text(*backup.version) : ""};
}

// A passive node does as its primary node did.
catalogue::Identity read_primary_cluster(const server::Server& server) {
  const fs::path path = sync::primary_info_path(server.locations());
  const auto file = find_file(path);
  if (file) {
    const sync::PrimaryInfo primary = sync::read_primary_info(*file, path);
    for (auto backup = primary.backups.rbegin(); backup != primary.backups.rend(); ++backup) {
      if (backup->systemid) return identity_of(*backup);
    }
  }
  throw Error(
      ErrorKind::not_found,
      fmt::format("\"{}\" names no backup of the primary node of server '{}': nothing tells "
                  "to which cluster it belongs now",
                  path.string(), server.name()),
      "After the first backup there, run 'barman cron' here, then this command again.");
}

catalogue::Identity ask_cluster(const server::Server& server) {
  if (server.config().is_passive()) return read_primary_cluster(server);
  postgres::Connection connection = server.connect();
  return {.system_id = postgres::format_system_id(postgres::query_system_id(connection)),
          .version = postgres::major_version_text(connection.server_version())};
}

// The server that an earlier run has given the catalogue of this one to.
std::optional<std::string> find_moved(const server::Server& server,
                                      const config::Configuration& configuration) {
  const std::vector<std::string> names = list_predecessors(server.name(), configuration);
  return names.empty() ? std::nullopt : std::optional(names.front());
}

UpgradeFacts gather(const server::Server& server, const config::Configuration& configuration,
                    const UpgradeRequest& request) {
  UpgradeFacts facts{
      .config = server.config(),
      .barman_home = server.global().barman_home,
      .written = configuration.written_texts(server.name()),
      .taken_names = configuration.section_names(),
      .wanted_name = request.old_name,
      .today = shown_second(now_local()).substr(0, std::string_view("2026-11-30").size())};
  const auto absence = server.find_absence(catalogue::NewCatalogue::is_made);
  if (!absence) facts.known = wal_archive::find_known_cluster(server);
  if (!facts.known) facts.moved_name = find_moved(server, configuration);
  if (absence && !facts.moved_name) throw Error(*absence);
  if (!absence) facts.has_wal = !wal_archive::WalArchive(server).is_empty();
  if (const auto note = find_note(server.config().backup_directory);
      note && note->server == server.name())
    facts.begun_name = note->old_name;
  facts.cluster = ask_cluster(server);
  return facts;
}

// A disk of its own would be mounted in the old place again, a link would be left behind.
void require_renamable(const server::Server& server, const UpgradePlan& plan) {
  for (const std::string& directory : server::local_directories(server.config())) {
    fs::path path = fs::path(directory).lexically_normal();
    if (!path.has_filename()) path = path.parent_path();
    const auto status = find_status(path);
    const auto above = find_status(path.parent_path());
    if (!status || !above) continue;
    const bool is_link = S_ISLNK(status->st_mode);
    if (!is_link && status->st_dev == above->st_dev) continue;
    throw Error(
        ErrorKind::conflict,
        fmt::format("\"{}\" of server '{}' is {}, and cannot get another name", path.string(),
                    plan.server, is_link ? "a symbolic link" : "the mount point of a disk"),
        other_way(plan.server, plan.new_cluster));
  }
}

bool is_empty_directory(const fs::path& path) {
  const auto status = find_status(path);
  return status && S_ISDIR(status->st_mode) && list_directory(path).empty();
}

// Whether it is still to be done; one that an earlier run has done is not.
bool is_pending(const Move& move) { return find_status(move.from).has_value(); }

void require_free(const UpgradePlan& plan) {
  for (const Move& move : plan.moves) {
    if (!is_pending(move) || !find_status(move.to) || is_empty_directory(move.to)) continue;
    throw Error(ErrorKind::conflict,
                fmt::format("\"{}\" is to become \"{}\", which exists and is not empty",
                            move.from.string(), move.to.string()),
                "Choose another name with --old-name.");
  }
}

// What keeps everything out while the catalogue moves.
class Standstill {
 public:
  Standstill(const server::Server& server, Stage stage, Messages& messages) {
    const catalogue::LockLocation place = server.locks();
    backup_ = catalogue::take_backup_turn_or_throw(
        place,
        fmt::format("a backup or a deletion of server '{}' runs: nothing has been moved",
                    server.name()),
        server.interrupt(), messages);
    if (stage == Stage::begins) refuse_readers(server);
    locks_.push_back(wait_for(catalogue::cron_lock(place), "cron", server));
    end_receiver(server, messages);
    locks_.push_back(wait_for(catalogue::receive_wal_lock(place), "receive-wal", server));
    if (stage == Stage::begins && server.archives_wal()) archive(server, messages);
    locks_.push_back(wait_for(catalogue::archive_wal_lock(place), "archive-wal", server));
    locks_.push_back(wait_for(catalogue::sync_wal_lock(place), "sync-wals", server));
  }

  // Before the new receiver and cron begin.
  void end() {
    locks_.clear();
    backup_.reset();
  }

 private:
  static FileLock wait_for(const fs::path& path, const char* task, const server::Server& server) {
    constexpr int kAttempts = 300;
    constexpr int kPauseMs = 100;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      if (auto lock = FileLock::try_lock(path)) return std::move(*lock);
      if (sleep_unless_interrupted(kPauseMs, server.interrupt()))
        server.interrupt().throw_if_requested();
    }
    throw Error(ErrorKind::conflict,
                fmt::format("{} of server '{}' runs: nothing has been moved", task, server.name()),
                fmt::format("Wait for it, or end it (barman terminate-process {} {}); then run "
                            "this command again.",
                            server.name(), task));
  }

  // Restores, keeps, check-backup, copies of a passive node: they find their files by name.
  static void refuse_readers(const server::Server& server) {
    for (const catalogue::BackupInfo& backup : server.catalogue().list_backups().backups) {
      const auto is_free = [](const fs::path& path) {
        return !find_status(path) || FileLock::try_lock(path);
      };
      if (is_free(catalogue::backup_id_lock(server.locks(), backup.id)) &&
          is_free(catalogue::sync_backup_lock(server.locks(), backup.id)))
        continue;
      throw Error(ErrorKind::conflict,
                  fmt::format("backup {} of server '{}' is in use: nothing has been moved",
                              backup.id.value, server.name()),
                  "Wait until that has ended; then run this command again.");
    }
  }

  static void end_receiver(const server::Server& server, Messages& messages) {
    const auto processes = catalogue::list_processes(server.locks());
    const bool is_running =
        std::any_of(processes.begin(), processes.end(),
                    [](const auto& process) { return process.task == "receive-wal"; });
    if (is_running) wal_transfer::terminate_process(server, "receive-wal", messages);
  }

  // The last WAL of the old cluster. What cannot be archived goes along, and a restore reads it
  // where it lies: that it failed is told.
  static void archive(const server::Server& server, Messages& messages) {
    try {
      wal_archive::archive_pending_wal(server, {}, messages);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::interrupted) throw;
      messages.warning("WAL that has arrived stays where it is: " + error.describe());
    }
  }

  std::optional<FileLock> backup_;
  std::vector<FileLock> locks_;
};

void put_aside(const config::Configuration& configuration, const UpgradePlan& plan,
               Messages& messages) {
  const fs::path directory = plan.moves.back().from;
  write_file_durably(directory / kNote, fmt::format("{}\n{}\n", plan.server, plan.old_name));
  {
    const FileLock lock =
        FileLock::lock(catalogue::config_lock(configuration.global().barman_lock_directory));
    config::apply_change_set(configuration, plan.section);
  }
  messages.info(fmt::format("Section [{}], active = false, is in \"{}\"", plan.old_name,
                            configuration.global().automatic_file()));
  for (const Move& move : plan.moves) {
    if (!is_pending(move)) continue;
    // Of the last one: the commit point.
    rename_durably(move.from, move.to);
    messages.info(fmt::format("Moved \"{}\" to \"{}\"", move.from.string(), move.to.string()));
  }
}

// May be repeated; identity.json, which goes before the directories, is the end of `moved`.
void begin_anew(const server::Server& server, const UpgradePlan& plan) {
  const fs::path directory = plan.moves.back().from;
  if (find_status(plan.index.from)) rename_durably(plan.index.from, plan.index.to);
  make_directories(directory);
  const fs::path model = config::active_model_file(server.config());
  const auto active = find_and_read_file(plan.moves.back().to / model.filename());
  if (active && !find_status(model)) write_file_durably(model, *active);
  server.catalogue().write_identity_once(plan.new_cluster);
}

// What cron and a person would do; what does not work is told, and `doctor` knows the cure.
void start_streaming(const server::Server& server, Messages& messages) {
  const config::ServerConfig& config = server.config();
  if (!config.active || config.is_passive() || !config.streaming_archiver) return;
  if (FileLock::holder(catalogue::receive_wal_lock(server.locks()))) return;
  try {
    if (config.slot_name) {
      wal_transfer::create_slot(server.with_wal_connections(), wal_transfer::WhenSlotExists::skip,
                                messages);
    }
    wal_transfer::restart_receiver(server, messages);
  } catch (const Error& error) {  // The catalogues are right; cron tries the receiver again.
    if (error.kind() == ErrorKind::interrupted) throw;
    messages.warning(fmt::format("{}. Run: barman doctor {}", error.describe(), server.name()));
  }
}

}  // namespace

std::vector<std::string> list_predecessors(const std::string& server,
                                           const config::Configuration& configuration) {
  std::vector<std::string> names;
  for (const std::string& name : configuration.server_names()) {
    const config::ServerConfig* const other = configuration.find_server(name);
    if (name == server || other->active) continue;
    const auto note = find_note(other->backup_directory);
    if (note && note->server == server && note->old_name == name) names.push_back(name);
  }
  return names;
}

UpgradePlan prepare_upgrade(const server::Server& server,
                            const config::Configuration& configuration,
                            const UpgradeRequest& request) {
  UpgradePlan plan = plan_upgrade(gather(server, configuration, request));
  if (plan.stage == Stage::begins) {
    require_renamable(server, plan);
    require_free(plan);
  }
  return plan;
}

void follow_upgrade(const server::Server& server, const config::Configuration& configuration,
                    const UpgradeRequest& request, Messages& messages) {
  if (const Stage stage = prepare_upgrade(server, configuration, request).stage;
      stage != Stage::done) {
    Standstill standstill(server, stage, messages);
    // What has come in until now counts.
    const UpgradePlan plan = prepare_upgrade(server, configuration, request);
    if (plan.stage == Stage::begins) put_aside(configuration, plan, messages);
    if (plan.stage != Stage::done) begin_anew(server, plan);
    standstill.end();
  }
  server.create_directories();
  start_streaming(server, messages);
}

}  // namespace barman::upgrade

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>
#include <vector>

#include <fmt/format.h>

#include "base/directory.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/foreign_names.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/text.h"
#include "base/timestamp.h"
#include "catalogue/minimal_wal.h"
#include "check/check_run.h"
#include "compression/stored_file.h"
#include "config/validation.h"
#include "encryption/cipher.h"
#include "facts/receiver.h"
#include "facts/wal_flow.h"
#include "postgres/queries.h"
#include "server/server_directories.h"
#include "wal/wal_file_name.h"
#include "wal_archive/archive_wal.h"
#include "wal_archive/read_branches.h"
#include "wal_archive/wal_archive.h"
#include "wal_archive/wal_coding.h"
#include "wal_archive/wal_statistics.h"

namespace barman::check {
namespace {

namespace fs = std::filesystem;
using catalogue::BackupInfo;
using catalogue::BackupStatus;

// Waiting WAL files; names that are still being written do not count. A missing directory is empty.
std::int64_t count_waiting(const fs::path& directory) {
  std::int64_t count = 0;
  for (const std::string& name : list_directory(directory)) {
    if (!name.starts_with('.') && !name.ends_with(".tmp") && !name.ends_with(".partial")) ++count;
  }
  return count;
}

// A switch makes PostgreSQL complete a segment, which then must arrive. A standby cannot switch;
// its primary can, if we know it.
void provoke_wal(const CheckRun& run) {
  const server::Server& server = run.server;
  if (server.config().is_passive() || !server.config().active || !server.config().conninfo) return;
  try {
    std::optional<postgres::Connection> primary;
    if (postgres::is_in_recovery(run.sql.ready())) {
      if (!server.config().primary_conninfo) return;
      primary = server.connect_primary(run.deadline.item_limits());
    }
    postgres::Connection& connection = primary ? *primary : run.sql.ready();
    postgres::switch_wal(connection, postgres::query_settings(connection).segment_size);
  } catch (const Error& error) {  // The checks of PostgreSQL name the reason.
    if (error.kind() == ErrorKind::interrupted) throw;
    log::debug(log::kServerComponent, "cannot switch WAL on '{}': {}", server.name(),
               error.describe());
    return;
  }
  constexpr std::chrono::seconds kWithoutLimit(10);
  const facts::Deadline patience(
      run.limit.count() > 0 ? std::max(run.limit / 3, std::chrono::seconds(1)) : kWithoutLimit);
  constexpr int kPauseMs = 100;
  while (wal_archive::WalArchive(server).is_empty() && !patience.has_passed() &&
         !run.deadline.has_passed()) {
    if (sleep_unless_interrupted(kPauseMs, server.interrupt()))
      server.interrupt().throw_if_requested();
    wal_archive::archive_pending_wal(
        server, {.when_busy = wal_archive::ArchiveRequest::WhenBusy::be_silent}, run.messages);
  }
}

struct CatalogueFacts {
  std::vector<BackupInfo> backups;
  // Of those that nobody should count on, a sentence each.
  std::vector<std::string> doubts;
  // Why the bucket could not be listed; it has a row of its own.
  std::string unread_bucket;
  catalogue::Branches branches;
  const BackupInfo* last = nullptr;  // the latest usable one
  std::int64_t failed_count = 0;
  std::int64_t redundancy = 0;
};

CatalogueFacts gather(const server::Server& server) {
  CatalogueFacts facts;
  catalogue::KnownBackups known = server.catalogue().load();
  catalogue::BackupList& list = known.list;
  const catalogue::Annotations& annotations = known.annotations;
  for (const catalogue::BrokenBackup& broken : list.broken) {
    facts.doubts.push_back(fmt::format("the metadata of backup {} cannot be read: {}",
                                       broken.id.value, broken.reason));
  }
  facts.unread_bucket = annotations.unread_bucket;
  if (!annotations.unknown_backups.empty()) {
    facts.doubts.push_back(catalogue::find_gap(annotations, server.name()));
  }
  facts.backups = std::move(list.backups);
  facts.branches = wal_archive::read_branches(server, facts.backups);
  for (const BackupInfo& backup : facts.backups) {
    if (const std::string doubt = catalogue::find_doubt(backup, annotations); !doubt.empty()) {
      // The next cron completes a deletion.
      if (!annotations.being_deleted.contains(backup.id)) {
        facts.doubts.push_back(fmt::format("backup {}: {}", backup.id.value, doubt));
      }
      continue;
    }
    const bool is_later = facts.last == nullptr || !(backup.end_time < facts.last->end_time);
    if (backup.is_copy_done() && is_later) facts.last = &backup;
    if (backup.status == BackupStatus::failed) ++facts.failed_count;
    if (backup.status == BackupStatus::done && !backup.is_incremental() &&
        facts.branches.counts(backup)) {
      ++facts.redundancy;
    }
  }
  return facts;
}

// Only what is wrong is worth a line.
void check_readable_backups(const CheckRun& run, const CatalogueFacts& facts) {
  if (facts.doubts.empty()) return;
  const std::string more =
      facts.doubts.size() == 1 ? "" : fmt::format(" (and {} more)", facts.doubts.size() - 1);
  run.fail_uncritically("readable backups",
                        fmt::format("{}{}. Run 'barman catalogue-check {}'", facts.doubts.front(),
                                    more, run.server.name()));
}

// A new backup is the way out, so it must not prevent one.
void check_minimal_wal(const CheckRun& run, const CatalogueFacts& facts) {
  if (facts.last == nullptr || !facts.last->begin_xlog) return;
  const std::vector<catalogue::MinimalWal> places =
      catalogue::list_minimal_wal(run.server.locations().backup_directory);
  const auto place = std::find_if(places.begin(), places.end(), [&](const auto& candidate) {
    return *facts.last->begin_xlog < candidate.begin;
  });
  if (place == places.end()) return;
  run.fail_uncritically(
      "recoverable WAL",
      fmt::format("the server ran with wal_level = minimal from {} on, after the last backup: "
                  "nothing later can be recovered. Take a new backup",
                  wal::format_lsn(place->begin)));
}

// Recovery along that timeline, and knowing which backups lead to it, need the file.
void check_histories(const CheckRun& run, const CatalogueFacts& facts) {
  for (const auto& [timeline, reason] : facts.branches.damaged) {
    if (facts.branches.locked.contains(timeline)) continue;
    const fs::path path =
        wal_archive::WalArchive(run.server).path_of(wal::history_file_name(timeline));
    return run.fail_uncritically(
        "timeline history files",
        fmt::format("{}. Put PostgreSQL's copy of \"{}\" in its place", reason, path.string()));
  }
}

void check_directories(const CheckRun& run) {
  if (run.server.config().disabled) return;
  try {
    if (run.effects == Effects::allowed) run.server.create_directories();
  } catch (const Error& error) {
    return run.fail("directories", error);
  }
  const auto problems = server::find_directory_problems(run.server.config());
  if (problems.empty()) return run.pass("directories");
  const auto is_gone = [](const server::DirectoryProblem& problem) {
    return problem.defect == server::DirectoryDefect::absent ||
           problem.defect == server::DirectoryDefect::other_kind;
  };
  const auto gone = std::find_if(problems.begin(), problems.end(), is_gone);
  const server::DirectoryProblem& told = gone == problems.end() ? problems.front() : *gone;
  const std::string text = fmt::format("\"{}\" {}", told.path, told.reason);
  if (gone != problems.end()) return run.fail("directories", text);
  // A backup needs some of them only, and tells what it cannot write.
  run.fail_uncritically("directories", text);
}

void check_retention(const CheckRun& run) {
  if (const auto* problem = run.server.config().find_unusable("retention_policy")) {
    run.fail("retention policy settings", log::has_file() ? "see log" : problem->text);
  } else {
    run.pass("retention policy settings");
  }
}

// Clocks of two hosts are not the same.
constexpr double kClockTolerance = 600;

// What a clock that was wrong has dated into the future hides for how long nothing has come.
std::string age_text(double seconds) {
  if (seconds >= 0) return human_duration(seconds);
  if (seconds >= -kClockTolerance) return human_duration(0);
  return fmt::format("unknown, its time is {} ahead of this host's clock: one of them is wrong",
                     human_duration(-seconds));
}

bool is_within(double seconds, const config::Interval& limit) {
  return seconds >= -kClockTolerance && seconds <= static_cast<double>(limit.seconds());
}

void check_backup_age(const CheckRun& run, const CatalogueFacts& facts) {
  const std::string label = "backup maximum age";
  const auto& limit = run.server.config().last_backup_maximum_age;
  if (!limit) return run.pass(label, "no last_backup_maximum_age provided");
  std::string age = "No available backups";
  bool ok = false;
  if (facts.last != nullptr && facts.last->end_time) {
    const double seconds = run.server.clock().now().as_double() - facts.last->end_time->as_double();
    age = "latest backup age: " + age_text(seconds);
    ok = is_within(seconds, *limit);
  }
  const std::string hint = "interval provided: " + limit->human_text() + ", " + age;
  if (ok) return run.pass(label, hint);
  run.fail_uncritically(label, hint);
}

void check_backup_size(const CheckRun& run, const CatalogueFacts& facts) {
  const std::string label = "backup minimum size";
  const std::int64_t size = facts.last != nullptr ? facts.last->size.value_or(0) : 0;
  const auto& minimum = run.server.config().last_backup_minimum_size;
  if (!minimum) return run.pass(label, human_size(size));
  const bool ok = size >= *minimum;
  const std::string hint =
      fmt::format("last backup size {} {} {} minimum", human_size(size),
                  size > *minimum ? ">" : (ok ? "=" : "<"), human_size(*minimum));
  if (ok) return run.pass(label, hint);
  run.fail_uncritically(label, hint);
}

void check_wal_age(const CheckRun& run, const wal_archive::WalStatistics* statistics) {
  const std::string label = "wal maximum age";
  const auto& limit = run.server.config().last_wal_maximum_age;
  if (!limit) return run.pass(label, "no last_wal_maximum_age provided");
  if (statistics == nullptr || !statistics->last) {
    return run.fail_uncritically(label, "No WAL files archived for last backup");
  }
  const double seconds = run.server.clock().now().as_double() - statistics->last->mtime;
  const std::string hint =
      "interval provided: " + limit->human_text() + ", latest wal age: " + age_text(seconds);
  if (is_within(seconds, *limit)) return run.pass(label, hint);
  run.fail_uncritically(label, hint);
}

void check_wal_sizes(const CheckRun& run, const CatalogueFacts& facts) {
  if (facts.last == nullptr) {
    check_wal_age(run, nullptr);
    return run.pass("wal size", human_size(0));
  }
  try {
    const wal_archive::WalIndex index = wal_archive::WalArchive(run.server).index();
    const wal_archive::WalStatistics statistics = wal_archive::wal_statistics_of(
        facts.backups, facts.last->id,
        [&](const wal_archive::WalIndexVisitor& visitor) { index.for_each(visitor); });
    check_wal_age(run, &statistics);
    run.pass("wal size", human_size(static_cast<std::int64_t>(statistics.wal_until_next_size)));
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    if (error.kind() != ErrorKind::corrupt) return run.fail("WAL index", error);
    run.fail("WAL index", fmt::format("{}. Please run \"barman rebuild-xlogdb {}\"",
                                      error.describe(), run.server.name()));
  }
}

void check_encryption(const CheckRun& run) {
  constexpr const char* kLabel = "encryption";
  const config::ServerConfig& config = run.server.config();
  if (config.is_passive()) return run.pass(kLabel, "files are encrypted by the primary node");
  const auto problem = config::find_encryption_problem(config);
  if (!config.encryption_key_id) return run.fail(kLabel, problem.value_or(""));
  // The reason goes to the log, as users know it.
  try {
    compression::TextSink result("encryption test");
    const auto encryptor = run.server.cipher().make_encryptor(result, "test");
    encryptor->write(as_bytes("encryption test"));
    encryptor->finish();
    if (problem) {
      return run.fail(kLabel, "WAL is encrypted, but backups cannot be taken: " + *problem);
    }
    run.pass(kLabel, "encryption test succeeded");
  } catch (const Error& error) {
    log::error(log::kServerComponent, "encryption test of server '{}' failed: {} {}",
               run.server.name(), error.describe(), error.hint());
    run.fail(kLabel,
             (log::has_file() ? "encryption test failed. Check the log file for more details"
                              : "encryption test failed: " + error.describe()) +
                 (problem ? "; besides, backups cannot be taken: " + *problem : ""));
  }
}

void check_redundancy(const CheckRun& run, const CatalogueFacts& facts) {
  constexpr const char* kLabel = "minimum redundancy requirements";
  const config::ServerConfig& config = run.server.config();
  if (config.find_unusable("minimum_redundancy") != nullptr) {
    run.fail_uncritically(kLabel, fmt::format("have {} non-incremental backups, and "
                                              "minimum_redundancy is not understood",
                                              facts.redundancy));
    return;
  }
  const std::string hint = fmt::format("have {} non-incremental backups, expected at least {}",
                                       facts.redundancy, config.minimum_redundancy);
  if (facts.redundancy >= config.minimum_redundancy) {
    run.pass(kLabel, hint);
  } else {
    run.fail_uncritically(kLabel, hint);
  }
}

// Of an empty index. The first segment of a server gets its line a moment after its place, and a
// missing index is made anew by whoever needs it.
bool has_lost_lines(const wal_archive::WalArchive& archive,
                    const std::vector<BackupInfo>& backups) {
  const bool has_backup = std::any_of(backups.begin(), backups.end(), [](const auto& backup) {
    return backup.status == BackupStatus::done;
  });
  return has_backup && archive.is_local() && archive.find_index_status() &&
         !archive.list_last_segments().empty();
}

}  // namespace

void check_wal_archive(const CheckRun& run) {
  const server::Server& server = run.server;
  const wal_archive::WalArchive archive(server);
  if (!archive.is_empty()) return;
  const std::vector<BackupInfo> backups = server.catalogue().list_backups().backups;
  if (has_lost_lines(archive, backups)) {
    return run.fail("WAL index",
                    fmt::format("it has no line, and there is WAL in \"{}\". Please run "
                                "\"barman rebuild-xlogdb {}\"",
                                server.config().wals_directory, server.name()));
  }
  for (const BackupInfo& backup : backups) {
    if (backup.status == BackupStatus::waiting_for_wals) return;
  }
  if (run.effects == Effects::none) {
    // What waits has arrived, and cron archives it.
    const bool has_waiting = count_waiting(server.config().incoming_wals_directory) > 0 ||
                             count_waiting(server.config().streaming_wals_directory) > 0;
    if (!has_waiting) run.fail("WAL archive", "please make sure WAL shipping is setup");
    return;
  }
  try {
    server.create_directories();
    wal_archive::archive_pending_wal(
        server, {.when_busy = wal_archive::ArchiveRequest::WhenBusy::be_silent}, run.messages);
    if (wal_archive::WalArchive(server).is_empty()) provoke_wal(run);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    return run.fail("WAL archive", error);
  }
  if (wal_archive::WalArchive(server).is_empty())
    run.fail("WAL archive", "please make sure WAL shipping is setup");
}

namespace {

// Only a long queue is worth a line; it fails when nothing makes it shorter.
void check_long_queue(const CheckRun& run) {
  constexpr const char* kLabel = "WAL queue";
  if (!run.server.archives_wal()) return;
  const facts::WalFlow flow = facts::gather_wal_flow(run.server, std::nullopt);
  const double now = run.server.clock().now().as_double();
  if (!facts::is_queue_long(flow)) return;
  if (!facts::is_queue_stalled(flow, now)) return run.pass(kLabel, facts::describe_queue(flow));
  run.fail_uncritically(
      kLabel,
      fmt::format("{} segments wait, and nothing was archived for {}. Run 'barman "
                  "archive-wal {}' and look at its messages",
                  flow.queue().files, human_duration(now - *flow.archived_at), run.server.name()));
}

}  // namespace

void check_queues(const CheckRun& run) {
  const config::ServerConfig& config = run.server.config();
  const auto check = [&](const std::string& word, bool is_on, const std::string& option,
                         const std::string& directory) {
    std::int64_t count = 0;
    try {
      count = count_waiting(directory);
    } catch (const SystemError& error) {  // Not to know is not "empty".
      return run.fail_uncritically(word + " WALs directory", error.describe());
    }
    if (!is_on && count > 0) {
      run.fail_uncritically("empty " + word + " directory",
                            "'" + directory + "' must be empty when " + option + "=off");
    }
    if (is_on && config.max_incoming_wals_queue && count > *config.max_incoming_wals_queue) {
      run.fail_uncritically(word + " WALs directory",
                            fmt::format("there are too many WALs in queue: {}, max {}", count,
                                        *config.max_incoming_wals_queue));
    }
  };
  check("incoming", config.archiver, "archiver", config.incoming_wals_directory);
  check("streaming", config.streaming_archiver, "streaming_archiver",
        config.streaming_wals_directory);
  check_long_queue(run);
}

namespace {

// nullopt, with its row, when the catalogue or its bucket cannot tell them.
std::optional<CatalogueFacts> gather_or_fail(const CheckRun& run) {
  const config::ServerConfig& config = run.server.config();
  try {
    return gather(run.server);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    if (config.has_cloud_basebackups() || config.has_cloud_wals()) check_cloud_storage(run, "");
    run.fail("readable backups", error);
    return std::nullopt;
  }
}

}  // namespace

void check_catalogue(const CheckRun& run) {
  check_directories(run);
  check_retention(run);
  const std::optional<CatalogueFacts> gathered = gather_or_fail(run);
  if (!gathered) return;
  const CatalogueFacts& facts = *gathered;
  check_backup_age(run, facts);
  check_backup_size(run, facts);
  if (run.server.config().encryption == config::Encryption::gpg) check_encryption(run);
  check_cloud_storage(run, facts.unread_bucket);
  check_wal_sizes(run, facts);
  const std::string problem = wal_archive::WalCoding(run.server.config()).problem();
  if (problem.empty()) {
    run.pass("compression settings");
  } else {
    run.fail("compression settings", problem + ". Correct the compression options");
  }
  const std::string failed_hint = fmt::format("there are {} failed backups", facts.failed_count);
  if (facts.failed_count == 0) {
    run.pass("failed backups", failed_hint);
  } else {
    run.fail_uncritically("failed backups", failed_hint);
  }
  check_readable_backups(run, facts);
  check_minimal_wal(run, facts);
  check_histories(run, facts);
  check_redundancy(run, facts);
}

void check_configuration(const CheckRun& run, std::optional<int> version) {
  const config::ServerConfig& config = run.server.config();
  std::vector<std::string> problems = config.messages;
  if (version) {
    if (auto problem = config::find_version_problem(config, *version)) {
      problems.push_back(std::move(*problem));
    }
  }
  // A value that is not understood is no reason to go without a backup, unless it decides about it.
  const bool is_critical = !problems.empty() || config.find_backup_doubt();
  for (const auto& [option, value] : config.unusable_values) problems.push_back(value.text);
  if (problems.empty()) return;
  run.on_result({.label = "configuration",
                 .ok = false,
                 .is_critical = is_critical,
                 .details = std::move(problems)});
}

void check_archiver_errors(const CheckRun& run) {
  // In the order of the hint: what the archiver did not expect, before what it did.
  constexpr std::array<std::string_view, 4> kWords = {"unknown failure", "unknown", "duplicates",
                                                      "not relevant"};
  std::array<std::int64_t, kWords.size()> counts = {};
  std::vector<std::string> names;
  try {
    names = list_directory(run.server.config().errors_directory);
  } catch (const SystemError& error) {  // Not to know is not "none".
    return run.fail_uncritically("archiver errors", error.describe());
  }
  for (const std::string& name : names) {
    if (is_name_of_file_system(name)) continue;
    const std::string extension = fs::path(name).extension().string();
    std::size_t word = 0;
    if (extension == ".unknown") word = 1;
    if (extension == ".duplicate") word = 2;
    if (extension == ".error") word = 3;
    ++counts.at(word);
  }
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < kWords.size(); ++i)
    if (counts.at(i) > 0) parts.push_back(fmt::format("{}: {}", kWords.at(i), counts.at(i)));
  if (parts.empty()) return run.pass("archiver errors");
  run.fail_uncritically("archiver errors", join(parts, ", "));
}

void check_last_reasons(const CheckRun& run) {
  for (const catalogue::LastReason& reason : facts::list_current_reasons(run.server)) {
    if (reason.task == "receive-wal") continue;
    run.fail_uncritically("last run of " + reason.task, reason.describe());
  }
}

}  // namespace barman::check

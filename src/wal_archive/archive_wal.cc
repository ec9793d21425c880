#include "wal_archive/archive_wal.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file_lock.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/timestamp.h"
#include "catalogue/locks.h"
#include "config/cloud_rules.h"
#include "server/server_hooks.h"
#include "wal/wal_file_name.h"
#include "wal_archive/receiver_note.h"
#include "wal_archive/rejected_file.h"
#include "wal_archive/wal_archive.h"
#include "wal_archive/wal_batch.h"
#include "wal_archive/wal_coding.h"
#include "wal_archive/wal_filer.h"
#include "wal_archive/wal_hooks.h"
#include "wal_archive/wal_level_watch.h"

namespace barman::wal_archive {
namespace fs = std::filesystem;
namespace {

// One run of one archiver.
class ArchiverRun {
 public:
  ArchiverRun(const server::Server& server, WalSource source, Messages& messages)
      : server_(server),
        source_(source),
        messages_(messages),
        coding_(server.config()),
        filer_(server, source),
        hooks_(server::make_hooks(server, server::HookKind::archive)) {}

  void run(const ArchiveRequest& request);
  const ArchiveCounts& counts() const { return counts_; }

 private:
  void announce(const WalBatch& batch);
  std::uint64_t size_of(std::span<const std::string> names) const;
  std::vector<FiledWal> archive_group(std::span<const std::string> names);
  void archive_with_hooks(const std::string& name);
  void count(const std::string& name, const FiledWal& filed);
  void tell_minimal(const std::vector<FiledWal>& filed);
  void reject_unknown(const std::vector<std::string>& names);
  fs::path directory() const {
    return source_ == WalSource::streaming ? server_.locations().streaming_directory
                                           : server_.locations().incoming_directory;
  }
  std::size_t limit() const {
    const std::int64_t size = source_ == WalSource::streaming
                                  ? server_.config().streaming_archiver_batch_size
                                  : server_.config().archiver_batch_size;
    return size > 0 ? static_cast<std::size_t>(size) : 0;
  }

  const server::Server& server_;
  WalSource source_;
  Messages& messages_;
  WalCoding coding_;
  WalFiler filer_;
  server::HookScripts hooks_;
  ArchiveCounts counts_;
  bool is_stopped_by_hook_ = false;
};

void ArchiverRun::run(const ArchiveRequest& request) {
  // Listed first: a file of another timeline comes behind its note.
  std::vector<ReceivedFile> received = list_received_files(directory());
  const WalBatch batch =
      choose_batch(source_, std::move(received), limit(),
                   find_receiver_note(server_.locations().backup_directory).timeline);
  const bool is_telling = request.when_idle == ArchiveRequest::WhenIdle::tell;
  if (!batch.files.empty() || is_telling) announce(batch);
  if (batch.files.empty() && is_telling) messages_.info_unlogged("\tno file found");

  const std::size_t group_size = hooks_.is_configured() ? 1 : WalFiler::kGroupSize;
  const std::span<const std::string> files = batch.files;
  if (request.progress != nullptr && !files.empty())
    request.progress->begin(fmt::format("{} WAL files", files.size()), size_of(files));
  for (std::size_t i = 0; i < files.size(); i += group_size) {
    if (server_.interrupt().is_requested() || is_stopped_by_hook_) {
      counts_.left = files.size() - i;
      return;
    }
    const auto group = files.subspan(i, std::min(group_size, files.size() - i));
    const std::uint64_t size_bytes = request.progress != nullptr ? size_of(group) : 0;
    if (hooks_.is_configured()) {
      archive_with_hooks(files[i]);
    } else {
      archive_group(group);
    }
    if (request.progress != nullptr) request.progress->advance(size_bytes);
  }
  for (const std::string& name : batch.empty_partials) {
    log::info(log::kWalArchiverComponent, "removing the superseded empty partial file '{}'", name);
    ::unlink((directory() / name).c_str());
  }
  reject_unknown(batch.unknown);
}

std::uint64_t ArchiverRun::size_of(std::span<const std::string> names) const {
  std::uint64_t size_bytes = 0;
  for (const std::string& name : names) {
    const auto status = find_status(directory() / name);
    if (status) size_bytes += static_cast<std::uint64_t>(status->st_size);
  }
  return size_bytes;
}

void ArchiverRun::announce(const WalBatch& batch) {
  messages_.info_unlogged(
      fmt::format("Processing xlog segments from {} for {}{}", source_text(source_), server_.name(),
                  batch.is_limited() ? fmt::format(" (batch size: {})", batch.files.size()) : ""));
  if (batch.files.empty()) return;
  if (const std::string problem = coding_.problem(); !problem.empty()) {
    log::warning(log::kWalArchiverComponent, "server '{}': {}", server_.name(), problem);
  }
}

std::vector<FiledWal> ArchiverRun::archive_group(std::span<const std::string> names) {
  std::vector<FiledWal> filed = filer_.file_group(names);
  tell_minimal(filed);
  for (std::size_t i = 0; i < filed.size(); ++i) count(names[i], filed[i]);
  filer_.rethrow_failure();
  return filed;
}

void ArchiverRun::tell_minimal(const std::vector<FiledWal>& filed) {
  std::vector<catalogue::MinimalWal> places;
  for (const FiledWal& wal : filed) {
    const bool is_archived = wal.outcome == FiledAs::archived || wal.outcome == FiledAs::duplicate;
    if (is_archived && wal.minimal) places.push_back(*wal.minimal);
  }
  for (const catalogue::MinimalWal& place : places) {
    messages_.warning(fmt::format(
        "Server '{}' ran with wal_level = minimal from {} on: no backup taken before can be "
        "recovered beyond that. Take a new backup.",
        server_.name(), wal::format_lsn(place.begin)));
  }
  catalogue::note_minimal_wal(server_.locations().backup_directory, places);
}

void ArchiverRun::archive_with_hooks(const std::string& name) {
  const fs::path source = filer_.source_path(name);
  const std::optional<Fd> file = find_file(source);
  if (!file) return;
  WalIndexEntry entry = inspect_received_wal(*file, source, source_, coding_);
  const fs::path target = WalArchive(server_).path_of(name);
  const std::uint64_t rejected_before = counts_.rejected;
  std::string problem;
  // The post scripts are told the outcome, whatever it is.
  try {
    hooks_.run_pre(wal_hook_variables(entry, source));
    const std::vector<FiledWal> filed = archive_group(std::span(&name, 1));
    if (filed.front().outcome == FiledAs::archived) {
      entry = filed.front().entry;
    } else {
      problem = filed.front().problem;
    }
  } catch (const server::HookAborted& abort) {
    log::warning(log::kWalArchiverComponent, "{}; the file stays in \"{}\"", abort.describe(),
                 directory().string());
    is_stopped_by_hook_ = true;
    hooks_.run_post(wal_hook_variables(entry, target), abort.describe());
    return;
  } catch (const Error& error) {
    hooks_.run_post(wal_hook_variables(entry, target), error.describe());
    throw;
  }
  if (problem.empty() && counts_.rejected > rejected_before) {
    problem = fmt::format("{} is already archived", name);
  }
  hooks_.run_post(wal_hook_variables(entry, target), problem);
}

void ArchiverRun::count(const std::string& name, const FiledWal& filed) {
  if (filed.outcome == FiledAs::vanished) return;
  messages_.info_unlogged("\t" + name);
  switch (filed.outcome) {
    case FiledAs::archived:
      ++counts_.archived;
      log::debug(log::kWalArchiverComponent, "archived {}", name);
      if (!filed.problem.empty()) {
        messages_.info(
            fmt::format("\tError: what was archived as {} in server {} is none: {}. It was "
                        "moved to the errors directory, and this file takes its place.",
                        name, server_.name(), filed.problem));
      }
      return;
    case FiledAs::duplicate:
      ++counts_.duplicates;
      log::info(log::kWalArchiverComponent, "{} was archived already, with the same content", name);
      return;
    case FiledAs::rejected:
      ++counts_.rejected;
      messages_.info(fmt::format(
          "\tError: {} is already present in server {}. File moved to errors directory.", name,
          server_.name()));
      return;
    case FiledAs::unfit:
      ++counts_.rejected;
      messages_.info(fmt::format(
          "\tError: {} is no WAL file of server {}: {}{} File moved to errors "
          "directory.",
          name, server_.name(), filed.problem, filed.problem.ends_with('.') ? "" : "."));
      return;
    case FiledAs::unfinished:
      messages_.info(
          fmt::format("\tWarning: {} is not complete: {}. It stays in \"{}\" for the next "
                      "run, since it was written to just now.",
                      name, filed.problem, directory().string()));
      return;
    case FiledAs::vanished:
      return;
  }
}

void ArchiverRun::reject_unknown(const std::vector<std::string>& names) {
  if (names.empty()) return;
  messages_.info(
      fmt::format("Some unknown objects have been found while processing xlog segments for {}. "
                  "Objects moved to errors directory:",
                  server_.name()));
  for (const std::string& name : names) {
    messages_.info("\t" + name);
    try {
      move_to_errors(server_.locations().errors_directory, directory() / name,
                     RejectReason::unknown, server_.clock().now());
      ++counts_.rejected;
    } catch (const SystemError& error) {
      // A temporary name, which its writer has given up for the right one meanwhile.
      if (error.error_number() != ENOENT || find_status(directory() / name)) throw;
      messages_.info("\t" + name + " has gone by itself");
    }
  }
}

// WAL that was put there by hand, or by an archive_command that is still set, waits for ever.
void warn_of_ignored(const server::Server& server, const fs::path& directory,
                     std::string_view option, Messages& messages) {
  const std::vector<ReceivedFile> files = list_received_files(directory);
  const auto count = std::count_if(files.begin(), files.end(), [](const ReceivedFile& file) {
    const auto name = wal::parse_wal_file_name(file.name);
    return name && name->kind != wal::WalFileKind::partial;
  });
  if (count == 0) return;
  messages.warning(
      fmt::format("{} WAL file{} in \"{}\" {} not archived, since {} = off. Set {} = on in section "
                  "[{}]; it may be on together with the other one.",
                  count, count == 1 ? "" : "s", directory.string(), count == 1 ? "is" : "are",
                  option, option, server.name()));
}

}  // namespace

ArchiveCounts archive_pending_wal(const server::Server& server, const ArchiveRequest& request,
                                  Messages& messages) {
  ArchiveCounts counts;
  const std::optional<FileLock> lock =
      FileLock::try_lock(catalogue::archive_wal_lock(server.locks()));
  if (!lock) {
    counts.is_busy = true;
    if (request.when_busy == ArchiveRequest::WhenBusy::tell) {
      messages.info(
          fmt::format("Another archive-wal process is already running on server {}. "
                      "Skipping to the next server",
                      server.name()));
    }
    return counts;
  }
  // Whatever there is to do: what cannot be archived is told.
  static_cast<void>(WalArchive(server).storage());
  if (const auto problem = config::find_wal_bucket_problem(server.config())) {
    throw Error(ErrorKind::config,
                fmt::format("cannot archive WAL of server '{}': {}", server.name(), *problem),
                "Change the settings of the server; the received WAL stays until then.");
  }
  const auto run = [&](WalSource source) {
    ArchiverRun archiver(server, source, messages);
    archiver.run(request);
    counts.archived += archiver.counts().archived;
    counts.duplicates += archiver.counts().duplicates;
    counts.rejected += archiver.counts().rejected;
    counts.left += archiver.counts().left;
  };
  if (server.config().streaming_archiver) run(WalSource::streaming);
  if (server.config().archiver) run(WalSource::incoming);
  if (request.when_idle == ArchiveRequest::WhenIdle::tell) {
    const catalogue::CatalogueLocations& places = server.locations();
    if (!server.config().streaming_archiver)
      warn_of_ignored(server, places.streaming_directory, "streaming_archiver", messages);
    if (!server.config().archiver)
      warn_of_ignored(server, places.incoming_directory, "archiver", messages);
  }
  return counts;
}

}  // namespace barman::wal_archive

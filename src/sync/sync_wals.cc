#include "sync/sync_wals.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <thread>

#include <fmt/format.h>

#include "base/anonymous_file.h"
#include "base/directory.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/file_lock.h"
#include "base/scratch_directory.h"
#include "base/text.h"
#include "base/worker_pool.h"
#include "catalogue/locks.h"
#include "compression/algorithm.h"
#include "pipeline/file_writers.h"
#include "pipeline/tree_writer.h"
#include "sync/primary_node.h"
#include "sync/sync_backup.h"
#include "wal/wal_file_name.h"
#include "wal_archive/known_cluster.h"
#include "wal_archive/received_content.h"
#include "wal_archive/wal_archive.h"

namespace barman::sync {
namespace fs = std::filesystem;

using wal_archive::WalArchive;
using wal_archive::WalIndexEntry;

namespace {

constexpr std::string_view kPositionFile = "sync-wals.info";
constexpr std::string_view kStagingPrefix = ".sync-";
// Of one connection; with 16 MiB a file no more than 16 GiB wait for their names.
constexpr std::size_t kBatch = 1024;
// On immutable storage none may wait so long that it cannot get its name any more.
constexpr std::size_t kImmutableBatch = 16;

// Where Barman has it.
fs::path usual_position_path(const catalogue::CatalogueLocations& locations) {
  return WalArchive(locations, {}).directory() / kPositionFile;
}

// The directory of the WAL may be immutable.
fs::path position_path(const catalogue::CatalogueLocations& locations) {
  return WalArchive(locations, {}).beside_index(kPositionFile);
}

std::string relative_path(const std::string& name) {
  return WalArchive::relative_path(name).string();
}

// Only the files that were asked for, under their names; directories appear as they are needed.
class WalFiles final : public pipeline::TarVisitor {
 public:
  WalFiles(const fs::path& root, pipeline::FileWriters& writers)
      : root_(root), tree_(root, writers) {}
  void begin_member(const pipeline::TarMember& member) override {
    is_file_ = member.type == pipeline::TarMemberType::regular;
    if (!is_file_) return;
    const std::string name = fs::path(member.path).filename().string();
    if (!wal::parse_wal_file_name(name) || relative_path(name) != member.path) {
      throw Error(ErrorKind::corrupt,
                  fmt::format("the primary node sent \"{}\", which is no WAL file", member.path),
                  "Look at what primary_ssh_command starts there: a wrapper may answer otherwise.");
    }
    fs::create_directories((root_ / member.path).parent_path());
    tree_.begin_member(member);
  }
  void write(Bytes data) override {
    if (is_file_) tree_.write(data);
  }
  void end_member() override {
    if (is_file_) tree_.end_member();
  }
  void finish() { tree_.finish(); }

 private:
  const fs::path root_;
  pipeline::TreeWriter tree_;
  bool is_file_ = false;
};

class WalSync {
 public:
  WalSync(const server::Server& server, std::string first_needed, const PrimaryInfo& primary,
          Progress& progress)
      : server_(server),
        archive_(server),
        first_needed_(std::move(first_needed)),
        primary_(primary),
        progress_(progress),
        coding_(server.config()),
        batch_size_(server.config().worm_mode ? kImmutableBatch : kBatch),
        system_id_(wal_archive::known_system_id(server)) {}

  void add(const WalIndexEntry& entry) {
    if (!is_needed(entry.name)) return;
    ++needed_count_;
    batch_.push_back(entry);
    if (batch_.size() == batch_size_) flush();
  }

  void flush() {
    if (batch_.empty()) return;
    std::string missing;
    std::uint64_t missing_bytes = 0;
    for (const WalIndexEntry& entry : batch_) {
      if (is_here(entry)) continue;
      missing += relative_path(entry.name) + "\n";
      missing_bytes += entry.size_bytes;
    }
    if (!missing.empty()) receive(missing, missing_bytes);
    std::erase_if(batch_, [&](const auto& entry) { return refused_.contains(entry.name); });
    std::stable_sort(batch_.begin(), batch_.end(),
                     [](const auto& a, const auto& b) { return a.name < b.name; });
    if (!batch_.empty()) add_lines();
    batch_.clear();
  }

  std::uint64_t needed_count() const { return needed_count_; }
  // Why, by name: they are neither in the archive nor in its index.
  const std::map<std::string, std::string>& refused() const { return refused_; }

 private:
  void add_lines() {
    // Takes the lock of the index for a moment; nobody else adds lines on a passive node.
    const auto last = archive_.snapshot().find_last_line();
    wal_archive::WalIndex index = archive_.index();
    if (!last || last->name < batch_.front().name) {
      index.append(batch_);
    } else {
      index.merge(batch_);
    }
  }

  // History files and labels are small and explain the rest.
  bool is_needed(const std::string& name) const {
    const auto parsed = wal::parse_wal_file_name(name);
    return parsed->kind == wal::WalFileKind::history || name >= first_needed_;
  }

  bool is_here(const WalIndexEntry& entry) const {
    const auto status = find_status(archive_.path_of(entry.name), Links::refuse);
    return status && S_ISREG(status->st_mode) &&
           static_cast<std::uint64_t>(status->st_size) == entry.size_bytes;
  }

  void receive(const std::string& names, std::uint64_t size_bytes) {
    const ScratchDirectory staging(archive_.directory(), kStagingPrefix);
    const Fd list = open_anonymous_file(fs::temp_directory_path());
    write_full(list, as_bytes(names), "list of WAL files");
    if (::lseek(list.get(), 0, SEEK_SET) != 0) throw_errno("cannot rewind the list of WAL files");
    pipeline::FileWriters writers(staging.path());
    WalFiles files(staging.path(), writers);
    progress_.begin("sync", size_bytes);
    receive_from_primary(server_, {.directory = primary_.wals_directory, .names = list.get()},
                         files, progress_);
    files.finish();
    writers.wait();
    progress_.end();
    place(staging.path());
  }

  // One that does not fit must not keep the others away.
  void place(const fs::path& staging) {
    std::vector<std::string> problems(batch_.size());
    {
      // What is compressed is decompressed for the look.
      WorkerPool workers(std::max(2U, std::thread::hardware_concurrency()));
      for (std::size_t i = 0; i < batch_.size(); ++i) {
        workers.submit([&, i] { problems[i] = find_problem(staging, batch_[i]); });
      }
      workers.wait();
    }
    for (std::size_t i = 0; i < batch_.size(); ++i) {
      const WalIndexEntry& entry = batch_[i];
      const fs::path staged = staging / relative_path(entry.name);
      if (!problems[i].empty()) {
        refused_.emplace(entry.name, problems[i]);
      } else if (find_status(staged, Links::refuse)) {
        archive_.place(staged, entry);
      }
    }
  }

  // Of what has arrived, as put-wal looks at it; "" when nothing speaks against it.
  std::string find_problem(const fs::path& staging, const WalIndexEntry& entry) const {
    server_.interrupt().throw_if_requested();
    const fs::path path = staging / relative_path(entry.name);
    const std::optional<Fd> file = find_file(path);
    if (!file) return is_here(entry) ? "" : "the primary node did not send it";
    struct stat status = {};
    if (::fstat(file->get(), &status) != 0) throw_errno("cannot access \"" + path.string() + "\"");
    if (static_cast<std::uint64_t>(status.st_size) != entry.size_bytes) {
      return fmt::format("it has {} bytes instead of {}", status.st_size, entry.size_bytes);
    }
    const wal_archive::WalStoredForm form = coding_.identify(*file, path);
    if (entry.encryption && !form.encryption) {
      return fmt::format("it is not encrypted, and the index of the primary node says {}",
                         *entry.encryption);
    }
    // The filter of the primary node need not be known here.
    if (form.is_plain() && entry.compression && !compression::parse_algorithm(*entry.compression)) {
      return "";
    }
    const auto problem = wal_archive::find_content_problem(
        *file, path, wal::parse_wal_file_name(entry.name).value(), form, coding_, system_id_);
    return problem ? problem->text : "";
  }

  const server::Server& server_;
  const WalArchive archive_;
  const std::string first_needed_;
  const PrimaryInfo& primary_;
  Progress& progress_;
  const wal_archive::WalCoding coding_;
  const std::size_t batch_size_;
  const std::optional<std::uint64_t> system_id_;
  std::vector<WalIndexEntry> batch_;
  std::map<std::string, std::string> refused_;
  std::uint64_t needed_count_ = 0;
};

std::optional<std::string> find_first_needed_wal(const server::Server& server) {
  const catalogue::BackupList list = server.catalogue().list_backups();
  // WAL that is passed over now would never be asked for again.
  if (!list.broken.empty()) {
    const catalogue::BrokenBackup& broken = list.broken.front();
    throw Error(ErrorKind::corrupt,
                fmt::format("which WAL server {} needs is not known: the metadata of backup {} "
                            "cannot be read: {}",
                            server.name(), broken.id.value, broken.reason),
                fmt::format("Repair \"{}\", or restore it from a copy.", broken.path.string()));
  }
  for (const catalogue::BackupInfo& backup : list.backups) {
    if (backup.is_copy_done() && backup.begin_wal) return backup.begin_wal;
  }
  return std::nullopt;
}

void warn_of_compression(const server::Server& server, const PrimaryInfo& primary,
                         Messages& messages) {
  const std::optional<std::string>& ours = server.config().compression;
  if (ours.value_or("") == primary.compression) return;
  messages.warning(fmt::format(
      "WAL files of server {} are compressed with '{}' on the primary node, and with '{}' here: "
      "they stay as the primary node has stored them",
      server.name(), primary.compression.empty() ? "none" : primary.compression,
      ours.value_or("none")));
}

// The position stays: the next cron asks for all of this once more, and fetches what is missing.
void require_none(const std::map<std::string, std::string>& refused) {
  if (refused.empty()) return;
  const auto& [name, reason] = *refused.begin();
  const std::string more =
      refused.size() == 1 ? "" : fmt::format(" (and {} more)", refused.size() - 1);
  throw Error(ErrorKind::corrupt,
              fmt::format("WAL file {} of the primary node was refused: {}{}. All others were "
                          "copied",
                          name, reason, more),
              "Look at it there with 'barman verify-wal', and at the connection.");
}

}  // namespace

void forget_sync_position(const catalogue::CatalogueLocations& locations) {
  const fs::path path = position_path(locations);
  if (path == usual_position_path(locations)) return remove_durably(path);
  // The usual place does not count while there is a file.
  write_file_durably(path, "");
}

SyncRequest load_sync_position(const catalogue::CatalogueLocations& locations) {
  std::optional<std::string> text = find_and_read_file(position_path(locations));
  // Of Barman, or of the time before xlogdb_directory was set.
  if (!text) text = find_and_read_file(usual_position_path(locations));
  if (!text) return {};
  return parse_sync_position(*text);
}

void sync_wals(const server::Server& server, Messages& messages, Progress& progress) {
  std::optional<std::string> first_wal;
  const fs::path path = primary_info_path(server.locations());
  const Fd file = open_primary_info(server);
  const PrimaryInfo primary = read_primary_info(file, path, [&](const WalIndexEntry& entry) {
    const bool is_history = wal::parse_wal_file_name(entry.name)->kind == wal::WalFileKind::history;
    if (!first_wal && !is_history) first_wal = entry.name;
  });
  const std::optional<FileLock> lock = FileLock::try_lock(catalogue::sync_wal_lock(server.locks()));
  if (!lock) {
    return messages.info("WAL synchronisation already running for server " + server.name());
  }
  const std::optional<std::string> first_needed = find_first_needed_wal(server);
  if (!first_needed) return messages.warning("No base backup for server " + server.name());
  warn_of_compression(server, primary, messages);
  server.create_directories();
  make_directories(WalArchive(server).directory());
  WalSync sync(server, *first_needed, primary, progress);
  try {
    read_primary_info(file, path, [&](const WalIndexEntry& entry) { sync.add(entry); });
    sync.flush();
    require_none(sync.refused());
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    throw Error(error.kind(),
                fmt::format("WAL synchronisation for server {} failed: {}", server.name(),
                            error.describe()),
                error.hint());
  }
  if (first_wal && sync.needed_count() == 0) {
    return messages.warning(
        fmt::format("Skipping WAL synchronisation for server {}: no available local backup for {}",
                    server.name(), *first_wal));
  }
  // Commit point: the next cron asks for what comes after.
  if (!primary.last_name.empty()) {
    write_file_durably(position_path(server.locations()),
                       format_sync_position(primary.last_name, primary.last_position));
  }
}

}  // namespace barman::sync

#include "consolidate/consolidate.h"

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <optional>

#include <fmt/format.h>

#include "backup/stream_backup.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "catalogue/backup_size.h"
#include "content/backup_chain.h"
#include "postgres/backup_label.h"
#include "restore/backup_tree.h"
#include "restore/combined_manifest.h"
#include "restore/copy_task.h"
#include "restore/file_copier.h"
#include "restore/passed_chain.h"

namespace barman::consolidate {
namespace fs = std::filesystem;

using catalogue::BackupInfo;
using catalogue::BackupStatus;

namespace {

constexpr mode_t kDirectoryMode = 0700;

void require_incremental(const server::Server& server, const BackupInfo& backup) {
  const std::string what = fmt::format(
      "Cannot consolidate backup '{}' of server '{}': ", backup.id.value, server.name());
  if (!backup.is_incremental()) {
    throw Error(ErrorKind::usage, what + "it is not an incremental backup",
                "It needs no other backup; nothing has to be done.");
  }
  if (!backup.is_copy_done()) {
    throw Error(ErrorKind::conflict,
                what + fmt::format("its status is {}", catalogue::status_text(backup.status)),
                "Only a complete backup can be consolidated.");
  }
}

// The result is a directory, and what is encrypted must not appear in clear on this host.
void require_clear(const server::Server& server, const BackupInfo& backup, const BackupInfo& link) {
  if (!link.encryption) return;
  throw Error(ErrorKind::config,
              fmt::format("Cannot consolidate backup '{}' of server '{}': backup '{}' of its chain "
                          "is encrypted, and the result would be stored in clear",
                          backup.id.value, server.name(), link.id.value),
              "Restore it to get a full cluster, or take a new full backup.");
}

// The time of the ID and one second, in the local zone, in which IDs are.
catalogue::BackupId id_after(const catalogue::Catalogue& catalogue, const catalogue::BackupId& id) {
  const auto parsed = parse_timestamp(id.value);
  if (!parsed) throw Error(ErrorKind::corrupt, fmt::format("'{}' is no backup ID", id.value));
  Timestamp time = parsed->time;
  time.microseconds += 1'000'000;
  return catalogue.make_unused_id(time);
}

BackupInfo describe_result(const catalogue::Catalogue& catalogue, const BackupInfo& backup) {
  BackupInfo info = backup;
  info.id = id_after(catalogue, backup.id);
  info.status = BackupStatus::started;
  info.parent_backup_id.reset();
  info.children_backup_ids.clear();
  info.backup_name.reset();
  info.compression.reset();
  info.encryption.reset();
  info.copy_stats.reset();
  info.size.reset();
  info.deduplicated_size.reset();
  return info;
}

class Consolidation {
 public:
  Consolidation(const server::Server& server, const content::BackupChain& chain,
                std::size_t worker_count, Progress& progress)
      : catalogue_(server.catalogue()),
        chain_(chain),
        interrupt_(server.interrupt()),
        progress_(progress),
        trees_(chain.complete_trees()),
        worker_count_(worker_count) {}

  // Before anything is written: all files of all links are there, and the result fits.
  void check() {
    for (const content::ChainMember& member : chain_.members()) {
      const restore::TreeScan scan = restore::scan_member(member, interrupt_);
      if (scan.problems.empty()) continue;
      throw Error(ErrorKind::corrupt,
                  fmt::format("backup '{}', which it is put together from, is damaged: {}",
                              member.info.id.value, join(scan.problems, ", ")),
                  "Put intact files in place, or take a new full backup.");
    }
    count_bytes();
    require_space();
  }

  void write(const BackupInfo& target) {
    progress_.begin("consolidate", total_bytes_);
    restore::FileCopier copier({.worker_count = worker_count_}, progress_, interrupt_);
    make_directories(catalogue_.data_directory(target.id), kDirectoryMode);
    if (!chain_.has_random_access()) {
      const std::vector<content::ChainMember>& members = chain_.members();
      passed_.emplace(std::vector(members.begin() + 1, members.end()),
                      chain_.backup().backup_label.value_or(""), worker_count_, progress_,
                      interrupt_);
    }
    for (const content::BackupTree& tree : trees_) copy_tree(tree, target, copier);
    if (passed_) {
      refuse_missing_files();
      passed_->read_older(manifest_);
    }
    link_tablespaces(target);
    copier.add_directory(catalogue_.base_directory(target.id));
    copier.wait();
    progress_.end();
    manifest_.write(catalogue_.data_directory(chain_.backup().id) / "backup_manifest",
                    catalogue_.data_directory(target.id) / "backup_manifest");
  }

 private:
  // What files without random access will have together is known only when all were read: the
  // cluster's size at the time of the backup is near it.
  void count_bytes() {
    if (!chain_.has_random_access()) {
      total_bytes_ = static_cast<std::uint64_t>(chain_.backup().cluster_size.value_or(0));
      return;
    }
    for (const content::BackupTree& tree : trees_) {
      tree.content->walk([&](const content::Entry& entry) { total_bytes_ += entry.size_bytes; });
    }
  }

  // What an archive without random access lacks is known only when it was read.
  void refuse_missing_files() const {
    const content::ChainMember& newest = chain_.members().front();
    if (!newest.manifest) return;
    for (const std::string& path :
         newest.manifest->list_unseen([](std::string_view) { return true; }, 1)) {
      throw Error(
          ErrorKind::corrupt,
          fmt::format("backup '{}' is damaged: \"{}\" is missing", newest.info.id.value, path),
          "Take a new full backup.");
    }
  }

  void require_space() const {
    const fs::path base = catalogue_.locations().basebackups_directory;
    struct statvfs disk = {};
    if (::statvfs(base.c_str(), &disk) != 0) {
      throw_errno(fmt::format("cannot look at the file system of \"{}\"", base.string()));
    }
    const std::uint64_t available = std::uint64_t{disk.f_bavail} * disk.f_frsize;
    if (total_bytes_ <= available) return;
    throw Error(ErrorKind::io,
                fmt::format("not enough free space in \"{}\": {} are needed, {} are available",
                            base.string(), human_size(static_cast<std::int64_t>(total_bytes_)),
                            human_size(static_cast<std::int64_t>(available))),
                "Free space there, and try again.");
  }

  fs::path directory_of(const content::BackupTree& tree, const BackupInfo& target) const {
    return tree.is_data_directory() ? catalogue_.data_directory(target.id)
                                    : catalogue_.tablespace_directory(target.id, tree.oid);
  }

  void copy_tree(const content::BackupTree& tree, const BackupInfo& target,
                 restore::FileCopier& copier) {
    const fs::path root = directory_of(tree, target);
    progress_.set_item(root.filename().string());
    const restore::TaskOrigin origin = origin_of(tree);
    const restore::PassedChain::Place place{root, tree.is_data_directory()};
    tree.content->read_through(
        [&](const content::Entry& entry, const content::ContentOpener& open) {
          const fs::path path = root / entry.path;
          if (passed_ && origin.manifest != nullptr && !entry.is_directory) {
            chain_.members().front().manifest->mark_seen(origin.manifest_prefix + entry.path);
          }
          if (entry.is_directory) {
            make_directories(path, kDirectoryMode);
            if (::chmod(path.c_str(), entry.mode | kDirectoryMode) != 0) {
              throw_errno(fmt::format("cannot set permissions of \"{}\"", path.string()));
            }
            copier.add_directory(path);
          } else if (!passed_ || !passed_->take(origin, place, entry, open, copier)) {
            copier.submit(restore::make_copy_task(origin, entry, open, path));
          }
        });
  }

  restore::TaskOrigin origin_of(const content::BackupTree& tree) {
    return {.tree = *tree.content,
            .manifest_prefix = tree.manifest_prefix(),
            .manifest = chain_.members().front().manifest.get(),
            .combined = manifest_};
  }

  // As in every plain backup with tablespaces.
  void link_tablespaces(const BackupInfo& target) const {
    const fs::path links = catalogue_.data_directory(target.id) / "pg_tblspc";
    for (const catalogue::Tablespace& tablespace : target.tablespaces) {
      const fs::path link = links / std::to_string(tablespace.oid);
      const fs::path directory = catalogue_.tablespace_directory(target.id, tablespace.oid);
      if (::symlink(directory.c_str(), link.c_str()) != 0) {
        throw_errno(fmt::format("cannot create link \"{}\"", link.string()));
      }
    }
    if (!target.tablespaces.empty()) sync_directory(links);
  }

  const catalogue::Catalogue& catalogue_;
  const content::BackupChain& chain_;
  const Interrupt& interrupt_;
  Progress& progress_;
  const std::vector<content::BackupTree> trees_;
  const std::size_t worker_count_;
  restore::CombinedManifest manifest_;
  std::uint64_t total_bytes_ = 0;
  std::optional<restore::PassedChain> passed_;  // after what its threads use
};

// With the disk full even this may fail: the backup stays STARTED then, and the next one marks it.
void record_failure(const catalogue::Catalogue& catalogue, const BackupInfo& info) {
  try {
    catalogue.save(info);
  } catch (const Error& error) {
    log::error("barman.consolidate", "cannot record the failure of backup {}: {}", info.id.value,
               error.describe());
  }
}

void finish(const catalogue::Catalogue& catalogue, const BackupInfo& backup, double seconds,
            BackupInfo& info) {
  const catalogue::BackupSize size =
      catalogue::measure_backup(catalogue.base_directory(info.id), catalogue::SyncFiles::no);
  info.size = size.size_bytes;
  info.deduplicated_size = size.deduplicated_bytes;
  catalogue::PythonDict stats;
  stats.set("copy_time", {seconds});
  stats.set("total_time", {seconds});
  info.copy_stats = catalogue::PythonValue{stats};
  if (info.backup_label) {
    info.backup_label = postgres::without_incremental_lines(*info.backup_label);
  }
  // Commit point: every file is durable and was compared with what the chain says of it.
  info.status = backup.status;
  catalogue.save(info);
}

}  // namespace

BackupInfo consolidate_backup(const server::Server& server, const BackupInfo& backup,
                              std::size_t worker_count, Messages& messages, Progress& progress) {
  require_incremental(server, backup);
  const catalogue::Catalogue& catalogue = server.catalogue();
  const FileLock lock = server::lock_or_throw(catalogue::backup_lock(server.locks()),
                                              "Another backup process is running");
  backup::fail_abandoned_backups(server, server.catalogue().list_backups(), messages);
  // Also refuses a link whose deletion was begun and not finished.
  std::vector<FileLock> links;
  for (const BackupInfo& link : content::list_chain(catalogue, backup)) {
    require_clear(server, backup, link);
    links.push_back(server::share_backup(server, link.id, "consolidate"));
  }
  const content::BackupChain chain = content::BackupChain::open(
      catalogue, backup, {.interrupt = server.interrupt(), .cipher = server.cipher()});
  Consolidation consolidation(server, chain, worker_count, progress);
  consolidation.check();

  BackupInfo info = describe_result(catalogue, backup);
  catalogue.save(info);
  messages.info(fmt::format("Consolidating backup {} of server {} into the full backup {}",
                            backup.id.value, server.name(), info.id.value));
  const auto begin = std::chrono::steady_clock::now();
  try {
    consolidation.write(info);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
    finish(catalogue, backup, elapsed.count(), info);
  } catch (const Error& error) {  // Recorded in the metadata, then reported by the caller.
    progress.end();
    info.status = BackupStatus::failed;
    info.error = fmt::format("failure consolidating backup {} ({})", backup.id.value,
                             error.describe().substr(0, error.describe().find('\n')));
    record_failure(catalogue, info);
    throw;
  }
  return info;
}

}  // namespace barman::consolidate

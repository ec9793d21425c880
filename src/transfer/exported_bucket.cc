#include "transfer/exported_bucket.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/directory.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/worker_pool.h"
#include "catalogue/cloud_catalogue.h"
#include "copy/verified_read.h"
#include "postgres/backup_manifest.h"
#include "stored/backup_evidence.h"
#include "stored/backup_store.h"
#include "stored/bucket_tree.h"
#include "stored/kept_configuration.h"

namespace barman::transfer {

using catalogue::BackupInfo;
using pipeline::TarMember;
using pipeline::TarMemberType;
using pipeline::TarWriter;

namespace {

constexpr mode_t kPrivateDirectory = 0700;
constexpr mode_t kPrivateFile = 0600;

void add_directory(TarWriter& writer, const std::string& path, mode_t mode, std::int64_t mtime) {
  writer.begin_member({.path = path,
                       .type = TarMemberType::directory,
                       .mode = mode | kPrivateDirectory,
                       .mtime = mtime,
                       .uid = ::geteuid(),
                       .gid = ::getegid()});
  writer.end_member();
}

void add_text(TarWriter& writer, const std::string& path, const std::string& text,
              std::int64_t mtime) {
  writer.add_file(
      {.path = path, .mode = kPrivateFile, .mtime = mtime, .uid = ::geteuid(), .gid = ::getegid()},
      text);
}

}  // namespace

// One tree; its files come in one thread, its names in others.
class ExportedBucket::Tree {
 public:
  Tree(const ExportedBucket& backup, const stored::BackupTree& tree, TarWriter& writer,
       Progress& progress)
      : backup_(backup),
        tree_(tree),
        place_("backup/" + (tree.is_data_directory() ? std::string(catalogue::kDataDirectory)
                                                     : std::to_string(tree.oid))),
        writer_(writer),
        progress_(progress) {}

  void add(const stored::Entry& entry, const stored::ContentOpener& open) const {
    const std::string path = entry.path.empty() ? place_ : place_ + "/" + entry.path;
    if (entry.is_directory) return add_directory(writer_, path, entry.mode, entry.mtime_seconds);
    copy::CopyTask task;
    task.source = tree_.content->describe(entry.path);
    task.open = open;
    task.size_bytes = entry.size_bytes;
    if (backup_.manifest_) {
      task.expected = backup_.manifest_->find(tree_.manifest_prefix() + entry.path);
    }
    if (task.expected && task.expected->size_bytes != entry.size_bytes) {
      throw Error(ErrorKind::corrupt,
                  fmt::format("\"{}\" has {} bytes, its manifest says {}", task.source.string(),
                              entry.size_bytes, task.expected->size_bytes),
                  backup_.verify_hint());
    }
    writer_.begin_member({.path = path,
                          .mode = entry.mode | kPrivateFile,
                          .size_bytes = entry.size_bytes,
                          .mtime = entry.mtime_seconds,
                          .uid = ::geteuid(),
                          .gid = ::getegid()});
    const auto file = copy::open_source(task);
    std::uint64_t left = entry.size_bytes;
    copy::read_verified(*file, task, backup_.source_.interrupt, [&](Bytes data, std::uint64_t) {
      // More than that is told as a wrong size.
      const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left, data.size()));
      writer_.write(data.first(size));
      progress_.advance(size);
      left -= size;
    });
    writer_.end_member();
  }

 private:
  const ExportedBucket& backup_;
  const stored::BackupTree& tree_;
  const std::string place_;
  TarWriter& writer_;
  Progress& progress_;
};

ExportedBucket::ExportedBucket(ExportSource source, const BackupInfo& backup)
    : source_(std::move(source)), backup_(backup) {
  const stored::BackupStore store(source_.catalogue);
  trees_ = store.open(backup, {.wanted = stored::WantedParts::everything,
                               .interrupt = source_.interrupt,
                               .cipher = source_.cipher});
  stored::require_decryptable(*source_.catalogue.bucket(), backup, source_.cipher);
  manifest_ = store.open_manifest(backup.id);
  stored::require_consistent(backup,
                             stored::gather_evidence(nullptr, manifest_ ? &*manifest_ : nullptr));
}

BackupInfo ExportedBucket::describe() const {
  BackupInfo info = backup_;
  info.compression.reset();
  info.encryption.reset();
  info.size = backup_.cluster_size;
  if (manifest_) {
    const auto path = stored::BackupStore(source_.catalogue).manifest_path(backup_.id);
    const auto status = find_status(path);
    info.size =
        static_cast<std::int64_t>(manifest_->total_bytes()) + (status ? status->st_size : 0);
  }
  info.deduplicated_size = info.size;
  return info;
}

void ExportedBucket::write(TarWriter& writer, Progress& progress) {
  add_directory(writer, "backup", kPrivateDirectory,
                backup_.end_time ? backup_.end_time->seconds() : 0);
  write_configuration(writer);
  for (const stored::BackupTree& tree : trees_) write_tree(tree, writer, progress);
  if (manifest_ && !has_manifest_in_archives_) write_manifest(writer);
  require_all_seen();
}

void ExportedBucket::write_manifest(TarWriter& writer) const {
  const auto path = stored::BackupStore(source_.catalogue).manifest_path(backup_.id);
  add_text(writer,
           fmt::format("backup/{}/{}", catalogue::kDataDirectory, postgres::kBackupManifest),
           read_file(path), backup_.end_time ? backup_.end_time->seconds() : 0);
}

// Nothing waits for the disk of the export but the one thread that writes there.
void ExportedBucket::write_tree(const stored::BackupTree& tree, TarWriter& writer,
                                Progress& progress) {
  const Tree members(*this, tree, writer, progress);
  WorkerPool worker(1);
  tree.content->read_through([&](const stored::Entry& entry, const stored::ContentOpener& open) {
    source_.interrupt.throw_if_requested();
    if (worker.has_failed()) worker.wait();  // Throws what it was; the rest need not be read.
    if (tree.is_data_directory() && entry.path == postgres::kBackupManifest) {
      has_manifest_in_archives_ = true;
    }
    if (manifest_ && !entry.is_directory) {
      manifest_->mark_seen(tree.manifest_prefix() + entry.path);
    }
    worker.submit([&members, entry, open] { members.add(entry, open); });
  });
  worker.wait();
}

// In clear, as the files beside it.
void ExportedBucket::write_configuration(TarWriter& writer) const {
  const stored::KeptConfiguration kept = stored::read_kept_configuration(
      source_.catalogue, backup_.id, stored::kept_coding(backup_, source_.cipher));
  if (!kept.problems.empty()) {
    throw Error(ErrorKind::corrupt,
                fmt::format("the configuration file \"{}\", kept from outside of the data "
                            "directory, {}",
                            kept.problems.front().first, kept.problems.front().second),
                verify_hint());
  }
  const std::int64_t mtime = backup_.end_time ? backup_.end_time->seconds() : 0;
  const std::string place = fmt::format("backup/{}", stored::kConfigurationDirectory);
  std::set<std::string> directories;
  for (const auto& [name, content] : stored::stored_in_clear(kept.files)) {
    std::string path = place;
    for (std::size_t end = 0; end != std::string::npos; end = name.find('/', end + 1)) {
      path = end == 0 ? place : place + "/" + name.substr(0, end);
      if (directories.insert(path).second) add_directory(writer, path, kPrivateDirectory, mtime);
    }
    add_text(writer, place + "/" + name, content, mtime);
  }
}

std::string ExportedBucket::verify_hint() const {
  return fmt::format("'barman verify-backup {} {}' tells what else differs from the manifest.",
                     source_.catalogue.server_name(), backup_.id.value);
}

void ExportedBucket::require_all_seen() const {
  if (!manifest_) return;
  constexpr std::size_t kShown = 5;
  const std::vector<std::string> missing =
      manifest_->list_unseen([](std::string_view) { return true; }, kShown);
  if (missing.empty()) return;
  throw Error(ErrorKind::corrupt,
              fmt::format("backup '{}' lacks files of its manifest: \"{}\"", backup_.id.value,
                          fmt::join(missing, "\", \"")),
              verify_hint());
}

}  // namespace barman::transfer

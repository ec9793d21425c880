#include "backup/generate_manifest.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdint>
#include <ctime>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "base/digest.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/worker_pool.h"
#include "catalogue/backup_files.h"
#include "catalogue/backup_kind.h"
#include "catalogue/cloud_catalogue.h"
#include "postgres/backup_manifest.h"
#include "postgres/timeline_history.h"
#include "stored/backup_store.h"
#include "stored/backup_writer.h"
#include "stored/manifest_index.h"
#include "stored/open_backup.h"
#include "stored/own_manifest.h"
#include "wal/wal_file_name.h"
#include "wal_archive/wal_archive.h"

namespace barman::backup {
namespace fs = std::filesystem;
namespace {

using catalogue::BackupInfo;
using postgres::ManifestWalRange;

constexpr std::size_t kBufferSize = std::size_t{1} << 20;

// "2026-11-21 05:27:30 GMT"
std::string modification_text(std::time_t time) {
  std::tm parts = {};
  ::gmtime_r(&time, &parts);
  return fmt::format("{:%Y-%m-%d %H:%M:%S} GMT", parts);
}

[[noreturn]] void refuse_link(const fs::path& path) {
  throw Error(ErrorKind::corrupt,
              "\"" + path.string() + "\" of the backup is neither a file nor a directory",
              "Backups hold no links: what it leads to is not part of this one.");
}

// A tree of the backup, and where it lies in the manifest: "" or "pg_tblspc/16384/".
struct ListedDirectory {
  fs::path path;
  std::string prefix;
  // The same tree of the backup with which files are shared.
  fs::path shared;
};

// The manifest of the backup whose files are second names of ours. What it says of a file holds as
// long as that has not been written since, so a file that its disk has damaged does not become a
// right one.
class SharedManifest {
 public:
  SharedManifest(const stored::BackupStore& store, const catalogue::BackupId& id) {
    const auto status = find_status(store.manifest_path(id), Links::refuse);
    if (!status) return;
    try {
      index_ = store.open_manifest(id);
    } catch (const Error& error) {  // Its files are read instead.
      log::warning(log::kBackupComponent, "the manifest of backup {} is of no use: {}", id.value,
                   error.describe());
    }
    written_at_ = status->st_mtim.tv_sec;
  }

  std::optional<std::string> find(const std::string& listed, const struct stat& status,
                                  const fs::path& path) const {
    if (!index_ || status.st_mtim.tv_sec >= written_at_) return std::nullopt;
    const auto expected = index_->find(listed);
    if (!expected || expected->algorithm != DigestAlgorithm::sha256 ||
        expected->size_bytes != static_cast<std::uint64_t>(status.st_size)) {
      return std::nullopt;
    }
    const auto shared = find_status(path, Links::refuse);
    if (!shared || shared->st_ino != status.st_ino || shared->st_dev != status.st_dev) {
      return std::nullopt;
    }
    return expected->checksum;
  }

 private:
  std::optional<stored::ManifestIndex> index_;
  std::time_t written_at_ = 0;
};

class FileDescriber {
 public:
  FileDescriber(const stored::BackupStore& store, const KnownFiles& known, Progress& progress,
                const Interrupt& interrupt)
      : store_(store), known_(known), progress_(progress), interrupt_(interrupt) {}

  postgres::ManifestFile describe(const ListedDirectory& directory, const fs::path& path) {
    interrupt_.throw_if_requested();
    const std::string relative = path.lexically_relative(directory.path).string();
    std::string listed = directory.prefix + relative;
    progress_.set_item(listed);
    const auto status = find_status(path, Links::refuse);
    if (!status || !S_ISREG(status->st_mode)) refuse_link(path);
    auto checksum = find_known(listed, *status, directory.shared / relative);
    if (!checksum) return read(path, std::move(listed));
    return {.path = std::move(listed),
            .size_bytes = static_cast<std::uint64_t>(status->st_size),
            .last_modified = modification_text(status->st_mtim.tv_sec),
            .algorithm = DigestAlgorithm::sha256,
            .checksum = std::move(*checksum)};
  }

  // "40 files were read, 1260 were known from their copy, 0 from another backup".
  std::string tell() const {
    return fmt::format("{} files were read, {} were known from their copy, {} from another backup",
                       read_count_, copied_count_, shared_count_);
  }

 private:
  std::optional<std::string> find_known(const std::string& listed, const struct stat& status,
                                        const fs::path& shared_path) {
    if (known_.digests != nullptr) {
      if (auto checksum = known_.digests->find(status)) {
        ++copied_count_;
        return checksum;
      }
    }
    if (!known_.shares_with || status.st_nlink < 2) return std::nullopt;
    if (!shared_) shared_.emplace(store_, *known_.shares_with);
    auto checksum = shared_->find(listed, status, shared_path);
    if (checksum) ++shared_count_;
    return checksum;
  }

  postgres::ManifestFile read(const fs::path& path, std::string listed) {
    const Fd fd = open_file(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    struct stat status = {};
    if (::fstat(fd.get(), &status) != 0) throw_errno("cannot access \"" + path.string() + "\"");
    if (!S_ISREG(status.st_mode)) refuse_link(path);
    Digest digest(DigestAlgorithm::sha256);
    std::uint64_t size_bytes = 0;
    for (;;) {
      interrupt_.throw_if_requested();
      const std::size_t size = read_full(fd, buffer_, path);
      if (size == 0) break;
      digest.update(Bytes(buffer_).first(size));
      size_bytes += size;
      progress_.advance(size);
    }
    ++read_count_;
    return {.path = std::move(listed),
            .size_bytes = size_bytes,
            .last_modified = modification_text(status.st_mtim.tv_sec),
            .algorithm = DigestAlgorithm::sha256,
            .checksum = digest.finish()};
  }

  const stored::BackupStore& store_;
  const KnownFiles& known_;
  Progress& progress_;
  const Interrupt& interrupt_;
  std::optional<SharedManifest> shared_;
  std::vector<std::byte> buffer_ = std::vector<std::byte>(kBufferSize);
  std::uint64_t read_count_ = 0;
  std::uint64_t copied_count_ = 0;
  std::uint64_t shared_count_ = 0;
};

constexpr const char* kHint =
    "The backup has its manifest: 'barman verify-backup' compares it with the files.";

bool is_present(const fs::path& path) { return find_status(path, Links::refuse).has_value(); }

fs::path require_data_directory(const stored::BackupStore& store, const BackupInfo& backup) {
  const fs::path data = store.directories(backup.id).data_directory;
  const fs::path manifest = store.manifest_path(backup.id);
  if (stored::has_own_manifest(backup, manifest)) {
    throw Error(ErrorKind::internal, fmt::format("File {} already exists.", manifest.string()),
                kHint);
  }
  if (fs::is_symlink(fs::symlink_status(data))) {
    throw Error(ErrorKind::corrupt,
                "\"" + data.string() + "\" is a symbolic link, and nothing is written through it",
                "Mount the place that it leads to instead.");
  }
  if (!is_present(data)) {
    throw Error(ErrorKind::not_found, fmt::format("backup {} has no data directory \"{}\"",
                                                  backup.id.value, data.string()));
  }
  return data;
}

// Of archives the tablespaces are files of the data directory.
std::vector<std::uint32_t> list_separate_tablespaces(const stored::BackupStore& store,
                                                     const BackupInfo& backup) {
  std::vector<std::uint32_t> oids;
  if (catalogue::stored_form_of(backup) != catalogue::StoredForm::plain) return oids;
  for (const catalogue::Tablespace& tablespace : backup.tablespaces) {
    // One in place is a directory of the data directory.
    if (!tablespace.location.starts_with('/')) continue;
    const auto status =
        find_status(store.directories(backup.id).tablespace_directory(tablespace.oid));
    if (status && S_ISDIR(status->st_mode)) oids.push_back(tablespace.oid);
  }
  return oids;
}

// As PostgreSQL lists them: the last timeline first. None when the way from the first timeline to
// the last one is not known.
std::vector<ManifestWalRange> list_wal_ranges(const server::Server& server,
                                              const BackupInfo& backup) {
  // The end of others is only near.
  if (catalogue::source_of(backup) != catalogue::SourceKind::rsync) return {};
  if (!backup.timeline || !backup.begin_xlog || !backup.end_xlog || !backup.end_wal) return {};
  const auto last = wal::parse_segment_name(*backup.end_wal, backup.xlog_segment_size);
  if (!last) return {};
  std::vector<ManifestWalRange> ranges;
  wal::TimelineId timeline = last->timeline;
  wal::Lsn end = *backup.end_xlog;
  if (timeline != *backup.timeline) {
    const auto text = wal_archive::WalArchive(server).find_text(wal::history_file_name(timeline));
    if (!text) return {};
    const postgres::TimelineHistory history = postgres::parse_timeline_history(timeline, *text);
    for (auto way = history.ancestors.rbegin(); timeline != *backup.timeline; ++way) {
      if (way == history.ancestors.rend()) return {};
      ranges.push_back({.timeline = timeline, .start = way->switch_lsn, .end = end});
      timeline = way->timeline;
      end = way->switch_lsn;
    }
  }
  ranges.push_back({.timeline = timeline, .start = *backup.begin_xlog, .end = end});
  return ranges;
}

// Who reads them waits for the bucket most of the time.
constexpr std::size_t kBucketReaders = 4;

postgres::ManifestFile describe_content(stored::ContentFile& file, const stored::Entry& entry,
                                        std::string listed, Progress& progress,
                                        const Interrupt& interrupt) {
  Digest digest(DigestAlgorithm::sha256);
  std::vector<std::byte> buffer(kBufferSize);
  std::uint64_t size_bytes = 0;
  for (;;) {
    interrupt.throw_if_requested();
    const std::size_t size = file.read_at(size_bytes, buffer);
    digest.update(Bytes(buffer).first(size));
    size_bytes += size;
    progress.advance(size);
    if (size < buffer.size()) break;
  }
  return {.path = std::move(listed),
          .size_bytes = size_bytes,
          .last_modified = modification_text(entry.mtime_seconds),
          .algorithm = DigestAlgorithm::sha256,
          .checksum = digest.finish()};
}

void describe_archives(const server::Server& server, const BackupInfo& backup,
                       postgres::ManifestWriter& writer, Progress& progress,
                       const Interrupt& interrupt) {
  const std::vector<stored::BackupTree> trees = stored::open_backup(
      server.catalogue(), backup, {.interrupt = interrupt, .cipher = server.cipher()});
  std::mutex mutex;
  WorkerPool workers(kBucketReaders);
  for (const stored::BackupTree& tree : trees) {
    tree.content->read_through([&](const stored::Entry& entry, const stored::ContentOpener& open) {
      interrupt.throw_if_requested();
      if (entry.is_directory) return;
      workers.submit([&, entry, open, listed = tree.manifest_prefix() + entry.path] {
        const postgres::ManifestFile file =
            describe_content(*open(), entry, listed, progress, interrupt);
        const std::lock_guard lock(mutex);
        writer.add_file(file);
      });
    });
  }
  workers.wait();
}

void put_manifest(const catalogue::CloudCatalogue& bucket, const catalogue::BackupId& id,
                  const fs::path& path) {
  const auto object =
      bucket.storage().create(bucket.layout().backup_prefix(id).append(catalogue::kManifestObject),
                              storage::IfPresent::replace);
  const Fd file = open_file(path, O_RDONLY);
  std::vector<std::byte> buffer(kBufferSize);
  for (;;) {
    const std::size_t size = read_full(file, buffer, path);
    object->write(Bytes(buffer).first(size));
    if (size < buffer.size()) break;
  }
  object->finish();
}

// Beside the archives: they stay as they are. Then the copy of this host.
void generate_in_bucket(const server::Server& server, const BackupInfo& backup, Progress& progress,
                        const Interrupt& interrupt) {
  const auto bucket = server.catalogue().bucket();
  const fs::path path = stored::BackupStore(server.catalogue()).manifest_path(backup.id);
  if (is_present(path)) {
    throw Error(ErrorKind::internal, fmt::format("File {} already exists.", path.string()), kHint);
  }
  make_directories(path.parent_path());
  AtomicFile file(path);
  postgres::ManifestWriter writer([&](std::string_view text) { file.write(text); }, std::nullopt);
  progress.begin("Generating the backup manifest", 0);
  describe_archives(server, backup, writer, progress, interrupt);
  writer.finish();
  put_manifest(*bucket, backup.id, file.temporary_path());
  file.commit();
  progress.end();
}

}  // namespace

void generate_manifest(const server::Server& server, const BackupInfo& backup,
                       const KnownFiles& known, Progress& progress, const Interrupt& interrupt) {
  if (server.catalogue().bucket()) return generate_in_bucket(server, backup, progress, interrupt);
  const stored::BackupStore store(server.catalogue());
  const fs::path data = require_data_directory(store, backup);
  const stored::BackupDirectories shared = store.directories(known.shares_with.value_or(backup.id));
  const std::vector<std::uint32_t> tablespaces = list_separate_tablespaces(store, backup);
  std::vector<ListedDirectory> directories = {
      {.path = data, .prefix = {}, .shared = shared.data_directory}};
  for (const std::uint32_t oid : tablespaces) {
    directories.push_back({.path = store.directories(backup.id).tablespace_directory(oid),
                           .prefix = fmt::format("pg_tblspc/{}/", oid),
                           .shared = shared.tablespace_directory(oid)});
  }
  const fs::path manifest = store.manifest_path(backup.id);
  AtomicFile file(manifest);
  postgres::ManifestWriter writer([&](std::string_view text) { file.write(text); }, std::nullopt);
  FileDescriber describer(store, known, progress, interrupt);
  progress.begin("Generating the backup manifest", 0);
  for (const ListedDirectory& directory : directories) {
    catalogue::visit_files(directory.path, catalogue::EmptyDirectories::leave_out,
                           [&](const fs::path& path) {
                             // The one in its place goes.
                             if (path == file.temporary_path() || path == manifest) return;
                             writer.add_file(describer.describe(directory, path));
                           });
  }
  for (const ManifestWalRange& range : list_wal_ranges(server, backup)) {
    writer.add_wal_range(range);
  }
  writer.finish();
  // The manifest is true for who follows them.
  stored::link_tablespaces(store.directories(backup.id), tablespaces);
  file.commit();
  progress.end();
  log::info(log::kBackupComponent, "manifest of backup {}: {}", backup.id.value, describer.tell());
}

}  // namespace barman::backup

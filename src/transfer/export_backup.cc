#include "transfer/export_backup.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <set>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/digest.h"
#include "base/directory.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/text.h"
#include "catalogue/catalogue.h"
#include "compression/codec.h"
#include "pipeline/tar_writer.h"
#include "postgres/version_facts.h"
#include "transfer/exported_bucket.h"
#include "wal_archive/wal_archive.h"

namespace barman::transfer {
namespace fs = std::filesystem;

using catalogue::BackupInfo;
using pipeline::TarMember;
using pipeline::TarMemberType;

namespace {

constexpr std::size_t kBufferSize = std::size_t{1} << 20;
constexpr mode_t kMetadataMode = 0644;
constexpr mode_t kPrivate = 0600;
constexpr std::size_t kChecksumDigits = 8;

// Hashes what is written to the file.
class ArchiveSink final : public pipeline::Sink {
 public:
  explicit ArchiveSink(AtomicFile& file) : file_(file), digest_(DigestAlgorithm::sha256) {}
  void write(Bytes data) override {
    digest_.update(data);
    file_.write(data);
  }
  void finish() override { checksum_ = digest_.finish().substr(0, kChecksumDigits); }
  const std::string& checksum() const { return checksum_; }

 private:
  AtomicFile& file_;
  Digest digest_;
  std::string checksum_;
};

std::string extension_of(const std::optional<compression::Algorithm>& algorithm) {
  std::string extension = ".tar";
  if (algorithm) extension += compression::file_extension(*algorithm);
  return extension;
}

void require_exportable(const server::Server& server, const BackupInfo& backup,
                        const ExportRequest& request) {
  if (backup.is_incremental()) {
    throw Error(ErrorKind::conflict,
                fmt::format("Cannot export backup {} from server {}: it is an incremental "
                            "backup.\nOnly full backups are eligible for exporting.",
                            backup.id.value, server.name()),
                fmt::format("Make a full one of it with 'barman consolidate {} {}', and export "
                            "that.",
                            server.name(), backup.id.value));
  }
  if (backup.status != catalogue::BackupStatus::done) {
    throw Error(
        ErrorKind::conflict,
        fmt::format("Cannot export backup '{}' from server '{}': backup status is '{}', "
                    "expected 'DONE'",
                    request.backup_word, server.name(), catalogue::status_text(backup.status)),
        backup.status == catalogue::BackupStatus::waiting_for_wals
            ? fmt::format("'barman check-backup {} {}' tells what it waits for.", server.name(),
                          backup.id.value)
            : fmt::format("Choose another one of 'barman list-backups {}'.", server.name()));
  }
  if (backup.type() == catalogue::BackupType::snapshot) {
    throw Error(ErrorKind::conflict,
                fmt::format("Cannot export backup '{}' from server '{}': the files of a snapshot "
                            "backup are at the cloud provider",
                            request.backup_word, server.name()),
                "Copy the snapshots there, with the provider's own tools.");
  }
}

bool is_tarball_name(const fs::path& path) {
  return path.filename().string().find(".tar") != std::string::npos;
}

void require_directory(const fs::path& directory) {
  const auto status = find_status(directory);
  const auto refuse = [&](const char* reason, const std::string& next_step) -> Error {
    return {ErrorKind::usage, fmt::format("Output directory '{}' {}", directory.string(), reason),
            next_step};
  };
  constexpr const char* kName =
      "Give the directory that the file is to lie in: its name is made, and ends with its "
      "checksum.";
  const std::string word = shell_quote(directory.string());
  if (!status && is_tarball_name(directory)) throw refuse("does not exist", kName);
  if (!status) throw refuse("does not exist", fmt::format("Create it: mkdir -p {}", word));
  if (!S_ISDIR(status->st_mode)) throw refuse("is not a directory", kName);
  if (::access(directory.c_str(), W_OK | X_OK) != 0) {
    throw refuse("does not have the required write and execute permissions",
                 "Let the user that runs barman write there, or choose another directory.");
  }
}

std::string utc_text(Timestamp now) {
  now.utc_offset_seconds = 0;
  return format_compact(now);
}

// What exports of this backup have left that were killed: nobody holds the lock of the file. One
// that has just begun may not have it yet.
void remove_abandoned(const fs::path& directory, const std::string& prefix, Timestamp now) {
  constexpr std::int64_t kAbandonedAfterSeconds = 60;
  std::vector<std::string> names;
  try {
    names = list_directory(directory);
  } catch (const SystemError& error) {  // One may write into it that must not read it.
    log::debug(log::kBackupComponent, "{}", error.describe());
  }
  for (const std::string& name : names) {
    if (!name.starts_with(prefix) || !name.ends_with(".tmp")) continue;
    const fs::path path = directory / name;
    const Fd file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    struct stat status = {};
    if (!file.is_open() || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    const bool is_old = now.seconds() - status.st_mtim.tv_sec > kAbandonedAfterSeconds;
    if (!is_old || ::flock(file.get(), LOCK_EX | LOCK_NB) != 0) continue;
    log::warning(log::kBackupComponent, "removing \"{}\", which an interrupted export has left",
                 path.string());
    ::unlink(path.c_str());
  }
}

class Export {
 public:
  Export(const server::Server& server, const BackupInfo& backup, pipeline::TarWriter& writer,
         Progress& progress)
      : server_(server), backup_(backup), writer_(writer), progress_(progress) {}

  // Before anything is written.
  void prepare() {
    find_wals();
    if (!server_.locations().has_local_backups) {
      bucket_.emplace(ExportSource{.catalogue = server_.catalogue(),
                                   .cipher = server_.cipher(),
                                   .interrupt = server_.interrupt()},
                      backup_);
    }
  }

  void run(const catalogue::Identity& identity, const std::string& program_facts) {
    writer_.add_file({.path = "identity.json", .mode = kMetadataMode},
                     catalogue::identity_text(identity));
    writer_.add_file({.path = catalogue::kBackupInfo, .mode = kMetadataMode},
                     bucket_ ? format_backup_info(bucket_->describe())
                             : read_file(server_.catalogue().backup_info_path(backup_.id)));
    writer_.add_file({.path = "barman.json", .mode = kMetadataMode}, program_facts);
    if (bucket_) {
      bucket_->write(writer_, progress_);
    } else {
      add_tree(server_.catalogue().base_directory(backup_.id), "backup");
    }
    add_wals();
    std::string lines;
    for (const wal_archive::WalIndexEntry& entry : wals_) lines += format_wal_index_entry(entry);
    writer_.add_file({.path = "xlog.db", .mode = kMetadataMode}, lines);
    writer_.finish();
  }

 private:
  // Before anything is copied: each required file, and its line.
  void find_wals() {
    const std::vector<std::string> names = wal_archive::required_segments(backup_);
    const std::set<std::string, std::less<>> wanted(names.begin(), names.end());
    archive_.index().for_each([&](const wal_archive::WalIndexLine& line) {
      if (wanted.contains(line.name)) wals_.push_back(line.entry());
      return wals_.size() == wanted.size() ? wal_archive::Visit::stop : wal_archive::Visit::proceed;
    });
    std::sort(wals_.begin(), wals_.end(),
              [](const auto& a, const auto& b) { return a.name < b.name; });
    if (!archive_.is_local()) describe_objects();
    for (const std::string& name : names) {
      if (!archive_.holds(name)) {
        throw Error(ErrorKind::not_found,
                    fmt::format("WAL file required for backup consistency not found for backup "
                                "'{}': {}",
                                backup_.id.value, name),
                    "Run 'check-backup', and export another backup.");
      }
      const bool is_indexed = std::any_of(wals_.begin(), wals_.end(),
                                          [&](const auto& entry) { return entry.name == name; });
      if (!is_indexed) {
        throw Error(ErrorKind::not_found,
                    fmt::format("WAL file required for backup consistency not found in xlog.db "
                                "for backup '{}': {}",
                                backup_.id.value, name),
                    fmt::format("Run 'barman rebuild-xlogdb {}'.", server_.name()));
      }
    }
  }

  // A line may say less of an object than its name does (wal_archive/archive_bucket.h), and who
  // imports it sees the object only.
  void describe_objects() {
    for (wal_archive::WalIndexEntry& entry : wals_) {
      const auto found = archive_.inspect(entry.name);
      if (!found) continue;  // Told below.
      entry.size_bytes = found->size_bytes;
      entry.encryption = found->encryption;
      // Which one is inside of an encrypted file is in the line only.
      if (!found->encryption) entry.compression = found->compression;
    }
  }

  static TarMember member_for(const std::string& name, const struct stat& status) {
    return {.path = name,
            .mode = status.st_mode & 07777,
            .mtime = status.st_mtim.tv_sec,
            .uid = status.st_uid,
            .gid = status.st_gid};
  }

  void add_tree(const fs::path& path, const std::string& name) {
    server_.interrupt().throw_if_requested();
    struct stat status = {};
    if (::lstat(path.c_str(), &status) != 0) {
      throw_errno(fmt::format("cannot look at \"{}\"", path.string()));
    }
    TarMember member = member_for(name, status);
    if (S_ISREG(status.st_mode)) return add_regular(path, std::move(member));
    if (S_ISLNK(status.st_mode)) {
      member.type = TarMemberType::symlink;
      member.link_target = fs::read_symlink(path).string();
      writer_.begin_member(member);
      return writer_.end_member();
    }
    if (!S_ISDIR(status.st_mode)) {
      throw Error(
          ErrorKind::corrupt,
          fmt::format("\"{}\" of the backup is neither a file nor a directory", path.string()),
          look_at_it());
    }
    member.type = TarMemberType::directory;
    writer_.begin_member(member);
    writer_.end_member();
    for (const std::string& entry : list_directory(path, IfAbsent::is_error)) {
      add_tree(path / entry, name + "/" + entry);
    }
  }

  std::string look_at_it() const {
    return fmt::format("'barman verify-backup {} {}' tells what else differs from the manifest.",
                       server_.name(), backup_.id.value);
  }

  void add_regular(const fs::path& path, TarMember member) {
    const Fd file = open_file(path, O_RDONLY | O_NOFOLLOW);
    struct stat status = {};
    if (::fstat(file.get(), &status) != 0) {
      throw_errno(fmt::format("cannot look at \"{}\"", path.string()));
    }
    member.size_bytes = static_cast<std::uint64_t>(status.st_size);
    writer_.begin_member(member);
    std::uint64_t left = member.size_bytes;
    while (left > 0) {
      server_.interrupt().throw_if_requested();
      const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(left, buffer_.size()));
      const std::size_t size = read_full(file, MutableBytes(buffer_).first(wanted), path);
      if (size == 0) {
        throw Error(ErrorKind::corrupt,
                    fmt::format("\"{}\" became shorter while it was read", path.string()),
                    look_at_it());
      }
      writer_.write(Bytes(buffer_).first(size));
      progress_.advance(size);
      left -= size;
    }
    writer_.end_member();
  }

  void add_wals() {
    add_directory("wals");
    std::string directory;
    for (const wal_archive::WalIndexEntry& entry : wals_) {
      const fs::path member = "wals" / wal_archive::WalArchive::relative_path(entry.name);
      const std::string parent = member.parent_path().string();
      if (parent != directory) add_directory(parent);
      directory = parent;
      if (archive_.is_local()) {
        add_tree(archive_.path_of(entry.name), member.string());
      } else {
        add_object(entry, member.string());
      }
    }
  }

  // A WAL file of a bucket, as it is stored.
  void add_object(const wal_archive::WalIndexEntry& entry, const std::string& member) {
    server_.interrupt().throw_if_requested();
    const std::string key = wal_archive::WalArchive::key_of(entry.name);
    const auto object = archive_.storage().open(key);
    writer_.begin_member({.path = member,
                          .mode = kPrivate,
                          .size_bytes = object->size_bytes(),
                          .mtime = static_cast<std::int64_t>(entry.mtime),
                          .uid = ::geteuid(),
                          .gid = ::getegid()});
    std::uint64_t offset = 0;
    while (offset < object->size_bytes()) {
      const std::size_t size = object->read_at(offset, buffer_);
      if (size == 0) break;
      writer_.write(Bytes(buffer_).first(size));
      progress_.advance(size);
      offset += size;
    }
    if (offset != object->size_bytes()) {
      throw Error(
          ErrorKind::corrupt,
          fmt::format("{} became shorter while it was read", archive_.storage().describe(key)),
          look_at_it());
    }
    writer_.end_member();
  }

  void add_directory(const std::string& name) {
    writer_.begin_member({.path = name, .type = TarMemberType::directory, .mode = 0755});
    writer_.end_member();
  }

  const server::Server& server_;
  const wal_archive::WalArchive archive_{server_};
  const BackupInfo& backup_;
  pipeline::TarWriter& writer_;
  Progress& progress_;
  std::vector<wal_archive::WalIndexEntry> wals_;
  // Of a backup in a bucket.
  std::optional<ExportedBucket> bucket_;
  std::vector<std::byte> buffer_ = std::vector<std::byte>(kBufferSize);
};

}  // namespace

namespace {

// A host that knows only the bucket has no such file; its backups say the same.
std::optional<catalogue::Identity> find_identity_of(const server::Server& server,
                                                    const BackupInfo& backup) {
  const auto identity = server.catalogue().find_identity();
  const bool is_told = !server.locations().has_local_backups && backup.systemid && backup.version;
  if (identity || !is_told) return identity;
  return catalogue::Identity{.system_id = *backup.systemid,
                             .version = postgres::major_version_text(*backup.version)};
}

void warn_of_clear_text(const server::Server& server, const BackupInfo& backup,
                        Messages& messages) {
  if (!backup.encryption || server.locations().has_local_backups) return;
  messages.warning(
      fmt::format("Backup '{}' is encrypted in the bucket, and its files are not encrypted in the "
                  "export: keep the file where only those can read it who may read the database.",
                  backup.id.value));
}

}  // namespace

int parse_export_level(compression::Algorithm algorithm, const std::string& level) {
  const int lowest = algorithm == compression::Algorithm::xz ? 0 : 1;
  constexpr int kHighest = 9;
  const std::optional<std::int64_t> number = parse_integer(level);
  if (number && *number >= lowest && *number <= kHighest) return static_cast<int>(*number);
  std::vector<int> levels;
  for (int valid = lowest; valid <= kHighest; ++valid) levels.push_back(valid);
  throw Error(ErrorKind::usage,
              fmt::format("Invalid compression level '{}' for algorithm '{}'. Valid levels are: {}",
                          level, compression::to_text(algorithm), fmt::join(levels, ", ")),
              "Without --compression-level the usual one is taken.");
}

fs::path export_backup(const server::Server& server, const BackupInfo& backup,
                       const ExportRequest& request, Messages& messages, Progress& progress) {
  require_exportable(server, backup, request);
  require_directory(request.output_directory);
  messages.info(fmt::format("Exporting backup '{}' from server '{}' to '{}'", request.backup_word,
                            server.name(), request.output_directory.string()));
  const std::optional<catalogue::Identity> identity = find_identity_of(server, backup);
  if (!identity) {
    throw Error(ErrorKind::not_found,
                fmt::format("No identity file found for server '{}'. The identity file is required "
                            "to validate the backup during import.",
                            server.name()),
                "Take a backup of this server: the first one writes the file.");
  }
  // Shared: an import or a restore of the same backup may read it, too; a deletion may not.
  const std::optional<FileLock> lock =
      FileLock::try_lock_shared(catalogue::backup_id_lock(server.locks(), backup.id));
  if (!lock || server.catalogue().is_being_deleted(backup.id)) {
    throw Error(ErrorKind::conflict,
                fmt::format("Another backup operation is already running on backup '{}' for "
                            "server '{}'",
                            backup.id.value, server.name()),
                "Wait for it to end.");
  }
  const std::string prefix = fmt::format("backup-export-{}-{}-", server.name(), backup.id.value);
  const Timestamp now = server.clock().now();
  const std::string stem = prefix + utc_text(now);
  remove_abandoned(request.output_directory, prefix, now);
  AtomicFile file(request.output_directory / stem, kPrivate);
  // Tells later exports that somebody writes it; best effort where locks are not supported.
  static_cast<void>(::flock(file.fd().get(), LOCK_EX | LOCK_NB));
  ArchiveSink archive(file);
  std::unique_ptr<pipeline::Sink> compressor;
  if (request.compression) {
    compressor = compression::make_compressor(
        *request.compression,
        request.compression_level.value_or(compression::resolve_level(*request.compression, "")),
        archive);
  }
  pipeline::TarWriter writer(compressor ? *compressor : archive);
  progress.begin("export",
                 static_cast<std::uint64_t>(std::max<std::int64_t>(backup.size.value_or(0), 0)));
  Export work(server, backup, writer, progress);
  work.prepare();
  warn_of_clear_text(server, backup, messages);
  work.run(*identity, request.program_facts);
  progress.end();
  return file.commit_as(
      fmt::format("{}-{}{}", stem, archive.checksum(), extension_of(request.compression)));
}

}  // namespace barman::transfer

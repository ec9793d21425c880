#include "transfer/import_backup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "backup/bucket_owner.h"
#include "base/directory.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/scratch_directory.h"
#include "catalogue/backup_kind.h"
#include "catalogue/backup_turn.h"
#include "catalogue/catalogue.h"
#include "stored/backup_evidence.h"
#include "stored/backup_store.h"
#include "transfer/import_checks.h"
#include "transfer/import_into_bucket.h"
#include "transfer/staging.h"
#include "transfer/tarball.h"
#include "wal_archive/wal_archive.h"

namespace barman::transfer {
namespace fs = std::filesystem;

using catalogue::BackupId;
using catalogue::BackupInfo;
using wal_archive::WalIndexEntry;

namespace {

constexpr std::string_view kStagingPrefix = ".import-";

bool have_same_content(const fs::path& path, const Fd& other, const fs::path& other_path) {
  constexpr std::size_t kPiece = std::size_t{1} << 20;
  const Fd file = open_file(path, O_RDONLY);
  std::vector<std::byte> piece(kPiece);
  std::vector<std::byte> other_piece(kPiece);
  for (std::uint64_t offset = 0;; offset += kPiece) {
    const std::size_t size = read_full_at(file, piece, offset, path);
    if (read_full_at(other, other_piece, offset, other_path) != size) return false;
    if (!std::equal(piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(size),
                    other_piece.begin())) {
      return false;
    }
    if (size < kPiece) return true;
  }
}

// Into directories of this host, by way of a staging directory beside those of the backups.
class Import {
 public:
  Import(const server::Server& server, const Tarball& tarball, TarballName name, Messages& messages,
         Progress& progress)
      : server_(server),
        tarball_(tarball),
        name_(std::move(name)),
        messages_(messages),
        progress_(progress) {}

  void run(const catalogue::Identity& identity) {
    staging_.emplace(server_.locations().basebackups_directory, kStagingPrefix);
    unpack();
    require_identity(*content_, identity, messages_);
    const BackupInfo info = load_imported_info(*content_, name_.id);
    stored::require_parts_of(info, staged_places().data_directory);
    wals_ = list_required_wals(*content_, info, [&](const std::string& name) {
      return find_status(staged_wal(name)).has_value();
    });
    refuse_conflicts();
    publish(info);
  }

 private:
  void unpack() {
    writer_ = stored::make_copy_writer(staging(), stored::CopiedLinks::refuse);
    content_ = std::make_unique<Staging>(staging(), writer_->begin_tree({}));
    progress_.begin("import", fs::file_size(tarball_.path()));
    tarball_.read(*content_, name_.checksum, server_.interrupt(), progress_);
    progress_.end();
    content_->finish();
    writer_->make_durable();
  }

  // None of the segments is here with other content.
  void refuse_conflicts() const {
    std::vector<std::string> conflicts;
    for (const WalIndexEntry& entry : wals_) {
      const auto archived = archive_.find(entry.name);
      if (archived && !have_same_content(staged_wal(entry.name), archived->file, archived->path)) {
        conflicts.push_back(entry.name);
      }
    }
    require_no_conflicts(std::move(conflicts));
  }

  void publish(const BackupInfo& info) {
    make_tablespace_links(info);
    publish_wals();
    const fs::path target = server_.catalogue().base_directory(name_.id);
    if (find_status(target)) {
      log::warning(log::kBackupComponent, "removing \"{}\", which an interrupted import has left",
                   target.string());
    }
    stored::BackupStore(server_.catalogue()).publish(staging() / "backup", name_.id);
    try {
      server_.catalogue().write_keep(name_.id, catalogue::KeepTarget::standalone);
    } catch (const Error& error) {
      messages_.warning(
          fmt::format("Cannot keep the imported backup {}: {}", name_.id.value, error.describe()));
    }
    server_.catalogue().save(info);
  }

  void make_tablespace_links(const BackupInfo& info) const {
    if (info.tablespaces.empty() || catalogue::stored_form_of(info) == catalogue::StoredForm::tar)
      return;
    const stored::BackupDirectories staged = staged_places();
    const fs::path links = staged.data_directory / "pg_tblspc";
    if (!fs::is_directory(links)) return;
    std::vector<std::uint32_t> oids;
    for (const catalogue::Tablespace& tablespace : info.tablespaces) {
      const bool is_here = fs::is_directory(staged.tablespace_directory(tablespace.oid));
      if (is_here) oids.push_back(tablespace.oid);
    }
    // In the staging directory, to where the tablespaces will be.
    stored::BackupDirectories places =
        stored::BackupStore(server_.catalogue()).directories(name_.id);
    places.data_directory = staged.data_directory;
    stored::link_tablespaces(places, oids);
  }

  const fs::path& staging() const { return staging_->path(); }
  stored::BackupDirectories staged_places() const {
    return stored::directories_below(staging() / "backup");
  }
  fs::path staged_wal(const std::string& name) const {
    return staging() / "wals" / wal_archive::WalArchive::relative_path(name);
  }

  void publish_wals() {
    wal_archive::WalIndex index = archive_.index();
    for (const WalIndexEntry& entry : wals_) {
      if (archive_.holds(entry.name)) continue;
      if (archive_.is_local()) {
        archive_.place(staged_wal(entry.name), entry);
      } else {
        upload(entry);
      }
    }
    std::vector<WalIndexEntry> missing;
    for (const WalIndexEntry& entry : wals_) {
      if (!index.find(entry.name)) missing.push_back(entry);
    }
    if (!missing.empty()) index.merge(missing);
  }

  void upload(const WalIndexEntry& entry) const {
    const fs::path path = staged_wal(entry.name);
    const auto object = archive_.storage().create(wal_archive::WalArchive::key_of(entry.name),
                                                  storage::IfPresent::refuse);
    const Fd file = open_file(path, O_RDONLY);
    std::vector<std::byte> piece(std::size_t{1} << 20);
    while (const std::size_t size = read_full(file, piece, path)) {
      object->write(Bytes(piece).first(size));
    }
    object->finish();
  }

  const server::Server& server_;
  const wal_archive::WalArchive archive_{server_};
  const Tarball& tarball_;
  const TarballName name_;
  Messages& messages_;
  Progress& progress_;
  std::optional<ScratchDirectory> staging_;       // before what writes there
  std::unique_ptr<stored::BackupWriter> writer_;  // before content_, which refers to it
  std::unique_ptr<Staging> content_;
  std::vector<WalIndexEntry> wals_;  // required ones, by name
};

}  // namespace

BackupId import_backup(const server::Server& server, const fs::path& path, Messages& messages,
                       Progress& progress) {
  const Tarball tarball(path);
  messages.info(
      fmt::format("Importing backup from '{}' to server '{}'", path.string(), server.name()));
  const std::optional<catalogue::Identity> identity = server.catalogue().find_identity();
  if (!identity) {
    throw Error(ErrorKind::not_found,
                fmt::format("No identity file found for server '{}'. The identity file is required "
                            "to validate the backup during import.",
                            server.name()),
                "Take a backup of this server: the first one writes the file.");
  }
  const TarballName name = parse_tarball_name(path.filename().string(), server.name());
  backup::require_bucket_owner(server, "import backups");
  server.create_directories();
  const std::string busy =
      fmt::format("Another backup operation is already running on server '{}'", server.name());
  const FileLock server_lock =
      catalogue::take_backup_turn_or_throw(server.locks(), busy, server.interrupt(), messages);
  const FileLock backup_lock =
      server::lock_or_throw(catalogue::backup_id_lock(server.locks(), name.id), busy);
  const auto existing = server.catalogue().find_backup(name.id);
  if (!server.locations().has_local_backups) {
    import_into_bucket({.server = server,
                        .tarball = tarball,
                        .name = name,
                        .identity = *identity,
                        .existing = existing,
                        .messages = messages,
                        .progress = progress});
    return name.id;
  }
  if (existing) throw already_there(server.name(), name.id);
  Import(server, tarball, name, messages, progress).run(*identity);
  return name.id;
}

}  // namespace barman::transfer

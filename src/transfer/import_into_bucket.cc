#include "transfer/import_into_bucket.h"

#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "backup/abandoned_backups.h"
#include "backup/backup_form.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/log_components.h"
#include "catalogue/cloud_catalogue.h"
#include "storage/object_text.h"
#include "stored/backup_evidence.h"
#include "stored/backup_store.h"
#include "stored/kept_configuration.h"
#include "stored/restorable.h"
#include "transfer/import_checks.h"
#include "transfer/imported_bucket.h"
#include "transfer/staging.h"
#include "wal_archive/wal_archive.h"

namespace barman::transfer {
namespace fs = std::filesystem;

using catalogue::BackupInfo;
using catalogue::BackupStatus;
using wal_archive::WalArchive;
using wal_archive::WalIndexEntry;

namespace {

class ImportIntoBucket {
 public:
  explicit ImportIntoBucket(const BucketImport& request)
      : request_(request), server_(request.server), store_(server_.catalogue()) {}

  void run() {
    inspect();
    plan_form();
    BackupInfo info = describe();
    server_.catalogue().save(info);
    try {
      upload(info);
      finish(info);
    } catch (const Error& error) {  // Told by the caller, when nothing of it is left.
      request_.progress.end();
      give_up(info, error);
      throw;
    }
  }

 private:
  const catalogue::BackupId& id() const { return request_.name.id; }

  // Everything that can refuse the file, before anything is written.
  void inspect() {
    InspectedMembers members;
    Staging content({}, members);
    read(content, "checking the file");
    require_identity(content, request_.identity, request_.messages);
    told_ = load_imported_info(content, id());
    wals_ = list_required_wals(
        content, told_, [&](const std::string& name) { return members.wals().contains(name); });
    std::vector<std::string> conflicts;
    for (const WalIndexEntry& entry : wals_) {
      const auto archived = archive_.find(entry.name);
      if (!archived) {
        missing_wals_.insert(entry.name);
      } else if (digest_of_file(DigestAlgorithm::sha256, archived->file, archived->path) !=
                 members.wals().at(entry.name)) {
        conflicts.push_back(entry.name);
      }
    }
    require_no_conflicts(std::move(conflicts));
    require_free_place();
  }

  void read(pipeline::TarVisitor& visitor, const std::string& action) {
    request_.progress.begin(action, fs::file_size(request_.tarball.path()));
    request_.tarball.read(visitor, request_.name.checksum, server_.interrupt(), request_.progress);
    request_.progress.end();
  }

  // What a killed import of the same backup has left may be replaced; nothing else.
  bool is_remnant(const BackupInfo& existing) const {
    const bool has_ended =
        existing.status == BackupStatus::started || existing.status == BackupStatus::failed;
    return has_ended && existing.systemid == told_.systemid &&
           existing.begin_xlog == told_.begin_xlog && existing.begin_time == told_.begin_time;
  }

  void require_free_place() {
    const catalogue::CloudCatalogue bucket = *server_.catalogue().bucket();
    const auto& existing = request_.existing;
    if (existing && !is_remnant(*existing)) throw already_there(server_.name(), id());
    const auto there = bucket.find(id());
    const std::string place = bucket.layout().shown(bucket.layout().backup_prefix(id()));
    if (there && !is_remnant(*there)) {
      throw Error(ErrorKind::conflict,
                  fmt::format("\"{}\" holds backup {} of server {}, which this host does not know",
                              place, id().value, server_.name()),
                  fmt::format("'barman rebuild-catalogue {}' adds it.", server_.name()));
    }
    has_remnant_ = existing || there;
    if (!has_remnant_ && !bucket.list_objects(id()).archives.empty()) {
      throw Error(ErrorKind::conflict,
                  fmt::format("\"{}\" holds archives of a backup without a backup.info", place),
                  "Find out whose they are, and remove them from the bucket.");
    }
  }

  // As new backups are; what was encrypted stays encrypted, whatever is set now.
  void plan_form() {
    const encryption::Cipher cipher = server_.cipher();
    form_ = backup::plan_form(server_.config(), cipher, std::thread::hardware_concurrency())
                .bucket_archives;
    if (told_.encryption && !cipher.can_decrypt()) {
      throw Error(ErrorKind::config,
                  fmt::format("Backup {} of the tarball is encrypted, but no "
                              "'encryption_passphrase_command' is configured",
                              id().value),
                  "Set encryption_passphrase_command to a command that prints the passphrase of "
                  "the key.");
    }
    if (!told_.encryption || form_.cipher) return;
    if (!cipher.can_encrypt()) {
      throw Error(ErrorKind::config,
                  fmt::format("Backup {} is encrypted, and server {} has no key to encrypt it with "
                              "in its bucket",
                              id().value, server_.name()),
                  "Set encryption_key_id.");
    }
    form_.cipher = cipher;
  }

  BackupInfo describe() const {
    BackupInfo info = told_;
    info.status = BackupStatus::started;
    // Names of archives tell it.
    info.compression = form_.cipher ? std::optional(told_.compression.value_or("none"))
                                    : std::optional<std::string>();
    info.encryption = form_.cipher ? std::optional<std::string>("gpg") : std::nullopt;
    info.size.reset();
    info.deduplicated_size.reset();
    return info;
  }

  void upload(const BackupInfo& info) {
    const catalogue::CloudCatalogue bucket = *server_.catalogue().bucket();
    if (has_remnant_) {
      log::warning(log::kBackupComponent, "removing what an interrupted import of backup {} left",
                   id().value);
      store_.remove(id());
      backup::abort_uploads(server_, id());
    }
    stored::WriterOptions options;
    options.bucket_form = form_;
    // PostgreSQL before 15 sends none; the checksum of the file says that nothing was cut off.
    options.stream_end = pipeline::TarEnd::optional;
    for (const catalogue::Tablespace& tablespace : info.tablespaces) {
      options.tablespaces.push_back(tablespace.oid);
    }
    const auto writer = store_.create(id(), options);
    ImportedBucket members(told_,
                           {.writer = *writer,
                            .put_wal = [&](const std::string& name) { return put_wal(name); },
                            .cipher = server_.cipher()});
    Staging content({}, members);
    read(content, "import");
    content.finish();
    writer->make_durable();
    keep_configuration(bucket, info, members.configuration());
  }

  std::unique_ptr<pipeline::Sink> put_wal(const std::string& name) {
    if (!missing_wals_.contains(name)) return nullptr;
    stored_wals_.push_back(WalArchive::key_of(name));
    return archive_.storage().create(stored_wals_.back(), storage::IfPresent::refuse);
  }

  // As it came; what is in clear becomes encrypted with the backup.
  void keep_configuration(const catalogue::CloudCatalogue& bucket, const BackupInfo& info,
                          const std::map<std::string, std::string>& files) const {
    const std::string prefix =
        bucket.layout().backup_prefix(id()) + stored::kConfigurationDirectory + "/";
    for (const auto& [name, content] : files) {
      storage::put_object_text(bucket.storage(), prefix + name, content);
    }
    if (files.empty() || !info.encryption || told_.encryption) return;
    const auto kept = stored::read_kept_configuration(server_.catalogue(), id());
    stored::keep_configuration(server_.catalogue(), id(), kept.files,
                               stored::kept_coding(info, server_.cipher()));
  }

  void finish(BackupInfo info) {
    const catalogue::Catalogue& catalogue = server_.catalogue();
    const auto manifest = store_.open_manifest(id());
    stored::require_consistent(info,
                               stored::gather_evidence(nullptr, manifest ? &*manifest : nullptr));
    stored::require_restorable(catalogue, id(),
                               {.interrupt = server_.interrupt(), .cipher = server_.cipher()});
    add_lines();
    // Its WAL has its lines now, as WAL that is no backup's.
    stored_wals_.clear();
    try {
      catalogue.write_keep(id(), catalogue::KeepTarget::standalone);
    } catch (const Error& error) {  // As with backups on a disk.
      if (error.kind() == ErrorKind::interrupted) throw;
      request_.messages.warning(
          fmt::format("Cannot keep the imported backup {}: {}", id().value, error.describe()));
    }
    const catalogue::BackupSize size = store_.facts(id());
    info.size = size.size_bytes;
    info.deduplicated_size = size.deduplicated_bytes;
    // Commit point.
    info.status = BackupStatus::done;
    catalogue.save(info);
  }

  void add_lines() const {
    wal_archive::WalIndex index = archive_.index();
    std::vector<WalIndexEntry> missing;
    for (const WalIndexEntry& entry : wals_) {
      if (!index.find(entry.name)) missing.push_back(entry);
    }
    if (!missing.empty()) index.merge(missing);
  }

  // The bucket may be the reason, or the user does not want to wait: then it is a failed backup.
  void give_up(BackupInfo info, const Error& reason) {
    const catalogue::Catalogue& catalogue = server_.catalogue();
    try {
      if (!stored_wals_.empty()) archive_.storage().remove(stored_wals_);
      store_.remove(id());
      catalogue.remove_metadata(id());
      return;
    } catch (const Error& error) {
      log::error(log::kBackupComponent, "cannot remove what was uploaded of backup {}: {}",
                 id().value, error.describe());
    }
    info.status = BackupStatus::failed;
    const std::string text = reason.describe();
    info.error = fmt::format("failure importing it ({})", text.substr(0, text.find('\n')));
    try {
      catalogue.save(info);
    } catch (const Error& error) {  // It stays STARTED then, and the next backup marks it.
      log::error(log::kBackupComponent, "cannot record the failure of backup {}: {}", id().value,
                 error.describe());
    }
    request_.messages.warning(
        fmt::format("What was uploaded of backup {0} stays in the bucket, as a backup that has "
                    "FAILED: the same "
                    "import replaces it, and 'barman delete {1} {0}' removes it.",
                    id().value, server_.name()));
  }

  const BucketImport& request_;
  const server::Server& server_;
  const stored::BackupStore store_;
  const WalArchive archive_{server_};
  // As the export tells.
  BackupInfo told_;
  stored::ArchiveForm form_;
  std::vector<WalIndexEntry> wals_;  // required ones, by name
  std::set<std::string> missing_wals_;
  bool has_remnant_ = false;
  // Keys of what this import has put into the archive, without lines.
  std::vector<std::string> stored_wals_;
};

}  // namespace

void import_into_bucket(const BucketImport& request) { ImportIntoBucket(request).run(); }

}  // namespace barman::transfer

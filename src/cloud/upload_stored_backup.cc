#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "backup/cluster_upload.h"
#include "backup/copied_cluster.h"
#include "backup/copied_names.h"
#include "backup/page_check.h"
#include "backup/tree_upload.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/log_components.h"
#include "catalogue/backup_kind.h"
#include "catalogue/catalogue.h"
#include "cloud/operation_failed.h"
#include "cloud/take_cloud_backup.h"
#include "postgres/backup_manifest.h"
#include "postgres/version_facts.h"
#include "storage/object_text.h"

namespace barman::cloud {
namespace {

namespace fs = std::filesystem;

// Of a stored backup they belong to it, and no server makes them anew.
bool is_part_of_stored_backup(std::string_view path) {
  return path == backup::kLabelFileName || path == "tablespace_map" ||
         path == postgres::kBackupManifest || backup::is_copied_from_data_directory(path);
}

void require_uploadable(const catalogue::BackupInfo& info) {
  if (info.compression || catalogue::stored_form_of(info) == catalogue::StoredForm::tar) {
    throw Error(ErrorKind::config,
                "Compressed backups are not supported when running as a hook script",
                "Take the backup without backup_compression.");
  }
  if (info.is_incremental() || info.encryption) {
    throw Error(ErrorKind::config,
                fmt::format("{} backups are not supported when running as a hook script",
                            info.encryption ? "Encrypted" : "Incremental"),
                "Call the script for full backups of plain files only.");
  }
}

// An upload that was killed has left archives; beside the new ones they would be a mixture.
void remove_former_archives(const CloudCatalogue& catalogue, const catalogue::BackupId& id) {
  std::vector<std::string> keys;
  for (const StoredArchive& archive : catalogue.list_objects(id).archives) {
    keys.push_back(archive.key);
  }
  if (keys.empty()) return;
  log::info(log::kBackupComponent, "Deleting {} archives of an upload of backup {} that has ended",
            keys.size(), id.value);
  // What is there by this name is no backup any more.
  catalogue.remove(id);
  catalogue.storage().remove(keys);
}

class StoredUpload {
 public:
  StoredUpload(const CloudCatalogue& catalogue, const StoredBackupUpload& upload,
               const catalogue::BackupInfo& info)
      : catalogue_(catalogue),
        upload_(upload),
        info_(info),
        lanes_(backup::choose_lane_count(upload.jobs,
                                         info.cluster_size ? info.cluster_size : info.size)) {}

  void run() {
    const std::string major = postgres::major_version_text(info_.version.value_or(0));
    for (const catalogue::Tablespace& tablespace : info_.tablespaces) {
      ArchiveSet archives = make_set(tablespace.oid);
      put({.source = {.root = upload_.directory / std::to_string(tablespace.oid),
                      .is_copied =
                          [&](std::string_view path) {
                            return backup::is_copied_from_tablespace(path, major);
                          },
                      .is_data_directory = false},
           .prefix = {}},
          archives);
      archives.finish();
    }
    const fs::path data = upload_.directory / catalogue::kDataDirectory;
    ArchiveSet archives = make_set(0);
    put({.source = {.root = data, .is_copied = is_part_of_stored_backup, .is_data_directory = true},
         .prefix = {}},
        archives);
    archives.close_all_but_last();
    if (!backup::upload_file(data / backup::kControlFileName, backup::kControlFileName, archives)) {
      throw Error(ErrorKind::not_found,
                  fmt::format("there is no \"{}\"", (data / backup::kControlFileName).string()),
                  "Check the backup with 'barman check-backup'.");
    }
    archives.finish();
  }

 private:
  ArchiveSet make_set(std::uint32_t oid) const {
    return {catalogue_.storage(), catalogue_.layout().backup_prefix(upload_.id), oid, upload_.form,
            lanes_};
  }
  void put(const backup::UploadedTree& tree, ArchiveSet& archives) {
    backup::upload_tree(tree,
                        {.worker_count = lanes_,
                         .checked_before = std::nullopt,
                         .require_going_on = [this] { upload_.interrupt.throw_if_requested(); }},
                        archives, damage_);
  }

  const CloudCatalogue& catalogue_;
  const StoredBackupUpload& upload_;
  const catalogue::BackupInfo& info_;
  const std::size_t lanes_;
  backup::PageDamageList damage_;
};

}  // namespace

void upload_stored_backup(const CloudCatalogue& catalogue, const StoredBackupUpload& upload) {
  const std::string text = read_file(upload.info_path);
  const catalogue::BackupInfo info =
      catalogue::parse_backup_info(text, upload.id, upload.info_path);
  require_uploadable(info);
  const std::string key = catalogue.layout().backup_info_key(upload.id);
  if (find_object_text(catalogue.storage(), key) == text) {
    log::info(log::kBackupComponent, "Backup {} was uploaded before", upload.id.value);
    return;
  }
  try {
    remove_former_archives(catalogue, upload.id);
    StoredUpload(catalogue, upload, info).run();
    // Commit point: all archives are complete.
    put_object_text(catalogue.storage(), key, text);
  } catch (const Error& error) {
    throw OperationFailed(fmt::format("Backup upload failed uploading data ({})", error.describe()),
                          error.hint());
  }
}

}  // namespace barman::cloud

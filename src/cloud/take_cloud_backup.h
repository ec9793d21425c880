// A backup of a PostgreSQL on this host into a bucket: between start and stop by the low-level API
// its files go straight into archives there, and nothing is staged.
//
//   started     `backup.info` with status STARTED, before any data
//   copied      all archives but the last one of the data directory
//   stopped     `backup_label`, the last archive
//   done        `backup.info` with status DONE: the commit point
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "base/interrupt.h"
#include "catalogue/backup_info.h"
#include "cloud/bucket_names.h"

namespace barman::cloud {

struct CloudBackupRequest {
  // As libpq takes it.
  std::string conninfo;
  std::optional<std::string> name = {};
  bool has_fast_checkpoint = false;
  // Threads that read and upload.
  std::size_t jobs = 2;
  std::chrono::seconds keepalive_interval{60};
  ArchiveForm form = {};
  Interrupt interrupt = {};
  // Where the archives go, if it is not the storage of the catalogue: one whose transfers end with
  // the interrupt. That of the catalogue must not, so that the end of the backup can be recorded.
  storage::Storage* archives = nullptr;
};

// Returns when the backup is DONE. Throws OperationFailed when PostgreSQL cannot be reached, which
// leaves nothing, and when the backup has failed, which leaves it FAILED in the bucket.
catalogue::BackupInfo take_cloud_backup(const CloudCatalogue& catalogue,
                                        const CloudBackupRequest& request);

// A finished backup of Barman on this host, as its hook scripts get it.
struct StoredBackupUpload {
  // Its directory, base/<id>, and its metadata.
  std::filesystem::path directory;
  catalogue::BackupId id;
  std::filesystem::path info_path;
  std::size_t jobs = 2;
  ArchiveForm form = {};
  Interrupt interrupt = {};
};
// Its archives, and then its `backup.info` as it is. Throws `config` for a compressed one, and for
// one that is no full backup of plain files; OperationFailed when it has failed, which leaves no
// `backup.info` in the bucket.
void upload_stored_backup(const CloudCatalogue& catalogue, const StoredBackupUpload& upload);

}  // namespace barman::cloud

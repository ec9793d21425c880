// The files of a running cluster of this host on their way into a bucket, between start and stop of
// the low-level API: tablespaces, the data directory, pg_control as its last file, configuration
// files from elsewhere, and at the end the label.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backup/copied_cluster.h"
#include "backup/copied_facts.h"
#include "backup/page_check.h"
#include "backup/tree_upload.h"
#include "catalogue/backup_info.h"
#include "storage/storage.h"
#include "stored/archive_set.h"

namespace barman::backup {

// How many archives of a tree are written at once, where there is enough for them: a small cluster
// has one archive of its data directory, as users know it. Each holds a part that is being filled
// and one that is on its way, so that all of them hold two parts more than there are jobs.
std::size_t choose_lane_count(std::size_t jobs, std::optional<std::int64_t> cluster_size_bytes);

struct UploadPlace {
  storage::Storage& storage;
  // Of all keys: BucketLayout::backup_prefix().
  std::string backup_prefix;
  stored::ArchiveForm form = {};
  std::size_t lane_count = 1;
};

class ClusterUpload {
 public:
  // What is referred to lives longer. `require_going_on` is called often, from all threads; what it
  // throws ends the upload.
  ClusterUpload(UploadPlace place, const CopiedFacts& facts, const catalogue::BackupInfo& info,
                std::function<void()> require_going_on);

  // In this order; the archives of a tablespace are complete when it returns.
  void copy_tablespace(const catalogue::Tablespace& tablespace);
  void copy_data_directory();
  // The last archives are complete when it returns, which is the commit point of all of them.
  void finish(const std::string& backup_label);

  const std::vector<CopiedItem>& items() const { return items_; }
  const PageDamageList& damage() const { return damage_; }

 private:
  stored::ArchiveSet& add_set(std::uint32_t oid);
  TreeUploadOptions upload_options() const;
  void copy_outside_files();

  const UploadPlace place_;
  const CopiedFacts& facts_;
  const catalogue::BackupInfo& info_;
  const std::function<void()> require_going_on_;
  std::vector<CopiedItem> items_;
  PageDamageList damage_;
  // That of the data directory is the last one.
  std::vector<std::unique_ptr<stored::ArchiveSet>> sets_;
};

}  // namespace barman::backup

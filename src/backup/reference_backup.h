// The earlier backups whose files a new one may use again.
#pragma once

#include <cstdint>
#include <ctime>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "backup/backup_source.h"
#include "catalogue/backup_info.h"
#include "stored/backup_store.h"

namespace barman::backup {

struct ReferenceBackup {
  std::optional<catalogue::BackupInfo> backup;
  // Why the previous backup cannot be one; empty when there is none, or when it is one.
  std::string refusal;
};

// The previous usable backup, when its files lie in the catalogue as they were in the cluster.
ReferenceBackup find_reference(const stored::BackupStore& store,
                               const std::vector<catalogue::BackupInfo>& backups,
                               const catalogue::BackupInfo& next);

// Backups that have failed since the previous usable one, newest first: what has arrived of them
// need not be copied again. Nothing is known of their files; whoever uses one compares it.
std::vector<catalogue::BackupInfo> list_unfinished(
    const stored::BackupStore& store, const std::vector<catalogue::BackupInfo>& backups,
    const catalogue::BackupInfo& next);

// The same tree, of the data directory or of a tablespace, in an earlier backup.
struct ReferenceTree {
  std::filesystem::path directory;
  // Seconds since the epoch; without it nothing is believed by its time.
  std::optional<std::time_t> horizon;
};

// When what has arrived of failed backups is used.
enum class UseUnfinished { with_reuse, always };

class References {
 public:
  // `store` must live longer.
  explicit References(const stored::BackupStore& store) : store_(store) {}

  // Tells why there is none, when one was asked for, and when its files cannot be linked. The
  // backup whose files are linked is noted in the job, whose own directory is there.
  void choose(BackupJob& job, UseUnfinished use);
  // The best one first.
  std::vector<ReferenceTree> trees_of(std::uint32_t oid) const;

 private:
  const stored::BackupStore& store_;
  std::vector<catalogue::BackupInfo> unfinished_;
  std::optional<catalogue::BackupInfo> previous_;
};

}  // namespace barman::backup

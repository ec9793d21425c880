// Receives one base backup, in plain or tar format: each file's checksum is compared with the
// backup manifest while it arrives, everything is fsynced.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "backup/archive_target.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "postgres/connection.h"
#include "replication/base_backup_stream.h"

namespace barman::backup {

enum class StoredFormat { plain, tar };

struct BaseBackupTarget {
  // Emptied and created (0700) here.
  TargetDirectories directories;
  StoredFormat format = StoredFormat::plain;
  ArchiveCoding coding;
};

struct ReceivedBaseBackup {
  replication::BackupBegin begin;
  replication::BackupEnd end;
  std::string backup_label;
  // From the first byte of the archives to the last one, so without any wait before and behind.
  double transfer_seconds = 0;
};

// Durable when it returns. Called for each NOTICE of the server in this thread.
using NoticeHandler = std::function<void(const std::string&)>;

ReceivedBaseBackup receive_base_backup(postgres::Connection& connection,
                                       const replication::BaseBackupRequest& request,
                                       const BaseBackupTarget& target,
                                       const NoticeHandler& on_notice, Progress& progress,
                                       const Interrupt& interrupt);

}  // namespace barman::backup

// Receives one base backup, in plain or tar format. The checksum of each file is computed while it
// arrives; it is compared with the backup manifest when that comes, behind all files. Everything is
// durable at the end, be it by fsync of each file or by one flush of the file system.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "backup/base_backup_receiver.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "postgres/connection.h"
#include "replication/base_backup_stream.h"
#include "stored/backup_store.h"

namespace barman::backup {

struct ReceivedBaseBackup {
  replication::BackupBegin begin;
  replication::BackupEnd end;
  std::string backup_label;
  // From the first byte of the archives to the last one, so without any wait before and behind.
  double transfer_seconds = 0;
  // The first WARNINGs of the server, in its language.
  std::vector<std::string> warnings;
};

// Where the backup goes.
struct BaseBackupTarget {
  stored::BackupStore store;
  catalogue::BackupId id;
  catalogue::StoredForm form = catalogue::StoredForm::plain;
  stored::ArchiveCoding coding;
  // Of a store in a bucket.
  stored::ArchiveForm bucket_form = {};
};

struct BaseBackupEvents {
  // In the thread of the caller, when the checkpoint is done and nothing was received yet. What it
  // throws ends the backup.
  std::function<void(const replication::BackupBegin&)> on_begin;
  NoticeHandler on_notice;
};

// Durable when it returns. What an earlier attempt has left is removed first: the data directory
// and the directories of tablespaces beside it.
ReceivedBaseBackup receive_base_backup(postgres::Connection& connection,
                                       const replication::BaseBackupRequest& request,
                                       const BaseBackupTarget& target,
                                       const BaseBackupEvents& events, Progress& progress,
                                       const Interrupt& interrupt);

}  // namespace barman::backup

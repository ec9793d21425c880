// Receives one base backup into directories, plain format: each archive is unpacked while it
// arrives, each file's checksum is compared with the backup manifest, everything is fsynced.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "base/interrupt.h"
#include "base/progress.h"
#include "postgres/connection.h"
#include "replication/base_backup_stream.h"

namespace barman::backup {

struct BaseBackupTarget {
  // Emptied and created (0700) here.
  std::filesystem::path data_directory;
  std::function<std::filesystem::path(std::uint32_t oid)> tablespace_directory;
};

struct ReceivedBaseBackup {
  replication::BackupBegin begin;
  replication::BackupEnd end;
  std::uint64_t size_bytes = 0;  // of all files
};

// Durable when it returns. Called for each NOTICE of the server in this thread.
using NoticeHandler = std::function<void(const std::string&)>;

ReceivedBaseBackup receive_base_backup(postgres::Connection& connection,
                                       const replication::BaseBackupRequest& request,
                                       const BaseBackupTarget& target,
                                       const NoticeHandler& on_notice, Progress& progress,
                                       const Interrupt& interrupt);

}  // namespace barman::backup

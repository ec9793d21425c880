// In which form a backup is received and stored, as the options backup_compression* say. Pure.
#pragma once

#include <optional>
#include <string>

#include "backup/receive_base_backup.h"
#include "config/server_config.h"
#include "replication/base_backup_stream.h"

namespace barman::backup {

struct BackupForm {
  catalogue::StoredForm form = catalogue::StoredForm::plain;
  stored::ArchiveCoding coding;
  // What the server is asked to do.
  std::optional<replication::ServerCompression> server_compression;
  // The field of backup.info; nullopt for plain backups, and in a bucket, where the names of the
  // archives tell it.
  std::optional<std::string> compression;
  // In a bucket; they are compressed here, whoever has compressed what comes.
  stored::ArchiveForm bucket_archives = {};

  // What encrypts the backup; nullopt when nothing does.
  const std::optional<encryption::Cipher>& cipher() const {
    return coding.cipher ? coding.cipher : bucket_archives.cipher;
  }
  bool is_encrypted() const { return cipher().has_value(); }
};

// `processor_count` threads, 8 at most (of xz 4), compress on the client unless
// backup_compression_workers is set.
// `cipher` is used with encryption = gpg.
BackupForm plan_form(const config::ServerConfig& config, const encryption::Cipher& cipher,
                     std::size_t processor_count);

}  // namespace barman::backup

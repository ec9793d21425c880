#include "catalogue/backup_kind.h"

namespace barman::catalogue {

SourceKind source_of(const BackupInfo& backup) {
  if (!backup.mode) return SourceKind::unknown;
  if (*backup.mode == kPostgresMode) return SourceKind::postgres_stream;
  if (backup.type() == BackupType::rsync) return SourceKind::rsync;
  if (backup.type() == BackupType::snapshot) return SourceKind::snapshot;
  return SourceKind::unknown;
}

StoredForm stored_form_of(const BackupInfo& backup) {
  return backup.compression ? StoredForm::tar : StoredForm::plain;
}

DataChecksums data_checksums_of(const BackupInfo& backup) {
  if (backup.data_checksums == "on") return DataChecksums::on;
  return backup.data_checksums == "off" ? DataChecksums::off : DataChecksums::unknown;
}

}  // namespace barman::catalogue

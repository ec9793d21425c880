#include "catalogue/backup_kind.h"

#include <gtest/gtest.h>

namespace barman::catalogue {
namespace {

SourceKind source_with_mode(std::optional<std::string> mode) {
  BackupInfo info;
  info.mode = std::move(mode);
  return source_of(info);
}

TEST(BackupKind, FollowsTheMode) {
  EXPECT_EQ(source_with_mode("postgres"), SourceKind::postgres_stream);
  EXPECT_EQ(source_with_mode("rsync-concurrent"), SourceKind::rsync);
  EXPECT_EQ(source_with_mode("snapshot"), SourceKind::snapshot);
  EXPECT_EQ(source_with_mode("postgresql-of-the-future"), SourceKind::unknown);
  EXPECT_EQ(source_with_mode(std::nullopt), SourceKind::unknown);
}

TEST(BackupKind, IsTarWithAnyWordOfCompression) {
  BackupInfo info;
  EXPECT_EQ(stored_form_of(info), StoredForm::plain);
  for (const char* const word : {"none", "zstd"}) {
    info.compression = word;
    EXPECT_EQ(stored_form_of(info), StoredForm::tar) << word;
  }
}

TEST(BackupKind, OldBackupsDoNotTellOfChecksums) {
  BackupInfo info;
  EXPECT_EQ(data_checksums_of(info), DataChecksums::unknown);
  info.data_checksums = "on";
  EXPECT_EQ(data_checksums_of(info), DataChecksums::on);
  info.data_checksums = "off";
  EXPECT_EQ(data_checksums_of(info), DataChecksums::off);
}

}  // namespace
}  // namespace barman::catalogue

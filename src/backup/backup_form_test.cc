#include "backup/backup_form.h"

#include <gtest/gtest.h>

namespace barman::backup {
namespace {

using config::BackupCompression;

config::ServerConfig configured(BackupCompression algorithm) {
  config::ServerConfig config;
  config.backup_compression = algorithm;
  return config;
}

TEST(BackupForm, IsPlainWithoutCompression) {
  const BackupForm form = plan_form({}, encryption::Cipher(), 4);
  EXPECT_EQ(form.form, catalogue::StoredForm::plain);
  EXPECT_FALSE(form.compression);
  EXPECT_FALSE(form.server_compression);
  EXPECT_EQ(form.coding.place, stored::CompressionPlace::none);
}

TEST(BackupForm, IsTarUnlessPlainIsWanted) {
  const BackupForm none = plan_form(configured(BackupCompression::none), encryption::Cipher(), 4);
  EXPECT_EQ(none.form, catalogue::StoredForm::tar);
  EXPECT_EQ(none.compression, "none");
  EXPECT_FALSE(none.coding.algorithm);
  EXPECT_EQ(none.coding.place, stored::CompressionPlace::none);

  config::ServerConfig config = configured(BackupCompression::zstd);
  config.backup_compression_format = config::BackupFormat::plain;
  config.backup_compression_location = config::CompressionSide::server;
  config.backup_compression_level = 7;
  config.backup_compression_workers = 3;
  const BackupForm plain = plan_form(config, encryption::Cipher(), 4);
  EXPECT_EQ(plain.form, catalogue::StoredForm::plain);
  EXPECT_FALSE(plain.compression);
  EXPECT_EQ(plain.coding.place, stored::CompressionPlace::server);
  ASSERT_TRUE(plain.server_compression);
  EXPECT_EQ(plain.server_compression->algorithm, compression::Algorithm::zstd);
  EXPECT_EQ(plain.server_compression->level, 7);
  EXPECT_EQ(plain.server_compression->worker_count, 3);
}

TEST(BackupForm, EncryptsTarOnly) {
  config::ServerConfig config = configured(BackupCompression::none);
  EXPECT_FALSE(plan_form(config, encryption::Cipher(), 1).coding.cipher);
  config.encryption = config::Encryption::gpg;
  EXPECT_TRUE(plan_form(config, encryption::Cipher(), 1).coding.cipher);
}

TEST(BackupForm, CompressesWithAllProcessorsUnlessToldOtherwise) {
  EXPECT_EQ(
      plan_form(configured(BackupCompression::gzip), encryption::Cipher(), 4).coding.worker_count,
      4U);
  EXPECT_EQ(
      plan_form(configured(BackupCompression::lz4), encryption::Cipher(), 64).coding.worker_count,
      8U);
  EXPECT_EQ(
      plan_form(configured(BackupCompression::lz4), encryption::Cipher(), 0).coding.worker_count,
      1U);
  config::ServerConfig config = configured(BackupCompression::zstd);
  config.backup_compression_workers = 12;
  config.backup_compression_level = -3;
  const BackupForm form = plan_form(config, encryption::Cipher(), 4);
  EXPECT_EQ(form.coding.worker_count, 12U);
  EXPECT_EQ(form.coding.level, -3);
  EXPECT_FALSE(form.server_compression);
}

TEST(BackupForm, ArchivesInABucketMayBeOfXz) {
  config::ServerConfig config = configured(BackupCompression::xz);
  config.basebackups_directory = "s3://b/x";
  config.backup_compression_level = 9;
  const BackupForm form = plan_form(config, encryption::Cipher(), 64);
  EXPECT_EQ(form.bucket_archives.compression, compression::Algorithm::xz);
  EXPECT_EQ(form.bucket_archives.compression_level, 9);
  EXPECT_EQ(form.bucket_archives.compression_threads, 4U) << "25 MiB each";
  EXPECT_TRUE(form.bucket_archives.has_index);
}

}  // namespace
}  // namespace barman::backup

#include "transfer/exported_bucket.h"

#include <optional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "encryption/test_support.h"
#include "transfer/test_support.h"

namespace barman::transfer {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kLargeArchive = std::uint64_t{1} << 30;

class ExportedBucketTest : public testing::Test {
 protected:
  TransferredFiles export_all(const encryption::Cipher& cipher = {}) {
    const catalogue::Catalogue catalogue = bucket_.catalogue();
    ExportedBucket exported({.catalogue = catalogue, .cipher = cipher}, bucket_.backup);
    described_ = exported.describe();
    TarText text;
    pipeline::TarWriter writer(text);
    NoProgress progress;
    exported.write(writer, progress);
    writer.finish();
    return list_tar(text.text);
  }
  std::string refusal(const encryption::Cipher& cipher = {}) {
    try {
      export_all(cipher);
    } catch (const Error& error) {
      return error.describe_with_hint();
    }
    return "done";
  }
  static void expect_all(const TransferredFiles& files) {
    for (const auto& [path, content] : BucketInMemory::data_files()) {
      EXPECT_EQ(files.at("backup/data/" + path), content) << path;
    }
    EXPECT_EQ(files.at("backup/data/backup_manifest"), BucketInMemory::manifest());
    EXPECT_EQ(files.at("backup/16384/PG_17_1/5/1"), "of the tablespace");
    EXPECT_EQ(files.at("backup/configuration/conf.d/more.conf"), "a = 1\n");
    EXPECT_THAT(files.at("backup/configuration/.sha256sums"), HasSubstr("  conf.d/more.conf\n"));
    for (const char* const directory : {"backup/", "backup/data/", "backup/data/base/1/",
                                        "backup/16384/", "backup/configuration/conf.d/"}) {
      EXPECT_TRUE(files.contains(directory)) << directory;
    }
  }

  BucketInMemory bucket_;
  catalogue::BackupInfo described_;
};

TEST_F(ExportedBucketTest, HasTheFilesOfAPlainBackupWhateverTheFormInTheBucket) {
  for (const bool has_index : {false, true}) {
    for (const auto algorithm :
         {std::optional<compression::Algorithm>(), std::optional(compression::Algorithm::zstd)}) {
      bucket_.put_backup(
          {.compression = algorithm, .max_archive_bytes = kLargeArchive, .has_index = has_index});
      expect_all(export_all());
    }
  }
  // Several archives of one tree.
  bucket_.put_backup({.max_archive_bytes = 1});
  expect_all(export_all());
}

TEST_F(ExportedBucketTest, DescribesTheFilesAsTheyAreThere) {
  bucket_.backup.size = 17;
  bucket_.put_backup(
      {.compression = compression::Algorithm::zstd, .max_archive_bytes = kLargeArchive});
  std::size_t size = BucketInMemory::manifest().size();
  for (const auto& files : {BucketInMemory::data_files(), BucketInMemory::tablespace_files()}) {
    for (const auto& [path, content] : files) size += content.size();
  }
  export_all();
  EXPECT_EQ(described_.size, static_cast<std::int64_t>(size));
  EXPECT_EQ(described_.deduplicated_size, described_.size);
  EXPECT_FALSE(described_.compression);
  EXPECT_FALSE(described_.encryption);
}

TEST_F(ExportedBucketTest, IsDecryptedWithTheKeyOnly) {
  const encryption::TestKeyring keyring;
  const encryption::Cipher cipher(
      {.recipient = encryption::TestKeyring::kKey, .passphrase_command = "echo open sesame"});
  bucket_.put_backup({.max_archive_bytes = kLargeArchive, .cipher = cipher});
  EXPECT_THAT(refusal(), HasSubstr("encryption_passphrase_command"));
  expect_all(export_all(cipher));
  EXPECT_FALSE(described_.encryption);
  keyring.end_agent();
  EXPECT_THAT(refusal(encryption::Cipher({.recipient = encryption::TestKeyring::kKey,
                                          .passphrase_command = "echo close sesame"})),
              HasSubstr("passphrase"));
}

TEST_F(ExportedBucketTest, IsRefusedWhenItIsNotWhatItsManifestSays) {
  TransferredFiles files = BucketInMemory::data_files();
  files["base/1/1259"][77] = 'y';
  bucket_.put_backup({.max_archive_bytes = kLargeArchive}, files);
  EXPECT_THAT(refusal(), testing::AllOf(HasSubstr("base/1/1259"), HasSubstr("is damaged")));
  files["base/1/1259"].pop_back();
  bucket_.put_backup({.max_archive_bytes = kLargeArchive}, files);
  EXPECT_THAT(refusal(), HasSubstr("has 99999 bytes, its manifest says 100000"));
  files.erase("base/1/1259");
  bucket_.put_backup({.max_archive_bytes = kLargeArchive}, files);
  EXPECT_THAT(refusal(), testing::AllOf(HasSubstr("lacks files of its manifest: \"base/1/1259\""),
                                        HasSubstr("'barman verify-backup main 20261121T010000'")));
}

}  // namespace
}  // namespace barman::transfer

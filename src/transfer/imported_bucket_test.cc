#include "transfer/imported_bucket.h"

#include <map>
#include <memory>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "compression/codec.h"
#include "encryption/test_support.h"
#include "transfer/exported_bucket.h"
#include "transfer/test_support.h"

namespace barman::transfer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

constexpr const char* kImportedWal = "000000010000000000000002";

std::string tar_of(const TransferredFiles& files) {
  TarText text;
  pipeline::TarWriter writer(text);
  for (const auto& [path, content] : files) writer.add_file({.path = path, .mode = 0600}, content);
  writer.finish();
  return text.text;
}

std::string compressed(compression::Algorithm algorithm, const std::string& content) {
  TarText text;
  const auto sink =
      compression::make_compressor(algorithm, compression::resolve_level(algorithm, ""), text);
  sink->write(as_bytes(content));
  sink->finish();
  return text.text;
}

class WalText final : public pipeline::Sink {
 public:
  explicit WalText(std::string& target) : target_(target) {}
  void write(Bytes data) override { target_ += as_text(data); }
  void finish() override {}

 private:
  std::string& target_;
};

class ImportedBucketTest : public testing::Test {
 protected:
  // Members in the order of an export. Returns what the backup in the bucket has then.
  TransferredFiles import(const std::vector<std::pair<std::string, std::string>>& members,
                          const encryption::Cipher& cipher = {}) {
    const catalogue::Catalogue catalogue = bucket_.catalogue();
    const stored::BackupStore store(catalogue);
    store.clear(bucket_.backup.id);
    const auto writer = store.create(
        bucket_.backup.id,
        {.tablespaces = {16384}, .bucket_form = {.max_archive_bytes = 1 << 30, .has_index = true}});
    ImportedBucket imported(
        bucket_.backup,
        {.writer = *writer,
         .put_wal = [&](const std::string& name) { return std::make_unique<WalText>(wals_[name]); },
         .cipher = cipher});
    for (const auto& [path, content] : members) put(imported, path, content);
    imported.finish();
    writer->make_durable();
    configuration_ = imported.configuration();
    catalogue::BackupInfo info = bucket_.backup;
    info.compression.reset();
    info.encryption.reset();
    ExportedBucket exported({.catalogue = catalogue}, info);
    TarText text;
    pipeline::TarWriter tar(text);
    NoProgress progress;
    exported.write(tar, progress);
    tar.finish();
    return list_tar(text.text);
  }
  static void put(pipeline::TarVisitor& visitor, const std::string& path,
                  const std::string& content) {
    const bool is_directory = path.ends_with('/');
    visitor.begin_member({.path = is_directory ? path.substr(0, path.size() - 1) : path,
                          .type = is_directory ? pipeline::TarMemberType::directory
                                               : pipeline::TarMemberType::regular,
                          .mode = is_directory ? 0700U : 0600U,
                          .size_bytes = content.size(),
                          .mtime = 1});
    visitor.write(as_bytes(content));
    visitor.end_member();
  }
  std::string refusal(const std::vector<std::pair<std::string, std::string>>& members) {
    try {
      import(members);
    } catch (const Error& error) {
      return error.message();
    }
    return "done";
  }
  static void expect_all(const TransferredFiles& files) {
    for (const auto& [path, content] : BucketInMemory::data_files()) {
      EXPECT_EQ(files.at("backup/data/" + path), content) << path;
    }
    EXPECT_EQ(files.at("backup/data/backup_manifest"), BucketInMemory::manifest());
    EXPECT_EQ(files.at("backup/16384/PG_17_1/5/1"), "of the tablespace");
  }

  BucketInMemory bucket_;
  std::map<std::string, std::string> wals_;
  std::map<std::string, std::string> configuration_;
};

TEST_F(ImportedBucketTest, TakesAPlainBackupItsWalAndItsConfiguration) {
  std::vector<std::pair<std::string, std::string>> members = {
      {"backup/", ""},
      {"backup/16384/", ""},
      {"backup/16384/PG_17_1/5/1", "of the tablespace"},
      {"backup/configuration/conf.d/", ""},
      {"backup/configuration/conf.d/more.conf", "a = 1\n"},
      {"backup/data/", ""},
      {"backup/data/backup_manifest", BucketInMemory::manifest()},
      {"backup/data/pg_tblspc/", ""}};
  for (const auto& [path, content] : BucketInMemory::data_files()) {
    members.emplace_back("backup/data/" + path, content);
  }
  members.emplace_back(std::string("wals/0000000100000000/") + kImportedWal, "wal");
  const TransferredFiles files = import(members);
  expect_all(files);
  EXPECT_TRUE(files.contains("backup/data/pg_tblspc/"));
  EXPECT_THAT(wals_, ElementsAre(Pair(kImportedWal, "wal")));
  EXPECT_THAT(configuration_, ElementsAre(Pair("conf.d/more.conf", "a = 1\n")));
}

TEST_F(ImportedBucketTest, UnpacksArchivesOfEachKind) {
  const std::string data = tar_of(BucketInMemory::data_files());
  const std::string tablespace = tar_of(BucketInMemory::tablespace_files());
  bucket_.backup.compression = "none";
  expect_all(import({{"backup/16384/", ""},
                     {"backup/data/", ""},
                     {"backup/data/16384.tar", tablespace},
                     {"backup/data/backup_manifest", BucketInMemory::manifest()},
                     {"backup/data/base.index", "an index"},
                     {"backup/data/base.tar", data}}));
  for (const compression::Algorithm algorithm :
       {compression::Algorithm::gzip, compression::Algorithm::lz4, compression::Algorithm::zstd}) {
    const std::string extension(compression::file_extension(algorithm));
    bucket_.backup.compression = compression::to_text(algorithm);
    expect_all(import({{"backup/data/16384.tar" + extension, compressed(algorithm, tablespace)},
                       {"backup/data/backup_manifest", BucketInMemory::manifest()},
                       {"backup/data/base.tar" + extension, compressed(algorithm, data)}}));
  }
}

TEST_F(ImportedBucketTest, DecryptsWhatIsEncrypted) {
  const encryption::TestKeyring keyring;
  const encryption::Cipher cipher(
      {.recipient = encryption::TestKeyring::kKey, .passphrase_command = "echo open sesame"});
  const auto encrypted = [&](const std::string& content) {
    TarText text;
    const auto sink = cipher.make_encryptor(text, "x");
    sink->write(as_bytes(content));
    sink->finish();
    return text.text;
  };
  bucket_.backup.compression = "gzip";
  bucket_.backup.encryption = "gpg";
  const auto gzip = compression::Algorithm::gzip;
  const std::vector<std::pair<std::string, std::string>> members = {
      {"backup/data/16384.tar.gz.gpg",
       encrypted(compressed(gzip, tar_of(BucketInMemory::tablespace_files())))},
      {"backup/data/backup_manifest", BucketInMemory::manifest()},
      {"backup/data/base.tar.gz.gpg",
       encrypted(compressed(gzip, tar_of(BucketInMemory::data_files())))}};
  expect_all(import(members, cipher));
  EXPECT_THAT(refusal(members), HasSubstr("encryption_passphrase_command"));
}

TEST_F(ImportedBucketTest, RefusesWhatARestoreWouldNotFind) {
  EXPECT_THAT(refusal({{"backup/16385/PG_17_1/5/1", "x"}}),
              HasSubstr("'backup/16385/PG_17_1/5/1', which belongs to no tablespace"));
  EXPECT_THAT(refusal({{"backup/data/a", "x"}, {"backup/16384/b", "x"}, {"backup/data/c", "x"}}),
              HasSubstr("come in pieces"));
  bucket_.backup.compression = "gzip";
  EXPECT_THAT(refusal({{"backup/data/base.tar.what", "x"}}), HasSubstr("is no archive"));
  EXPECT_THAT(refusal({{"backup/data/PG_VERSION", "17"}}), HasSubstr("is no archive"));
}

TEST(InspectedMembersTest, HaveTheDigestsOfWal) {
  InspectedMembers members;
  const std::string path = std::string("wals/0000000100000000/") + kImportedWal;
  members.begin_member({.path = "backup/data/a", .size_bytes = 1});
  members.write(as_bytes(std::string_view("x")));
  members.end_member();
  members.begin_member({.path = path, .size_bytes = 3});
  members.write(as_bytes(std::string_view("wal")));
  members.end_member();
  EXPECT_THAT(members.wals(),
              ElementsAre(Pair(kImportedWal, digest_of(DigestAlgorithm::sha256, "wal"))));
}

}  // namespace
}  // namespace barman::transfer

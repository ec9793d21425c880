#include "consolidate/consolidate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <span>
#include <utility>

#include "base/digest.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/test_support.h"
#include "base/worker_pool.h"
#include "catalogue/test_support.h"
#include "compression/codec.h"
#include "encryption/test_support.h"
#include "pipeline/file_sink.h"
#include "pipeline/tar_reader.h"
#include "pipeline/tar_writer.h"
#include "stored/backup_store.h"
#include "stored/manifest_index.h"
#include "stored/test_support.h"

namespace barman::consolidate {
namespace {

namespace fs = std::filesystem;
using catalogue::BackupInfo;
using catalogue::BackupStatus;
using stored::blocks_of;
using stored::incremental_content;
using stored::manifest_of;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using Files = std::map<std::string, std::string>;

class SilentMessages final : public Messages {
 public:
  void debug(const std::string&) override {}
  void info(const std::string&) override {}
  void warning(const std::string&) override {}
  void error(const std::string&) override {}
  void exception(const std::string&) override {}
};

constexpr const char* kFullLabel =
    "START WAL LOCATION: 0/2000028 (file 000000010000000000000002)\n"
    "CHECKPOINT LOCATION: 0/2000080\nSTART TIMELINE: 1\n";
constexpr const char* kLaterLabel =
    "START WAL LOCATION: 0/5000028 (file 000000010000000000000005)\n"
    "CHECKPOINT LOCATION: 0/5000080\nSTART TIMELINE: 1\n";
constexpr const char* kIncrementalLines =
    "INCREMENTAL FROM LSN: 0/2000028\nINCREMENTAL FROM TLI: 1\n";

// A full backup and an incremental one, with a tablespace.
class ConsolidateTest : public testing::Test {
 protected:
  ConsolidateTest() {
    config_.name = "main";
    config_.backup_directory = (directory_.path() / "main").string();
    config_.basebackups_directory = config_.backup_directory + "/base";
    config_.wals_directory = config_.xlogdb_directory = config_.backup_directory + "/wals";
    global_.barman_lock_directory = directory_.path().string();
    full_ = catalogue::make_backup("20261121T010000", "000000010000000000000002",
                                   "000000010000000000000002");
    full_.children_backup_ids = {{"20261121T020000"}};
    last_ = catalogue::make_backup("20261121T020000", "000000010000000000000005",
                                   "000000010000000000000005", BackupStatus::waiting_for_wals);
    last_.parent_backup_id = full_.id;
    last_.backup_name = "evening";
    last_.cluster_size = 100'000;
    full_.backup_label = kFullLabel;
    last_.backup_label = std::string(kLaterLabel) + kIncrementalLines;
    for (BackupInfo* const info : {&full_, &last_}) {
      info->tablespaces = {{.name = "ts", .oid = 16384, .location = "/srv/ts"}};
    }
    full_files_ = {{"PG_VERSION", "17\n"},
                   {"backup_label", kFullLabel},
                   {"base/5/1259", blocks_of("aaa")},
                   {"base/5/9999", blocks_of("dropped since")},
                   {kOutside + "PG_17_1/5/1", blocks_of("aa")}};
    last_files_ = {{"PG_VERSION", "17\n"},
                   {"backup_label", *last_.backup_label},
                   {"base/5/1260", blocks_of("new")},
                   {"base/5/INCREMENTAL.1259", incremental_content({1}, 3, 'b')},
                   {kOutside + "PG_17_1/5/INCREMENTAL.1", incremental_content({2}, 2, 'b')}};
  }

  server::Server server() const { return {config_, global_, {}}; }
  catalogue::Catalogue catalogue() const { return server().catalogue(); }

  fs::path path_of(const BackupInfo& info, const std::string& path) const {
    return path.starts_with(kOutside)
               ? catalogue().tablespace_directory(info.id, 16384) / path.substr(kOutside.size())
               : catalogue().data_directory(info.id) / path;
  }
  void put_plain(const BackupInfo& info, const Files& files) const {
    for (const auto& [path, content] : files) put_file(path_of(info, path), content);
    fs::create_directories(path_of(info, "pg_tblspc"));
    fs::create_symlink(catalogue().tablespace_directory(info.id, 16384),
                       path_of(info, "pg_tblspc/16384"));
    put_file(path_of(info, "backup_manifest"), manifest_of(files));
    catalogue().save(info);
  }
  void put_plain_chain() const {
    put_plain(full_, full_files_);
    put_plain(last_, last_files_);
  }
  BackupInfo consolidate() const {
    SilentMessages messages;
    NoProgress progress;
    return consolidate_backup(server(), last_, 2, messages, progress);
  }
  std::string refusal() const {
    try {
      consolidate();
    } catch (const Error& error) {
      return error.describe();
    }
    return "done";
  }
  std::vector<std::string> listed() const {
    std::vector<std::string> ids;
    for (const BackupInfo& info : catalogue().list_backups().backups) ids.push_back(info.id.value);
    return ids;
  }
  // The result, and that the files of the chain are what they were.
  void expect_full_backup(const BackupInfo& result) const {
    EXPECT_EQ(get_file(path_of(result, "base/5/1259")), blocks_of("aba"));
    EXPECT_EQ(get_file(path_of(result, "base/5/1260")), blocks_of("new"));
    EXPECT_EQ(get_file(path_of(result, kOutside + "PG_17_1/5/1")), blocks_of("aab"));
    EXPECT_EQ(get_file(path_of(result, "backup_label")), kLaterLabel);
    EXPECT_FALSE(fs::exists(path_of(result, "base/5/9999")));
    EXPECT_EQ(fs::read_symlink(path_of(result, "pg_tblspc/16384")),
              catalogue().tablespace_directory(result.id, 16384));
    expect_complete_manifest(result);
  }
  void expect_complete_manifest(const BackupInfo& result) const {
    const auto manifest = stored::ManifestIndex::load(path_of(result, "backup_manifest"));
    ASSERT_TRUE(manifest);
    for (const auto& [path, content] : Files{{"base/5/1259", blocks_of("aba")},
                                             {kOutside + "PG_17_1/5/1", blocks_of("aab")},
                                             {"backup_label", kLaterLabel}}) {
      const auto expected = manifest->find(path);
      ASSERT_TRUE(expected) << path;
      EXPECT_EQ(expected->checksum, digest_of(DigestAlgorithm::crc32c, content)) << path;
    }
    EXPECT_FALSE(manifest->find("base/5/INCREMENTAL.1259"));
  }

  const std::string kOutside = "pg_tblspc/16384/";
  const TemporaryDirectory directory_;
  config::ServerConfig config_;
  config::GlobalConfig global_;
  BackupInfo full_;
  BackupInfo last_;
  Files full_files_;
  Files last_files_;
};

TEST_F(ConsolidateTest, TheResultStandsAloneBesideTheChain) {
  put_plain_chain();
  const BackupInfo result = consolidate();
  expect_full_backup(result);
  const BackupInfo saved = catalogue().load_backup({"20261121T020001"});
  EXPECT_EQ(saved.id, result.id) << "behind its chain, before what comes later";
  EXPECT_EQ(saved.parent_backup_id, std::nullopt);
  EXPECT_THAT(saved.children_backup_ids, IsEmpty());
  EXPECT_EQ(saved.backup_name, std::nullopt) << "a name leads to one backup";
  EXPECT_EQ(saved.backup_label, kLaterLabel);
  EXPECT_EQ(saved.begin_wal, last_.begin_wal);
  EXPECT_EQ(saved.status, BackupStatus::waiting_for_wals) << "its WAL has not come by this";
  EXPECT_GT(saved.size.value_or(0), 8 * 8192);
  // Nobody changes the chain.
  EXPECT_EQ(get_file(path_of(full_, "base/5/1259")), blocks_of("aaa"));
  EXPECT_EQ(catalogue().load_backup(last_.id).parent_backup_id, full_.id);
  EXPECT_EQ(catalogue().load_backup(full_.id).children_backup_ids, full_.children_backup_ids);
}

TEST_F(ConsolidateTest, AnotherOneGetsTheNextId) {
  put_plain_chain();
  EXPECT_EQ(consolidate().id.value, "20261121T020001");
  EXPECT_EQ(consolidate().id.value, "20261121T020002");
}

TEST_F(ConsolidateTest, ADamagedFileOfAnyLinkMakesNoBackup) {
  put_plain_chain();
  for (const auto& [info, files, path] :
       {std::tuple(&full_, &full_files_, std::string("base/5/1259")),
        std::tuple(&full_, &full_files_, kOutside + "PG_17_1/5/1"),
        std::tuple(&last_, &last_files_, std::string("base/5/1260")),
        std::tuple(&last_, &last_files_, std::string("base/5/INCREMENTAL.1259"))}) {
    std::string damaged = files->at(path);
    damaged.back() = static_cast<char>(damaged.back() ^ 1);
    put_file(path_of(*info, path), damaged);
    EXPECT_THAT(refusal(), AllOf(HasSubstr(path_of(*info, path).string()), HasSubstr("checksum")));
    const BackupInfo failed = catalogue().list_backups().backups.back();
    EXPECT_EQ(failed.status, BackupStatus::failed) << path;
    EXPECT_THAT(failed.error.value_or(""), HasSubstr(path_of(*info, path).string()));
    catalogue().remove_metadata(failed.id);
    remove_tree(catalogue().base_directory(failed.id));
    put_file(path_of(*info, path), files->at(path));
  }
  expect_full_backup(consolidate());
}

TEST_F(ConsolidateTest, WhatCanBeForeseenIsRefusedBeforeAnythingIsWritten) {
  put_plain_chain();
  fs::remove(path_of(full_, "base/5/9999"));
  EXPECT_THAT(refusal(), AllOf(HasSubstr("backup '20261121T010000'"),
                               HasSubstr("\"base/5/9999\" is missing")));
  put_file(path_of(full_, "base/5/9999"), full_files_.at("base/5/9999"));
  fs::remove(path_of(last_, "base/5/1260"));
  EXPECT_THAT(refusal(), HasSubstr("\"base/5/1260\" is missing"));
  put_file(path_of(last_, "base/5/1260"), last_files_.at("base/5/1260"));
  full_.data_checksums = "off";
  last_.data_checksums = "on";
  catalogue().save(full_);
  EXPECT_THAT(refusal(), HasSubstr("with data checksums"));
  full_.data_checksums.reset();
  catalogue().save(full_);
  last_.status = BackupStatus::failed;
  EXPECT_THAT(refusal(), HasSubstr("its status is FAILED"));
  last_.parent_backup_id.reset();
  EXPECT_THAT(refusal(), HasSubstr("not an incremental backup"));
  EXPECT_THAT(listed(), ElementsAre("20261121T010000", "20261121T020000"));
}

// Archives in one piece are read once each, from end to end.
class ConsolidateArchives : public ConsolidateTest {
 protected:
  ConsolidateArchives() {
    // Too much for a frame that is read at random.
    full_files_["base/5/2000"] = std::string(std::size_t{17} << 20, 'x');
    for (BackupInfo* const info : {&full_, &last_}) info->compression = "zstd";
    last_files_["base/5/INCREMENTAL.2000"] = incremental_content({0}, 1, 'b');
  }
  void put_archive_of(const BackupInfo& info, const Files& files, const std::string& stem) const {
    fs::create_directories(catalogue().data_directory(info.id));
    pipeline::FileSink file(catalogue().data_directory(info.id) / (stem + ".tar.zst"));
    const auto compressor = compression::make_compressor(compression::Algorithm::zstd, 1, file);
    pipeline::TarWriter tar(*compressor);
    for (const char* const path : {"base", "base/5", "PG_17_1", "PG_17_1/5"}) {
      if ((stem == "base") != std::string_view(path).starts_with("base")) continue;
      tar.begin_member({.path = path, .type = pipeline::TarMemberType::directory, .mode = 0700});
      tar.end_member();
    }
    for (const auto& [path, content] : files) {
      const bool is_outside = path.starts_with(kOutside);
      if (is_outside == (stem == "base")) continue;
      tar.add_file({.path = is_outside ? path.substr(kOutside.size()) : path,
                    .mode = 0600,
                    .size_bytes = content.size(),
                    .mtime = 1700000001},
                   content);
    }
    tar.finish();
  }
  void put_archives(const BackupInfo& info, const Files& files) const {
    put_archive_of(info, files, "base");
    put_archive_of(info, files, "16384");
    put_file(path_of(info, "backup_manifest"), manifest_of(files));
    catalogue().save(info);
  }
};

TEST_F(ConsolidateArchives, GiveTheSame) {
  put_archives(full_, full_files_);
  put_archives(last_, last_files_);
  const BackupInfo result = consolidate();
  expect_full_backup(result);
  EXPECT_EQ(get_file(path_of(result, "base/5/2000")), blocks_of("b"));
  EXPECT_EQ(catalogue().load_backup(result.id).compression, std::nullopt) << "its files are plain";
}

TEST_F(ConsolidateArchives, ThatLackAFileMakeNoBackup) {
  put_archives(full_, full_files_);
  Files fewer = last_files_;
  fewer.erase("base/5/1260");
  fewer["base/5/3000"] = full_files_["base/5/2000"];  // so that nobody knows before it is read
  put_archives(last_, fewer);
  fewer["base/5/1260"] = last_files_["base/5/1260"];
  put_file(path_of(last_, "backup_manifest"), manifest_of(fewer));
  EXPECT_THAT(refusal(), HasSubstr("\"base/5/1260\" is missing"));
  EXPECT_EQ(catalogue().list_backups().backups.back().status, BackupStatus::failed);
}

// With the real gpg; making a key takes time, so there is one keyring.
class ConsolidateEncrypted : public ConsolidateTest {
 protected:
  static void SetUpTestSuite() { keyring = new encryption::TestKeyring(); }
  static void TearDownTestSuite() { delete std::exchange(keyring, nullptr); }

  ConsolidateEncrypted() {
    config_.encryption = config::Encryption::gpg;
    config_.encryption_key_id = encryption::TestKeyring::kKey;
    config_.encryption_passphrase_command = "echo open sesame";
    for (BackupInfo* const info : {&full_, &last_}) {
      info->compression = "zstd";
      info->encryption = "gpg";
    }
    // A block of it comes from the full backup, behind much else of it.
    full_files_["base/5/2000"] = std::string(std::size_t{5} << 20, 'x') + blocks_of("yz");
    last_files_["base/5/INCREMENTAL.2000"] = incremental_content({0}, 642, 'b');
  }

  void put_encrypted(const BackupInfo& info, const Files& files) const {
    const catalogue::Catalogue catalogue = this->catalogue();
    const auto writer = stored::BackupStore(catalogue).create(
        info.id, {.form = catalogue::StoredForm::tar,
                  .coding = {.algorithm = compression::Algorithm::zstd,
                             .place = stored::CompressionPlace::client,
                             .cipher = server().cipher()}});
    for (const std::uint32_t oid : {16384U, 0U}) {
      stored::TreeSink& tree = writer->begin_tree({.oid = oid, .in_place_location = {}});
      for (const auto& [path, content] : files) {
        if (path.starts_with(kOutside) == (oid == 0)) continue;
        const std::string name = oid == 0 ? path : path.substr(kOutside.size());
        tree.begin_member({.path = name, .mode = 0600, .size_bytes = content.size()});
        tree.write(as_bytes(content));
        tree.end_member();
      }
      tree.finish();
    }
    const auto manifest = writer->put_manifest();
    manifest->write(as_bytes(manifest_of(files)));
    manifest->finish();
    writer->make_durable();
    catalogue.save(info);
  }
  void put_encrypted_chain() const {
    put_encrypted(full_, full_files_);
    put_encrypted(last_, last_files_);
  }
  // By the names of the manifest.
  Files decrypted(const BackupInfo& info) const {
    Files files;
    const catalogue::Catalogue catalogue = this->catalogue();
    for (const stored::BackupTree& tree :
         stored::BackupStore(catalogue).open(info, {.cipher = server().cipher()})) {
      WorkerPool worker(1);
      tree.content->read_through(
          [&](const stored::Entry& entry, const stored::ContentOpener& open) {
            if (entry.is_directory) return;
            worker.submit([&files, name = tree.manifest_prefix() + entry.path, open,
                           size = static_cast<std::size_t>(entry.size_bytes)] {
              std::string content(size, '\0');
              open()->read_at(0, std::as_writable_bytes(std::span(content)));
              files[name] = std::move(content);
            });
          });
      worker.wait();
    }
    return files;
  }

  static encryption::TestKeyring* keyring;
};

encryption::TestKeyring* ConsolidateEncrypted::keyring = nullptr;

TEST_F(ConsolidateEncrypted, BecomesEncryptedArchives) {
  put_encrypted_chain();
  const BackupInfo result = consolidate();
  const Files expected = {{"PG_VERSION", "17\n"},
                          {"backup_label", kLaterLabel},
                          {"base/5/1259", blocks_of("aba")},
                          {"base/5/1260", blocks_of("new")},
                          {"base/5/2000", blocks_of("b" + std::string(639, 'x') + "yz")},
                          {kOutside + "PG_17_1/5/1", blocks_of("aab")}};
  Files files = decrypted(result);
  files.erase("backup_manifest");  // which lies beside the archives
  EXPECT_EQ(files.size(), expected.size());
  for (const auto& [path, content] : expected) EXPECT_TRUE(files[path] == content) << path;
  expect_complete_manifest(result);
  const BackupInfo saved = catalogue().load_backup(result.id);
  EXPECT_EQ(saved.encryption, "gpg");
  EXPECT_EQ(saved.compression, "zstd");
  std::vector<std::string> names;
  for (const auto& file : fs::directory_iterator(catalogue().data_directory(result.id))) {
    names.push_back(file.path().filename().string());
  }
  EXPECT_THAT(names, testing::UnorderedElementsAre("base.tar.zst.gpg", "16384.tar.zst.gpg",
                                                   "backup_manifest"));
  EXPECT_FALSE(keyring->decrypt(get_file(path_of(result, "base.tar.zst.gpg"))).empty())
      << "for the configured key";
}

// A link from before encryption was configured: the result must not be in clear.
TEST_F(ConsolidateEncrypted, OneEncryptedLinkMakesTheResultEncrypted) {
  full_.compression.reset();
  full_.encryption.reset();
  put_plain(full_, full_files_);
  put_encrypted(last_, last_files_);
  const BackupInfo result = consolidate();
  EXPECT_EQ(result.encryption, "gpg");
  const Files files = decrypted(result);
  EXPECT_EQ(files.at("base/5/1259"), blocks_of("aba"));
  EXPECT_EQ(files.at(kOutside + "PG_17_1/5/1"), blocks_of("aab"));
  expect_complete_manifest(result);
}

TEST_F(ConsolidateEncrypted, NeedsAKeyBeforeAnythingIsWritten) {
  put_encrypted_chain();
  config_.encryption_key_id.reset();
  EXPECT_THAT(refusal(), HasSubstr("no 'encryption_key_id' is configured"));
  EXPECT_THAT(listed(), ElementsAre("20261121T010000", "20261121T020000"));
}

TEST_F(ConsolidateEncrypted, ADamagedFileMakesNoBackup) {
  Files damaged = full_files_;
  damaged["base/5/2000"].back() ^= 1;  // in a block that the result has of it
  put_encrypted(full_, damaged);
  const auto manifest = path_of(full_, "backup_manifest");
  fs::remove(manifest);
  put_file(manifest, manifest_of(full_files_));
  put_encrypted(last_, last_files_);
  EXPECT_THAT(refusal(), AllOf(HasSubstr("base/5/2000"), HasSubstr("checksum")));
  const BackupInfo failed = catalogue().list_backups().backups.back();
  EXPECT_EQ(failed.status, BackupStatus::failed);
  EXPECT_THAT(failed.error.value_or(""), HasSubstr("base/5/2000"));
}

TEST_F(ConsolidateEncrypted, AMissingFileMakesNoBackup) {
  put_encrypted(full_, full_files_);
  Files fewer = last_files_;
  fewer.erase("base/5/1260");
  put_encrypted(last_, fewer);
  fs::remove(path_of(last_, "backup_manifest"));
  put_file(path_of(last_, "backup_manifest"), manifest_of(last_files_));
  EXPECT_THAT(refusal(), HasSubstr("\"base/5/1260\" is missing"));
  EXPECT_EQ(catalogue().list_backups().backups.back().status, BackupStatus::failed);
}

}  // namespace
}  // namespace barman::consolidate

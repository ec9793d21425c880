#include "stored/bucket_tree.h"

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/worker_pool.h"
#include "catalogue/test_support.h"
#include "encryption/test_support.h"
#include "pipeline/tar_writer.h"
#include "storage/object_text.h"
#include "storage/test_support.h"
#include "stored/backup_store.h"
#include "stored/kept_configuration.h"
#include "stored/restorable.h"

namespace barman::stored {
namespace {

using compression::Algorithm;
using pipeline::TarMember;
using pipeline::TarMemberType;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

using BucketFiles = std::map<std::string, std::string>;

constexpr std::uint32_t kBucketTablespace = 16384;
const catalogue::BackupId kBucketBackup{"20261121T014301"};

catalogue::Catalogue catalogue_in(const std::filesystem::path& directory,
                                  std::shared_ptr<storage::Storage> storage) {
  catalogue::CatalogueLocations locations = catalogue::default_locations("main", directory);
  locations.has_local_backups = false;
  locations.bucket = catalogue::BucketLocation{
      .open = [storage = std::move(storage)] { return storage; }, .path = "path/main/base"};
  return catalogue::Catalogue(std::move(locations));
}

TarMember file_member(const std::string& path, std::uint64_t size_bytes) {
  TarMember member;
  member.path = path;
  member.mode = 0600;
  member.size_bytes = size_bytes;
  member.mtime = 1'700'000'000;
  return member;
}

TarMember directory_member(const std::string& path) {
  TarMember member;
  member.path = path;
  member.type = TarMemberType::directory;
  member.mode = 0750;
  return member;
}

void put_file_into(pipeline::TarVisitor& archive, const std::string& path,
                   const std::string& content) {
  archive.begin_member(file_member(path, content.size()));
  archive.write(as_bytes(content));
  archive.end_member();
}

class TextSink final : public pipeline::Sink {
 public:
  void write(Bytes data) override { text += as_text(data); }
  void finish() override {}
  std::string text;
};

// Files with their content, directories as "dir/". Read by threads, as a restore does.
BucketFiles read_tree(const ContentTree& tree, std::vector<std::string>* order = nullptr) {
  BucketFiles files;
  std::mutex mutex;
  WorkerPool readers(2);
  tree.read_through([&](const Entry& entry, const ContentOpener& open) {
    if (order != nullptr) order->push_back(entry.path);
    if (entry.is_directory) {
      files[entry.path + "/"] = fmt::format("{:o}", entry.mode);
      return;
    }
    readers.submit([&, entry, open] {
      const auto file = open();
      std::string content(static_cast<std::size_t>(entry.size_bytes) + 1, '\0');
      content.resize(file->read_at(0, std::as_writable_bytes(std::span(content))));
      const std::lock_guard lock(mutex);
      files[entry.path] = content;
    });
  });
  readers.wait();
  return files;
}

class BucketBackupTest : public testing::Test {
 protected:
  BucketBackupTest() {
    backup_ = catalogue::make_backup(kBucketBackup.value, "000000010000000000000002",
                                     "000000010000000000000002");
    backup_.tablespaces = {{.name = "a", .oid = kBucketTablespace, .location = "/srv/a"}};
  }

  void write_backup(storage::Storage& storage, ArchiveForm form) {
    const catalogue::Catalogue catalogue = catalogue_in(
        directory_.path() / "main", std::shared_ptr<storage::Storage>(&storage, [](auto*) {}));
    const BackupStore store(catalogue);
    store.clear(kBucketBackup);
    const auto writer =
        store.create(kBucketBackup, {.tablespaces = {kBucketTablespace}, .bucket_form = form});
    TreeSink& tablespace = writer->begin_tree({.oid = kBucketTablespace});
    put_file_into(tablespace, "PG_17_1/5/1", std::string(9000, 't'));
    tablespace.finish();
    TreeSink& data = writer->begin_tree({.oid = 0});
    put_file_into(data, "backup_label", "label");
    put_file_into(data, "PG_VERSION", "17\n");
    data.begin_member(directory_member("base"));
    data.end_member();
    for (int i = 0; i < 5; ++i) {
      put_file_into(data, fmt::format("base/{}", i), std::string(40'000, 'x'));
    }
    TarMember link;
    link.path = "pg_tblspc/16384";
    link.type = TarMemberType::symlink;
    link.link_target = "/srv/a";
    data.begin_member(link);
    data.end_member();
    put_file_into(data, "global/pg_control", "control");
    data.finish();
    const auto manifest = writer->put_manifest();
    manifest->write(as_bytes("manifest"));
    manifest->finish();
    writer->make_durable();
  }

  std::vector<std::string> keys() const {
    std::vector<std::string> keys;
    storage_->list("", [&](const storage::ObjectFacts& facts) { keys.push_back(facts.key); });
    return keys;
  }

  std::vector<BackupTree> open() const {
    return BackupStore(catalogue_in(directory_.path() / "main", storage_)).open(backup_);
  }

  // An archive that somebody has made.
  void put_archive(const std::string& name, const std::function<void(pipeline::TarWriter&)>& fill) {
    TextSink text;
    pipeline::TarWriter tar(text);
    fill(tar);
    tar.finish();
    put_object_text(*storage_, kBucketBackup.value + "/" + name, text.text);
  }

  TemporaryDirectory directory_;
  std::shared_ptr<storage::MemoryStorage> storage_ = std::make_shared<storage::MemoryStorage>();
  catalogue::BackupInfo backup_;
};

TEST_F(BucketBackupTest, WhatIsWrittenIsRead) {
  for (const std::optional<Algorithm> algorithm :
       {std::optional<Algorithm>(), std::optional(Algorithm::zstd), std::optional(Algorithm::gzip),
        std::optional(Algorithm::lz4)}) {
    write_backup(*storage_, {.compression = algorithm, .max_archive_bytes = 1 << 30});
    const std::string suffix(catalogue::suffix_of(algorithm));
    EXPECT_THAT(keys(), ElementsAre(kBucketBackup.value + "/16384.tar" + suffix,
                                    kBucketBackup.value + "/backup_manifest",
                                    kBucketBackup.value + "/data.tar" + suffix));
    const std::vector<BackupTree> trees = open();
    ASSERT_EQ(trees.size(), 2U);
    EXPECT_EQ(read_tree(*trees[0].content), (BucketFiles{{"/", "700"},
                                                         {"PG_17_1/", "700"},
                                                         {"PG_17_1/5/", "700"},
                                                         {"PG_17_1/5/1", std::string(9000, 't')}}));
    std::vector<std::string> order;
    const BucketFiles files = read_tree(*trees[1].content, &order);
    EXPECT_EQ(files.at("base/"), "750");
    EXPECT_EQ(files.at("base/4"), std::string(40'000, 'x'));
    EXPECT_EQ(files.at("backup_label"), "label");
    EXPECT_EQ(files.at("backup_manifest"), "manifest");
    EXPECT_EQ(files.at("global/pg_control"), "control");
    EXPECT_FALSE(files.contains("pg_tblspc/16384"));
    EXPECT_EQ(order.back(), "global/pg_control");
  }
}

TEST_F(BucketBackupTest, LargeTreesBecomeSeveralArchives) {
  write_backup(*storage_, {.max_archive_bytes = 50'000});
  EXPECT_THAT(
      keys(),
      ElementsAre(kBucketBackup.value + "/16384.tar", kBucketBackup.value + "/backup_manifest",
                  kBucketBackup.value + "/data.tar", kBucketBackup.value + "/data_0001.tar",
                  kBucketBackup.value + "/data_0002.tar"));
  const BucketFiles files = read_tree(*open().back().content);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(files.at(fmt::format("base/{}", i)).size(), 40'000U);
  EXPECT_EQ(files.at("global/pg_control"), "control");
}

TEST_F(BucketBackupTest, ArchivesOfOthersMayHaveAnyOrder) {
  backup_.tablespaces.clear();
  put_archive("data.tar", [](pipeline::TarWriter& tar) {
    tar.add_file(file_member("base/5/1259", 0), "early");
    tar.add_file(file_member("./backup_label", 0), "old");
    tar.begin_member(directory_member("base"));
    TarMember fifo;
    fifo.path = "pipe";
    fifo.type = TarMemberType::fifo;
    tar.begin_member(fifo);
  });
  put_archive("data_0001.tar", [](pipeline::TarWriter& tar) {
    tar.begin_member(directory_member("."));
    tar.add_file(file_member("./backup_label", 0), "new");
    tar.add_file(file_member("global/pg_control", 0), "control");
    tar.begin_member(directory_member("base/5"));
  });
  EXPECT_EQ(read_tree(*open().back().content), (BucketFiles{{"/", "700"},
                                                            {"base/", "750"},
                                                            {"base/5/", "750"},
                                                            {"base/5/1259", "early"},
                                                            {"global/", "700"},
                                                            {"global/pg_control", "control"},
                                                            {"backup_label", "new"}}));
  put_archive("data_0002.tar", [](pipeline::TarWriter& tar) {
    TarMember link;
    link.path = "base/5/1260";
    link.type = TarMemberType::hard_link;
    link.link_target = "base/5/1259";
    tar.begin_member(link);
  });
  EXPECT_THAT([&] { read_tree(*open().back().content); },
              ThrowsMessage<Error>(HasSubstr("is a second name of another file")));
}

TEST_F(BucketBackupTest, MissingArchivesAreTold) {
  const catalogue::Catalogue catalogue = catalogue_in(directory_.path() / "main", storage_);
  const auto complain = [&] { require_files(catalogue, backup_); };
  EXPECT_THAT(complain, ThrowsMessage<Error>(HasSubstr(
                            "lacks the archive \"path/main/base/20261121T014301/16384.tar\"")));
  write_backup(*storage_, {.max_archive_bytes = 50'000});
  complain();
  storage_->remove(std::array{kBucketBackup.value + "/data_0001.tar"});
  EXPECT_THAT(complain, ThrowsMessage<Error>(HasSubstr("data_0001.tar")));
  EXPECT_THAT([&] { open(); }, ThrowsMessage<Error>(HasSubstr("data_0001.tar")));
}

TEST_F(BucketBackupTest, DamagedArchivesAreNoBackup) {
  write_backup(*storage_, {.max_archive_bytes = 1 << 30});
  const std::string key = kBucketBackup.value + "/data.tar";
  const std::string archive = storage::find_object_text(*storage_, key).value();
  put_object_text(*storage_, key, archive.substr(0, 100'000));
  EXPECT_THROW(read_tree(*open().back().content), Error);
}

TEST_F(BucketBackupTest, AfterAFailureAnywhereTheNextAttemptIsComplete) {
  storage::MemoryStorage counted;
  storage::FaultyStorage count(counted, 0, storage::FaultyStorage::Fault::fail);
  write_backup(count, {.max_archive_bytes = 50'000});
  const auto distance = static_cast<std::uint64_t>(stride(4));
  for (auto at = static_cast<std::uint64_t>(1 + first_of_stride(4)); at <= count.operations();
       at += distance) {
    for (const auto fault :
         {storage::FaultyStorage::Fault::fail, storage::FaultyStorage::Fault::cut,
          storage::FaultyStorage::Fault::late}) {
      storage::FaultyStorage faulty(*storage_, at, fault);
      EXPECT_THROW(write_backup(faulty, {.max_archive_bytes = 50'000}), Error);
      write_backup(*storage_, {.compression = Algorithm::zstd, .max_archive_bytes = 1 << 30});
      EXPECT_THAT(keys(), ElementsAre(kBucketBackup.value + "/16384.tar.zst",
                                      kBucketBackup.value + "/backup_manifest",
                                      kBucketBackup.value + "/data.tar.zst"));
    }
  }
}

TEST_F(BucketBackupTest, TheManifestIsFetchedWhereThisHostHasNone) {
  write_backup(*storage_, {.max_archive_bytes = 1 << 30});
  const catalogue::Catalogue other = catalogue_in(directory_.path() / "other", storage_);
  const std::filesystem::path path = BackupStore(other).manifest_path(kBucketBackup);
  EXPECT_EQ(path, directory_.path() / "other/meta/20261121T014301-backup_manifest");
  EXPECT_EQ(read_file(path), "manifest");
  BackupStore(other).remove(kBucketBackup);
  EXPECT_FALSE(find_status(path));
  EXPECT_TRUE(keys().empty());
}

TEST_F(BucketBackupTest, KeptConfigurationIsThereAfterAnotherAttempt) {
  const auto storage = std::make_shared<storage::MemoryStorage>();
  const catalogue::Catalogue catalogue = catalogue_in(directory_.path() / "main", storage);
  const std::vector<KeptFile> files = {{.name = "conf.d/a.conf", .content = "a = 1\n"},
                                       {.name = "postgresql.conf", .content = "b = 2\n"}};
  keep_configuration(catalogue, kBucketBackup, files);
  const std::string archive = kBucketBackup.value + "/data.tar";
  storage::put_object_text(*storage, archive, "half of it");
  BackupStore(catalogue).clear(kBucketBackup);
  EXPECT_FALSE(storage->find(archive));
  EXPECT_EQ(read_kept_configuration(catalogue, kBucketBackup).files, files);
  BackupStore(catalogue).remove(kBucketBackup);
  EXPECT_TRUE(read_kept_configuration(catalogue, kBucketBackup).files.empty());
}

TEST_F(BucketBackupTest, KeptConfigurationThatWasAlteredIsToldAndNotUsed) {
  const auto storage = std::make_shared<storage::MemoryStorage>();
  const catalogue::Catalogue catalogue = catalogue_in(directory_.path() / "main", storage);
  const KeptFile whole = {.name = "conf.d/a.conf", .content = "a = 1\n"};
  keep_configuration(catalogue, kBucketBackup,
                     {whole,
                      {.name = "pg_hba.conf", .content = "local all all peer\n"},
                      {.name = "postgresql.conf", .content = "b = 2\n"}});
  const std::string prefix = kBucketBackup.value + "/configuration/";
  EXPECT_EQ(survey_kept_configuration(catalogue, kBucketBackup).names,
            (std::vector<std::string>{"conf.d/a.conf", "pg_hba.conf", "postgresql.conf"}));
  storage::put_object_text(*storage, prefix + "pg_hba.conf", "local all all trust\n");
  storage::put_object_text(*storage, prefix + "z.conf", "c = 3\n");
  storage->remove(std::vector<std::string>{prefix + "postgresql.conf"});
  const KeptConfiguration kept = read_kept_configuration(catalogue, kBucketBackup);
  EXPECT_EQ(kept.files, std::vector<KeptFile>{whole});
  std::vector<std::string> names;
  for (const auto& [name, problem] : kept.problems) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"pg_hba.conf", "z.conf", "postgresql.conf"}));
}

// Counts what is read of archives.
class CountedReading final : public storage::Storage {
 public:
  explicit CountedReading(std::shared_ptr<storage::MemoryStorage> inner)
      : inner_(std::move(inner)) {}
  std::unique_ptr<pipeline::Sink> create(const std::string& key,
                                         storage::IfPresent if_present) override {
    return inner_->create(key, if_present);
  }
  std::unique_ptr<pipeline::ContentFile> open(const std::string& key) const override {
    return std::make_unique<File>(inner_->open(key), key.find(".tar") != std::string::npos, bytes);
  }
  std::optional<storage::ObjectFacts> find(const std::string& key) const override {
    return inner_->find(key);
  }
  void list(std::string_view prefix, const storage::ObjectVisitor& visitor) const override {
    inner_->list(prefix, visitor);
  }
  void remove(std::span<const std::string> keys) override { inner_->remove(keys); }
  std::string describe(const std::string& key) const override { return inner_->describe(key); }

  mutable std::atomic<std::uint64_t> bytes = 0;

 private:
  class File final : public pipeline::ContentFile {
   public:
    File(std::unique_ptr<pipeline::ContentFile> file, bool is_counted,
         std::atomic<std::uint64_t>& bytes)
        : file_(std::move(file)), is_counted_(is_counted), bytes_(bytes) {}
    std::size_t read_at(std::uint64_t offset, MutableBytes buffer) override {
      const std::size_t size = file_->read_at(offset, buffer);
      if (is_counted_) bytes_ += size;
      return size;
    }
    std::uint64_t size_bytes() const override { return file_->size_bytes(); }

   private:
    const std::unique_ptr<pipeline::ContentFile> file_;
    const bool is_counted_;
    std::atomic<std::uint64_t>& bytes_;
  };

  const std::shared_ptr<storage::MemoryStorage> inner_;
};

TEST_F(BucketBackupTest, AnIndexLetsEachFileBeReadAlone) {
  const auto counted = std::make_shared<CountedReading>(storage_);
  for (const std::optional<Algorithm> algorithm :
       {std::optional<Algorithm>(), std::optional(Algorithm::zstd), std::optional(Algorithm::gzip),
        std::optional(Algorithm::lz4)}) {
    write_backup(*storage_,
                 {.compression = algorithm, .max_archive_bytes = 50'000, .has_index = true});
    EXPECT_THAT(keys(), testing::IsSupersetOf({kBucketBackup.value + "/index/16384",
                                               kBucketBackup.value + "/index/data"}));
    counted->bytes = 0;
    const std::vector<BackupTree> trees =
        BackupStore(catalogue_in(directory_.path() / "main", counted)).open(backup_);
    const ContentTree& data = *trees.back().content;
    ASSERT_TRUE(data.has_random_access());
    EXPECT_EQ(counted->bytes, 0U) << "indexes only";
    EXPECT_EQ(read_content(data, "global/pg_control"), "control");
    EXPECT_EQ(read_content(data, "base/3"), std::string(40'000, 'x'));
    EXPECT_TRUE(data.has_file("backup_label"));
    EXPECT_FALSE(data.has_file("base"));
    EXPECT_FALSE(data.has_file("pg_tblspc/16384"));
    EXPECT_THROW(data.open("base/9"), Error);
    std::vector<std::string> order;
    const BucketFiles files = read_tree(data, &order);
    EXPECT_EQ(files.size(), 12U) << testing::PrintToString(order);
    EXPECT_EQ(order.front(), "");
    EXPECT_EQ(files.at("base/"), "750");
    EXPECT_EQ(files.at("global/"), "700");
    EXPECT_EQ(files.at("base/4"), std::string(40'000, 'x'));
    EXPECT_EQ(files.at("backup_manifest"), "manifest");
    EXPECT_EQ(read_tree(*trees.front().content).at("PG_17_1/5/1"), std::string(9000, 't'));
  }
}

TEST_F(BucketBackupTest, OneFileOfMuchCostsLittle) {
  const auto counted = std::make_shared<CountedReading>(storage_);
  const catalogue::Catalogue catalogue = catalogue_in(directory_.path() / "main", counted);
  backup_.tablespaces.clear();
  const BackupStore store(catalogue);
  for (const std::optional<Algorithm> algorithm :
       {std::optional<Algorithm>(), std::optional(Algorithm::zstd)}) {
    store.clear(kBucketBackup);
    const auto writer = store.create(kBucketBackup, {.bucket_form = {.compression = algorithm,
                                                                     .max_archive_bytes = 1 << 30,
                                                                     .has_index = true}});
    TreeSink& data = writer->begin_tree({.oid = 0});
    std::minstd_rand random(1);
    for (int i = 0; i < 16; ++i) {
      std::string content(1 << 20, '\0');
      for (char& letter : content) letter = static_cast<char>(random() >> 8U);
      put_file_into(data, fmt::format("base/{}", i), content);
    }
    data.finish();
    writer->make_durable();
    counted->bytes = 0;
    EXPECT_EQ(read_content(*store.open(backup_).back().content, "base/9", 1 << 20).size(), 1 << 20);
    EXPECT_LT(counted->bytes, std::uint64_t{5} << 20);
  }
}

TEST_F(BucketBackupTest, WithoutAnIndexOrWithADamagedOneAllIsReadThrough) {
  const std::string index = kBucketBackup.value + "/index/data";
  const std::string archive = kBucketBackup.value + "/data.tar";
  const auto expect_read_through = [&] {
    const std::vector<BackupTree> trees = open();
    EXPECT_FALSE(trees.back().content->has_random_access());
    EXPECT_EQ(read_tree(*trees.back().content).at("base/4"), std::string(40'000, 'x'));
  };
  write_backup(*storage_, {.max_archive_bytes = 1 << 30, .has_index = true});
  const std::string content = storage::find_object_text(*storage_, index).value();
  storage_->remove(std::array{index});
  expect_read_through();
  for (std::size_t at = 0; at < content.size(); at += 3) {
    std::string damaged = content;
    damaged[at] = static_cast<char>(damaged[at] ^ 4);
    storage::put_object_text(*storage_, index, damaged);
    EXPECT_FALSE(open().back().content->has_random_access()) << at;
  }
  storage::put_object_text(*storage_, index, content.substr(0, 40));
  expect_read_through();
  // Of another archive.
  storage::put_object_text(*storage_, index, content);
  EXPECT_TRUE(open().back().content->has_random_access());
  storage::put_object_text(*storage_, archive,
                           *storage::find_object_text(*storage_, archive) + std::string(512, '\0'));
  expect_read_through();
}

TEST_F(BucketBackupTest, ADamagedPieceIsNotHandedOut) {
  write_backup(*storage_,
               {.compression = Algorithm::gzip, .max_archive_bytes = 1 << 30, .has_index = true});
  const std::string archive = kBucketBackup.value + "/data.tar.gz";
  const std::string content = *storage::find_object_text(*storage_, archive);
  int refused = 0;
  for (std::size_t at = 0; at < content.size(); at += 1 + content.size() / 100) {
    std::string damaged = content;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    storage::put_object_text(*storage_, archive, damaged);
    const std::vector<BackupTree> trees = open();
    ASSERT_TRUE(trees.back().content->has_random_access());
    try {  // It may lie in the piece of another file.
      EXPECT_EQ(read_content(*trees.back().content, "base/4"), std::string(40'000, 'x')) << at;
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 0);
}

TEST_F(BucketBackupTest, WhatIsEncryptedIsReadWithItsKeyOnly) {
  const encryption::TestKeyring keyring;
  const encryption::Cipher cipher(
      {.recipient = encryption::TestKeyring::kKey, .passphrase_command = "echo open sesame"});
  write_backup(*storage_, {.compression = Algorithm::zstd,
                           .max_archive_bytes = 1 << 30,
                           .has_index = true,
                           .cipher = cipher});
  EXPECT_THAT(keys(), ElementsAre(kBucketBackup.value + "/16384.tar.zst.gpg",
                                  kBucketBackup.value + "/backup_manifest",
                                  kBucketBackup.value + "/data.tar.zst.gpg"));
  EXPECT_THAT([&] { open(); }, ThrowsMessage<Error>(HasSubstr("encryption_passphrase_command")));
  const catalogue::Catalogue catalogue = catalogue_in(directory_.path() / "main", storage_);
  const auto trees = BackupStore(catalogue).open(backup_, {.cipher = cipher});
  EXPECT_FALSE(trees.back().content->has_random_access());
  const BucketFiles files = read_tree(*trees.back().content);
  EXPECT_EQ(files.at("base/4"), std::string(40'000, 'x'));
  EXPECT_EQ(files.at("global/pg_control"), "control");
  require_decryptable(*catalogue.bucket(), backup_, cipher);
  keyring.end_agent();
  const encryption::Cipher wrong(
      {.recipient = encryption::TestKeyring::kKey, .passphrase_command = "echo close sesame"});
  EXPECT_THROW(require_decryptable(*catalogue.bucket(), backup_, wrong), Error);
}

}  // namespace
}  // namespace barman::stored

#include "catalogue/cloud_catalogue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>

#include "base/error.h"
#include "catalogue/bucket_test_support.h"
#include "storage/withheld_object.h"

namespace barman::catalogue {
namespace {

const BackupId kFirst{"20261121T010000"};
const BackupId kSecond{"20261121T020000"};
const BackupId kThird{"20261121T030000"};

// As Barman 3.17 wrote them, with fewer fields.
constexpr const char* kOldInfo =
    "backup_label=None\nbegin_time=2026-11-21 01:00:00.5+00:00\n"
    "begin_wal=000000010000000000000009\nbegin_xlog=0/900028\nend_time=2026-11-21 01:43:02+00:00\n"
    "mode=None\nserver_name=cloud\nstatus=DONE\ntablespaces=None\ntimeline=1\nversion=150020\n"
    "xlog_segment_size=16777216\n";

struct BackupBucket : LocalBucket {
  CloudCatalogue catalogue{storage, layout};

  void add(const BackupId& id, BackupStatus status, std::optional<std::string> name = {}) const {
    BackupInfo info;
    info.id = id;
    info.status = status;
    info.backup_name = std::move(name);
    catalogue.save(info);
  }
};

TEST(CloudCatalogue, ListsWhatIsThere) {
  BackupBucket bucket;
  bucket.add(kSecond, BackupStatus::started);
  bucket.put(bucket.layout.backup_info_key(kFirst), kOldInfo);
  bucket.put(bucket.layout.archive_key(kFirst, {.number = 1}), "b");
  bucket.put(bucket.layout.archive_key(kFirst, {}), "a");
  bucket.put(bucket.layout.archive_key(kFirst, {.tablespace_oid = 16384}), "c");
  bucket.put(bucket.layout.backup_prefix(kFirst) + "data_0002.tar.rar", "d");
  bucket.put(bucket.layout.archive_key(kThird, {}), "a leftover");
  bucket.put("main/base/other/backup.info", "x");
  const CloudBackups found = bucket.catalogue.load();
  ASSERT_EQ(found.list.backups.size(), 2U);
  EXPECT_EQ(found.list.backups[0].id, kFirst);
  EXPECT_EQ(found.list.backups[0].status, BackupStatus::done);
  EXPECT_EQ(found.list.backups[1].status, BackupStatus::started);
  EXPECT_TRUE(found.list.broken.empty());
  const BackupObjects& objects = found.objects_of(kFirst);
  ASSERT_EQ(objects.archives.size(), 3U);
  EXPECT_EQ(objects.archives[0].name, BucketArchiveName{});
  EXPECT_EQ(objects.archives[1].name.number, 1U);
  EXPECT_EQ(objects.archives[2].name.tablespace_oid, 16384U);
  EXPECT_EQ(objects.other_names, std::vector<std::string>{"data_0002.tar.rar"});
  EXPECT_EQ(bucket.catalogue.list_objects(kFirst).archives, objects.archives);
}

TEST(CloudCatalogue, TellsWhatCannotBeRead) {
  BackupBucket bucket;
  bucket.add(kFirst, BackupStatus::done);
  bucket.put(bucket.layout.backup_info_key(kSecond), "no fields");
  const CloudBackups found = bucket.catalogue.load();
  EXPECT_EQ(found.list.backups.size(), 1U);
  ASSERT_EQ(found.list.broken.size(), 1U);
  EXPECT_EQ(found.list.broken[0].id, kSecond);
  EXPECT_THROW(bucket.catalogue.find(kSecond), Error);
}

// Before an object is opened, `before_open` may throw.
class WatchedStorage final : public storage::Storage {
 public:
  using BeforeOpen = std::function<void(const std::string& key)>;
  WatchedStorage(storage::Storage& storage, BeforeOpen before_open)
      : storage_(storage), before_open_(std::move(before_open)) {}
  std::unique_ptr<pipeline::Sink> create(const std::string& key,
                                         storage::IfPresent if_present) override {
    return storage_.create(key, if_present);
  }
  std::unique_ptr<pipeline::ContentFile> open(const std::string& key) const override {
    before_open_(key);
    return storage_.open(key);
  }
  std::optional<storage::ObjectFacts> find(const std::string& key) const override {
    return storage_.find(key);
  }
  void list(std::string_view prefix, const storage::ObjectVisitor& visitor) const override {
    storage_.list(prefix, visitor);
  }
  void remove(std::span<const std::string> keys) override { storage_.remove(keys); }
  std::string describe(const std::string& key) const override { return storage_.describe(key); }

 private:
  storage::Storage& storage_;
  const BeforeOpen before_open_;
};

TEST(CloudCatalogue, TellsOfABackupThatTheStoreWithholds) {
  BackupBucket bucket;
  bucket.add(kFirst, BackupStatus::done);
  bucket.add(kSecond, BackupStatus::done);
  const WatchedStorage::BeforeOpen withhold_second = [&](const std::string& key) {
    if (key != bucket.layout.backup_info_key(kSecond)) return;
    throw storage::WithheldObject(ErrorKind::remote, "encrypted with another key");
  };
  WatchedStorage some(bucket.storage, withhold_second);
  const CloudBackups found = CloudCatalogue(some, bucket.layout).load();
  ASSERT_EQ(found.list.backups.size(), 1U);
  EXPECT_EQ(found.list.backups[0].id, kFirst);
  ASSERT_EQ(found.list.broken.size(), 1U);
  EXPECT_EQ(found.list.broken[0].id, kSecond);
  EXPECT_EQ(found.list.broken[0].reason, "encrypted with another key");
  EXPECT_EQ(found.withheld, std::set{kSecond});
  // It may be the newest one.
  EXPECT_THROW(CloudCatalogue(some, bucket.layout).resolve("latest"), Error);
  EXPECT_EQ(CloudCatalogue(some, bucket.layout).resolve(kFirst.value), kFirst);
}

TEST(CloudCatalogue, FailsWhenTheStoreGivesNothingOrIsNotWell) {
  BackupBucket bucket;
  bucket.add(kFirst, BackupStatus::done);
  bucket.add(kSecond, BackupStatus::done);
  WatchedStorage forbidden(bucket.storage, [](const std::string&) {
    throw storage::WithheldObject(ErrorKind::permission, "AccessDenied");
  });
  EXPECT_THROW(CloudCatalogue(forbidden, bucket.layout).load(), storage::WithheldObject);
  WatchedStorage overloaded(bucket.storage, [&](const std::string& key) {
    if (key != bucket.layout.backup_info_key(kSecond)) return;
    throw Error(ErrorKind::remote, "SlowDown");
  });
  EXPECT_THROW(CloudCatalogue(overloaded, bucket.layout).load(), Error);
}

TEST(CloudCatalogue, KeepsUnknownFields) {
  BackupBucket bucket;
  bucket.put(bucket.layout.backup_info_key(kFirst), std::string(kOldInfo) + "news=of 3.21\n");
  bucket.catalogue.save(*bucket.catalogue.find(kFirst));
  EXPECT_THAT(bucket.get(bucket.layout.backup_info_key(kFirst)),
              testing::HasSubstr("news=of 3.21\n"));
}

TEST(CloudCatalogue, ResolvesWordsAndNames) {
  BackupBucket bucket;
  bucket.add(kFirst, BackupStatus::done, "weekly");
  bucket.add(kSecond, BackupStatus::failed, "twice");
  bucket.add(kThird, BackupStatus::started, "twice");
  EXPECT_EQ(bucket.catalogue.resolve("first"), kFirst);
  EXPECT_EQ(bucket.catalogue.resolve("last"), kSecond);
  EXPECT_EQ(bucket.catalogue.resolve("last-failed"), kSecond);
  EXPECT_EQ(bucket.catalogue.resolve("weekly"), kFirst);
  EXPECT_EQ(bucket.catalogue.resolve("20991231T000000").value, "20991231T000000");
  EXPECT_THROW(bucket.catalogue.resolve("twice"), Error);
  EXPECT_THROW(bucket.catalogue.resolve("last-full"), Error);
}

TEST(CloudCatalogue, KeepsAndReleases) {
  BackupBucket bucket;
  bucket.add(kFirst, BackupStatus::done);
  EXPECT_FALSE(bucket.catalogue.find_keep(kFirst));
  bucket.catalogue.write_keep(kFirst, KeepTarget::standalone);
  EXPECT_EQ(bucket.get(bucket.layout.keep_key(kFirst)), "standalone");
  EXPECT_EQ(bucket.catalogue.find_keep(kFirst), KeepTarget::standalone);
  EXPECT_EQ(bucket.catalogue.load().annotations.keeps.at(kFirst), KeepTarget::standalone);
  bucket.put(bucket.layout.keep_key(kFirst), "something new\n");
  EXPECT_EQ(bucket.catalogue.find_keep(kFirst), KeepTarget::full);
  bucket.catalogue.release_keep(kFirst);
  bucket.catalogue.release_keep(kFirst);
  EXPECT_TRUE(bucket.catalogue.load().annotations.keeps.empty());
}

// Who deletes marks the backup first, and looks for a keep then.
TEST(CloudCatalogue, KeepsNothingThatIsBeingDeleted) {
  BackupBucket bucket;
  bucket.add(kFirst, BackupStatus::done);
  bucket.catalogue.save_as_deleted(*bucket.catalogue.find(kFirst));
  for (const BackupId& id : {kFirst, BackupId{"20991231T000000"}}) {
    EXPECT_THROW(bucket.catalogue.write_keep(id, KeepTarget::full), Error);
    EXPECT_FALSE(bucket.catalogue.find_keep(id));
  }
}

// Of a URL with a slash at its end Barman makes "PATH//SRV/…" for annotations only.
TEST(CloudCatalogue, SeesWhatIsKeptInTheOtherSpelling) {
  BackupBucket bucket;
  storage::LocalStorage doubled(bucket.directory.path() / "doubled");
  const CloudCatalogue catalogue(bucket.storage, bucket.layout, &doubled);
  bucket.add(kFirst, BackupStatus::done);
  const CloudCatalogue of_barman(doubled, bucket.layout);
  put_object_text(doubled, bucket.layout.keep_key(kFirst), "full");
  EXPECT_EQ(catalogue.load().annotations.keeps.at(kFirst), KeepTarget::full);
  catalogue.write_keep(kFirst, KeepTarget::standalone);
  EXPECT_EQ(of_barman.find_keep(kFirst), KeepTarget::standalone);
  catalogue.release_keep(kFirst);
  EXPECT_FALSE(of_barman.find_keep(kFirst));
  EXPECT_FALSE(catalogue.find_keep(kFirst));
}

}  // namespace
}  // namespace barman::catalogue

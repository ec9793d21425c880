#include "cloud/delete_cloud_backups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "cloud/operation_failed.h"
#include "cloud/test_support.h"
#include "storage/test_support.h"

namespace barman::cloud {
namespace {

using catalogue::BackupId;
using catalogue::BackupStatus;
using catalogue::KeepTarget;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const BackupId kOne{"20261101T000000"};
const BackupId kTwo{"20261102T000000"};
const BackupId kThree{"20261103T000000"};
const BackupId kFour{"20261104T000000"};

std::string segment(unsigned log, unsigned number) {
  return wal::segment_name({.timeline = {1}, .number = log * 256 + number}, {});
}

// Backups of four days, each of which begins in segment 5 of a log of its own.
struct DeletionBucket : LocalBucket {
  CloudCatalogue catalogue{storage, layout};
  CloudDeletionOptions options;
  std::vector<std::string> told;

  DeletionBucket() {
    options.tell = [this](const std::string& line) { told.push_back(line); };
  }

  void add(const BackupId& id, unsigned log, BackupStatus status = BackupStatus::done) {
    catalogue::BackupInfo info;
    info.id = id;
    info.status = status;
    info.begin_wal = segment(log, 5);
    info.end_wal = segment(log, 6);
    info.begin_xlog = wal::Lsn{(std::uint64_t{log} << 32) + 0x5000028};
    info.end_xlog = wal::Lsn{(std::uint64_t{log} << 32) + 0x6000100};
    info.timeline = wal::TimelineId{1};
    info.begin_time = parse_timestamp(id.value)->time;
    info.end_time = info.begin_time;
    catalogue.save(info);
    put(layout.archive_key(id, {}), "data");
    for (unsigned number = 4; number < 8; ++number) add_wal(segment(log, number));
  }
  void add_wal(const std::string& name) {
    put(layout.wal_key(*wal::parse_wal_file_name(name), std::nullopt), "wal");
  }
  void add_all() {
    add(kOne, 1);
    add(kTwo, 2);
    add(kThree, 3);
    add(kFour, 4);
  }
  bool has(const BackupId& id) const { return catalogue.find(id).has_value(); }
  bool has_wal(const std::string& name) const {
    return storage.find(layout.wal_key(*wal::parse_wal_file_name(name), std::nullopt)).has_value();
  }
  std::string refusal_of(const BackupId& id) {
    try {
      delete_cloud_backup(catalogue, id, options);
      return "deleted";
    } catch (const OperationFailed& error) {
      return error.message();
    }
  }
  void apply(std::uint64_t redundancy) {
    delete_obsolete_cloud_backups(
        catalogue,
        {.kind = catalogue::RetentionRule::Kind::redundancy, .count = redundancy, .seconds = 0},
        parse_timestamp("20261105T000000")->time, options);
  }
};

TEST(DeleteCloudBackup, TakesTheWalThatNobodyNeeds) {
  DeletionBucket bucket;
  bucket.add_all();
  bucket.add_wal("00000001.history");
  bucket.add_wal(segment(2, 5) + ".00000028.backup");
  bucket.add_wal(segment(2, 3) + ".partial");
  delete_cloud_backup(bucket.catalogue, kOne, bucket.options);
  EXPECT_FALSE(bucket.has(kOne));
  EXPECT_THAT(bucket.keys("main/base/20261101T000000"), ElementsAre());
  EXPECT_THAT(bucket.keys("main/wals/0000000100000001/"), ElementsAre());
  EXPECT_FALSE(bucket.has_wal(segment(2, 4)));
  EXPECT_FALSE(bucket.has_wal(segment(2, 3) + ".partial"));
  EXPECT_TRUE(bucket.has_wal(segment(2, 5)));
  EXPECT_TRUE(bucket.has_wal(segment(2, 5) + ".00000028.backup"));
  EXPECT_TRUE(bucket.has_wal("00000001.history"));
}

TEST(DeleteCloudBackup, LeavesTheWalOfOlderOnes) {
  DeletionBucket bucket;
  bucket.add_all();
  delete_cloud_backup(bucket.catalogue, kThree, bucket.options);
  EXPECT_FALSE(bucket.has(kThree));
  for (unsigned log = 1; log < 5; ++log) EXPECT_TRUE(bucket.has_wal(segment(log, 4)));
}

TEST(DeleteCloudBackup, IsRefused) {
  DeletionBucket bucket;
  bucket.add(kOne, 1);
  bucket.add(kTwo, 2, BackupStatus::failed);
  bucket.add(kThree, 3, BackupStatus::started);
  bucket.options.minimum_redundancy = 1;
  // A failed backup is none that could be restored.
  EXPECT_THAT(bucket.refusal_of(kOne), HasSubstr("minimum redundancy = 1, current redundancy = 1"));
  EXPECT_THAT(bucket.refusal_of(kThree), HasSubstr("STARTED"));
  EXPECT_EQ(bucket.refusal_of(kTwo), "deleted");
  bucket.options.minimum_redundancy = 0;
  bucket.catalogue.write_keep(kOne, KeepTarget::full);
  EXPECT_THAT(bucket.refusal_of(kOne), HasSubstr("as it has a current keep request"));
  EXPECT_TRUE(bucket.has(kOne));
  bucket.options.takes_started = true;
  EXPECT_EQ(bucket.refusal_of(kThree), "deleted");
  EXPECT_EQ(bucket.refusal_of(kFour), "deleted");  // there is none: a warning
}

TEST(DeleteCloudBackup, IsRefusedBesideWhatCannotBeRead) {
  DeletionBucket bucket;
  bucket.add(kOne, 1);
  bucket.put(bucket.layout.backup_info_key(kTwo), "nothing");
  EXPECT_EQ(
      bucket.refusal_of(kOne),
      "Cannot read the following backups: ['20261102T000000']\nUnsafe to proceed with deletion "
      "due to failure reading backup catalog");
}

TEST(DeleteCloudBackup, StopsAtLockedObjects) {
  DeletionBucket bucket;
  bucket.add_all();
  bucket.options.find_lock = [](const std::string&) { return "locked"; };
  EXPECT_THAT(bucket.refusal_of(kOne), HasSubstr("Could not delete backup 20261101T000000"));
  EXPECT_TRUE(bucket.has(kOne));
  EXPECT_TRUE(bucket.has_wal(segment(1, 4)));
}

TEST(DeleteCloudBackup, TellsWhatADryRunWouldDelete) {
  DeletionBucket bucket;
  bucket.add(kOne, 1);
  bucket.add(kTwo, 2);
  const auto before = bucket.keys();
  bucket.options.is_dry_run = true;
  delete_cloud_backup(bucket.catalogue, kOne, bucket.options);
  EXPECT_THAT(
      bucket.told,
      ElementsAre("Skipping deletion of objects ['path/main/base/20261101T000000/data.tar', "
                  "'path/main/base/20261101T000000/backup.info'] due to --dry-run option",
                  "Skipping deletion of all objects under prefix path/main/wals/0000000100000001/ "
                  "due to --dry-run option",
                  "Skipping deletion of objects "
                  "['path/main/wals/0000000100000002/000000010000000200000004'] due to --dry-run "
                  "option"));
  EXPECT_EQ(bucket.keys(), before);
}

// As long as it says DONE it can be restored; what a killed deletion has left the next one takes,
// whatever that is asked for, with its WAL.
TEST(DeleteCloudBackup, MayBeKilledAtAnyRequest) {
  // Before a request is after the one before.
  for (const auto when : {KilledStorage::When::half, KilledStorage::When::after}) {
    bool has_died = true;
    for (std::uint64_t n = 1; has_died; ++n) {
      ASSERT_LT(n, 100U);
      DeletionBucket bucket;
      bucket.add_all();
      bucket.put(bucket.layout.archive_key(kOne, {.number = 1}), "more data");
      KilledStorage killed(bucket.storage, n, when);
      try {
        delete_cloud_backup(CloudCatalogue(killed, bucket.layout), kOne, bucket.options);
      } catch (const Error&) {
      }
      has_died = killed.has_died();
      const CloudBackups left = bucket.catalogue.load();
      EXPECT_THAT(left.list.broken, testing::IsEmpty());
      const auto* const one = left.list.find(kOne);
      if (one != nullptr && one->status == BackupStatus::done) {
        EXPECT_EQ(left.objects_of(kOne).archives.size(), 2U) << n;
        delete_cloud_backup(bucket.catalogue, kOne, bucket.options);
      }
      delete_cloud_backup(bucket.catalogue, kTwo, bucket.options);
      EXPECT_THAT(bucket.keys("main/base/"), testing::SizeIs(4)) << n;
      EXPECT_FALSE(bucket.has_wal(segment(1, 7))) << n;
      EXPECT_FALSE(bucket.has_wal(segment(3, 4))) << n;
      EXPECT_TRUE(bucket.has_wal(segment(3, 5))) << n;
    }
  }
}

TEST(DeleteCloudBackup, LeavesABackupWholeWhereNothingMayBeDeleted) {
  struct Undeletable final : PassingStorage {
    using PassingStorage::PassingStorage;
    void remove(std::span<const std::string>) override {
      throw Error(ErrorKind::permission, "you may not");
    }
  };
  DeletionBucket bucket;
  bucket.add_all();
  Undeletable storage(bucket.storage);
  EXPECT_THROW(delete_cloud_backup(CloudCatalogue(storage, bucket.layout), kOne, bucket.options),
               OperationFailed);
  EXPECT_EQ(bucket.catalogue.find(kOne)->status, BackupStatus::done);
  EXPECT_TRUE(bucket.has_wal(segment(1, 4)));
}

// Its program was killed: of one that is being made something is newer.
TEST(DeleteCloudBackup, TakesDeadBackupsAlong) {
  const auto age = [](const DeletionBucket& bucket, const BackupId& id, std::chrono::hours hours) {
    for (const std::string& key : bucket.keys("main/base/" + id.value)) {
      const auto path = bucket.storage.path_of(key);
      std::filesystem::last_write_time(path, std::filesystem::last_write_time(path) - hours);
    }
  };
  for (const bool is_dead : {false, true}) {
    DeletionBucket bucket;
    bucket.add(kOne, 1, BackupStatus::started);
    bucket.add(kTwo, 2, BackupStatus::started);
    bucket.add(kThree, 3, BackupStatus::failed);
    bucket.add(kFour, 4);
    age(bucket, kOne, is_dead ? kDeadAfter + std::chrono::hours(1) : kDeadAfter / 2);
    age(bucket, kThree, 2 * kDeadAfter);
    bucket.options.is_dry_run = true;
    bucket.apply(1);
    EXPECT_EQ(bucket.told.size(), is_dead ? 1U : 0U);
    EXPECT_TRUE(bucket.has(kOne));
    bucket.options.is_dry_run = false;
    delete_cloud_leftovers(bucket.catalogue, bucket.options);
    EXPECT_EQ(bucket.has(kOne), !is_dead);
    EXPECT_EQ(bucket.keys("main/base/" + kOne.value).empty(), is_dead);
    EXPECT_TRUE(bucket.has(kTwo));
    EXPECT_TRUE(bucket.has(kThree));
    EXPECT_TRUE(bucket.has_wal(segment(1, 4)));
    if (!is_dead) continue;
    // By hand without more words: it is not running.
    age(bucket, kTwo, 2 * kDeadAfter);
    EXPECT_EQ(bucket.refusal_of(kTwo), "deleted");
    EXPECT_FALSE(bucket.has(kTwo));
  }
}

TEST(DeleteObsoleteCloudBackups, LeavesThePolicyAndWhatIsKept) {
  DeletionBucket bucket;
  bucket.add_all();
  bucket.catalogue.write_keep(kOne, KeepTarget::standalone);
  bucket.apply(1);
  EXPECT_TRUE(bucket.has(kOne));
  EXPECT_FALSE(bucket.has(kTwo));
  EXPECT_FALSE(bucket.has(kThree));
  EXPECT_TRUE(bucket.has(kFour));
  // Of the one that is kept: from its begin to its end.
  EXPECT_FALSE(bucket.has_wal(segment(1, 4)));
  EXPECT_TRUE(bucket.has_wal(segment(1, 5)));
  EXPECT_TRUE(bucket.has_wal(segment(1, 6)));
  EXPECT_FALSE(bucket.has_wal(segment(1, 7)));
  EXPECT_THAT(bucket.keys("main/wals/0000000100000003/"), ElementsAre());
  EXPECT_FALSE(bucket.has_wal(segment(4, 4)));
  EXPECT_TRUE(bucket.has_wal(segment(4, 5)));
}

// Somebody keeps the oldest backup when all has been read.
class KeptMeanwhile final : public PassingStorage {
 public:
  explicit KeptMeanwhile(DeletionBucket& bucket)
      : PassingStorage(bucket.storage), bucket_(bucket) {}
  void list(std::string_view prefix, const storage::ObjectVisitor& visitor) const override {
    PassingStorage::list(prefix, visitor);
    if (!std::exchange(is_kept_, true)) bucket_.catalogue.write_keep(kOne, KeepTarget::full);
  }

 private:
  DeletionBucket& bucket_;
  mutable bool is_kept_ = false;
};

TEST(DeleteObsoleteCloudBackups, LeavesWhatIsKeptMeanwhile) {
  DeletionBucket bucket;
  bucket.add_all();
  KeptMeanwhile kept(bucket);
  const CloudCatalogue catalogue(kept, bucket.layout);
  delete_obsolete_cloud_backups(
      catalogue, {.kind = catalogue::RetentionRule::Kind::redundancy, .count = 1, .seconds = 0},
      parse_timestamp("20261105T000000")->time, bucket.options);
  ASSERT_TRUE(bucket.has(kOne));
  EXPECT_EQ(bucket.catalogue.find(kOne)->status, BackupStatus::done);
  EXPECT_THAT(bucket.keys("main/base/" + kOne.value), Contains(HasSubstr("data.tar")));
  EXPECT_TRUE(bucket.has_wal(segment(1, 5)));
  EXPECT_FALSE(bucket.has(kTwo));
  EXPECT_FALSE(bucket.has(kThree));
}

TEST(DeleteCloudBackup, IsRefusedForWhatIsKeptMeanwhile) {
  DeletionBucket bucket;
  bucket.add_all();
  KeptMeanwhile kept(bucket);
  const CloudCatalogue catalogue(kept, bucket.layout);
  try {
    delete_cloud_backup(catalogue, kOne, bucket.options);
    FAIL() << "it is deleted";
  } catch (const OperationFailed& error) {
    EXPECT_THAT(error.message(), HasSubstr("as it has a current keep request"));
  }
  EXPECT_EQ(bucket.catalogue.find(kOne)->status, BackupStatus::done);
  EXPECT_TRUE(bucket.has_wal(segment(1, 5)));
}

// Somebody else has deleted them, or a rule of the bucket.
TEST(DeleteObsoleteCloudBackups, DoesNotCountWhatHasLostItsArchives) {
  DeletionBucket bucket;
  bucket.add_all();
  bucket.storage.remove(std::vector<std::string>{bucket.layout.archive_key(kFour, {})});
  bucket.apply(1);
  EXPECT_FALSE(bucket.has(kTwo));
  EXPECT_TRUE(bucket.has(kThree)) << "the newest that can be restored";
  EXPECT_TRUE(bucket.has(kFour)) << "its owner may bring it back";
  EXPECT_TRUE(bucket.has_wal(segment(3, 5)));
  bucket.options.minimum_redundancy = 1;
  EXPECT_THAT(bucket.refusal_of(kThree), testing::HasSubstr("current redundancy = 1"));
  EXPECT_EQ(bucket.refusal_of(kFour), "deleted");
}

TEST(DeleteObsoleteCloudBackups, HasItsMinimum) {
  DeletionBucket bucket;
  bucket.add_all();
  bucket.options.minimum_redundancy = 3;
  bucket.apply(1);
  EXPECT_FALSE(bucket.has(kOne));
  EXPECT_TRUE(bucket.has(kTwo));
  bucket.options.minimum_redundancy = 0;
  bucket.apply(0);
  EXPECT_FALSE(bucket.has(kFour));
}

TEST(DeleteObsoleteCloudBackups, TakesSmallRequests) {
  DeletionBucket bucket;
  bucket.add_all();
  bucket.options.batch_size = 1;
  bucket.apply(1);
  EXPECT_THAT(bucket.keys("main/wals/"), Not(Contains(HasSubstr("/0000000100000003/"))));
  EXPECT_TRUE(bucket.has(kFour));
}

// A bucket of many backups and much more WAL, whose requests are counted.
class LargeBucket final : public PassingStorage {
 public:
  static constexpr unsigned kBackups = 400;
  static constexpr unsigned kWalOfEach = 250;

  explicit LargeBucket(storage::Storage& storage) : PassingStorage(storage) {}
  static BackupId id(unsigned number) {
    return {.value = fmt::format("2026{:02}{:02}T{:02}0000", number / 672 + 1, number / 24 % 28 + 1,
                                 number % 24)};
  }
  std::unique_ptr<pipeline::ContentFile> open(const std::string& key) const override {
    ++opened;
    return PassingStorage::open(key);
  }
  void list(std::string_view prefix, const storage::ObjectVisitor& visitor) const override {
    ++listed;
    if (prefix != "main/wals/") return PassingStorage::list(prefix, visitor);
    for (unsigned log = 0; log < kBackups; ++log) {
      for (unsigned number = 0; number < kWalOfEach; ++number) {
        const std::string name = segment(log, number);
        visitor({.key = fmt::format("main/wals/{}/{}", name.substr(0, 16), name)});
      }
    }
  }
  void remove(std::span<const std::string> keys) override {
    ++removals;
    removed += keys.size();
    PassingStorage::remove(keys);
  }

  mutable std::atomic<unsigned> opened = 0;
  mutable std::atomic<unsigned> listed = 0;
  unsigned removals = 0;
  std::size_t removed = 0;
};

TEST(DeleteObsoleteCloudBackups, AsksForEachThingOnce) {
  storage::MemoryStorage memory;
  LargeBucket bucket(memory);
  const CloudCatalogue catalogue(bucket, BucketLayout("main"));
  for (unsigned number = 0; number < LargeBucket::kBackups; ++number) {
    catalogue::BackupInfo info;
    info.id = LargeBucket::id(number);
    info.status = BackupStatus::done;
    info.begin_wal = segment(number, 0);
    info.end_wal = segment(number, 1);
    info.timeline = wal::TimelineId{1};
    info.end_time = parse_timestamp(info.id.value)->time;
    catalogue.save(info);
    const auto archive =
        memory.create(catalogue.layout().archive_key(info.id, {}), storage::IfPresent::refuse);
    archive->finish();
  }
  EXPECT_EQ(catalogue.load().list.backups.size(), LargeBucket::kBackups);
  EXPECT_EQ(bucket.listed, 1U);
  EXPECT_EQ(bucket.opened, LargeBucket::kBackups);
  constexpr unsigned kObsolete = 20;
  delete_obsolete_cloud_backups(catalogue,
                                {.kind = catalogue::RetentionRule::Kind::redundancy,
                                 .count = LargeBucket::kBackups - kObsolete,
                                 .seconds = 0},
                                parse_timestamp("20270101T000000")->time, {});
  EXPECT_EQ(bucket.listed, 3U) << "the backups, and the WAL, once";
  EXPECT_EQ(bucket.opened, 2 * LargeBucket::kBackups + kObsolete) << "each, and keeps of what goes";
  EXPECT_EQ(bucket.removed, kObsolete * (2 + LargeBucket::kWalOfEach));
  EXPECT_EQ(bucket.removals, 2 * kObsolete + kObsolete * LargeBucket::kWalOfEach / 1000);
}

}  // namespace
}  // namespace barman::cloud

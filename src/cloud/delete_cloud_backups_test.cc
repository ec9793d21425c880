#include "cloud/delete_cloud_backups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "cloud/operation_failed.h"
#include "cloud/test_support.h"

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

}  // namespace
}  // namespace barman::cloud

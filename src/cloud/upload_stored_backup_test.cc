#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/error.h"
#include "catalogue/backup_info.h"
#include "cloud/restore_cloud_backup.h"
#include "cloud/take_cloud_backup.h"
#include "cloud/test_support.h"

namespace barman::cloud {
namespace {

namespace fs = std::filesystem;

const catalogue::BackupId kStoredId{"20261121T014301"};
constexpr const char* kStoredLabel =
    "START WAL LOCATION: 0/2000028 (file 000000010000000000000002)\nCHECKPOINT LOCATION: "
    "0/2000060\nBACKUP METHOD: streamed\nBACKUP FROM: primary\nSTART TIME: 2026-11-21 01:43:01 "
    "UTC\nLABEL: pg_basebackup base backup\nSTART TIMELINE: 1\n";

// A backup as Barman has it on its disk.
struct StoredBackup : LocalBucket {
  CloudCatalogue catalogue{storage, layout};
  fs::path base = directory.path() / "base" / kStoredId.value;
  fs::path info_path = base / "backup.info";

  StoredBackup() {
    catalogue::BackupInfo info;
    info.id = kStoredId;
    info.status = catalogue::BackupStatus::done;
    info.server_name = "main";
    info.mode = "postgres";
    info.begin_xlog = wal::Lsn{0x2000028};
    info.begin_wal = "000000010000000000000002";
    info.timeline = wal::TimelineId{1};
    info.version = 170000;
    put_file(info_path, catalogue::format_backup_info(info));
    put_file(base / "data/PG_VERSION", "17\n");
    put_file(base / "data/backup_label", kStoredLabel);
    put_file(base / "data/global/pg_control", "control");
    for (int i = 0; i < 6; ++i) {
      put_file(base / "data/base/1" / std::to_string(i), std::string(20'000, 'x'));
    }
  }
  void upload(storage::Storage& store, std::uint64_t max_archive_bytes = 30'000) const {
    upload_stored_backup(CloudCatalogue(store, layout),
                         {.directory = base,
                          .id = kStoredId,
                          .info_path = info_path,
                          .jobs = 1,
                          .form = {.max_archive_bytes = max_archive_bytes}});
  }
  void expect_restorable(std::uint64_t n) const {
    const fs::path destination = directory.path() / "restored";
    restore_cloud_backup(catalogue, {.id = kStoredId, .destination = destination});
    EXPECT_EQ(get_file(destination / "base/1/5"), std::string(20'000, 'x')) << n;
  }
};

// What is DONE can be restored, and the next call of the hook script leaves nothing of the killed
// one.
TEST(UploadStoredBackup, MayBeKilledAtAnyRequest) {
  bool has_died = true;
  for (std::uint64_t n = 1; has_died; ++n) {
    ASSERT_LT(n, 100U);
    StoredBackup backup;
    KilledStorage killed(backup.storage, n, KilledStorage::When::after);
    try {
      backup.upload(killed);
    } catch (const Error&) {
    }
    has_died = killed.has_died();
    if (backup.catalogue.find(kStoredId)) {
      backup.expect_restorable(n);
      continue;
    }
    // Fewer and larger archives than before: none of those may be left.
    backup.upload(backup.storage, 1'000'000);
    EXPECT_EQ(backup.catalogue.list_objects(kStoredId).archives.size(), 1U) << n;
    backup.expect_restorable(n);
  }
}

TEST(UploadStoredBackup, IsDoneOnce) {
  StoredBackup backup;
  backup.upload(backup.storage);
  const auto before = backup.keys();
  EXPECT_GT(before.size(), 2U);
  backup.upload(backup.storage, 1'000'000);
  EXPECT_EQ(backup.keys(), before);
}

}  // namespace
}  // namespace barman::cloud

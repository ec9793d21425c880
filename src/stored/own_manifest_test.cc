#include "stored/own_manifest.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/test_support.h"
#include "stored/test_support.h"

namespace barman::stored {
namespace {

constexpr std::uint64_t kOwnBegin = 0x2000028;

struct OwnManifest : testing::Test {
  OwnManifest() {
    backup.id = {"20261121T010000"};
    backup.mode = "rsync-concurrent";
    backup.begin_xlog = wal::Lsn{kOwnBegin};
  }

  // A manifest of a backup that begins there.
  void write(std::uint64_t begin) const {
    std::string text;
    postgres::ManifestWriter writer([&](std::string_view part) { text += part; }, std::nullopt);
    writer.add_file({.path = "PG_VERSION",
                     .size_bytes = 3,
                     .last_modified = "2026-11-21 01:42:37 GMT",
                     .algorithm = DigestAlgorithm::none,
                     .checksum = {}});
    writer.add_wal_range(
        {.timeline = wal::TimelineId{1}, .start = wal::Lsn{begin}, .end = wal::Lsn{begin + 0x100}});
    writer.finish();
    put_file(path, text);
  }

  TemporaryDirectory directory;
  const std::filesystem::path path = directory.path() / "backup_manifest";
  catalogue::BackupInfo backup;
};

TEST_F(OwnManifest, IsTheOneThatBeginsWhereTheBackupDoes) {
  EXPECT_FALSE(has_own_manifest(backup, path));
  EXPECT_FALSE(load_own_manifest(backup, path));
  write(kOwnBegin);
  EXPECT_TRUE(has_own_manifest(backup, path));
  EXPECT_TRUE(load_own_manifest(backup, path));
}

TEST_F(OwnManifest, IsNotTheOneThatCameWithTheFilesOfTheCluster) {
  write(0x1000028);
  EXPECT_FALSE(has_own_manifest(backup, path));
  EXPECT_FALSE(load_own_manifest(backup, path));
  // A streamed backup holds no such file: it was put there, and is told.
  backup.mode = "postgres";
  EXPECT_TRUE(has_own_manifest(backup, path));
  EXPECT_TRUE(load_own_manifest(backup, path));
}

TEST_F(OwnManifest, MayTellNoWalOrBeDamaged) {
  put_file(path, manifest_of({{"PG_VERSION", "17\n"}}));
  EXPECT_TRUE(load_own_manifest(backup, path));
  put_file(path, "damaged");
  EXPECT_TRUE(has_own_manifest(backup, path));
}

}  // namespace
}  // namespace barman::stored

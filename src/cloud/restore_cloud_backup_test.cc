#include "cloud/restore_cloud_backup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/process.h"
#include "cloud/operation_failed.h"
#include "cloud/restore_test_support.h"
#include "compression/codec.h"
#include "pipeline/file_sink.h"
#include "pipeline/tar_writer.h"

namespace barman::cloud {
namespace {

using testing::HasSubstr;

TEST(RestoreCloudBackup, TakesEveryCompression) {
  for (const std::optional<Algorithm> algorithm :
       {std::optional<Algorithm>(), std::optional(Algorithm::gzip), std::optional(Algorithm::bzip2),
        std::optional(Algorithm::snappy), std::optional(Algorithm::lz4),
        std::optional(Algorithm::zstd), std::optional(Algorithm::xz)}) {
    RestoreBucket bucket;
    bucket.add_data(algorithm);
    bucket.restore();
    EXPECT_EQ(bucket.file("PG_VERSION"), "17\n");
    EXPECT_EQ(bucket.file("base/1/2619"), std::string(3'000'000, 'x'));
    EXPECT_EQ(bucket.file("global/pg_control"), "control");
    EXPECT_EQ(bucket.file("backup_label"), kLabel);
    EXPECT_TRUE(fs::is_directory(bucket.destination / "pg_wal"));
    EXPECT_FALSE(fs::exists(bucket.destination / ".barman-restoring"));
    EXPECT_FALSE(fs::exists(bucket.destination / ".barman-restore.lock"));
    EXPECT_EQ(fs::status(bucket.destination).permissions(), fs::perms::owner_all);
  }
}

// Parts come in any order: a directory may be listed in another one than its files.
TEST(RestoreCloudBackup, TakesSeveralParts) {
  RestoreBucket bucket;
  bucket.add_archive({}, [](pipeline::TarWriter& tar) {
    add_directory(tar, ".");
    add_file(tar, "./postgresql.conf", "old");
    for (int i = 0; i < 100; ++i) add_file(tar, "base/5/" + std::to_string(i), "a");
  });
  bucket.add_archive({.number = 1}, [](pipeline::TarWriter& tar) {
    add_directory(tar, "base");
    add_directory(tar, "base/5");
    for (int i = 100; i < 200; ++i) add_file(tar, "base/5/" + std::to_string(i), "b");
  });
  bucket.add_archive({.number = 2}, [](pipeline::TarWriter& tar) {
    add_file(tar, "global/pg_control", "control");
    add_file(tar, "./postgresql.conf", "new");
    add_file(tar, "./backup_label", "old label");
    add_file(tar, "./backup_label", kLabel);
  });
  bucket.restore();
  EXPECT_EQ(bucket.file("base/5/99"), "a");
  EXPECT_EQ(bucket.file("base/5/199"), "b");
  EXPECT_EQ(bucket.file("postgresql.conf"), "new");
  EXPECT_EQ(bucket.file("backup_label"), kLabel);
}

TEST(RestoreCloudBackup, TakesLinksAndWhatGnuTarWrites) {
  RestoreBucket bucket;
  const fs::path data = bucket.directory.path() / "pgdata";
  put_file(data / "global/pg_control", "control");
  put_file(data / "backup_label", kLabel);
  put_file(data / "base/1/one", "content");
  fs::create_hard_link(data / "base/1/one", data / "base/1/two");
  fs::create_symlink("/etc/hosts", data / "base/1/link");
  put_file(data / "base" / std::string(120, 'd') / std::string(120, 'f'), "long");
  const fs::path tar = bucket.directory.path() / "made.tar";
  const ProcessResult made =
      run_process({.argv = {"tar", "--format=pax", "-cf", tar.string(), "-C", data.string(), "."}});
  ASSERT_EQ(made.exit_code, 0) << made.standard_error;
  bucket.put(bucket.layout.archive_key(kRestoreId, {}), get_file(tar));
  bucket.restore();
  EXPECT_EQ(bucket.file("base/1/two"), "content");
  EXPECT_EQ(fs::hard_link_count(bucket.destination / "base/1/two"), 2U);
  EXPECT_EQ(fs::read_symlink(bucket.destination / "base/1/link"), "/etc/hosts");
  EXPECT_EQ(bucket.file("base/" + std::string(120, 'd') + "/" + std::string(120, 'f')), "long");
}

TEST(RestoreCloudBackup, PutsTablespacesWhereTheyBelong) {
  RestoreBucket bucket;
  const fs::path original = bucket.directory.path() / "ts1";
  const fs::path moved = bucket.directory.path() / "moved";
  bucket.info.tablespaces = {{.name = "ts1", .oid = 16384, .location = original},
                             {.name = "ts2", .oid = 16385, .location = "/nowhere"}};
  bucket.add_data();
  for (const std::uint32_t oid : {16384U, 16385U}) {
    bucket.add_archive({.tablespace_oid = oid, .compression = Algorithm::gzip},
                       [](pipeline::TarWriter& tar) {
                         add_directory(tar, "PG_17_202406281");
                         add_file(tar, "PG_17_202406281/5/1", "row");
                       });
  }
  bucket.restore({{"ts2", moved}, {"unknown", "/x"}});
  EXPECT_EQ(get_file(original / "PG_17_202406281/5/1"), "row");
  EXPECT_EQ(get_file(moved / "PG_17_202406281/5/1"), "row");
  EXPECT_EQ(fs::read_symlink(bucket.destination / "pg_tblspc/16385"), moved);
  EXPECT_EQ(bucket.file("pg_tblspc/16384/PG_17_202406281/5/1"), "row");
}

TEST(RestoreCloudBackup, RefusesWhatIsNotDone) {
  for (const auto status : {catalogue::BackupStatus::failed, catalogue::BackupStatus::started}) {
    RestoreBucket bucket;
    bucket.info.status = status;
    bucket.add_data();
    EXPECT_THAT(bucket.refusal(), HasSubstr("its status is"));
    EXPECT_FALSE(fs::exists(bucket.destination));
  }
}

TEST(RestoreCloudBackup, RefusesPlacesThatAreNotEmpty) {
  RestoreBucket bucket;
  bucket.add_data();
  put_file(bucket.destination / "file", "precious");
  EXPECT_THAT(bucket.refusal(), HasSubstr("already exists and it is not empty"));
  EXPECT_EQ(bucket.file("file"), "precious");
  fs::remove(bucket.destination / "file");
  bucket.info.tablespaces = {{.name = "ts1", .oid = 16384, .location = bucket.destination}};
  bucket.add_archive({.tablespace_oid = 16384}, [](pipeline::TarWriter&) {});
  EXPECT_THAT(bucket.refusal(), HasSubstr("is to hold two things"));
}

TEST(RestoreCloudBackup, NoticesWhatIsMissing) {
  RestoreBucket without_data;
  EXPECT_THAT(without_data.refusal(),
              HasSubstr("Missing file path/main/base/20261121T014301/data.* for server main"));
  RestoreBucket with_gap;
  with_gap.add_data();
  with_gap.add_archive({.number = 2}, [](pipeline::TarWriter&) {});
  EXPECT_THAT(with_gap.refusal(), HasSubstr("some are missing"));
  RestoreBucket without_last;
  without_last.add_archive({}, [](pipeline::TarWriter& tar) { add_file(tar, "base/1", "x"); });
  EXPECT_THAT(without_last.refusal(), HasSubstr("none of its archives has"));
  EXPECT_TRUE(fs::exists(without_last.destination / ".barman-restoring"));
}

TEST(RestoreCloudBackup, NoticesTheLabelOfAnotherBackup) {
  RestoreBucket bucket;
  bucket.info.begin_xlog = wal::Lsn{0x9000028};
  bucket.add_data();
  EXPECT_THAT(bucket.refusal(), HasSubstr("backup_label"));
  EXPECT_FALSE(fs::exists(bucket.destination / "global/pg_control"));
}

TEST(RestoreCloudBackup, NoticesDamage) {
  RestoreBucket bucket;
  bucket.add_data(Algorithm::gzip);
  const std::string key = bucket.layout.archive_key(kRestoreId, {.compression = Algorithm::gzip});
  const std::string content = bucket.get(key);
  bucket.put(key, content.substr(0, content.size() / 2));
  EXPECT_THAT(bucket.refusal(), testing::AnyOf(HasSubstr("damaged"), HasSubstr("cut off")));
  EXPECT_FALSE(fs::exists(bucket.destination / "global/pg_control"));
}

TEST(RestoreCloudBackup, StaysInItsPlace) {
  for (const char* path : {"../outside", "/outside", "base/../../outside"}) {
    RestoreBucket bucket;
    bucket.add_archive({}, [&](pipeline::TarWriter& tar) { add_file(tar, path, "x"); });
    EXPECT_THAT(bucket.refusal(), HasSubstr("outside of the target directory")) << path;
  }
  RestoreBucket bucket;
  const fs::path outside = bucket.directory.path() / "outside";
  fs::create_directories(outside);
  bucket.add_archive({}, [&](pipeline::TarWriter& tar) {
    add_link(tar, "base", TarMemberType::symlink, outside);
    add_file(tar, "base/file", "x");
  });
  EXPECT_NE(bucket.refusal(), "restored");
  EXPECT_TRUE(fs::is_empty(outside));
}

// As `barman restore` does; without it nothing is touched (TakesEveryCompression).
TEST(RestoreCloudBackup, PreparesARecovery) {
  RestoreBucket bucket;
  bucket.info.end_xlog = wal::Lsn{0x2000100};
  bucket.info.end_time = parse_timestamp("2026-11-21 01:43:02+00:00")->time;
  bucket.add_archive({}, [](pipeline::TarWriter& tar) {
    add_file(tar, "./PG_VERSION", "17\n");
    add_file(tar, "./postgresql.conf", "archive_command = 'cp %p /archive/%f'\nport = 5432\n");
    add_file(tar, "./postgresql.auto.conf", "recovery_target_name = 'old'\n");
    add_file(tar, "global/pg_control", "control");
    add_file(tar, "./backup_label", kLabel);
  });
  bucket.catalogue.save(bucket.info);
  CloudRestoreRequest request{.id = kRestoreId, .destination = bucket.destination};
  request.recovery = CloudRecovery{
      .target = {.lsn = "0/2000050"}, .standby_mode = false, .restore_command = "fetch %f %p"};
  EXPECT_THROW(restore_cloud_backup(bucket.catalogue, request), Error) << "before its end";
  EXPECT_FALSE(fs::exists(bucket.destination));
  request.recovery->target = {.lsn = "0/3000000", .exclusive = true, .action = "promote"};
  const CloudRestoreResult result = restore_cloud_backup(bucket.catalogue, request);
  EXPECT_EQ(result.settings_file, "postgresql.auto.conf");
  EXPECT_THAT(bucket.file("postgresql.auto.conf"),
              testing::AllOf(HasSubstr("#BARMAN#recovery_target_name"),
                             HasSubstr("restore_command = 'fetch %f %p'\n"
                                       "recovery_target_lsn = '0/3000000'\n"
                                       "recovery_target_inclusive = 'False'\n"
                                       "recovery_target_action = 'promote'\n")));
  EXPECT_EQ(bucket.file("recovery.signal"), "");
  EXPECT_THAT(bucket.file("postgresql.conf"), HasSubstr("archive_command = false"));
  EXPECT_EQ(result.configuration.changes.size(), 2U);
  EXPECT_THAT(result.missing_files, testing::ElementsAre("pg_hba.conf", "pg_ident.conf"));
}

TEST(RestoreCloudBackup, TellsItsProgress) {
  struct Counter final : Progress {
    void begin(std::string_view, std::uint64_t bytes) override { total = bytes; }
    void advance(std::uint64_t bytes) override { done += bytes; }
    void set_item(std::string_view) override {}
    void end() override { is_over = true; }
    std::uint64_t total = 0;
    std::atomic<std::uint64_t> done = 0;
    bool is_over = false;
  } counter;
  RestoreBucket bucket;
  bucket.add_data(Algorithm::gzip);
  bucket.catalogue.save(bucket.info);
  restore_cloud_backup(bucket.catalogue,
                       {.id = kRestoreId, .destination = bucket.destination, .progress = &counter});
  EXPECT_GT(counter.total, 0U);
  EXPECT_EQ(counter.done, counter.total);
  EXPECT_TRUE(counter.is_over);
}

TEST(ChooseCloudBackup, TakesTheNewestThatIsDone) {
  CloudBackups backups;
  const auto add = [&](const char* id, catalogue::BackupStatus status, std::uint64_t end,
                       std::uint32_t timeline) {
    catalogue::BackupInfo info;
    info.id = {id};
    info.status = status;
    info.end_time = parse_timestamp(id)->time;
    info.end_xlog = wal::Lsn{end};
    info.timeline = wal::TimelineId{timeline};
    backups.list.backups.push_back(info);
  };
  using catalogue::BackupStatus;
  add("20261101T000000", BackupStatus::done, 100, 1);
  add("20261102T000000", BackupStatus::done, 200, 2);
  add("20261103T000000", BackupStatus::failed, 300, 2);
  add("20261104T000000", BackupStatus::started, 400, 2);
  EXPECT_EQ(choose_cloud_backup(backups, {})->value, "20261102T000000");
  EXPECT_EQ(choose_cloud_backup(backups, {.lsn = wal::Lsn{150}})->value, "20261101T000000");
  EXPECT_EQ(choose_cloud_backup(backups, {.timeline = wal::TimelineId{1}})->value,
            "20261101T000000");
  EXPECT_EQ(choose_cloud_backup(backups, {.time = parse_timestamp("20261101T120000")->time})->value,
            "20261101T000000");
  EXPECT_FALSE(choose_cloud_backup(backups, {.lsn = wal::Lsn{50}}));
}

}  // namespace
}  // namespace barman::cloud

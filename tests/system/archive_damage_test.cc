// Compressed backups that somebody or something has damaged, and backups that end early: what is
// wrong is named, nothing wrong is restored, and work goes on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>

#include "support/catalogue_files.h"
#include "support/fault_injection.h"
#include "support/streaming_site.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::HasSubstr;

struct ZstdSite : StreamingSite {
  explicit ZstdSite(Settings more = {})
      : StreamingSite({.server = with_compression(std::move(more))}) {
    start_receiver();
    postgres.query(
        "CREATE TABLE here AS SELECT g AS id, md5(g::text) || md5((g + 1)::text) AS text "
        "FROM generate_series(1, 100000) g");
    archive_a_segment();
  }

  static Settings with_compression(Settings more) {
    more.try_emplace("backup_compression", "zstd");
    return more;
  }

  void take() {
    id = take_backup();
    data = server_directory() / "base" / id / "data";
    archive = data / "base.tar.zst";
    index = data / "base.index";
  }

  CommandResult restore(const TempDir& place) {
    return barman.run({"restore", "main", id, (place.path() / "data").string()});
  }

  void expect_good_restore() {
    const TempDir place;
    const CommandResult restored = restore(place);
    ASSERT_EQ(restored.exit_code, 0) << restored.out << restored.err;
    PostgresServer server({.data_directory = place.path() / "data"});
    EXPECT_EQ(server.value("SELECT count(*) FROM here"), "100000");
  }

  std::string id;
  fs::path data;
  fs::path archive;
  fs::path index;
};

void flip(const fs::path& path, std::uint64_t offset) {
  const auto time = fs::last_write_time(path);
  {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekg(static_cast<std::streamoff>(offset));
    const int byte = file.get();
    file.seekp(static_cast<std::streamoff>(offset));
    file.put(static_cast<char>(byte ^ 0x10));
  }
  fs::last_write_time(path, time);
}

TEST(ArchiveDamage, ACorruptFrameIsNamedWithTheFilesInIt) {
  ZstdSite site;
  site.take();
  flip(site.archive, fs::file_size(site.archive) / 2);
  const CommandResult verified = site.barman.run({"verify-backup", "main", site.id});
  EXPECT_EQ(verified.exit_code, 1);
  EXPECT_THAT(verified.out + verified.err,
              AllOf(HasSubstr(site.archive.string()), HasSubstr("is damaged")));
  const TempDir place;
  const CommandResult restored = site.restore(place);
  EXPECT_EQ(restored.exit_code, 1);
  EXPECT_THAT(restored.err, AllOf(HasSubstr(site.archive.string()), HasSubstr("is damaged"),
                                  HasSubstr("reading \"")));
  EXPECT_FALSE(fs::exists(place.path() / "data" / "global" / "pg_control"));
}

TEST(ArchiveDamage, ATruncatedArchiveIsNamed) {
  ZstdSite site;
  site.take();
  fs::resize_file(site.archive, fs::file_size(site.archive) / 2);
  const CommandResult verified = site.barman.run({"verify-backup", "main", site.id});
  EXPECT_EQ(verified.exit_code, 1);
  EXPECT_THAT(verified.out + verified.err, HasSubstr(site.archive.string()));
  const TempDir place;
  const CommandResult restored = site.restore(place);
  EXPECT_EQ(restored.exit_code, 1);
  EXPECT_THAT(restored.err, HasSubstr(site.archive.string()));
  EXPECT_FALSE(fs::exists(place.path() / "data" / "global" / "pg_control"));
}

TEST(ArchiveDamage, AMissingOrDamagedIndexStopsNobody) {
  ZstdSite site;
  site.take();
  flip(site.index, fs::file_size(site.index) / 2);
  site.expect_good_restore();
  EXPECT_THAT(site.barman.log(), HasSubstr(site.index.string()));
  fs::remove(site.index);
  site.expect_good_restore();
  const CommandResult verified = site.barman.run({"verify-backup", "main", site.id});
  EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
}

TEST(ArchiveDamage, ACompressedBackupThatIsKilledIsAbandonedAndTheNextOneWorks) {
  ZstdSite site;
  const CommandRequest backup = site.barman.request({"backup", "main"});
  for (const char* call : {"rename", "fsync"}) {
    const int calls = count_calls(backup, call);
    for (const int n : choose_points(calls, 3)) {
      SCOPED_TRACE(std::string("killed at ") + call + " number " + std::to_string(n));
      run_command(with_fault(backup, {.system_call = call, .when = n}));
    }
  }
  site.take();
  EXPECT_EQ(site.status_of(site.id), "DONE");
  for (const std::string& other : site.listed_backups()) {
    const std::string status = site.status_of(other);
    if (status != "DONE" && status != "WAITING_FOR_WALS") continue;
    const CommandResult verified = site.barman.run({"verify-backup", "main", other});
    EXPECT_EQ(verified.exit_code, 0) << other << verified.out << verified.err;
  }
  site.expect_good_restore();
}

TEST(ArchiveDamage, AFullDiskFailsACompressedBackupAndNotTheNextOne) {
  if (!Tmpfs::is_available()) GTEST_SKIP() << Tmpfs::kUnavailable;
  Tmpfs disk(std::uint64_t{300} << 20);
  ZstdSite site({{"basebackups_directory", (disk.path() / "base").string()}});
  disk.resize(std::uint64_t{2} << 20);
  const CommandResult result = site.barman.run({"backup", "main"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, AllOf(HasSubstr("Backup failed copying files"),
                                HasSubstr("No space left on device"), HasSubstr("base.tar.zst")));
  const std::string failed = site.listed_backups().at(0);
  EXPECT_EQ(site.status_of(failed), "FAILED");
  disk.resize(std::uint64_t{300} << 20);
  EXPECT_EQ(site.barman.run({"delete", "main", failed}).exit_code, 0);
  site.id = site.take_backup();
  site.expect_good_restore();
}

TEST(ArchiveDamage, ExportAndImportKeepACompressedBackup) {
  ZstdSite site;
  site.take();
  const TempDir place;
  const CommandResult exported =
      site.barman.run({"export-backup", "main", site.id, place.path().string()});
  ASSERT_EQ(exported.exit_code, 0) << exported.out << exported.err;
  fs::path tarball;
  for (const fs::directory_entry& entry : fs::directory_iterator(place.path()))
    tarball = entry.path();
  ASSERT_EQ(site.barman.run({"delete", "main", site.id}).exit_code, 0);
  const CommandResult imported = site.barman.run({"import-backup", "main", tarball.string()});
  ASSERT_EQ(imported.exit_code, 0) << imported.out << imported.err;
  site.expect_good_restore();
  EXPECT_THAT(site.barman.log(), testing::Not(HasSubstr("going on without it")));
}

}  // namespace
}  // namespace barman::test

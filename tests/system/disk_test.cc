// Disks that are full, and catalogues that are damaged: a clear error that names the file and the
// reason, nothing acknowledged that is not durable, and work goes on when there is space again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>

#include "base/error.h"
#include "base/text.h"
#include "encryption/test_support.h"
#include "support/catalogue_files.h"
#include "support/eventually.h"
#include "support/streaming_site.h"
#include "support/temp_dir.h"
#include "support/writer.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr std::uint64_t kMegabyte = 1 << 20;
constexpr std::uint64_t kPlenty = 300 * kMegabyte;
constexpr const char* kFull = "No space left on device";

void write_bulk(const PostgresServer& postgres, int rows) {
  postgres.query("CREATE TABLE IF NOT EXISTS bulk (text text)");
  postgres.query("INSERT INTO bulk SELECT repeat(md5(g::text), 10) FROM generate_series(1, " +
                 std::to_string(rows) + ") g");
}

// ------------------------------------------------------------------------------------- full disk

class FullDisk : public testing::Test {
 protected:
  void SetUp() override {
    if (!Tmpfs::is_available()) GTEST_SKIP() << Tmpfs::kUnavailable;
  }

  // Nobody knows how small an encrypted backup becomes.
  enum class Need { is_known, is_unknown };

  // A backup that fills the disk, which has room again afterwards.
  static void fail_a_backup(StreamingSite& site, Tmpfs& disk, Need need) {
    site.start_receiver();
    site.archive_a_segment();
    if (need == Need::is_known) {
      disk.resize(8 * kMegabyte);
      const CommandResult refused = site.barman.run({"backup", "main"});
      EXPECT_EQ(refused.exit_code, 1);
      EXPECT_THAT(refused.err, AllOf(HasSubstr("The backup of server 'main' cannot fit: at least "),
                                     HasSubstr(" MiB free"), HasSubstr("barman delete main")));
      EXPECT_THAT(site.listed_backups(), IsEmpty());
    }
    // It might be that half of the cluster is not in backups.
    disk.resize(14 * kMegabyte);
    const CommandResult result = site.barman.run({"backup", "main"});
    EXPECT_EQ(result.exit_code, 1);
    if (need == Need::is_known) {
      EXPECT_THAT(result.err, HasSubstr("WARNING: The backup may not fit: about "));
    }
    EXPECT_THAT(result.err, AllOf(HasSubstr("ERROR: Backup failed copying files"), HasSubstr(kFull),
                                  HasSubstr(disk.path().string())));
    const std::string failed = site.listed_backups().at(0);
    EXPECT_EQ(site.status_of(failed), "FAILED");
    EXPECT_THAT(read_backup_info(site.barman, "main", failed).at("error"), HasSubstr(kFull));
    disk.resize(kPlenty);
    EXPECT_EQ(site.barman.run({"delete", "main", failed}).exit_code, 0);
  }

  // A receiver that fills the disk, which stays full.
  static void end_receiver(StreamingSite& site, const Tmpfs& disk) {
    site.start_receiver();
    site.wait_until_acknowledged();
    disk.fill_up(2 * kMegabyte + kMegabyte / 2);
    write_bulk(site.postgres, 20000);
    const auto result = site.receiver().wait(kPatience);
    ASSERT_TRUE(result) << "receive-wal goes on with a full disk";
    EXPECT_EQ(result->exit_code, 1);
    EXPECT_THAT(result->err, AllOf(HasSubstr("ERROR: ArchiverFailure:"), HasSubstr(kFull),
                                   HasSubstr("/streaming/"), HasSubstr(".partial")));
  }
};

TEST_F(FullDisk, FailsABackupAndNotTheNextOne) {
  Tmpfs disk(kPlenty);
  StreamingSite site({.server = {{"basebackups_directory", disk.path() / "base"}}});
  fail_a_backup(site, disk, Need::is_known);
  const std::string next = site.take_backup();
  EXPECT_EQ(site.status_of(next), "DONE");
}

TEST_F(FullDisk, FailsABackupThatHasFilledEvenTheDiskOfItsMetadata) {
  Tmpfs disk(kPlenty);
  StreamingSite site({.home = {.barman_home = disk.path() / "home"}});
  site.start_receiver();
  site.archive_a_segment();
  disk.fill_up(14 * kMegabyte);
  const CommandResult result = site.barman.run({"backup", "main"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, AllOf(HasSubstr("ERROR: Backup failed"), HasSubstr(kFull)));
  EXPECT_EQ(site.barman.run({"list-backups", "main"}).exit_code, 0);
  const std::string failed = site.listed_backups().at(0);
  EXPECT_EQ(site.status_of(failed), "FAILED");

  fs::remove(disk.path() / "filler");
  site.start_receiver();  // that one has met the full disk too
  const CommandResult next_result = site.barman.run({"backup", "--wait", "main"});
  EXPECT_EQ(next_result.exit_code, 0) << next_result.err;
  const std::string next = site.listed_backups().at(0);
  EXPECT_EQ(site.status_of(failed), "FAILED");
  EXPECT_EQ(site.backup_damage(next), "");
}

TEST_F(FullDisk, EndsStreamingWithoutAcknowledgingWhatIsNotStored) {
  Tmpfs disk(kPlenty);
  StreamingSite site({.home = {.barman_home = disk.path() / "home"}});
  end_receiver(site, disk);
  EXPECT_EQ(site.lost_wal(), "");

  const CommandResult again = site.barman.run({"receive-wal", "main"});
  EXPECT_EQ(again.exit_code, 1) << "the disk is still full";
  EXPECT_EQ(site.lost_wal(), "");

  fs::remove(disk.path() / "filler");
  site.start_receiver();
  site.wait_until_acknowledged();
  EXPECT_EQ(site.lost_wal(), "");
  EXPECT_EQ(site.barman.run({"archive-wal", "main"}).exit_code, 0);
  EXPECT_EQ(site.lost_wal(), "");
}

// Names and content of what waits in the streaming directory.
std::map<std::string, std::string> received_segments(const StreamingSite& site) {
  std::map<std::string, std::string> segments;
  for (const auto& entry : fs::directory_iterator(site.server_directory() / "streaming")) {
    const std::string name = entry.path().filename().string();
    if (!name.ends_with(".partial")) segments[name] = read_text(entry.path());
  }
  return segments;
}

std::vector<std::string> names_of(const std::map<std::string, std::string>& segments) {
  std::vector<std::string> names;
  for (const auto& [name, content] : segments) names.push_back(name);
  return names;
}

// The archive on another file system: segments are copied there.
TEST_F(FullDisk, KeepsReceivedSegmentsThatDoNotFitIntoTheArchive) {
  Tmpfs disk(2 * kMegabyte + kMegabyte / 2);
  StreamingSite site({.server = {{"wals_directory", disk.path() / "wals"}}});
  site.receive_segments(5);
  const auto segments = received_segments(site);
  ASSERT_GE(segments.size(), 5U);
  const CommandResult result = site.barman.run({"archive-wal", "main"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err,
              AllOf(HasSubstr("ERROR: "), HasSubstr(kFull), HasSubstr(disk.path().string())));
  for (const auto& [name, content] : segments) {
    const fs::path archived = disk.path() / "wals" / name.substr(0, 16) / name;
    const fs::path received = site.server_directory() / "streaming" / name;
    EXPECT_TRUE(fs::exists(archived) || fs::exists(received)) << name << " is lost";
    if (fs::exists(archived)) {
      EXPECT_TRUE(read_text(archived) == content) << name;
    }
    if (fs::exists(received)) {
      EXPECT_TRUE(read_text(received) == content) << name;
    }
  }

  disk.resize(kPlenty);
  const CommandResult again = site.barman.run({"archive-wal", "main"});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  std::vector<std::string> indexed;
  for (const std::string& line : split(read_text(disk.path() / "wals" / "main-xlog.db"), '\n')) {
    if (!line.empty()) indexed.push_back(line.substr(0, line.find('\t')));
  }
  EXPECT_EQ(indexed, names_of(segments));
  for (const auto& [name, content] : segments) {
    EXPECT_TRUE(read_text(disk.path() / "wals" / name.substr(0, 16) / name) == content) << name;
    EXPECT_FALSE(fs::exists(site.server_directory() / "streaming" / name)) << name;
  }
}

TEST_F(FullDisk, LetsNoSegmentGoBeforeItIsIndexed) {
  Tmpfs disk(kPlenty);
  StreamingSite site({.home = {.barman_home = disk.path() / "home"}});
  site.receive_segments(4);
  const auto segments = received_segments(site);
  disk.fill_up(0);
  const CommandResult result = site.barman.run({"archive-wal", "main"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, AllOf(HasSubstr("ERROR: "), HasSubstr(kFull)));
  EXPECT_EQ(site.lost_wal(), "");
  fs::remove(disk.path() / "filler");
  EXPECT_EQ(site.barman.run({"archive-wal", "main"}).exit_code, 0);
  EXPECT_EQ(indexed_wals(site.barman, "main"), names_of(segments));
  EXPECT_EQ(archived_wals(site.barman, "main").size(), segments.size());
  EXPECT_EQ(site.lost_wal(), "");
}

// Everything that is stored is encrypted.
class FullDiskAndEncryption : public FullDisk {
 protected:
  static Settings with_encryption(Settings more = {}) {
    more.merge(Settings{{"backup_compression", "none"},
                        {"encryption", "gpg"},
                        {"encryption_key_id", encryption::TestKeyring::kKey},
                        {"encryption_passphrase_command", "echo open sesame"}});
    return more;
  }
  static void expect_served(StreamingSite& site, const std::map<std::string, std::string>& wal) {
    for (const auto& [name, content] : wal) {
      const CommandResult result = site.barman.run({"get-wal", "main", name});
      EXPECT_TRUE(result.out == content) << name << ": " << result.err;
    }
  }

  encryption::TestKeyring keyring_;
};

TEST_F(FullDiskAndEncryption, KeepsReceivedSegmentsThatDoNotFitIntoTheArchive) {
  Tmpfs disk(2 * kMegabyte + kMegabyte / 2);
  StreamingSite site({.server = with_encryption({{"wals_directory", disk.path() / "wals"}})});
  site.start_receiver();
  write_bulk(site.postgres, 9000);
  site.wait_until_acknowledged();
  site.stop_receiver();
  const auto segments = received_segments(site);
  ASSERT_GE(segments.size(), 3U);
  const CommandResult result = site.barman.run({"archive-wal", "main"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err,
              AllOf(HasSubstr("ERROR: "), HasSubstr(kFull), HasSubstr(disk.path().string())));
  const fs::path index = disk.path() / "wals" / "main-xlog.db";
  // Several are encrypted at a time, so perhaps none of them has fitted.
  const std::string indexed = fs::exists(index) ? read_text(index) : "";
  EXPECT_THAT(indexed, Not(HasSubstr(segments.rbegin()->first)));
  for (const auto& [name, content] : segments) {
    const fs::path received = site.server_directory() / "streaming" / name;
    if (indexed.find(name) != std::string::npos) continue;
    ASSERT_TRUE(fs::exists(received)) << name << " is lost";
    EXPECT_TRUE(read_text(received) == content) << name;
  }

  disk.resize(kPlenty);
  const CommandResult again = site.barman.run({"archive-wal", "main"});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  for (const auto& [name, content] : segments) {
    EXPECT_THAT(read_text(index), HasSubstr(name + "\t"));
    EXPECT_FALSE(fs::exists(site.server_directory() / "streaming" / name)) << name;
  }
  expect_served(site, segments);
}

TEST_F(FullDiskAndEncryption, EndsStreamingWithoutAcknowledgingWhatIsNotStored) {
  Tmpfs disk(kPlenty);
  StreamingSite site({.server = with_encryption(), .home = {.barman_home = disk.path() / "home"}});
  end_receiver(site, disk);

  fs::remove(disk.path() / "filler");
  site.start_receiver();
  site.wait_until_acknowledged();
  site.stop_receiver();
  EXPECT_EQ(site.barman.run({"archive-wal", "main"}).exit_code, 0);
  std::map<std::string, std::string> wal;
  for (const std::string& name : indexed_wals(site.barman, "main")) {
    wal[name] = read_text(site.postgres.data_directory() / "pg_wal" / name);
  }
  EXPECT_GE(wal.size(), 8U);
  expect_served(site, wal);
}

TEST_F(FullDiskAndEncryption, FailsABackupAndNotTheNextOne) {
  Tmpfs disk(kPlenty);
  StreamingSite site(
      {.server = with_encryption({{"basebackups_directory", disk.path() / "base"}})});
  fail_a_backup(site, disk, Need::is_unknown);
  const std::string next = site.take_backup();
  EXPECT_EQ(site.status_of(next), "DONE");
  const CommandResult verified = site.barman.run({"verify-backup", "main", next});
  EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
}

// One backup with a table that is to be restored to another disk.
class FullDestination : public FullDisk {
 protected:
  void SetUp() override {
    FullDisk::SetUp();
    if (IsSkipped()) return;
    site_.postgres.query("CREATE TABLE t AS SELECT g AS id FROM generate_series(1, 1000) g");
    site_.start_receiver();
    site_.archive_a_segment();
    site_.take_backup();
  }

  void expect_good_restore(const fs::path& destination) {
    const CommandResult result = site_.barman.run({"restore", "main", "latest", destination});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    PostgresServer restored({.data_directory = destination});
    restored.wait_until_primary();
    EXPECT_EQ(sorted_rows(restored, "t"), sorted_rows(site_.postgres, "t"));
  }

  StreamingSite site_;
};

TEST_F(FullDestination, IsRefusedBeforeAnythingIsCopied) {
  Tmpfs disk(8 * kMegabyte);
  const fs::path destination = disk.path() / "data";
  const CommandResult result = site_.barman.run({"restore", "main", "latest", destination});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err,
              AllOf(HasSubstr("ERROR: Not enough free space for '" + destination.string() + "'"),
                    HasSubstr("HINT: ")));
  EXPECT_FALSE(fs::exists(destination));
  disk.resize(kPlenty);
  expect_good_restore(destination);
}

TEST_F(FullDestination, FailsARestoreThatFillsIt) {
  Tmpfs disk(kPlenty);
  const fs::path destination = disk.path() / "data";
  BackgroundCommand restore =
      site_.barman.spawn({"restore", "--bwlimit", "4096", "main", "latest", destination});
  ASSERT_TRUE(eventually([&] { return fs::exists(destination / "base"); }));
  disk.fill_up(0);
  const auto result = restore.wait();
  ASSERT_TRUE(result);
  EXPECT_EQ(result->exit_code, 1);
  EXPECT_THAT(result->err,
              AllOf(HasSubstr("ERROR: "), HasSubstr(kFull), HasSubstr(destination.string() + "/")));
  EXPECT_FALSE(fs::exists(destination / "global" / "pg_control"));
  fs::remove(disk.path() / "filler");
  fs::remove_all(destination);
  expect_good_restore(destination);
}

// ------------------------------------------------------------------------------ damaged catalogue

// One good backup, and one that is about to be damaged.
class DamagedCatalogue : public testing::Test {
 protected:
  DamagedCatalogue() {
    site_.postgres.query("CREATE TABLE t AS SELECT g AS id FROM generate_series(1, 1000) g");
    site_.start_receiver();
    site_.archive_a_segment();
    good_ = site_.take_backup();
    damaged_ = site_.take_backup();
    destination_ = site_.barman.directory() / "restored";
  }

  fs::path info_path(const std::string& id) const {
    return site_.server_directory() / "meta" / (id + "-backup.info");
  }
  fs::path data(const std::string& id) const {
    return site_.server_directory() / "base" / id / "data";
  }

  // The other backup is listed, shown and restored; the damaged one is reported with its file.
  void expect_isolated(const std::string& reason) {
    const CommandResult list = site_.barman.run({"list-backups", "main"});
    EXPECT_EQ(list.exit_code, 0) << list.err;
    EXPECT_THAT(list.out, HasSubstr(good_));
    EXPECT_THAT(list.err, AllOf(HasSubstr("WARNING: "), HasSubstr(damaged_), HasSubstr(reason)));
    EXPECT_EQ(site_.barman.run({"show-backup", "main", good_}).exit_code, 0);
    const CommandResult show = site_.barman.run({"show-backup", "main", damaged_});
    EXPECT_EQ(show.exit_code, 1);
    EXPECT_THAT(show.err, AllOf(HasSubstr("ERROR: "), HasSubstr(info_path(damaged_).string()),
                                HasSubstr(reason)));
    const CommandResult refused = site_.barman.run({"restore", "main", damaged_, destination_});
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_FALSE(fs::exists(destination_));
    EXPECT_EQ(site_.barman.run({"restore", "main", good_, destination_}).exit_code, 0);
    EXPECT_EQ(site_.status_of(site_.take_backup_beside_damage()), "DONE");
  }

  struct Site : StreamingSite {
    // As take_backup(), where warnings are to be expected.
    std::string take_backup_beside_damage() {
      const CommandResult backup = barman.run({"backup", "--wait", "main"});
      EXPECT_EQ(backup.exit_code, 0) << backup.err;
      return barman.backup_ids("main").back();
    }
  };
  Site site_;
  std::string good_;
  std::string damaged_;
  fs::path destination_;
};

TEST_F(DamagedCatalogue, IsolatesATruncatedMetadataFile) {
  const std::string text = read_text(info_path(damaged_));
  write_text(info_path(damaged_), text.substr(0, text.size() / 2));
  const CommandResult list = site_.barman.run({"list-backups", "main"});
  EXPECT_EQ(list.exit_code, 0);
  EXPECT_THAT(list.out, HasSubstr(good_));
  // Whatever half of the lines says, it is no backup to restore from.
  const CommandResult refused = site_.barman.run({"restore", "main", damaged_, destination_});
  EXPECT_EQ(refused.exit_code, 1) << refused.out;
  EXPECT_FALSE(fs::exists(destination_));
  EXPECT_EQ(site_.barman.run({"restore", "main", good_, destination_}).exit_code, 0);
}

TEST_F(DamagedCatalogue, IsolatesAStatusThatNobodyKnows) {
  std::string text = read_text(info_path(damaged_));
  const std::string status = "status=DONE\n";
  ASSERT_NE(text.find(status), std::string::npos);
  text.replace(text.find(status), status.size(), "status=MARVELLOUS\n");
  write_text(info_path(damaged_), text);
  expect_isolated("MARVELLOUS");
}

TEST_F(DamagedCatalogue, IsolatesALineThatIsNone) {
  write_text(info_path(damaged_), read_text(info_path(damaged_)) + "nonsense\n");
  expect_isolated("no '=' found");
}

// They come from a newer program: no damage.
TEST_F(DamagedCatalogue, KeepsUnknownKeysOfMetadata) {
  write_text(info_path(damaged_), read_text(info_path(damaged_)) + "made_up=1\n");
  EXPECT_EQ(site_.listed_backups().front(), damaged_);
  EXPECT_EQ(site_.barman.run({"check-backup", "main", damaged_}).exit_code, 0);
  EXPECT_THAT(read_text(info_path(damaged_)), HasSubstr("\nmade_up=1\n"));
  EXPECT_EQ(site_.barman.run({"restore", "main", damaged_, destination_}).exit_code, 0);
}

TEST_F(DamagedCatalogue, IsolatesUnreadableMetadata) {
  fs::permissions(info_path(damaged_), fs::perms::none);
  expect_isolated("Permission denied");
}

TEST_F(DamagedCatalogue, IsNamedWhenTheIndexHasGarbage) {
  const fs::path index = site_.server_directory() / "wals" / "main-xlog.db";
  const std::string good_text = read_text(index);
  write_text(index, good_text + "\x01\x02 no line of an index\n");
  const CommandResult list = site_.barman.run({"list-backups", "main"});
  EXPECT_EQ(list.exit_code, 1);
  EXPECT_THAT(list.err, AllOf(HasSubstr("ERROR: "), HasSubstr(index.string()),
                              HasSubstr("barman rebuild-xlogdb main")));
  // WAL that has arrived is archived nevertheless, and nothing in the index is lost.
  const CommandResult archive = site_.barman.run({"archive-wal", "main"});
  EXPECT_THAT(read_text(index), testing::StartsWith(good_text));
  EXPECT_EQ(site_.lost_wal(), "");
}

TEST_F(DamagedCatalogue, RefusesToRestoreACorruptFile) {
  const fs::path relative = fs::path("base") /
                            site_.postgres.value(
                                "SELECT oid FROM pg_database WHERE datname = "
                                "'postgres'") /
                            site_.postgres.value("SELECT pg_relation_filenode('t')");
  const fs::path file = data(damaged_) / relative;
  std::string content = read_text(file);
  ASSERT_GT(content.size(), 5000U);
  content[5000] = static_cast<char>(content[5000] ^ 1);
  write_text(file, content);
  const CommandResult result = site_.barman.run({"restore", "main", damaged_, destination_});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err,
              AllOf(HasSubstr("ERROR: "), HasSubstr(relative.string()), HasSubstr("checksum")));
  EXPECT_FALSE(fs::exists(destination_ / "global" / "pg_control"));
  fs::remove_all(destination_);
  EXPECT_EQ(site_.barman.run({"restore", "main", good_, destination_}).exit_code, 0);
}

TEST_F(DamagedCatalogue, RefusesToRestoreAnUnreadableOrMissingFile) {
  fs::permissions(data(damaged_) / "PG_VERSION", fs::perms::none);
  const CommandResult unreadable = site_.barman.run({"restore", "main", damaged_, destination_});
  EXPECT_EQ(unreadable.exit_code, 1);
  EXPECT_THAT(unreadable.err, AllOf(HasSubstr((data(damaged_) / "PG_VERSION").string()),
                                    HasSubstr("Permission denied")));
  EXPECT_FALSE(fs::exists(destination_ / "global" / "pg_control"));
  fs::remove_all(destination_);
  fs::remove(data(damaged_) / "PG_VERSION");
  const CommandResult missing = site_.barman.run({"restore", "main", damaged_, destination_});
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_THAT(missing.err, HasSubstr("PG_VERSION"));
  EXPECT_FALSE(fs::exists(destination_ / "global" / "pg_control"));
}

TEST_F(DamagedCatalogue, NamesMissingWal) {
  const std::string begin_wal = read_backup_info(site_.barman, "main", damaged_).at("begin_wal");
  fs::remove(archived_wal(site_.barman, "main", begin_wal));
  const CommandResult get = site_.barman.run({"get-wal", "main", begin_wal});
  EXPECT_EQ(get.exit_code, 1);
  EXPECT_EQ(get.out, "");
  EXPECT_THAT(get.err, HasSubstr(begin_wal));
  const CommandResult restore = site_.barman.run({"restore", "main", damaged_, destination_});
  EXPECT_EQ(restore.exit_code, 1) << "restored without its first segment";
  EXPECT_THAT(restore.err, HasSubstr(begin_wal));
  EXPECT_FALSE(fs::exists(destination_ / "global" / "pg_control"));
}

TEST_F(DamagedCatalogue, NamesAReceivedSegmentThatCannotBeRead) {
  site_.receive_segments(3);
  const std::string name = received_segments(site_).begin()->first;
  const fs::path segment = site_.server_directory() / "streaming" / name;
  fs::permissions(segment, fs::perms::none);
  const CommandResult result = site_.barman.run({"archive-wal", "main"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, AllOf(HasSubstr(segment.string()), HasSubstr("Permission denied")));
  fs::permissions(segment, fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(site_.barman.run({"archive-wal", "main"}).exit_code, 0);
  EXPECT_EQ(site_.lost_wal(), "");
}

}  // namespace
}  // namespace barman::test

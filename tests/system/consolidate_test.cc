// A chain becomes a full backup inside the catalogue: complete, without touching the chain, also
// when it is killed, started twice, or finds the disk full.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "encryption/test_support.h"
#include "support/catalogue_files.h"
#include "support/eventually.h"
#include "support/fault_injection.h"
#include "support/incremental_site.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::HasSubstr;

TEST(Consolidate, MakesAFullBackupThatNeedsNoOther) {
  IncrementalSite site;
  const std::string full = site.take_backup();
  site.postgres.query("UPDATE changing SET text = 'first' WHERE id <= 100");
  const std::string first = site.take_incremental("last");
  site.postgres.query("UPDATE there SET text = 'second' WHERE id <= 100");
  const std::string second = site.take_incremental("last");
  const std::map<std::string, Rows> rows = all_rows(site.postgres);
  site.archive_a_segment();

  const CommandResult made = site.barman.run({"consolidate", "main", second});
  ASSERT_EQ(made.exit_code, 0) << made.out << made.err;
  EXPECT_EQ(made.err, "");
  const std::string whole = site.listed_backups().front();
  ASSERT_NE(whole, second);
  const Fields fields = read_backup_info(site.barman, "main", whole);
  const Fields source = read_backup_info(site.barman, "main", second);
  EXPECT_EQ(fields.at("parent_backup_id"), "None");
  EXPECT_EQ(fields.at("status"), "DONE");
  for (const char* const key : {"begin_xlog", "end_xlog", "begin_wal", "end_wal", "end_time"}) {
    EXPECT_EQ(fields.at(key), source.at(key)) << key;
  }
  EXPECT_EQ(site.backup_damage(whole), "");
  EXPECT_EQ(site.barman.run({"verify-backup", "main", whole}).exit_code, 0);

  const CommandResult deleted = site.barman.run({"delete", "main", full});
  EXPECT_EQ(deleted.exit_code, 0) << deleted.err;
  EXPECT_THAT(site.listed_backups(), testing::ElementsAre(whole));
  const std::string next = site.take_incremental(whole);
  Restored restored(site, next);
  ASSERT_EQ(restored.result.exit_code, 0) << restored.result.err;
  PostgresServer again({.data_directory = restored.data});
  again.wait_until_primary();
  EXPECT_EQ(all_rows(again), rows);

  const CommandResult refused = site.barman.run({"consolidate", "main", whole});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("is not an incremental backup"));
}

TEST(Consolidate, LeavesTheChainAloneWhenItIsKilled) {
  IncrementalSite site;
  site.take_backup();
  site.postgres.query("UPDATE changing SET text = 'first' WHERE id <= 100");
  const std::string first = site.take_incremental("last");
  site.archive_a_segment();
  const CommandResult killed = run_command(with_fault(
      site.barman.request({"consolidate", "main", first}), {.system_call = "fsync", .when = 20}));
  ASSERT_EQ(killed.exit_code, 137) << killed.err;
  const std::string half = site.listed_backups().front();
  EXPECT_EQ(site.status_of(half), "STARTED");
  const CommandResult again = site.barman.run({"consolidate", "main", first});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(site.status_of(half), "FAILED");
  EXPECT_EQ(site.status_of(site.listed_backups().front()), "DONE");
  EXPECT_EQ(site.backup_damage(site.listed_backups().front()), "");
}

// The second one is told, and does not disturb the first.
TEST(Consolidate, IsDoneOnceAtATime) {
  IncrementalSite site;
  site.take_backup();
  site.postgres.query("UPDATE changing SET text = 'first' WHERE id <= 100");
  const std::string first = site.take_incremental("last");
  site.archive_a_segment();
  BackgroundCommand slow(
      with_fault(site.barman.request({"consolidate", "main", first}),
                 {.system_call = "fsync", .when = 20, .action = "delay_enter=2s"}));
  ASSERT_TRUE(eventually([&] { return site.listed_backups().size() == 3; }));
  const CommandResult second = site.barman.run({"consolidate", "main", first});
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_THAT(second.err, HasSubstr("Another backup process is running"));
  const CommandResult deletion = site.barman.run({"delete", "main", first});
  EXPECT_EQ(deletion.exit_code, 1) << "a link that is being read";
  const auto done = slow.wait();
  ASSERT_TRUE(done);
  EXPECT_EQ(done->exit_code, 0) << done->err;
  EXPECT_THAT(site.listed_backups(), testing::SizeIs(3));
  EXPECT_EQ(site.status_of(site.listed_backups().front()), "DONE");
  EXPECT_EQ(site.backup_damage(site.listed_backups().front()), "");
}

TEST(Consolidate, LeavesTheChainAloneOnAFullDisk) {
  if (!Tmpfs::is_available()) GTEST_SKIP() << Tmpfs::kUnavailable;
  Tmpfs disk(std::uint64_t{300} << 20);
  IncrementalSite site(kUsualMajor, {{"basebackups_directory", disk.path() / "base"}});
  site.take_backup();
  site.postgres.query("UPDATE changing SET text = 'first' WHERE id <= 100");
  const std::string first = site.take_incremental("last");
  const std::map<std::string, Rows> rows = all_rows(site.postgres);
  site.archive_a_segment();

  // What can be foreseen is refused before anything is written.
  disk.resize((std::uint64_t{300} << 20) - disk.free_bytes() + (std::uint64_t{5} << 20));
  const CommandResult foreseen = site.barman.run({"consolidate", "main", first});
  EXPECT_EQ(foreseen.exit_code, 1);
  EXPECT_THAT(foreseen.err, HasSubstr("space"));
  EXPECT_THAT(site.listed_backups(), testing::SizeIs(2));

  // What cannot ends in a failed backup beside the chain.
  disk.resize(std::uint64_t{300} << 20);
  const CommandResult full = run_command(
      with_fault(site.barman.request({"consolidate", "main", first}),
                 {.system_call = "fallocate,pwrite64", .when = 8, .action = "error=ENOSPC"}));
  EXPECT_EQ(full.exit_code, 1);
  EXPECT_THAT(full.err,
              AllOf(HasSubstr("No space left on device"), HasSubstr(disk.path().string())));
  const std::string failed = site.listed_backups().front();
  EXPECT_EQ(site.status_of(failed), "FAILED");
  EXPECT_EQ(site.barman.run({"delete", "main", failed}).exit_code, 0);

  const CommandResult again = site.barman.run({"consolidate", "main", first});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  Restored restored(site, "last");
  ASSERT_EQ(restored.result.exit_code, 0) << restored.result.err;
  PostgresServer server({.data_directory = restored.data});
  server.wait_until_primary();
  EXPECT_EQ(all_rows(server), rows);
}

// Archives that the server has compressed are read once each, from end to end.
TEST(Consolidate, ReadsArchivesOfOnePiece) {
  IncrementalSite site(kUsualMajor,
                       {{"backup_compression", "gzip"}, {"backup_compression_location", "server"}});
  const std::string full = site.take_backup();
  site.postgres.query("UPDATE changing SET text = 'first' WHERE id <= 100");
  site.take_incremental("last");
  site.postgres.query("DELETE FROM changing WHERE id > 15000");
  site.postgres.query("VACUUM changing");
  site.postgres.query("UPDATE there SET text = 'second' WHERE id <= 100");
  const std::string second = site.take_incremental("last");
  const std::map<std::string, Rows> rows = all_rows(site.postgres);
  site.archive_a_segment();

  const CommandResult made = site.barman.run({"consolidate", "main", second});
  ASSERT_EQ(made.exit_code, 0) << made.out << made.err;
  const std::string whole = site.listed_backups().front();
  EXPECT_EQ(site.backup_damage(whole), "");
  EXPECT_EQ(site.barman.run({"verify-backup", "main", whole}).exit_code, 0);
  EXPECT_EQ(site.barman.run({"delete", "main", full}).exit_code, 0);
  Restored restored(site, whole);
  ASSERT_EQ(restored.result.exit_code, 0) << restored.result.err;
  PostgresServer again({.data_directory = restored.data});
  again.wait_until_primary();
  EXPECT_EQ(all_rows(again), rows);
}

// Of encrypted backups an encrypted one is made, and nothing in clear on the way.
class EncryptedConsolidate : public testing::TestWithParam<const char*> {
 protected:
  Settings options() const {
    return {{"backup_compression", GetParam()},
            {"encryption", "gpg"},
            {"encryption_key_id", encryption::TestKeyring::kKey},
            {"encryption_passphrase_command", "echo open sesame"}};
  }
  encryption::TestKeyring keyring_;
};
INSTANTIATE_TEST_SUITE_P(With, EncryptedConsolidate, testing::Values("none", "zstd", "gzip"),
                         [](const auto& param_info) { return std::string(param_info.param); });

TEST_P(EncryptedConsolidate, MakesAnEncryptedFullBackup) {
  IncrementalSite site(kUsualMajor, options());
  const std::string full = site.take_backup();
  site.postgres.query("UPDATE changing SET text = 'first' WHERE id <= 100");
  site.take_incremental("last");
  site.postgres.query("DELETE FROM changing WHERE id > 15000");
  site.postgres.query("VACUUM changing");
  site.postgres.query("CREATE TABLE made_later AS SELECT generate_series(1, 5000) AS id");
  site.postgres.query("VACUUM FULL there");
  site.postgres.query("UPDATE there SET text = 'second' WHERE id <= 100");
  const std::string second = site.take_incremental("last");
  const std::map<std::string, Rows> rows = all_rows(site.postgres);
  site.archive_a_segment();

  const CommandResult made = site.barman.run({"consolidate", "main", second});
  ASSERT_EQ(made.exit_code, 0) << made.out << made.err;
  const std::string whole = site.listed_backups().front();
  const Fields fields = read_backup_info(site.barman, "main", whole);
  EXPECT_EQ(fields.at("status"), "DONE");
  EXPECT_EQ(fields.at("parent_backup_id"), "None");
  EXPECT_EQ(fields.at("encryption"), "gpg");
  EXPECT_EQ(fields.at("compression"), GetParam());
  for (const fs::directory_entry& file :
       fs::directory_iterator(site.barman.server_directory("main") / "base" / whole / "data")) {
    EXPECT_TRUE(file.path().extension() == ".gpg" || file.path().filename() == "backup_manifest")
        << file.path();
  }
  const CommandResult verified = site.barman.run({"verify-backup", "main", whole});
  EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;

  EXPECT_EQ(site.barman.run({"delete", "main", full}).exit_code, 0);
  EXPECT_THAT(site.listed_backups(), testing::ElementsAre(whole));
  site.postgres.query("UPDATE there SET text = 'third' WHERE id > 100 AND id < 200");
  const std::string next = site.take_incremental(whole);
  const std::map<std::string, Rows> rows_of_next = all_rows(site.postgres);
  site.archive_a_segment();
  for (const auto& [backup, expected] : {std::pair(whole, rows), std::pair(next, rows_of_next)}) {
    Restored restored(site, backup, {"--target-immediate", "--target-action", "promote"});
    ASSERT_EQ(restored.result.exit_code, 0) << restored.result.err;
    PostgresServer again({.data_directory = restored.data});
    again.wait_until_primary();
    EXPECT_EQ(all_rows(again), expected);
  }
}

void set_checksums(PostgresServer& postgres, const std::string& option) {
  postgres.stop();
  const CommandResult result = run_command({.argv = {find_tool(postgres.major(), "pg_checksums"),
                                                     option, "-D", postgres.data_directory()}});
  ASSERT_EQ(result.exit_code, 0) << result.out << result.err;
  postgres.start();
}

// pg_checksums writes no WAL, so incremental backups do not have the pages that it has changed.
TEST(Consolidate, RefusesToMixPagesWithAndWithoutChecksums) {
  IncrementalSite site;
  const std::string with = site.take_backup();
  set_checksums(site.postgres, "--disable");
  site.postgres.query("UPDATE changing SET text = 'first' WHERE id <= 100");
  const std::string without = site.take_incremental(with);
  set_checksums(site.postgres, "--enable");
  site.postgres.query("UPDATE changing SET text = 'second' WHERE id <= 100");
  const CommandResult mixed =
      site.barman.run({"backup", "--wait", "--incremental", without, "main"});
  ASSERT_EQ(mixed.exit_code, 0) << mixed.err;
  EXPECT_THAT(mixed.err, HasSubstr("was taken with `data_checksums = off`. Take a new full"));
  const std::string again = site.listed_backups().front();
  const std::map<std::string, Rows> rows = all_rows(site.postgres);
  site.archive_a_segment();

  const std::vector<std::string> before = site.listed_backups();
  const CommandResult refused = site.barman.run({"consolidate", "main", again});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("was taken with data checksums, and some backups that "
                                           "it builds on without"),
                                 HasSubstr("Take a new full backup")));
  EXPECT_EQ(site.listed_backups(), before);
  Restored restored(site, again);
  ASSERT_EQ(restored.result.exit_code, 0) << restored.result.err;
  EXPECT_THAT(restored.result.err, HasSubstr("checksums"));
  PostgresServer server({.data_directory = restored.data});
  server.wait_until_primary();
  EXPECT_EQ(all_rows(server), rows);

  // The newest says that its pages have none, so nobody looks for them.
  const CommandResult made = site.barman.run({"consolidate", "main", without});
  ASSERT_EQ(made.exit_code, 0) << made.out << made.err;
  for (const std::string& id : site.listed_backups()) {
    EXPECT_EQ(site.barman.run({"verify-backup", "main", id}).exit_code, 0) << id;
  }
}

TEST(Consolidate, LeavesAnEncryptedChainAloneWhenItFails) {
  encryption::TestKeyring keyring;
  IncrementalSite site(kUsualMajor, {{"backup_compression", "none"},
                                     {"encryption", "gpg"},
                                     {"encryption_key_id", encryption::TestKeyring::kKey},
                                     {"encryption_passphrase_command", "echo open sesame"}});
  const std::string full = site.take_backup();
  site.postgres.query("UPDATE changing SET text = 'first' WHERE id <= 100");
  const std::string first = site.take_incremental("last");
  site.archive_a_segment();
  const fs::path archive =
      site.barman.server_directory("main") / "base" / full / "data" / "base.tar.gpg";
  const std::uintmax_t size = fs::file_size(archive);
  fs::copy_file(archive, site.barman.server_directory("main") / "intact");
  fs::resize_file(archive, size / 2);
  const CommandResult damaged = site.barman.run({"consolidate", "main", first});
  EXPECT_EQ(damaged.exit_code, 1);
  EXPECT_THAT(damaged.err, HasSubstr(archive.string()));
  const std::string failed = site.listed_backups().front();
  EXPECT_EQ(site.status_of(failed), "FAILED");
  EXPECT_EQ(site.status_of(first), "DONE");

  fs::rename(site.barman.server_directory("main") / "intact", archive);
  for (const auto& [fault, code] :
       {std::pair(Fault{.system_call = "pwrite64", .when = 3}, 137),
        std::pair(Fault{.system_call = "pwrite64", .when = 3, .action = "error=ENOSPC"}, 1)}) {
    const CommandResult ended =
        run_command(with_fault(site.barman.request({"consolidate", "main", first}), fault));
    EXPECT_EQ(ended.exit_code, code) << ended.err;
    EXPECT_NE(site.status_of(site.listed_backups().front()), "DONE");
    EXPECT_EQ(site.status_of(first), "DONE");
  }
  const CommandResult again = site.barman.run({"consolidate", "main", first});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(site.barman.run({"verify-backup", "main", site.listed_backups().front()}).exit_code, 0);
}

}  // namespace
}  // namespace barman::test

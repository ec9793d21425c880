// verify-backup: what it finds in a backup that somebody or something has changed, on every version
// of PostgreSQL, and that it finds nothing in a good one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>

#include "support/catalogue_files.h"
#include "support/streaming_site.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::HasSubstr;

// A good backup of a server that writes, with a tablespace.
struct VerifiedSite : StreamingSite {
  explicit VerifiedSite(int major = kUsualMajor)
      : StreamingSite({.postgres = {.major = major, .tablespaces = {"ts"}}}) {
    start_receiver();
    postgres.query(
        "CREATE TABLE here AS SELECT g AS id, repeat('x', 500) AS text "
        "FROM generate_series(1, 20000) g");
    postgres.query("CREATE TABLE there TABLESPACE ts AS SELECT generate_series(1, 1000) AS id");
    archive_a_segment();
    id = take_backup();
    data = server_directory() / "base" / id / "data";
    const Fields fields = read_backup_info(barman, "main", id);
    begin_wal = archived_wal(barman, "main", fields.at("begin_wal"));
  }
  std::string relation(const std::string& table) const {
    return postgres.value("SELECT pg_relation_filepath('" + table + "')");
  }
  CommandResult verify() { return barman.run({"verify-backup", "main", id}); }

  std::string id;
  fs::path data;
  fs::path begin_wal;
};

class VerifyBackup : public testing::TestWithParam<int> {};

TEST_P(VerifyBackup, FindsNothingInAGoodBackup) {
  VerifiedSite site(GetParam());
  const CommandResult result = site.verify();
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.err, "");
  EXPECT_THAT(result.out, AllOf(HasSubstr("Verifying backup '" + site.id + "' on server main\n"),
                                HasSubstr("backup successfully verified\n")));
}

INSTANTIATE_TEST_SUITE_P(PostgreSQL, VerifyBackup, testing::ValuesIn(all_majors()),
                         testing::PrintToStringParamName());

struct Damage {
  std::string name;
  std::function<void(VerifiedSite&)> inflict;
  std::string finding;
};

class DamagedBackup : public testing::TestWithParam<Damage> {};

TEST_P(DamagedBackup, IsFound) {
  VerifiedSite site;
  ASSERT_EQ(site.verify().exit_code, 0);
  GetParam().inflict(site);
  const CommandResult result = site.verify();
  EXPECT_EQ(result.exit_code, 1) << result.out;
  EXPECT_THAT(result.err, HasSubstr("ERROR: verify backup failure on directory '" +
                                    site.data.string() + "'\n"));
  EXPECT_THAT(result.err, HasSubstr(GetParam().finding));
  EXPECT_THAT(result.err, HasSubstr("\nHINT: Do not rely on this backup"));
}

const std::vector<Damage>& damages() {
  static const std::vector<Damage> kDamages = {
      {"ExtraFile", [](VerifiedSite& site) { write_text(site.data / "base" / "stray", "x"); },
       "\"base/stray\" is in the backup, but not in its manifest"},
      {"MissingFile", [](VerifiedSite& site) { fs::remove(site.data / "PG_VERSION"); },
       "\"PG_VERSION\" is missing"},
      {"MissingFileOfATablespace",
       [](VerifiedSite& site) {
         const std::string path = site.relation("there").substr(std::string("pg_tblspc/").size());
         fs::remove(site.data.parent_path() / path);
       },
       "is missing"},
      {"TruncatedFile",
       [](VerifiedSite& site) { fs::resize_file(site.data / site.relation("here"), 8192); },
       "has 8192 bytes instead of"},
      {"ExtendedFile",
       [](VerifiedSite& site) {
         const fs::path path = site.data / "global" / "pg_control";
         fs::resize_file(path, fs::file_size(path) + 1);
       },
       "\"global/pg_control\" has 8193 bytes instead of 8192"},
      {"FlippedBit",
       [](VerifiedSite& site) { flip_bit(site.data / site.relation("here"), 100000); },
       "page(s) with a wrong checksum, the first is block 12"},
      {"SwappedFiles",
       [](VerifiedSite& site) {
         const std::string first = read_text(site.data / "PG_VERSION");
         const std::string second = "99\n";
         ASSERT_EQ(first.size(), second.size());
         write_text(site.data / "PG_VERSION", second);
       },
       "\"PG_VERSION\" is damaged: its checksum is"},
      {"BrokenManifest", [](VerifiedSite& site) { flip_bit(site.data / "backup_manifest", 200); },
       "backup_manifest"},
      {"MissingManifest", [](VerifiedSite& site) { fs::remove(site.data / "backup_manifest"); },
       "\"backup_manifest\" is not in the backup"},
      {"LinkInsteadOfAFile",
       [](VerifiedSite& site) {
         fs::remove(site.data / "PG_VERSION");
         fs::create_symlink("/etc/passwd", site.data / "PG_VERSION");
       },
       "is neither a file nor a directory"},
      {"MissingWal", [](VerifiedSite& site) { fs::remove(site.begin_wal); }, "is missing"},
      {"TruncatedWal", [](VerifiedSite& site) { fs::resize_file(site.begin_wal, 500000); },
       "the segment is shorter than it must be"},
      {"CorruptWal",
       [](VerifiedSite& site) {
         // The checksum field of the first record that the backup needs.
         const Fields fields = read_backup_info(site.barman, "main", site.id);
         const std::size_t offset = std::stoul(fields.at("begin_offset"));
         flip_bit(site.begin_wal, offset + 20);
       },
       "the record has a wrong checksum"},
      {"ForeignWal", [](VerifiedSite& site) { flip_bit(site.begin_wal, 24); },
       "the segment is of another cluster"},
  };
  return kDamages;
}

INSTANTIATE_TEST_SUITE_P(By, DamagedBackup, testing::ValuesIn(damages()),
                         [](const auto& test) { return test.param.name; });

TEST(VerifyBackupOf, PagesThatWereDamagedBeforeTheBackup) {
  StreamingSite site;
  site.start_receiver();
  site.postgres.query("CREATE TABLE here AS SELECT generate_series(1, 10000) AS id");
  site.postgres.query("CHECKPOINT");
  const std::string relation = site.postgres.value("SELECT pg_relation_filepath('here')");
  site.postgres.stop();
  flip_bit(site.postgres.data_directory() / relation, 3 * 8192 + 5000);
  site.postgres.start();
  site.archive_a_segment();
  // PostgreSQL reports the page and the backup stays.
  const CommandResult backup = site.barman.run({"backup", "--wait", "main"});
  const std::string id = site.listed_backups().front();
  EXPECT_EQ(site.status_of(id), "DONE") << backup.err;
  const CommandResult result = site.barman.run({"verify-backup", "main", id});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(
      result.err,
      HasSubstr("\"" + relation + "\" has 1 page(s) with a wrong checksum, the first is block 3"));
}

// What PostgreSQL itself finds while it sends a backup is kept, shown, and told by the exit code.
TEST(BackupOfADamagedCluster, IsKeptAndSaysSo) {
  StreamingSite site;
  site.start_receiver();
  site.postgres.query("CREATE TABLE hurt AS SELECT generate_series(1, 5000) AS id");
  site.postgres.query("CHECKPOINT");
  const fs::path file =
      site.postgres.data_directory() / site.postgres.value("SELECT pg_relation_filepath('hurt')");
  site.archive_a_segment();
  site.postgres.stop();
  flip_bit(file, 8192 + 4000);
  site.postgres.start();
  const CommandResult result = site.barman.run({"backup", "--wait", "main"});
  EXPECT_EQ(result.exit_code, 1) << result.out;
  EXPECT_THAT(result.err, HasSubstr("PostgreSQL found corrupt pages"));
  const std::string id = site.listed_backups().front();
  EXPECT_EQ(site.status_of(id), "DONE");
  EXPECT_THAT(site.barman.run({"show-backup", "main", id}).out,
              HasSubstr("PostgreSQL found corrupt pages while it sent the backup"));
  EXPECT_THAT(site.barman.log(), HasSubstr("checksum verification fail"));
  EXPECT_EQ(site.barman.run({"verify-backup", "main", id}).exit_code, 1);
}

}  // namespace
}  // namespace barman::test

// export-backup and import-backup: a backup that was deleted comes back from its file and can be
// restored; files that are damaged, renamed or of another cluster are refused and leave nothing.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>

#include <fstream>

#include "base/fd.h"
#include "base/process.h"
#include "support/catalogue_files.h"
#include "support/streaming_site.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

// A server with a table in a tablespace, one backup of it, and a place for exported files.
struct ExportSite : StreamingSite {
  ExportSite() : StreamingSite({.postgres = {.tablespaces = {"ts"}}}) {
    start_receiver();
    postgres.query("CREATE TABLE rows TABLESPACE ts AS SELECT generate_series(1, 1000) AS id");
    archive_a_segment();
    id = take_backup();
  }
  fs::path export_to_file(const std::vector<std::string>& options = {}) {
    std::vector<std::string> arguments = {"export-backup"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    arguments.insert(arguments.end(), {"main", id, place.path().string()});
    const CommandResult result = barman.run(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.err, "");
    const std::string prefix = "Export completed successfully: ";
    const std::size_t at = result.out.find(prefix);
    EXPECT_NE(at, std::string::npos) << result.out;
    const std::string path = result.out.substr(at + prefix.size());
    return path.substr(0, path.find('\n'));
  }
  CommandResult import(const fs::path& file) {
    return barman.run({"import-backup", "main", file.string()});
  }
  void delete_backup() { ASSERT_EQ(barman.run({"delete", "main", id}).exit_code, 0); }
  // Nothing of a refused import is left.
  void expect_nothing_imported() {
    EXPECT_THAT(listed_backups(), testing::IsEmpty());
    EXPECT_THAT(names_in(server_directory() / "base"), testing::IsEmpty());
  }

  TempDir place;
  std::string id;
};

class ExportedBackup : public testing::TestWithParam<std::string> {};

TEST_P(ExportedBackup, ComesBackAndIsRestored) {
  ExportSite site;
  std::vector<std::string> options;
  if (GetParam() != "none") options = {"--compression", GetParam(), "--compression-level", "1"};
  const fs::path file = site.export_to_file(options);
  EXPECT_EQ(fs::status(file).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_THAT(names_in(site.place.path()), ElementsAre(file.filename().string()));
  const Fields before = read_backup_info(site.barman, "main", site.id);
  site.delete_backup();

  const CommandResult imported = site.import(file);
  ASSERT_EQ(imported.exit_code, 0) << imported.err;
  EXPECT_EQ(imported.err, "");
  EXPECT_EQ(imported.out, "Importing backup from '" + file.string() +
                              "' to server 'main'\nSuccessfully imported backup '" + site.id +
                              "' into server 'main'\n");
  EXPECT_EQ(read_backup_info(site.barman, "main", site.id), before);
  EXPECT_THAT(site.barman.run({"keep", "--status", "main", site.id}).out,
              HasSubstr("Keep: standalone"));
  const CommandResult verified = site.barman.run({"verify-backup", "main", site.id});
  EXPECT_EQ(verified.exit_code, 0) << verified.err;

  const TempDir target;
  const fs::path destination = target.path() / "data";
  const CommandResult restored = site.barman.run(
      {"restore", "--tablespace", "ts:" + (target.path() / "ts").string(), "--target-immediate",
       "--target-action", "promote", "main", site.id, destination.string()});
  ASSERT_EQ(restored.exit_code, 0) << restored.err;
  PostgresServer server({.data_directory = destination});
  server.wait_until_primary();
  EXPECT_EQ(server.value("SELECT sum(id) FROM rows"), "500500");
}

INSTANTIATE_TEST_SUITE_P(With, ExportedBackup, testing::Values("none", "gzip", "bzip2", "xz"),
                         [](const auto& test) { return test.param; });

TEST(ExportedFile, HasTheMembersOfTheFormatInOrder) {
  ExportSite site;
  const fs::path file = site.export_to_file();
  const ProcessResult listed = run_process({.argv = {"tar", "tf", file.string()}});
  ASSERT_EQ(listed.exit_code, 0) << listed.standard_error;
  const Fields fields = read_backup_info(site.barman, "main", site.id);
  const std::string wal = fields.at("begin_wal");
  EXPECT_THAT(listed.standard_output,
              testing::StartsWith("identity.json\nbackup.info\nbarman.json\nbackup/\n"));
  EXPECT_THAT(listed.standard_output,
              AllOf(HasSubstr("\nbackup/data/PG_VERSION\n"),
                    HasSubstr("\nwals/" + wal.substr(0, 16) + "/" + wal + "\n"),
                    testing::EndsWith("\nxlog.db\n")));
}

TEST(Import, RefusesADamagedFileAndLeavesNothing) {
  ExportSite site;
  const fs::path file = site.export_to_file();
  site.delete_backup();
  std::string content = read_text(file);
  for (const std::size_t at : {std::size_t{600}, content.size() / 2}) {
    std::string damaged = content;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    std::ofstream(file, std::ios::binary | std::ios::trunc) << damaged;
    const CommandResult result = site.import(file);
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.err, HasSubstr("Tarball checksum mismatch: filename contains '"));
    site.expect_nothing_imported();
  }
  std::ofstream(file, std::ios::binary | std::ios::trunc) << content.substr(0, 100000);
  EXPECT_THAT(site.import(file).err, HasSubstr("Tarball checksum mismatch"));
  site.expect_nothing_imported();
}

TEST(Import, RefusesWhatIsNoExportOfThisServer) {
  ExportSite site;
  const fs::path file = site.export_to_file();
  const auto expect_refused = [&](const fs::path& path, const std::string& text) {
    const CommandResult result = site.import(path);
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.err, HasSubstr(text));
  };
  expect_refused(file, "Backup '" + site.id + "' already exists in the catalog for server 'main'");
  site.delete_backup();
  expect_refused("/nowhere/x.tar", "Tarball file '/nowhere/x.tar' does not exist");
  expect_refused(site.place.path(), "is not a file");
  const fs::path text = site.place.path() / "text.tar";
  std::ofstream(text) << "no tar";
  expect_refused(text, "File '" + text.string() + "' is not a valid tar file");
  const fs::path renamed = site.place.path() / "backup-export-other.tar";
  fs::copy_file(file, renamed);
  expect_refused(renamed, "Expected filename to start with 'backup-export-main-'.");
  const fs::path foreign = site.server_directory() / "identity.json";
  std::ofstream(foreign) << R"({"systemid": "1", "version": "15"})";
  expect_refused(file, "Server identity mismatch: exported backup has systemid '");
  site.expect_nothing_imported();
}

TEST(Import, RefusesWalThatIsThereWithOtherContent) {
  ExportSite site;
  const fs::path file = site.export_to_file();
  const std::string wal = read_backup_info(site.barman, "main", site.id).at("begin_wal");
  site.delete_backup();
  const fs::path path = archived_wal(site.barman, "main", wal);
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::trunc) << "other";
  const CommandResult result = site.import(file);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("WAL file(s) already exist in target server with conflicting "
                                    "content: " +
                                    wal));
  EXPECT_EQ(read_text(path), "other");
  site.expect_nothing_imported();
}

TEST(Import, ThatWasKilledIsRepeated) {
  ExportSite site;
  const fs::path file = site.export_to_file();
  site.delete_backup();
  // What a kill leaves behind: staging, and a directory without metadata.
  fs::create_directories(site.server_directory() / "base" / ".import-abcdefgh" / "backup");
  fs::create_directories(site.server_directory() / "base" / site.id / "data");
  EXPECT_EQ(site.import(file).exit_code, 0);
  EXPECT_THAT(site.listed_backups(), ElementsAre(site.id));
  EXPECT_THAT(names_in(site.server_directory() / "base"), ElementsAre(site.id));
  EXPECT_EQ(site.barman.run({"verify-backup", "main", site.id}).exit_code, 0);
}

TEST(Export, RemovesWhatAKilledOneHasLeft) {
  ExportSite site;
  const fs::path place = site.place.path();
  const std::string prefix = "backup-export-main-" + site.id + "-";
  const fs::path killed = place / (prefix + "20200101T000000.tmp");
  const fs::path just_begun = place / (prefix + "20200102T000000.tmp");
  const fs::path written = place / (prefix + "20200103T000000.tmp");
  for (const fs::path& path : {killed, just_begun, written}) write_text(path, "half");
  for (const fs::path& path : {killed, written}) {
    fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::hours(1));
  }
  const Fd writer = open_file(written, O_RDONLY);
  ASSERT_EQ(::flock(writer.get(), LOCK_EX | LOCK_NB), 0);
  site.export_to_file();
  EXPECT_FALSE(fs::exists(killed));
  EXPECT_TRUE(fs::exists(just_begun));
  EXPECT_TRUE(fs::exists(written));
}

TEST(Export, RefusesBeforeItWrites) {
  ExportSite site;
  const std::string place = site.place.path().string();
  const auto expect_refused = [&](const std::vector<std::string>& arguments,
                                  const std::string& text) {
    const CommandResult result = site.barman.run(arguments);
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.err, HasSubstr(text));
  };
  expect_refused({"export-backup", "main", site.id, "/nowhere"},
                 "Output directory '/nowhere' does not exist");
  expect_refused({"export-backup", "--compression-level", "3", "main", site.id, place},
                 "--compression-level requires --compression to be set");
  expect_refused({"export-backup", "--compression", "gzip", "--compression-level", "0", "main",
                  site.id, place},
                 "Invalid compression level '0' for algorithm 'gzip'. Valid levels are: 1, 2, 3, "
                 "4, 5, 6, 7, 8, 9");
  const std::string wal = read_backup_info(site.barman, "main", site.id).at("begin_wal");
  fs::remove(archived_wal(site.barman, "main", wal));
  expect_refused(
      {"export-backup", "main", site.id, place},
      "WAL file required for backup consistency not found for backup '" + site.id + "': " + wal);
  EXPECT_THAT(names_in(site.place.path()), testing::IsEmpty());
}

}  // namespace
}  // namespace barman::test

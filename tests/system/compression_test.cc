// Compressed backups of every form: taken, judged by the stock programs and by verify-backup,
// restored to a point in time, started, and compared by their rows.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>

#include "support/catalogue_files.h"
#include "support/streaming_site.h"
#include "support/temp_dir.h"
#include "support/writer.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

enum class Build { npm, debian };

struct StoredForm {
  int major = kUsualMajor;
  Build build = Build::npm;
  std::string algorithm = "gzip";
  std::string location = "";  // not set
  std::string format = "";    // not set
  std::string level = "";
  std::string workers = "";

  bool is_tar() const { return format != "plain"; }
};

std::string name_of(const StoredForm& form) {
  std::string name = fmt::format("{}_{}{}{}", form.algorithm, form.major,
                                 form.location.empty() ? "" : "_" + form.location,
                                 form.format.empty() ? "" : "_" + form.format);
  if (!form.level.empty()) {
    name += "_level" + (form.level.front() == '-' ? "minus" + form.level.substr(1) : form.level);
  }
  return name;
}

void PrintTo(const StoredForm& form, std::ostream* out) { *out << name_of(form); }

PostgresOptions postgres_options(const StoredForm& form) {
  PostgresOptions options{.major = form.major, .tablespaces = {"ts"}};
  if (form.build == Build::debian) options.bin_directory = get_debian_version().bin_directory;
  return options;
}

Settings settings_of(const StoredForm& form) {
  Settings settings{{"backup_compression", form.algorithm}};
  if (!form.location.empty()) settings["backup_compression_location"] = form.location;
  if (!form.format.empty()) settings["backup_compression_format"] = form.format;
  if (!form.level.empty()) settings["backup_compression_level"] = form.level;
  if (!form.workers.empty()) settings["backup_compression_workers"] = form.workers;
  return settings;
}

// The option of tar that unpacks with the stock program.
std::string tar_option(const std::string& algorithm) {
  if (algorithm == "none") return "--no-auto-compress";
  return "--use-compress-program=" + algorithm;
}

std::string extension_of(const std::string& algorithm) {
  if (algorithm == "none") return "";
  if (algorithm == "gzip") return ".gz";
  return algorithm == "zstd" ? ".zst" : ".lz4";
}

struct CompressedSite : StreamingSite {
  explicit CompressedSite(const StoredForm& wanted)
      : StreamingSite({.postgres = postgres_options(wanted), .server = settings_of(wanted)}),
        form(wanted) {
    start_receiver();
    postgres.query(
        "CREATE TABLE here AS SELECT g AS id, md5(g::text) || repeat('x', 500) AS text "
        "FROM generate_series(1, 30000) g");
    postgres.query("CREATE TABLE there TABLESPACE ts AS SELECT generate_series(1, 1000) AS id");
    archive_a_segment();
    id = take_backup();
    data = server_directory() / "base" / id / "data";
    oid = postgres.value("SELECT oid FROM pg_tablespace WHERE spcname = 'ts'");
  }

  fs::path archive(const std::string& stem) const {
    return data / (stem + ".tar" + extension_of(form.algorithm));
  }

  const StoredForm form;
  std::string id;
  fs::path data;
  std::string oid;
};

void expect_files(const CompressedSite& site) {
  const Fields fields = read_backup_info(site.barman, "main", site.id);
  if (!site.form.is_tar()) {
    EXPECT_EQ(fields.at("compression"), "None");
    EXPECT_TRUE(fs::exists(site.data / "PG_VERSION"));
    EXPECT_EQ(site.backup_damage(site.id), "");
    return;
  }
  EXPECT_EQ(fields.at("compression"), site.form.algorithm);
  EXPECT_TRUE(fs::is_regular_file(site.archive("base")));
  EXPECT_TRUE(fs::is_regular_file(site.archive(site.oid)));
  EXPECT_TRUE(fs::is_regular_file(site.data / "backup_manifest"));
  EXPECT_TRUE(fs::is_empty(site.data.parent_path() / site.oid));
  std::uint64_t size = 0;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(site.data)) {
    if (entry.is_regular_file()) size += entry.file_size();
  }
  EXPECT_EQ(fields.at("size"), std::to_string(size));
  EXPECT_THAT(fields.at("backup_label"), HasSubstr("START WAL LOCATION"));
}

// What somebody does who has the files and no barman.
void expect_stock_programs_unpack(const CompressedSite& site) {
  if (!site.form.is_tar()) return;
  const TempDir place;
  const auto unpack = [&](const std::string& stem, const fs::path& target) {
    fs::create_directories(target);
    run_checked({.argv = {"tar", tar_option(site.form.algorithm), "-x", "-f",
                          site.archive(stem).string(), "-C", target.string()}});
  };
  unpack("base", place.path());
  EXPECT_THAT(read_text(place.path() / "tablespace_map"),
              HasSubstr(site.postgres.tablespace_directory("ts").string()));
  const fs::path tablespace = place.path() / "pg_tblspc" / site.oid;
  fs::remove(tablespace);
  unpack(site.oid, tablespace);
  if (site.form.major != 15 && site.form.major != 17) return;  // there are tools of these
  fs::copy_file(site.data / "backup_manifest", place.path() / "backup_manifest");
  const CommandResult verified =
      run_command({.argv = {find_tool(site.form.major, "pg_verifybackup"), "--no-parse-wal",
                            place.path().string()}});
  EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
}

void expect_reports(CompressedSite& site) {
  const CommandResult verified = site.barman.run({"verify-backup", "main", site.id});
  EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
  EXPECT_EQ(verified.err, "");
  const CommandResult shown = site.barman.run({"show-backup", "main", site.id});
  EXPECT_EQ(shown.exit_code, 0);
  const bool is_compressed = site.form.is_tar() && site.form.algorithm != "none";
  if (is_compressed) {
    EXPECT_THAT(shown.out, HasSubstr("Backup Compression   : " + site.form.algorithm));
  } else {
    EXPECT_THAT(shown.out, Not(HasSubstr("Backup Compression")));
  }
  const CommandResult checked = site.barman.run({"check", "main"});
  EXPECT_EQ(checked.exit_code, 0) << checked.out;
}

// Restores to the restore point "here", which is between two rows.
void expect_restore(CompressedSite& site) {
  const TempDir place;
  const CommandResult restored = site.barman.run(
      {"restore", "--target-name", "here", "--target-action", "promote", "--tablespace",
       "ts:" + (place.path() / "ts").string(), "main", site.id, (place.path() / "data").string()});
  ASSERT_EQ(restored.exit_code, 0) << restored.out << restored.err;
  EXPECT_EQ(restored.err, "");
  EXPECT_FALSE(fs::exists(place.path() / "data" / "tablespace_map"));
  EXPECT_TRUE(fs::exists(place.path() / "data" / ("backup_manifest." + site.id)));
  EXPECT_EQ(fs::read_symlink(place.path() / "data" / "pg_tblspc" / site.oid), place.path() / "ts");
  PostgresServer server({.major = site.form.major, .data_directory = place.path() / "data"});
  server.wait_until_primary();
  EXPECT_EQ(server.value("SELECT count(*) || ' ' || sum(length(text)) FROM here"),
            site.postgres.value("SELECT count(*) || ' ' || sum(length(text)) FROM here"));
  EXPECT_EQ(server.value("SELECT sum(id) FROM there"), "500500");
  EXPECT_EQ(sorted_rows(server, "marks"), (Rows{{"before"}}));
}

class Compression : public testing::TestWithParam<StoredForm> {};

INSTANTIATE_TEST_SUITE_P(
    OfTheClient, Compression,
    testing::Values(StoredForm{.major = 13}, StoredForm{.major = 14, .level = "-1"},
                    StoredForm{.major = 15, .location = "client", .format = "tar", .level = "9"},
                    StoredForm{.major = 16}, StoredForm{.major = 17}, StoredForm{.major = 18},
                    StoredForm{.major = 13, .algorithm = "none"}, StoredForm{.algorithm = "none"},
                    StoredForm{.major = 14, .algorithm = "lz4"},
                    StoredForm{.algorithm = "lz4", .level = "12"},
                    StoredForm{.major = 13, .algorithm = "zstd"},
                    StoredForm{.algorithm = "zstd", .level = "-5", .workers = "3"},
                    StoredForm{.major = 18, .algorithm = "zstd"}),
    [](const auto& tested) { return name_of(tested.param); });
INSTANTIATE_TEST_SUITE_P(
    OfTheServer, Compression,
    testing::Values(
        StoredForm{.major = 15, .location = "server", .level = "1"},
        StoredForm{.major = 16, .location = "server"}, StoredForm{.location = "server"},
        StoredForm{.major = 18, .location = "server"},
        StoredForm{.location = "server", .format = "plain"},
        StoredForm{.algorithm = "none", .location = "server", .format = "plain"},
        StoredForm{.major = 15, .build = Build::debian, .algorithm = "lz4", .location = "server"},
        StoredForm{.major = 15,
                   .build = Build::debian,
                   .algorithm = "zstd",
                   .location = "server",
                   .level = "5",
                   .workers = "2"},
        StoredForm{.major = 15,
                   .build = Build::debian,
                   .algorithm = "zstd",
                   .location = "server",
                   .format = "plain"}),
    [](const auto& tested) { return name_of(tested.param); });

TEST_P(Compression, IsReadByStockProgramsVerifiedRestoredAndStarted) {
  CompressedSite site(GetParam());
  expect_files(site);
  expect_stock_programs_unpack(site);
  expect_reports(site);
  site.postgres.query("CREATE TABLE marks (mark text)");
  site.postgres.query("INSERT INTO marks VALUES ('before')");
  site.postgres.query("SELECT pg_create_restore_point('here')");
  site.postgres.query("INSERT INTO marks VALUES ('after')");
  site.archive_a_segment();
  expect_restore(site);
}

// What Barman leaves: archives of pg_basebackup, and no index.
class ForeignArchive : public testing::TestWithParam<StoredForm> {};

INSTANTIATE_TEST_SUITE_P(Of, ForeignArchive,
                         testing::Values(StoredForm{}, StoredForm{.algorithm = "zstd"},
                                         StoredForm{.algorithm = "none"},
                                         StoredForm{.algorithm = "lz4"}),
                         [](const auto& tested) { return name_of(tested.param); });

TEST_P(ForeignArchive, IsVerifiedAndRestored) {
  CompressedSite site(GetParam());
  // The same archives as another program writes them: one frame, other padding, no index.
  for (const std::string& stem : {std::string("base"), site.oid}) {
    const TempDir place;
    run_checked({.argv = {"tar", tar_option(site.form.algorithm), "-x", "-f",
                          site.archive(stem).string(), "-C", place.path().string()}});
    fs::remove(site.archive(stem));
    fs::remove(site.data / (stem + ".index"));
    run_checked(
        {.argv = {"tar", tar_option(site.form.algorithm), "-c", "-f", site.archive(stem).string(),
                  "--format=ustar", "-C", place.path().string(), "."}});
  }
  expect_reports(site);
  EXPECT_FALSE(fs::exists(site.data / "base.index")) << "reading through needs none";
  site.postgres.query("CREATE TABLE marks (mark text)");
  site.postgres.query("INSERT INTO marks VALUES ('before')");
  site.postgres.query("SELECT pg_create_restore_point('here')");
  site.archive_a_segment();
  expect_restore(site);
}

TEST(CompressionRules, AnOldServerThatCannotCompressIsRefusedByCheckAndBackup) {
  StreamingSite site(
      {.postgres = {.major = 14},
       .server = {{"backup_compression", "gzip"}, {"backup_compression_location", "server"}}});
  site.start_receiver();
  site.archive_a_segment();
  const CommandResult backup = site.barman.run({"backup", "main"});
  EXPECT_EQ(backup.exit_code, 1);
  EXPECT_THAT(backup.err, HasSubstr("Impossible to start the backup"));
  EXPECT_TRUE(site.listed_backups().empty());
  const CommandResult check = site.barman.run({"check", "main"});
  EXPECT_EQ(check.exit_code, 1);
  EXPECT_THAT(check.out, HasSubstr("PostgreSQL 15"));
}

TEST(CompressionRules, AServerBuiltWithoutTheAlgorithmSaysSo) {
  StreamingSite site(
      {.server = {{"backup_compression", "zstd"}, {"backup_compression_location", "server"}}});
  site.start_receiver();
  site.archive_a_segment();
  const CommandResult backup = site.barman.run({"backup", "main"});
  EXPECT_EQ(backup.exit_code, 1);
  EXPECT_THAT(backup.err, HasSubstr("ZSTD"));
  EXPECT_EQ(site.status_of(site.listed_backups().at(0)), "FAILED");
}

}  // namespace
}  // namespace barman::test

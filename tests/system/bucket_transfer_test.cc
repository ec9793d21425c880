// export-backup and import-backup of a server whose backups live in a bucket, with a real object
// store: straight out of it, and straight back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/process.h"
#include "support/bucket_site.h"
#include "support/catalogue_files.h"
#include "support/object_server.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::HasSubstr;

TEST(BucketTransfer, ABackupGoesOutAsAPlainOneAndComesBackAndIsRestored) {
  if (!ObjectServer::is_available()) GTEST_SKIP() << ObjectServer::kUnavailable;
  use_object_server();
  BucketSite site("transfer", {{"backup_compression", "zstd"}});
  const CommandResult taken = site.barman.run({"backup", "--wait", "main"});
  ASSERT_EQ(taken.exit_code, 0) << taken.out << taken.err;
  const std::string id = site.listed_backups().front();
  const std::vector<std::string> objects = site.objects_of(id);
  const TempDir place;
  const CommandResult exported =
      site.barman.run({"export-backup", "main", id, place.path().string()});
  ASSERT_EQ(exported.exit_code, 0) << exported.out << exported.err;
  EXPECT_EQ(exported.err, "");
  EXPECT_FALSE(fs::exists(site.server_directory() / "base"));
  const auto names = names_in(place.path());
  ASSERT_EQ(names.size(), 1U);
  const std::string file = (place.path() / names.front()).string();
  const ProcessResult listed = run_process({.argv = {"tar", "tf", file}});
  EXPECT_EQ(listed.exit_code, 0) << listed.standard_error;
  EXPECT_THAT(listed.standard_output,
              AllOf(testing::StartsWith("identity.json\nbackup.info\nbarman.json\nbackup/\n"),
                    HasSubstr("\nbackup/data/global/pg_control\n"),
                    HasSubstr("\nbackup/data/backup_manifest\n"),
                    HasSubstr("\nbackup/" + site.tablespaces().front()[1] + "/PG_"),
                    testing::EndsWith("\nxlog.db\n")));
  const CommandResult twice = site.barman.run({"import-backup", "main", file});
  EXPECT_EQ(twice.exit_code, 1);
  EXPECT_THAT(twice.err, HasSubstr("Backup '" + id + "' already exists in the catalog"));

  ASSERT_EQ(site.barman.run({"delete", "main", id}).exit_code, 0);
  const CommandResult imported = site.barman.run({"import-backup", "main", file});
  ASSERT_EQ(imported.exit_code, 0) << imported.out << imported.err;
  EXPECT_EQ(imported.err, "");
  EXPECT_EQ(site.status_of(id), "DONE");
  std::vector<std::string> and_keep = objects;
  and_keep.emplace_back("annotations/keep");
  EXPECT_THAT(site.objects_of(id), testing::UnorderedElementsAreArray(and_keep));
  EXPECT_FALSE(fs::exists(site.server_directory() / "base"));
  EXPECT_THAT(site.barman.run({"keep", "--status", "main", id}).out, HasSubstr("standalone"));
  const CommandResult verified = site.barman.run({"verify-backup", "main", id});
  EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
  site.expect_restored(id);
}

}  // namespace
}  // namespace barman::test

#include "backup/base_backup_receiver.h"

#include <gtest/gtest.h>

#include "backup/stream_model.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/test_support.h"

namespace barman::backup {
namespace {

namespace fs = std::filesystem;

// "" when it is complete.
std::string refusal(const std::set<Defect>& defects, catalogue::StoredForm format,
                    const fs::path& directory) {
  const StreamModel model(defects);
  try {
    receive_messages(model.messages(), model, format, directory);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::corrupt) << error.describe();
    return error.describe();
  }
  return "";
}

TEST(BaseBackupReceiver, TakesAWholeBackup) {
  const TemporaryDirectory plain;
  ASSERT_EQ(refusal({}, catalogue::StoredForm::plain, plain.path()), "");
  EXPECT_EQ(read_file(plain.path() / "data/PG_VERSION"), "17\n");
  EXPECT_EQ(read_file(plain.path() / "data/pg_tblspc/16385/PG_17_202406281/5/2"), "in place");
  EXPECT_EQ(fs::read_symlink(plain.path() / "data/pg_tblspc/16384"), plain.path() / "16384");
  EXPECT_EQ(fs::file_size(plain.path() / "16384/PG_17_202406281/5/1"), 9000U);
  const TemporaryDirectory tar;
  ASSERT_EQ(refusal({}, catalogue::StoredForm::tar, tar.path()), "");
  for (const char* const name : {"base.tar", "16384.tar", "16385.tar", "backup_manifest"})
    EXPECT_TRUE(fs::exists(tar.path() / "data" / name)) << name;
}

TEST(BaseBackupReceiver, RefusesEveryDefect) {
  for (int number = 0; number < static_cast<int>(Defect::count); ++number) {
    for (const catalogue::StoredForm format :
         {catalogue::StoredForm::plain, catalogue::StoredForm::tar}) {
      const TemporaryDirectory directory;
      EXPECT_NE(refusal({static_cast<Defect>(number)}, format, directory.path()), "")
          << "defect " << number << (format == catalogue::StoredForm::plain ? " plain" : " tar");
    }
  }
}

TEST(BaseBackupReceiver, SaysWhatIsMissing) {
  const auto told = [](Defect defect) {
    const TemporaryDirectory directory;
    return refusal({defect}, catalogue::StoredForm::plain, directory.path());
  };
  EXPECT_NE(told(Defect::no_manifest).find("no manifest"), std::string::npos);
  EXPECT_NE(told(Defect::no_end_blocks).find("the two blocks that end it are missing"),
            std::string::npos);
  EXPECT_NE(told(Defect::manifest_no_checksums).find("NONE instead of CRC32C"), std::string::npos);
  EXPECT_NE(told(Defect::manifest_names_twice).find("in the manifest twice"), std::string::npos);
  EXPECT_NE(told(Defect::strange_link).find("unexpected symbolic link \"conf\""),
            std::string::npos);
  EXPECT_NE(told(Defect::other_system_id).find("system identifier"), std::string::npos);
}

// A link that nobody announced is a tablespace that was made meanwhile: recovery makes it again.
TEST(BaseBackupReceiver, WritesNothingOutsideOfItsDirectories) {
  const TemporaryDirectory directory;
  make_directories(directory.path() / "backup");
  EXPECT_NE(
      refusal({Defect::wrong_location}, catalogue::StoredForm::plain, directory.path() / "backup"),
      "");
  EXPECT_FALSE(fs::exists(directory.path() / "evil"));
}

}  // namespace
}  // namespace barman::backup

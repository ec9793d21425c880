#include "copy/combined_manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/digest.h"
#include "copy/test_support.h"
#include "stored/manifest_index.h"

namespace barman::copy {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class CombinedManifestTest : public testing::Test {
 protected:
  std::string write(const std::map<std::string, std::string>& listed) {
    const std::filesystem::path target = directory_.path() / "new_manifest";
    combined_.write(put_manifest(directory_.path() / "backup_manifest", listed), target);
    return get_file(target);
  }

  const TemporaryDirectory directory_;
  CombinedManifest combined_;
};

TEST_F(CombinedManifestTest, ListsFilesAsTheyAreNow) {
  combined_.add("base/5/1259", 16384, 0x11223344);
  combined_.add("backup_label", 50, 0x55667788);
  combined_.add("pg_tblspc/16384/PG_17_1/5/1", 8192, 1);
  const std::string text = write({{"PG_VERSION", "17\n"},
                                  {"backup_label", "INCREMENTAL FROM LSN"},
                                  {"base/5/INCREMENTAL.1259", "blocks"},
                                  {"base/5/1260", "whole"},
                                  {"pg_tblspc/16384/PG_17_1/5/INCREMENTAL.1", "blocks"}});
  EXPECT_THAT(text, Not(HasSubstr("INCREMENTAL")));
  const auto index = stored::ManifestIndex::load(directory_.path() / "new_manifest");
  ASSERT_TRUE(index);
  const auto reconstructed = index->find("base/5/1259");
  ASSERT_TRUE(reconstructed);
  EXPECT_EQ(reconstructed->size_bytes, 16384U);
  EXPECT_EQ(reconstructed->algorithm, DigestAlgorithm::crc32c);
  EXPECT_EQ(reconstructed->checksum, crc32c_text(0x11223344));
  EXPECT_EQ(index->find("backup_label")->checksum, crc32c_text(0x55667788));
  EXPECT_EQ(index->find("pg_tblspc/16384/PG_17_1/5/1")->size_bytes, 8192U);
  // What was copied as it stands keeps what the backup says of it.
  EXPECT_EQ(index->find("base/5/1260")->checksum, expected_of("whole").checksum);
  EXPECT_EQ(index->find("PG_VERSION")->algorithm, DigestAlgorithm::sha256);
  // And so do the cluster and the WAL that it needs.
  EXPECT_EQ(index->facts().system_id, postgres::SystemId{7});
  ASSERT_EQ(index->facts().wal_ranges.size(), 1U);
  EXPECT_EQ(index->facts().wal_ranges[0].end, wal::Lsn{0x2000100});
}

TEST_F(CombinedManifestTest, RefusesAFileThatWasNotPutTogether) {
  combined_.add("base/5/1259", 16384, 0x11223344);
  EXPECT_THAT(refusal_of([&] {
                write({{"base/5/INCREMENTAL.1259", "x"}, {"global/INCREMENTAL.1260", "x"}});
              }),
              AllOf(StartsWith("corrupt: "), HasSubstr("\"global/INCREMENTAL.1260\"")));
}

TEST_F(CombinedManifestTest, AFileOfAUserKeepsItsName) {
  EXPECT_THAT(write({{"scripts/INCREMENTAL.1", "mine"}}), HasSubstr("scripts/INCREMENTAL.1"));
}

}  // namespace
}  // namespace barman::copy

#include "catalogue/chain_doubt.h"

#include <gtest/gtest.h>

#include "catalogue/test_support.h"

namespace barman::catalogue {
namespace {

const BackupId kFull{"20261101T000000"};
const BackupId kMiddle{"20261102T000000"};
const BackupId kLast{"20261103T000000"};

std::vector<BackupInfo> chain() {
  return {make_backup(kFull.value, "", ""), make_incremental(kMiddle.value, kFull.value),
          make_incremental(kLast.value, kMiddle.value)};
}

Annotations all_there() { return {.directories = std::set<BackupId>{kFull, kMiddle, kLast}}; }

TEST(ChainDoubt, NamesTheLinkThatIsMissingOrIncomplete) {
  std::vector<BackupInfo> backups = chain();
  Annotations annotations = all_there();
  EXPECT_EQ(find_chain_doubt(backups, annotations, backups[2]), "");
  annotations.directories->erase(kFull);
  EXPECT_EQ(find_chain_doubt(backups, annotations, backups[2]),
            "of ancestor 20261101T000000: its directory is missing");
  EXPECT_EQ(find_chain_doubt(backups, annotations, backups[1]),
            "of parent 20261101T000000: its directory is missing");
  EXPECT_EQ(find_chain_doubt(backups, annotations, backups[0]), "its directory is missing");
  backups[1].status = BackupStatus::failed;
  EXPECT_EQ(find_chain_doubt(backups, annotations, backups[2]),
            "its parent 20261102T000000 is FAILED");
  backups.erase(backups.begin() + 1);
  EXPECT_EQ(find_chain_doubt(backups, annotations, backups[1]),
            "its parent 20261102T000000 is not in the catalogue");
}

TEST(ChainDoubt, SeesAChainWithoutEnd) {
  std::vector<BackupInfo> backups = chain();
  backups[0] = make_incremental(kFull.value, kLast.value);
  EXPECT_EQ(find_chain_doubt(backups, all_there(), backups[2]), "its chain of parents has no end");
}

}  // namespace
}  // namespace barman::catalogue

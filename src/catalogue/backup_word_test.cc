#include "catalogue/backup_word.h"

#include <gtest/gtest.h>

namespace barman::catalogue {
namespace {

TEST(BackupWord, HasTheSpellingsOfBarman) {
  EXPECT_EQ(parse_backup_word("latest"), BackupWord::newest);
  EXPECT_EQ(parse_backup_word("last"), BackupWord::newest);
  EXPECT_EQ(parse_backup_word("last-full"), BackupWord::newest_full);
  EXPECT_EQ(parse_backup_word("first"), BackupWord::oldest);
  EXPECT_EQ(parse_backup_word("last-failed"), BackupWord::newest_failed);
  EXPECT_EQ(parse_backup_word("auto"), BackupWord::automatic);
  for (const char* const name : {"", "Latest", "lates", "latest ", "20261121T010000"}) {
    EXPECT_EQ(parse_backup_word(name), std::nullopt) << name;
  }
}

}  // namespace
}  // namespace barman::catalogue

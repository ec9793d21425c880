#include "postgres/page_checksum.h"

#include <cstring>
#include <vector>

#include <gtest/gtest.h>

namespace barman::postgres {
namespace {

// A page whose header says LSN 0/1000 and a free space that begins at 40.
std::vector<std::byte> make_page() {
  std::vector<std::byte> page(kPageSize);
  for (std::size_t i = 100; i < page.size(); ++i) page[i] = static_cast<std::byte>(i * 13);
  const std::uint32_t lsn_low = 0x1000;
  const std::uint16_t upper = 100;
  std::memcpy(page.data() + 4, &lsn_low, sizeof lsn_low);
  std::memcpy(page.data() + 14, &upper, sizeof upper);
  return page;
}

void set_checksum(std::vector<std::byte>& page, std::uint32_t block) {
  const std::uint16_t checksum = page_checksum(page, block);
  std::memcpy(page.data() + 8, &checksum, sizeof checksum);
}

TEST(PageChecksum, CoversContentAndPlace) {
  std::vector<std::byte> page = make_page();
  set_checksum(page, 7);
  EXPECT_EQ(check_page(page, 7, {0x2000}), PageState::good);
  EXPECT_EQ(check_page(page, 8, {0x2000}), PageState::damaged);
  page[5000] ^= std::byte{1};
  EXPECT_EQ(check_page(page, 7, {0x2000}), PageState::damaged);
}

TEST(PageChecksum, LeavesPagesToTheReplay) {
  std::vector<std::byte> page = make_page();
  EXPECT_EQ(check_page(page, 7, {0x1000}), PageState::replayed);
}

TEST(PageChecksum, TellsEmptyPagesFromDamagedOnes) {
  std::vector<std::byte> page(kPageSize);
  EXPECT_EQ(check_page(page, 0, {0}), PageState::empty);
  page[4000] = std::byte{1};
  EXPECT_EQ(check_page(page, 0, {0}), PageState::damaged);
}

TEST(PageChecksum, KnowsTheFilesOfRelations) {
  EXPECT_TRUE(parse_relation_path("base/5/1259"));
  EXPECT_TRUE(parse_relation_path("global/1262_fsm"));
  EXPECT_TRUE(parse_relation_path("pg_tblspc/16384/PG_15_202209061/5/16390"));
  EXPECT_EQ(parse_relation_path("base/5/16384.2")->first_block, 262144U);
  for (const char* path :
       {"global/pg_control", "base/5/pg_filenode.map", "base/5/PG_VERSION", "PG_VERSION",
        "base/5/16384.x", "base/5/16384_tmp", "pg_xact/0000", "pg_multixact/offsets/0000",
        "base/pgsql_tmp/1", "global/pg_internal.init"}) {
    EXPECT_FALSE(parse_relation_path(path)) << path;
  }
}

}  // namespace
}  // namespace barman::postgres

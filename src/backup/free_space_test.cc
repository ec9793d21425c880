#include "backup/free_space.h"

#include <gtest/gtest.h>

namespace barman::backup {
namespace {

SpaceFacts with(std::optional<std::uint64_t> cluster, std::optional<std::uint64_t> last) {
  SpaceFacts facts;
  facts.space = {.total_bytes = 1000, .free_bytes = 100, .may_compress = false};
  facts.cluster_bytes = cluster;
  facts.last_bytes = last;
  return facts;
}

SpaceVerdict verdict(const SpaceFacts& facts) { return judge_space(facts).verdict; }

TEST(JudgeSpace, RefusesOnlyWhatCertainlyCannotFit) {
  EXPECT_EQ(verdict(with(101, 101)), SpaceVerdict::impossible);
  EXPECT_EQ(verdict(with(100, 101)), SpaceVerdict::fits) << "tables have gone";
  EXPECT_EQ(verdict(with(101, 100)), SpaceVerdict::fits) << "unlogged tables";
  EXPECT_EQ(verdict(with(200, {})), SpaceVerdict::doubtful) << "half of it may be unlogged";
  EXPECT_EQ(verdict(with(202, {})), SpaceVerdict::impossible);
  EXPECT_EQ(verdict(with({}, 101)), SpaceVerdict::doubtful) << "PostgreSQL has not told";
  EXPECT_EQ(verdict(with({}, {})), SpaceVerdict::fits);
  EXPECT_EQ(judge_space(with(300, 120)).needed_bytes, 120U);
}

TEST(JudgeSpace, DoesNotGuessWhatIsNotStoredInItsSize) {
  SpaceFacts compressed = with(1000, 101);
  compressed.is_plain = false;
  EXPECT_EQ(verdict(compressed), SpaceVerdict::doubtful);
  compressed.last_bytes.reset();
  EXPECT_EQ(verdict(compressed), SpaceVerdict::fits);
  SpaceFacts partial = with(1000, 1000);
  partial.is_partial = true;
  EXPECT_EQ(verdict(partial), SpaceVerdict::fits);
  SpaceFacts dense = with(1000, 1000);
  dense.space.may_compress = true;
  EXPECT_EQ(verdict(dense), SpaceVerdict::doubtful);
}

}  // namespace
}  // namespace barman::backup

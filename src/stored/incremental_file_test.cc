#include "stored/incremental_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/test_support.h"
#include "stored/plain_tree.h"
#include "stored/test_support.h"

namespace barman::stored {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class IncrementalFile : public testing::Test {
 protected:
  IncrementalHeader read(const std::string& content) {
    put_file(directory_.path() / "INCREMENTAL.1", content);
    const auto file = open_plain_file(directory_.path() / "INCREMENTAL.1");
    return read_incremental_header(*file, "INCREMENTAL.1");
  }
  std::string refusal(const std::string& content) {
    try {
      read(content);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::corrupt);
      return error.describe();
    }
    return "accepted";
  }
  TemporaryDirectory directory_;
};

TEST_F(IncrementalFile, TellsItsBlocks) {
  const IncrementalHeader header = read(incremental_content({2, 7}, 5, 'x'));
  EXPECT_THAT(header.blocks, ElementsAre(2, 7));
  EXPECT_EQ(header.truncation_block_length, 5U);
  EXPECT_EQ(header.block_count(), 8U);
  EXPECT_EQ(header.size_bytes, kBlockSize);
  EXPECT_EQ(header.offset_of(1), 2U * kBlockSize);
}

TEST_F(IncrementalFile, MayHoldNoBlock) {
  const IncrementalHeader header = read(incremental_content({}, 5, 'x'));
  EXPECT_EQ(header.block_count(), 5U);
  EXPECT_EQ(header.size_bytes, 12U);
}

TEST_F(IncrementalFile, HasAHeaderOfSeveralBlocks) {
  std::vector<std::uint32_t> blocks;
  for (std::uint32_t block = 0; block < 5000; ++block) blocks.push_back(block);
  const IncrementalHeader header = read(incremental_content(blocks, 5000, 'x').substr(0, 30000));
  EXPECT_EQ(header.blocks, blocks);
  EXPECT_EQ(header.size_bytes, 3U * kBlockSize);
}

TEST_F(IncrementalFile, RefusesDamage) {
  const std::string good = incremental_content({2, 7}, 5, 'x');
  EXPECT_THAT(refusal(""), HasSubstr("too short"));
  EXPECT_THAT(refusal(good.substr(0, 11)), HasSubstr("too short"));
  EXPECT_THAT(refusal(good.substr(0, 19)), HasSubstr("ends within its header"));
  EXPECT_THAT(refusal("x" + good), HasSubstr("magic number"));
  EXPECT_THAT(refusal(incremental_content({7, 2}, 5, 'x')), HasSubstr("not in order"));
  EXPECT_THAT(refusal(incremental_content({2, 2}, 5, 'x')), HasSubstr("not in order"));
  EXPECT_THAT(refusal(incremental_content({0xFFFFFFFF}, 5, 'x')), HasSubstr("too large"));
  EXPECT_THAT(refusal(incremental_content({}, 0xFFFFFFFF, 'x')), HasSubstr("too many"));
}

TEST(IncrementalName, IsRecognised) {
  EXPECT_EQ(complete_name("base/5/INCREMENTAL.1259"), "base/5/1259");
  EXPECT_EQ(complete_name("INCREMENTAL.1"), "1");
  EXPECT_EQ(complete_name("base/5/1259"), std::nullopt);
  EXPECT_EQ(complete_name("base/INCREMENTAL.5/1259"), std::nullopt);
  EXPECT_EQ(complete_name("base/5/INCREMENTAL."), std::nullopt);
  EXPECT_EQ(incremental_name("base/5/1259"), "base/5/INCREMENTAL.1259");
}

}  // namespace
}  // namespace barman::stored

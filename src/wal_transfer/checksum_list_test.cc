#include "wal_transfer/checksum_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace barman::wal_transfer {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(ChecksumList, TakesBothFormsOfALine) {
  const ChecksumList list = parse_checksum_list("00AB *one\n\ncd  ./two words\nef *last");
  EXPECT_THAT(list.checksums,
              ElementsAre(Pair("last", "ef"), Pair("one", "00ab"), Pair("two words", "cd")));
  EXPECT_THAT(list.bad_lines, IsEmpty());
}

TEST(ChecksumList, KeepsOtherLinesForAMessage) {
  const ChecksumList list = parse_checksum_list("no checksum\nab one\nab *\n *one\nab *./\nab\n");
  EXPECT_THAT(list.checksums, IsEmpty());
  EXPECT_THAT(list.bad_lines,
              ElementsAre("no checksum", "ab one", "ab *", " *one", "ab *./", "ab"));
}

TEST(ChecksumList, ALongLineIsALineAsAnyOther) {
  const std::string digits(1'000'000, 'a');
  EXPECT_EQ(parse_checksum_list(digits + " *one\n").checksums.at("one"), digits);
  EXPECT_EQ(parse_checksum_list("ab *" + digits).checksums.size(), 1U);
  EXPECT_EQ(parse_checksum_list(digits).bad_lines.at(0).size(), 203U);
}

}  // namespace
}  // namespace barman::wal_transfer

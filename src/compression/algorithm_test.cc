#include "compression/algorithm.h"

#include <gtest/gtest.h>

namespace barman::compression {
namespace {

using namespace std::string_view_literals;

TEST(Algorithm, OldNamesMeanTheSameFormats) {
  EXPECT_EQ(parse_algorithm("gzip"), Algorithm::gzip);
  EXPECT_EQ(parse_algorithm("pigz"), Algorithm::gzip);
  EXPECT_EQ(parse_algorithm("pygzip"), Algorithm::gzip);
  EXPECT_EQ(parse_algorithm("pybzip2"), Algorithm::bzip2);
  EXPECT_EQ(parse_algorithm("zstd"), Algorithm::zstd);
  EXPECT_EQ(parse_algorithm("custom"), std::nullopt);
  EXPECT_EQ(parse_algorithm(""), std::nullopt);
}

TEST(Algorithm, LevelsAreThoseOfBarman) {
  struct Row {
    Algorithm algorithm;
    int low, medium, high, minimum, maximum;
  };
  for (const Row& row :
       {Row{Algorithm::gzip, 1, 6, 9, 1, 9}, Row{Algorithm::bzip2, 1, 5, 9, 1, 9},
        Row{Algorithm::xz, 1, 3, 5, 1, 9}, Row{Algorithm::zstd, 1, 4, 9, -22, 22},
        Row{Algorithm::lz4, 0, 6, 10, 0, 16}, Row{Algorithm::snappy, 0, 0, 0, 0, 0}}) {
    EXPECT_EQ(resolve_level(row.algorithm, "low"), row.low);
    EXPECT_EQ(resolve_level(row.algorithm, "medium"), row.medium);
    EXPECT_EQ(resolve_level(row.algorithm, ""), row.medium);
    EXPECT_EQ(resolve_level(row.algorithm, "high"), row.high);
    EXPECT_EQ(resolve_level(row.algorithm, "-1000"), row.minimum);
    EXPECT_EQ(resolve_level(row.algorithm, "1000"), row.maximum);
  }
  EXPECT_EQ(resolve_level(Algorithm::zstd, "-5"), -5);
}

TEST(Algorithm, RecognisesFilesByTheirFirstBytes) {
  EXPECT_EQ(detect(as_bytes("BZh91")), Algorithm::bzip2);
  EXPECT_EQ(detect(as_bytes("\x1f\x8b\x08\x00"sv)), Algorithm::gzip);
  EXPECT_EQ(detect(as_bytes("\x1f\x8b")), std::nullopt);
  EXPECT_EQ(detect(as_bytes("\xff\x06\x00\x00sNaPpY"sv)), Algorithm::snappy);
  EXPECT_EQ(detect(as_bytes("\x0d\xd1 a page of WAL")), std::nullopt);
  EXPECT_EQ(detect({}), std::nullopt);
}

}  // namespace
}  // namespace barman::compression

#include "base/throttle.h"

#include <gtest/gtest.h>

namespace barman {
namespace {

using std::chrono::milliseconds;

TEST(Throttle, CountsKilobytesOf1024Bytes) {
  const Throttle::TimePoint begin;
  Throttle throttle({.kib_per_second = 2}, begin);
  EXPECT_EQ(throttle.reserve(2048) - begin, milliseconds(1000));
  EXPECT_EQ(throttle.reserve(1024) - begin, milliseconds(1500));
}

TEST(Throttle, AnOptionMayBeUnset) {
  EXPECT_FALSE(TransferLimit::of(std::nullopt).is_set());
  EXPECT_FALSE(TransferLimit::of(-5).is_set());
  EXPECT_EQ(TransferLimit::of(3).bytes_per_second(), 3072U);
}

TEST(Throttle, WithoutLimitNothingWaits) {
  const Throttle::TimePoint begin;
  Throttle throttle({}, begin);
  EXPECT_EQ(throttle.reserve(1 << 30) - begin, milliseconds(0));
}

}  // namespace
}  // namespace barman

#include "base/error.h"

#include <gtest/gtest.h>

namespace barman {
namespace {

TEST(Error, IsToldWithItsContextAndItsHint) {
  Error error(ErrorKind::io, "cannot open \"y\"", "Look at the disk.");
  error.push_context("restoring 'x'");
  EXPECT_EQ(error.describe_with_hint(),
            "restoring 'x': cannot open \"y\"\nHINT: Look at the disk.");
  EXPECT_EQ(Error(ErrorKind::io, "cannot open \"y\"").describe_with_hint(), "cannot open \"y\"");
}

}  // namespace
}  // namespace barman

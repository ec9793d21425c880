#include "base/error.h"

#include <gtest/gtest.h>

#include "base/hint.h"

namespace barman {
namespace {

TEST(Error, IsToldWithItsContextAndItsHint) {
  Error error(ErrorKind::io, "cannot open \"y\"", "Look at the disk.");
  error.push_context("restoring 'x'");
  EXPECT_EQ(error.describe_with_hint(),
            "restoring 'x': cannot open \"y\"\nHINT: Look at the disk.");
  EXPECT_EQ(Error(ErrorKind::io, "cannot open \"y\"").describe_with_hint(), "cannot open \"y\"");
}

TEST(Hint, IsALineOfItsOwnOrASentence) {
  EXPECT_EQ(with_hint("No.", "Do that."), "No.\nHINT: Do that.");
  EXPECT_EQ(with_hint("No.", ""), "No.");
  EXPECT_EQ(hint_alone("Do that."), "HINT: Do that.");
  EXPECT_EQ(with_hint_inside("it failed", "Do that."), "it failed. Do that.");
  EXPECT_EQ(with_hint_inside("Is it running?", "Do that."), "Is it running? Do that.");
  EXPECT_EQ(with_hint_inside("it failed", ""), "it failed");
}

}  // namespace
}  // namespace barman

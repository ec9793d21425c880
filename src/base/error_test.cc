#include "base/error.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <new>
#include <stdexcept>

#include "base/hint.h"
#include "base/unexpected.h"

namespace barman {
namespace {

TEST(Error, IsToldWithItsContextAndItsHint) {
  Error error(ErrorKind::io, "cannot open \"y\"", "Look at the disk.");
  error.push_context("restoring 'x'");
  EXPECT_EQ(error.describe_with_hint(),
            "restoring 'x': cannot open \"y\"\nHINT: Look at the disk.");
  EXPECT_EQ(Error(ErrorKind::io, "cannot open \"y\"").describe_with_hint(), "cannot open \"y\"");
}

TEST(SystemError, TellsWhatToDoWhereTheReasonDoes) {
  const SystemError full(ENOSPC, "cannot write \"y\"");
  EXPECT_EQ(full.describe(), "cannot write \"y\": No space left on device");
  for (const int number : {ENOSPC, EDQUOT, EROFS, EIO}) {
    EXPECT_NE(SystemError(number, "cannot write").hint(), "") << number;
  }
  EXPECT_EQ(SystemError(ENOENT, "cannot open").hint(), "");
}

TEST(AsError, NamesWhatNobodyExpected) {
  const Error other = as_error(std::out_of_range("vector::at"));
  EXPECT_EQ(other.kind(), ErrorKind::internal);
  EXPECT_EQ(other.describe(), "vector::at (std::out_of_range)");
  EXPECT_EQ(as_error(std::bad_alloc()).describe(), "out of memory");
  Error ours(ErrorKind::io, "cannot open \"y\"", "Look at the disk.");
  ours.push_context("restoring 'x'");
  EXPECT_EQ(as_error(ours).describe_with_hint(), ours.describe_with_hint());
  EXPECT_EQ(as_error(ours).kind(), ErrorKind::io);
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

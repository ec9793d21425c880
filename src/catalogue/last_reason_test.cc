#include "catalogue/last_reason.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file_lock.h"
#include "base/test_support.h"

namespace barman::catalogue {
namespace {

using testing::HasSubstr;
using testing::Not;

class Reasons : public testing::Test {
 protected:
  void run(const std::function<void()>& action) {
    keeping_last_reason(home_.path(), "archive-wal", home_.path() / "lock", action);
  }
  void fail(ErrorKind kind) {
    EXPECT_THROW(run([&] { throw Error(kind, "cannot\nread password=x", "Look there."); }), Error);
  }

  TemporaryDirectory home_;
};

TEST_F(Reasons, AreKeptUntilARunEndsWell) {
  EXPECT_EQ(find_last_reason(home_.path(), "archive-wal"), std::nullopt);
  fail(ErrorKind::io);
  const auto reason = find_last_reason(home_.path(), "archive-wal");
  ASSERT_TRUE(reason);
  EXPECT_THAT(reason->text, HasSubstr("cannot read "));
  EXPECT_THAT(reason->text, HasSubstr("Look there."));
  EXPECT_THAT(reason->text, Not(HasSubstr("=x")));
  EXPECT_THAT(reason->describe(), testing::MatchesRegex(".* \\(at 2.*[+-]..:..\\)"));
  EXPECT_EQ(list_last_reasons(home_.path()).size(), 1U);
  run([] {});
  EXPECT_EQ(find_last_reason(home_.path(), "archive-wal"), std::nullopt);
}

TEST_F(Reasons, AreThoseOfTheRunThatCounts) {
  fail(ErrorKind::interrupted);
  fail(ErrorKind::usage);
  EXPECT_EQ(find_last_reason(home_.path(), "archive-wal"), std::nullopt);
  const auto lock = FileLock::try_lock(home_.path() / "lock");
  fail(ErrorKind::conflict);
  EXPECT_EQ(find_last_reason(home_.path(), "archive-wal"), std::nullopt);
  fail(ErrorKind::io);
  EXPECT_TRUE(find_last_reason(home_.path(), "archive-wal"));
}

TEST_F(Reasons, ThatCannotBeReadAreNone) {
  for (const char* text : {"", "\n", "yesterday\nbad\n", "2026-01-01 00:00:00+00:00\n"}) {
    put_file(home_.path() / ".last-reason-archive-wal", text);
    EXPECT_EQ(find_last_reason(home_.path(), "archive-wal"), std::nullopt) << text;
  }
  // Nowhere to keep it.
  EXPECT_THROW(keeping_last_reason(home_.path() / "absent", "archive-wal", home_.path() / "lock",
                                   [] { throw Error(ErrorKind::io, "full"); }),
               Error);
}

}  // namespace
}  // namespace barman::catalogue

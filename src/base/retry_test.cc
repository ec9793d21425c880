#include "base/retry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "base/test_interrupt.h"
#include "base/test_support.h"

namespace barman {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

// How often an action that always fails like that is called with two retries.
int count_attempts(ErrorKind kind) {
  int count = 0;
  const auto fail = [&] {
    ++count;
    throw Error(kind, "fails");
  };
  EXPECT_THROW(retry({.times = 2}, {}, fail, [](const Error&, std::int64_t) {}), Error);
  return count;
}

TEST(Retry, TriesAgainWhatMayBeOver) {
  for (const ErrorKind kind : {ErrorKind::connection, ErrorKind::io, ErrorKind::remote,
                               ErrorKind::corrupt, ErrorKind::conflict, ErrorKind::not_found}) {
    EXPECT_EQ(count_attempts(kind), 3) << static_cast<int>(kind);
  }
  for (const ErrorKind kind : {ErrorKind::usage, ErrorKind::config, ErrorKind::permission,
                               ErrorKind::interrupted, ErrorKind::internal}) {
    EXPECT_EQ(count_attempts(kind), 1) << static_cast<int>(kind);
  }
}

TEST(Retry, EndsWithTheFirstSuccess) {
  int count = 0;
  std::vector<std::int64_t> failures;
  const int result = retry(
      {.times = 5}, {},
      [&] {
        if (++count < 3) throw Error(ErrorKind::io, "fails");
        return count;
      },
      [&](const Error&, std::int64_t attempt) { failures.push_back(attempt); });
  EXPECT_EQ(result, 3);
  EXPECT_THAT(failures, ElementsAre(0, 1));
}

TEST(Retry, WithoutRetriesTheFirstErrorIsThrown) {
  std::vector<std::int64_t> failures;
  EXPECT_THROW(retry(
                   {}, {}, [] { throw Error(ErrorKind::io, "fails"); },
                   [&](const Error&, std::int64_t attempt) { failures.push_back(attempt); }),
               Error);
  EXPECT_THAT(failures, IsEmpty());
}

TEST(Retry, AnInterruptEndsThePause) {
  TestInterrupt interrupt;
  int count = 0;
  const auto fail = [&] {
    ++count;
    throw Error(ErrorKind::io, "fails");
  };
  // Requested while the first attempt is told.
  try {
    retry({.times = 5, .pause = milliseconds(1)}, interrupt.get(), fail,
          [&](const Error&, std::int64_t) { interrupt.request(); });
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::interrupted);
  }
  EXPECT_EQ(count, 1);
}

TEST(Retry, MakesADirectoryThatGoesAgain) {
  const TemporaryDirectory top;
  const std::filesystem::path directory = top.path() / "a" / "b";
  int count = 0;
  in_directory(directory, [&] {
    if (++count == 1) std::filesystem::remove(directory);
    const Fd file = create_file(directory / "file", 0);
  });
  EXPECT_EQ(count, 2);
  EXPECT_TRUE(std::filesystem::exists(directory / "file"));
  EXPECT_THROW(in_directory(directory, [&] { open_file(directory / "absent", 0); }), SystemError);
  count = 0;
  EXPECT_THROW(in_directory(directory,
                            [&] {
                              ++count;
                              std::filesystem::remove_all(directory);
                              open_file(directory / "absent", 0);
                            }),
               SystemError);
  EXPECT_EQ(count, 5);
}

}  // namespace
}  // namespace barman

#include "base/durable.h"

#include <unistd.h>

#include <gtest/gtest.h>

#include "base/error.h"

namespace barman {
namespace {
namespace fs = std::filesystem;

class DurableTest : public testing::Test {
 protected:
  fs::path directory_ =
      fs::path(testing::TempDir()) / ("durable_test." + std::to_string(::getpid()));
  void SetUp() override { make_directories(directory_ / "a/b", 0700); }
  void TearDown() override { remove_tree(directory_); }
};

TEST_F(DurableTest, AtomicFileAppearsOnlyOnCommit) {
  const fs::path path = directory_ / "file";
  {
    AtomicFile abandoned(path);
    abandoned.write(std::string_view("x"));
  }
  EXPECT_TRUE(fs::is_empty(directory_ / "a/b"));
  EXPECT_FALSE(fs::exists(path));
  EXPECT_FALSE(fs::exists(directory_ / "file.tmp"));
  write_file_durably(path, "content", 0600);
  EXPECT_EQ(read_file(path), "content");
  EXPECT_FALSE(fs::exists(directory_ / "file.tmp"));
}

TEST_F(DurableTest, MakeDirectoriesRefusesAFileInTheWay) {
  write_file_durably(directory_ / "file", "x");
  EXPECT_THROW(make_directories(directory_ / "file/sub"), SystemError);
  EXPECT_THROW(make_directories(directory_ / "file"), Error);
  // The parent is there, and yet there is no such file or directory.
  EXPECT_THROW(make_directories("/proc/nope/sub"), SystemError);
}

}  // namespace
}  // namespace barman

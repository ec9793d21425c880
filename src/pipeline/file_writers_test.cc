#include "pipeline/file_writers.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vector>

#include <gtest/gtest.h>

#include "base/durable.h"
#include "base/error.h"
#include "base/scratch_directory.h"
#include "pipeline/test_support.h"

namespace barman::pipeline {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBlock = FileWriters::kBlockSize;

// A directory on a disk and one in memory.
class FileWritersTest : public testing::TestWithParam<std::string> {
 protected:
  FileWritersTest() {
    parent_ = std::make_shared<const Fd>(open_file(root_, O_RDONLY | O_DIRECTORY));
  }

  NewFile file(const std::string& name, std::uint64_t size_bytes, mode_t mode = 0600) const {
    return {.parent = parent_,
            .name = name,
            .path = root_ / name,
            .mode = mode,
            .size_bytes = size_bytes};
  }
  // In pieces as they come from a socket.
  void add(FileWriters& writers, const std::string& name, const std::string& content) const {
    constexpr std::size_t kPiece = 32000;
    writers.begin(file(name, content.size()));
    for (std::size_t begin = 0; begin < content.size(); begin += kPiece) {
      writers.write(as_bytes(std::string_view(content).substr(begin, kPiece)));
    }
    writers.end();
  }
  static std::string content_of(std::size_t size_bytes) {
    std::string content(size_bytes, '\0');
    for (std::size_t i = 0; i < size_bytes; ++i) {
      content[i] = static_cast<char>((i * 31 + size_bytes) / 7 % 251);
    }
    return content;
  }

  const ScratchDirectory scratch_{GetParam(), "barman-locked-file-writers."};
  const fs::path root_ = scratch_.path();
  std::shared_ptr<const Fd> parent_;
};

TEST_P(FileWritersTest, WritesFilesOfEverySize) {
  const std::vector<std::size_t> sizes = {0,          1,   8192,       kBlock - 1,        kBlock,
                                          kBlock + 1, 777, 3 * kBlock, 3 * kBlock + 12345};
  FileWriters writers(root_);
  writers.add_root(root_);
  for (const std::size_t size : sizes) add(writers, std::to_string(size), content_of(size));
  for (int i = 0; i < 300; ++i) add(writers, "small" + std::to_string(i), content_of(100));
  writers.wait();
  for (const std::size_t size : sizes) {
    EXPECT_TRUE(read_file(root_ / std::to_string(size)) == content_of(size)) << size;
  }
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(read_file(root_ / ("small" + std::to_string(i))), content_of(100)) << i;
  }
}

TEST_P(FileWritersTest, GivesThePermissionsThatWereAskedFor) {
  const mode_t old_umask = ::umask(077);
  FileWriters writers(root_);
  writers.add_root(root_);
  for (const mode_t mode : {0600U, 0640U, 0777U}) {
    writers.begin(file(std::to_string(mode), 0, mode));
    writers.end();
  }
  writers.wait();
  ::umask(old_umask);
  for (const mode_t mode : {0600U, 0640U, 0777U}) {
    struct stat status = {};
    ASSERT_EQ(::stat((root_ / std::to_string(mode)).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, mode);
  }
}

TEST_P(FileWritersTest, ReplacesAFileAndNothingElse) {
  write_file_durably(root_ / "old", "something longer than what comes");
  fs::create_hard_link(root_ / "old", root_ / "other name");
  FileWriters writers(root_);
  writers.add_root(root_);
  add(writers, "old", "new");
  writers.wait();
  EXPECT_EQ(read_file(root_ / "old"), "new");
  EXPECT_EQ(read_file(root_ / "other name"), "something longer than what comes");

  fs::create_symlink(root_ / "old", root_ / "link");
  FileWriters others(root_);
  others.add_root(root_);
  add(others, "link", "x");
  EXPECT_THROW(others.wait(), SystemError);
  EXPECT_EQ(read_file(root_ / "old"), "new");
}

TEST_P(FileWritersTest, SyncsEachFileOfAnotherFileSystem) {
  FileWriters writers("/proc");
  writers.add_root(root_);
  add(writers, "small", "x");
  add(writers, "large", content_of(2 * kBlock));
  writers.add_directory(root_);
  writers.wait();
  EXPECT_EQ(read_file(root_ / "small"), "x");
  EXPECT_TRUE(read_file(root_ / "large") == content_of(2 * kBlock));
}

// As a full disk would: nothing can be written behind the limit.
TEST_P(FileWritersTest, TellsTheFileThatCannotBeWritten) {
  for (const std::size_t size : {kBlock / 2, 40 * kBlock}) {
    const FileSizeLimit limit(kBlock / 4);
    try {
      FileWriters writers(root_);
      writers.add_root(root_);
      add(writers, "too-large", content_of(size));
      writers.wait();
      ADD_FAILURE() << size;
    } catch (const Error& error) {
      EXPECT_NE(error.message().find((root_ / "too-large").string()), std::string::npos)
          << error.message();
    }
    remove_tree(root_ / "too-large");
  }
}

TEST_P(FileWritersTest, RefusesAnotherSizeThanWasAnnounced) {
  FileWriters writers(root_);
  writers.add_root(root_);
  writers.begin(file("a", 3));
  EXPECT_THROW(writers.write(as_bytes("four")), Error);
  writers.write(as_bytes("tw"));
  EXPECT_THROW(writers.end(), Error);
}

INSTANTIATE_TEST_SUITE_P(FileSystems, FileWritersTest, testing::Values("/var/tmp", "/dev/shm"));

TEST(FileWriters, LeavesThePageCacheAlone) {
  const ScratchDirectory scratch("/var/tmp", "barman-locked-file-writers.");
  const fs::path& root = scratch.path();
  if (!takes_direct_writes(root)) {
    GTEST_SKIP() << "this file system writes through the page cache only";
  }
  FileWriters writers(root);
  writers.add_root(root);
  const std::vector<std::byte> piece(32000);
  writers.begin({.parent = std::make_shared<const Fd>(open_file(root, O_RDONLY | O_DIRECTORY)),
                 .name = "large",
                 .path = root / "large",
                 .mode = 0600,
                 .size_bytes = 1000 * piece.size()});
  for (int i = 0; i < 1000; ++i) writers.write(piece);
  writers.end();
  writers.wait();
  EXPECT_LT(cached_bytes(root / "large"), FileWriters::kMaxBlocks * kBlock + 1);
}

}  // namespace
}  // namespace barman::pipeline

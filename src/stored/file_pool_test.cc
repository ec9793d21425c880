#include "stored/file_pool.h"

#include <fcntl.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/test_support.h"

namespace barman::stored {
namespace {

std::string read_one(const PooledFile& file) {
  std::array<char, 8> buffer = {};
  const std::size_t size =
      read_full_at(*file.get(), std::as_writable_bytes(std::span(buffer)), 0, "file");
  return {buffer.data(), size};
}

TEST(FilePool, KeepsFewFilesOpenAndReadsAll) {
  const TemporaryDirectory directory;
  std::vector<std::unique_ptr<PooledFile>> files;
  for (std::size_t i = 0; i < 3 * kMostOpenFiles; ++i) {
    const auto path = directory.path() / std::to_string(i);
    put_file(path, std::to_string(i));
    files.push_back(std::make_unique<PooledFile>(open_file(path, O_RDONLY), path));
  }
  EXPECT_EQ(count_pooled_files(), kMostOpenFiles);
  for (std::size_t i = 0; i < files.size(); ++i) EXPECT_EQ(read_one(*files[i]), std::to_string(i));
  EXPECT_EQ(count_pooled_files(), kMostOpenFiles);
  files.clear();
  EXPECT_EQ(count_pooled_files(), 0U);
}

TEST(FilePool, DoesNotTakeAnotherFileForTheOneThatWasOpened) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "first";
  put_file(path, "old");
  const PooledFile first(open_file(path, O_RDONLY), path);
  std::vector<std::unique_ptr<PooledFile>> others;
  for (std::size_t i = 0; i < kMostOpenFiles; ++i) {
    const auto other = directory.path() / std::to_string(i);
    put_file(other, "x");
    others.push_back(std::make_unique<PooledFile>(open_file(other, O_RDONLY), other));
  }
  std::filesystem::rename(path, directory.path() / "kept");
  put_file(path, "new");
  EXPECT_THROW(first.get(), Error);
}

}  // namespace
}  // namespace barman::stored

#include "encryption/scratch_file.h"

#include <fcntl.h>

#include <algorithm>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/test_support.h"

namespace barman::encryption {
namespace {

namespace fs = std::filesystem;

std::vector<std::byte> random_bytes(std::size_t size) {
  std::mt19937 random(1);
  std::vector<std::byte> bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

// What this process has open in the directory, names or not.
std::string content_of_open_files(const fs::path& directory) {
  std::string content;
  for (const fs::directory_entry& entry : fs::directory_iterator("/proc/self/fd")) {
    std::error_code error;
    const fs::path target = fs::read_symlink(entry.path(), error);
    if (error || !target.string().starts_with(directory.string())) continue;
    if (!fs::is_directory(target)) content += read_file(entry.path());
  }
  return content;
}

TEST(ScratchFile, GivesBackWhatWasWrittenAtAnyPlace) {
  const TemporaryDirectory directory;
  ScratchFile file(directory.path());
  const std::vector<std::byte> content = random_bytes(600'001);
  file.write_at(1024, Bytes(content).subspan(1024));
  file.write_at(0, Bytes(content).first(1024));
  for (const std::size_t offset : {0U, 1U, 15U, 16U, 17U, 1023U, 262'144U, 599'990U}) {
    for (const std::size_t size : {1U, 15U, 16U, 33U, 300'000U}) {
      std::vector<std::byte> buffer(size);
      const std::size_t found = file.read_at(offset, buffer);
      ASSERT_EQ(found, std::min(size, content.size() - offset));
      buffer.resize(found);
      EXPECT_TRUE(std::ranges::equal(buffer, Bytes(content).subspan(offset, found)))
          << offset << ", " << size;
    }
  }
  std::vector<std::byte> buffer(10);
  EXPECT_EQ(file.read_at(content.size(), buffer), 0U);
}

TEST(ScratchFile, HasNoNameAndNothingInClear) {
  const TemporaryDirectory directory;
  ScratchFile first(directory.path());
  ScratchFile second(directory.path());
  const std::string text(4096, 'A');
  first.write_at(0, as_bytes(text));
  second.write_at(0, as_bytes(text));
  EXPECT_TRUE(fs::is_empty(directory.path()));
  const std::string stored = content_of_open_files(directory.path());
  ASSERT_EQ(stored.size(), 2 * text.size());
  EXPECT_THAT(stored, ::testing::Not(::testing::HasSubstr("AAAA")));
  EXPECT_NE(stored.substr(0, 4096), stored.substr(4096)) << "each has a key of its own";
  EXPECT_NE(stored.substr(0, 16), stored.substr(16, 16)) << "each place is encrypted differently";
}

}  // namespace
}  // namespace barman::encryption

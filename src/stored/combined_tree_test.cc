#include "stored/combined_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/test_support.h"
#include "postgres/backup_manifest.h"
#include "stored/plain_tree.h"
#include "stored/test_support.h"

namespace barman::stored {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kFile = "base/5/1259";
constexpr const char* kIncremental = "base/5/INCREMENTAL.1259";

// A chain of backups on disk, oldest first.
class CombinedTreeTest : public testing::Test {
 protected:
  void put(int backup, const std::string& path, const std::string& content) {
    put_file(root(backup) / path, content);
    listed_[backup][path] = content;
  }
  std::filesystem::path root(int backup) const {
    return directory_.path() / std::to_string(backup);
  }

  std::shared_ptr<const ManifestIndex> manifest(int backup) {
    std::string text;
    postgres::ManifestWriter writer([&](std::string_view part) { text += part; }, std::nullopt);
    for (const auto& [path, content] : listed_[backup]) {
      writer.add_file({.path = path,
                       .size_bytes = content.size(),
                       .last_modified = "2026-11-21 01:42:37 GMT",
                       .algorithm = DigestAlgorithm::crc32c,
                       .checksum = digest_of(DigestAlgorithm::crc32c, content)});
    }
    writer.finish();
    put_file(root(backup) / "backup_manifest", text);
    return std::make_shared<ManifestIndex>(*ManifestIndex::load(root(backup) / "backup_manifest"));
  }

  CombinedTree tree(int count) {
    std::vector<ChainLink> links;
    for (int backup = count - 1; backup >= 0; --backup) {
      links.push_back({std::make_shared<PlainTree>(root(backup)), manifest(backup)});
    }
    return {std::move(links), ""};
  }

  // One letter for each block of the file, '0' for zeroes.
  std::string letters(int count, const std::string& path = kFile) {
    const std::string content = read_content(tree(count), path);
    std::string letters;
    for (std::size_t offset = 0; offset < content.size(); offset += 8192) {
      const std::string block = content.substr(offset, 8192);
      EXPECT_EQ(block, std::string(8192, block[0]));
      letters += block[0] == '\0' ? '0' : block[0];
    }
    return letters;
  }
  std::string refusal(int count) {
    try {
      read_content(tree(count), kFile);
    } catch (const Error& error) {
      return error.describe();
    }
    return "read";
  }

  TemporaryDirectory directory_;
  std::map<int, std::map<std::string, std::string>> listed_;
};

TEST_F(CombinedTreeTest, TakesEachBlockFromTheNewestBackup) {
  put(0, kFile, blocks_of("aaaaaa"));
  put(1, kIncremental, incremental_content({1, 2, 3}, 6, 'b'));
  put(2, kIncremental, incremental_content({3, 5}, 6, 'c'));
  EXPECT_EQ(letters(3), "abbcac");
  EXPECT_EQ(letters(2), "abbbaa");
}

TEST_F(CombinedTreeTest, KnowsTruncationAndExtension) {
  put(0, kFile, blocks_of("aaaaaa"));
  // Truncated to 2 blocks, then extended to 5 of which two were never written.
  put(1, kIncremental, incremental_content({4}, 2, 'b'));
  EXPECT_EQ(letters(2), "aa00b");
  // What was beyond the truncation of the newest file does not come back from older ones.
  put(2, kIncremental, incremental_content({}, 3, 'c'));
  EXPECT_EQ(letters(3), "aaa");
}

TEST_F(CombinedTreeTest, FillsWhatNobodyHasWithZeroes) {
  put(0, kFile, blocks_of("aa"));
  put(1, kIncremental, incremental_content({3}, 4, 'b'));
  EXPECT_EQ(letters(2), "aa0b");
}

TEST_F(CombinedTreeTest, EndsAtTheFirstCompleteFile) {
  put(0, kFile, blocks_of("aaa"));
  put(1, kFile, blocks_of("bbb"));
  put(2, kIncremental, incremental_content({0}, 3, 'c'));
  EXPECT_EQ(letters(3), "cbb");
}

TEST_F(CombinedTreeTest, NeedsACompleteFile) {
  put(0, "base/5/other", "x");
  put(1, kIncremental, incremental_content({0}, 3, 'b'));
  EXPECT_THAT(refusal(2), HasSubstr("cannot be completed"));
  put(0, kIncremental, incremental_content({0}, 3, 'a'));
  EXPECT_THAT(refusal(2), HasSubstr("cannot be completed"));
}

TEST_F(CombinedTreeTest, ComparesEverySourceWithItsManifest) {
  put(0, kFile, blocks_of("aaaaaa"));
  put(1, kIncremental, incremental_content({1, 2}, 6, 'b'));
  put(2, kIncremental, incremental_content({2}, 6, 'c'));
  for (const auto& [backup, path] :
       {std::pair{0, kFile}, std::pair{1, kIncremental}, std::pair{2, kIncremental}}) {
    // The last block of each, whether it is used or not.
    std::string damaged = listed_[backup][path];
    damaged.back() = static_cast<char>(damaged.back() ^ 1);
    CombinedTree good = tree(3);
    put_file(root(backup) / path, damaged);
    try {
      read_content(good, kFile);
      ADD_FAILURE() << "damage of backup " << backup << " was not found";
    } catch (const Error& error) {
      EXPECT_THAT(error.describe(), HasSubstr((root(backup) / path).string()));
      EXPECT_THAT(error.describe(), HasSubstr("checksum"));
    }
    put_file(root(backup) / path, listed_[backup][path]);
  }
}

TEST_F(CombinedTreeTest, ShowsCompleteFiles) {
  put(0, kFile, blocks_of("aaa"));
  put(1, kIncremental, incremental_content({3}, 4, 'b'));
  put(1, "PG_VERSION", "17\n");
  put(1, "backup_label",
      "START WAL LOCATION: 0/5000028 (file 000000010000000000000005)\n"
      "CHECKPOINT LOCATION: 0/5000080\n"
      "INCREMENTAL FROM LSN: 0/2000028\nINCREMENTAL FROM TLI: 1\n");
  std::map<std::string, std::uint64_t> files;
  std::vector<std::string> derived;
  tree(2).walk([&](const Entry& entry) {
    if (!entry.is_directory) files[entry.path] = entry.size_bytes;
    if (entry.is_derived) derived.push_back(entry.path);
  });
  const std::string label = read_content(tree(2), "backup_label");
  EXPECT_EQ(label,
            "START WAL LOCATION: 0/5000028 (file 000000010000000000000005)\n"
            "CHECKPOINT LOCATION: 0/5000080\n");
  EXPECT_THAT(files, ElementsAre(testing::Pair("PG_VERSION", 3),
                                 testing::Pair("backup_label", label.size()),
                                 testing::Pair(kFile, 4 * 8192)));
  EXPECT_THAT(derived, testing::UnorderedElementsAre("backup_label", kFile));
  EXPECT_TRUE(tree(2).has_file(kFile));
  EXPECT_FALSE(tree(2).has_file("backup_manifest"));
}

TEST_F(CombinedTreeTest, LeavesFilesOfThatNameElsewhereAlone) {
  put(0, "base/5/1", "");
  put(1, "INCREMENTAL.notes", "mine");
  EXPECT_EQ(read_content(tree(2), "INCREMENTAL.notes"), "mine");
}

}  // namespace
}  // namespace barman::stored

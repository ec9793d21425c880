#include "stored/scratch_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/test_support.h"
#include "stored/plain_tree.h"
#include "stored/test_support.h"

namespace barman::stored {
namespace {

using testing::HasSubstr;

TEST(ScratchTree, HasTheFilesOfItsSource) {
  const TemporaryDirectory directory;
  const std::filesystem::path root = directory.path() / "source";
  put_file(root / "PG_VERSION", "17\n");
  put_file(root / "empty", "");
  put_file(root / "base/5/1259", blocks_of(std::string(100, 'r') + "end"));
  const auto source = std::make_shared<PlainTree>(root);
  const ScratchTree tree(source, directory.path(), {});

  EXPECT_TRUE(tree.has_random_access());
  std::vector<std::string> expected;
  source->walk([&](const Entry& entry) { expected.push_back(entry.path); });
  std::vector<std::string> found;
  tree.walk([&](const Entry& entry) { found.push_back(entry.path); });
  EXPECT_EQ(found, expected);
  for (const char* const path : {"PG_VERSION", "empty", "base/5/1259"}) {
    ASSERT_TRUE(tree.has_file(path)) << path;
    EXPECT_EQ(read_content(tree, path), read_content(*source, path)) << path;
  }
  EXPECT_FALSE(tree.has_file("base"));
  std::byte last{};
  EXPECT_EQ(tree.open("base/5/1259")->read_at(std::uint64_t{103} * 8192 - 1, {&last, 1}), 1U);
  EXPECT_EQ(last, std::byte{'d'});
}

// Says that its only file is longer than it is.
class ShortTree final : public ContentTree {
 public:
  void walk(const EntryVisitor& visit) const override { visit({.path = "file", .size_bytes = 10}); }
  bool has_file(const std::string&) const override { return true; }
  std::unique_ptr<ContentFile> open(const std::string&) const override {
    return make_text_file("short");
  }
  std::string describe(const std::string& path) const override { return "archive:" + path; }
};

TEST(ScratchTree, NamesAFileThatEndsEarly) {
  const TemporaryDirectory directory;
  try {
    ScratchTree(std::make_shared<ShortTree>(), directory.path(), {});
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::corrupt);
    EXPECT_THAT(error.describe(), HasSubstr("\"archive:file\" has 5 bytes instead of 10"));
  }
}

}  // namespace
}  // namespace barman::stored

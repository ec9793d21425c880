#include "stored/tree_filler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/digest.h"
#include "base/error.h"

namespace barman::stored {
namespace {

class RecordedTree final : public TreeSink {
 public:
  void begin_member(const pipeline::TarMember& member) override {
    members.push_back(member);
    contents.emplace_back();
  }
  void write(Bytes data) override { contents.back() += as_text(data); }
  void end_member() override { ++ended; }
  void finish() override {}

  std::vector<pipeline::TarMember> members;
  std::vector<std::string> contents;
  std::size_t ended = 0;
};

TEST(TreeFiller, WritesFilesOfAnySize) {
  RecordedTree tree;
  TreeFiller filler(tree);
  filler.add_directory({.path = "base", .is_directory = true, .mode = 0750, .mtime_seconds = 7});
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{5}, std::size_t{256} << 10, (std::size_t{512} << 10) + 1}) {
    const std::string content(size, 'x');
    const auto file = make_text_file(content);
    EXPECT_EQ(filler.add_file({.path = "base/1", .mode = 0640, .size_bytes = size}, *file, "name"),
              crc32c_finish(crc32c_extend(kCrc32cInitial, as_bytes(content))));
    EXPECT_EQ(tree.contents.back(), content);
    EXPECT_EQ(tree.members.back().size_bytes, size);
  }
  EXPECT_EQ(tree.ended, tree.members.size());
  EXPECT_EQ(tree.members.front().type, pipeline::TarMemberType::directory);
  EXPECT_EQ(tree.members.front().mode, 0750U);
  EXPECT_EQ(tree.members.front().mtime, 7);
  EXPECT_EQ(tree.members.back().mode, 0640U);
}

// Else nobody could read what is made of it.
TEST(TreeFiller, OwnersMayReadWhatItWrites) {
  RecordedTree tree;
  TreeFiller filler(tree);
  filler.add_directory({.path = "a", .is_directory = true, .mode = 0});
  filler.add_file({.path = "b", .mode = 0}, *make_text_file(""), "b");
  EXPECT_EQ(tree.members[0].mode, 0700U);
  EXPECT_EQ(tree.members[1].mode, 0600U);
}

TEST(TreeFiller, RefusesAFileOfAnotherSize) {
  RecordedTree tree;
  TreeFiller filler(tree);
  try {
    filler.add_file({.path = "b", .size_bytes = 4}, *make_text_file("abc"), "/srv/b");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::corrupt);
    EXPECT_THAT(error.message(), testing::HasSubstr("\"/srv/b\" has 3 bytes instead of 4"));
  }
}

}  // namespace
}  // namespace barman::stored

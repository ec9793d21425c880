#include "pipeline/tree_writer.h"

#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "base/durable.h"
#include "base/error.h"

namespace barman::pipeline {
namespace {

namespace fs = std::filesystem;

class TreeWriterTest : public testing::Test {
 protected:
  TreeWriterTest()
      : root_(fs::temp_directory_path() / ("tree_writer_" + std::to_string(::getpid()))) {
    remove_tree(root_);
    make_directories(root_ / "out");
  }
  ~TreeWriterTest() override { remove_tree(root_); }

  static mode_t mode_of(const fs::path& path) {
    struct stat status {};
    EXPECT_EQ(::lstat(path.c_str(), &status), 0) << path;
    return status.st_mode & 07777;
  }

  static void add(TreeWriter& writer, const TarMember& member, std::string_view content = {}) {
    writer.begin_member(member);
    if (!content.empty()) writer.write(as_bytes(content));
    writer.end_member();
  }

  fs::path root_;
};

TEST_F(TreeWriterTest, WritesFilesDirectoriesAndMappedLinks) {
  FileWriters writers(root_);
  TreeWriter writer(root_ / "out", writers, {.map_link = [](const TarMember& member) {
                      return "/mapped" + member.link_target;
                    }});
  add(writer, {.path = "base", .type = TarMemberType::directory, .mode = 0750});
  add(writer, {.path = "base/1", .type = TarMemberType::directory, .mode = 0750});
  add(writer, {.path = "base/1/2", .mode = 0640, .size_bytes = 3}, "abc");
  add(writer, {.path = "empty", .mode = 0600});
  add(writer, {.path = "link", .type = TarMemberType::symlink, .link_target = "/srv"});
  writer.finish();
  writers.wait();
  EXPECT_EQ(read_file(root_ / "out/base/1/2"), "abc");
  EXPECT_EQ(mode_of(root_ / "out/base/1/2"), 0640U);
  EXPECT_EQ(mode_of(root_ / "out/base/1"), 0750U);
  EXPECT_EQ(fs::file_size(root_ / "out/empty"), 0U);
  EXPECT_EQ(fs::read_symlink(root_ / "out/link"), "/mapped/srv");
}

TEST_F(TreeWriterTest, NeverWritesThroughASymbolicLink) {
  make_directories(root_ / "outside");
  FileWriters writers(root_);
  TreeWriter writer(root_ / "out", writers,
                    {.map_link = [](const TarMember& member) { return member.link_target; }});
  add(writer,
      {.path = "d", .type = TarMemberType::symlink, .link_target = (root_ / "outside").string()});
  EXPECT_THROW(add(writer, {.path = "d/file", .mode = 0600, .size_bytes = 1}, "x"), SystemError);
  EXPECT_THROW(add(writer, {.path = "../outside/file", .mode = 0600, .size_bytes = 1}, "x"), Error);
  add(writer, {.path = "d", .mode = 0600, .size_bytes = 1}, "x");
  EXPECT_THROW(writers.wait(), SystemError);
  EXPECT_TRUE(fs::is_empty(root_ / "outside"));
}

TEST_F(TreeWriterTest, MakesNoLinkThatNobodyHasAskedFor) {
  FileWriters writers(root_);
  const TarMember link = {
      .path = "d", .type = TarMemberType::symlink, .link_target = (root_ / "outside").string()};
  TreeWriter writer(root_ / "out", writers);
  EXPECT_THROW(add(writer, link), Error);
  TreeWriter other(root_ / "out", writers,
                   {.map_link = [](const TarMember&) { return std::nullopt; }});
  add(other, link);
  EXPECT_TRUE(fs::is_empty(root_ / "out"));
}

TEST_F(TreeWriterTest, TheOwnerKeepsAccess) {
  FileWriters writers(root_);
  TreeWriter writer(root_ / "out", writers);
  add(writer, {.path = "d", .type = TarMemberType::directory, .mode = 0});
  add(writer, {.path = "d/f", .mode = 0, .size_bytes = 1}, "x");
  writers.wait();
  EXPECT_EQ(mode_of(root_ / "out/d"), 0700U);
  EXPECT_EQ(mode_of(root_ / "out/d/f"), 0600U);
}

TEST_F(TreeWriterTest, ErrorsNameTheFile) {
  FileWriters writers(root_);
  TreeWriter writer(root_ / "out", writers);
  try {
    add(writer, {.path = "missing/f", .mode = 0600});
    FAIL();
  } catch (const SystemError& error) {
    EXPECT_NE(error.message().find((root_ / "out/missing").string()), std::string::npos);
  }
}

}  // namespace
}  // namespace barman::pipeline

#include "pipeline/tar_writer.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/error.h"

namespace barman::pipeline {
namespace {

class TextSink final : public Sink {
 public:
  void write(Bytes data) override { text += as_text(data); }
  void finish() override { is_finished = true; }
  std::string text;
  bool is_finished = false;
};

struct Member {
  TarMember header;
  std::string content;
};

class Collector final : public TarVisitor {
 public:
  void begin_member(const TarMember& member) override { members.push_back({member, ""}); }
  void write(Bytes data) override { members.back().content += as_text(data); }
  void end_member() override {}
  std::vector<Member> members;
};

std::vector<Member> read_back(const std::string& archive) {
  Collector collector;
  TarReader reader(collector, "test");
  reader.write(as_bytes(archive));
  reader.finish();
  return collector.members;
}

TEST(TarWriter, WritesWhatTheReaderReads) {
  TextSink sink;
  TarWriter writer(sink);
  writer.begin_member({.path = "backup", .type = TarMemberType::directory, .mode = 0700});
  writer.end_member();
  writer.add_file({.path = "backup/a", .mode = 0640, .mtime = 1700000000, .uid = 7, .gid = 8},
                  std::string(513, 'x'));
  writer.begin_member({.path = "backup/link",
                       .type = TarMemberType::symlink,
                       .mode = 0777,
                       .link_target = "/srv/ts"});
  writer.end_member();
  writer.finish();
  EXPECT_TRUE(sink.is_finished);
  EXPECT_EQ(sink.text.size() % 512, 0U);
  const std::vector<Member> members = read_back(sink.text);
  ASSERT_EQ(members.size(), 3U);
  EXPECT_EQ(members[0].header.type, TarMemberType::directory);
  EXPECT_EQ(members[0].header.path, "backup");
  EXPECT_EQ(members[1].content, std::string(513, 'x'));
  EXPECT_EQ(members[1].header.mode, 0640U);
  EXPECT_EQ(members[1].header.mtime, 1700000000);
  EXPECT_EQ(members[1].header.uid, 7U);
  EXPECT_EQ(members[2].header.link_target, "/srv/ts");
}

TEST(TarWriter, HoldsPathsOfAnyLength) {
  for (const std::size_t length : {99U, 100U, 101U, 180U, 255U, 256U, 257U, 3000U}) {
    std::string path;
    while (path.size() + 51 < length) path += std::string(50, 'd') + "/";
    path += std::string(length - path.size(), 'f');
    TextSink sink;
    TarWriter writer(sink);
    writer.add_file({.path = path}, "content");
    writer.begin_member({.path = "l", .type = TarMemberType::symlink, .link_target = "/" + path});
    writer.end_member();
    writer.finish();
    const std::vector<Member> members = read_back(sink.text);
    ASSERT_EQ(members.size(), 2U) << length;
    EXPECT_EQ(members[0].header.path, path);
    EXPECT_EQ(members[0].content, "content");
    EXPECT_EQ(members[1].header.link_target, "/" + path);
  }
}

TEST(TarWriter, TellsTheSizeOfHugeFiles) {
  TextSink sink;
  TarWriter writer(sink);
  const std::uint64_t size = std::uint64_t{9} << 30;
  writer.begin_member({.path = "huge", .size_bytes = size});
  Collector collector;
  TarReader reader(collector, "test");
  reader.write(as_bytes(sink.text));
  ASSERT_EQ(collector.members.size(), 1U);
  EXPECT_EQ(collector.members[0].header.size_bytes, size);
}

TEST(TarWriter, RefusesAMemberOfAnotherSize) {
  TextSink sink;
  TarWriter writer(sink);
  writer.begin_member({.path = "a", .size_bytes = 2});
  writer.write(as_bytes("x"));
  EXPECT_THROW(writer.end_member(), Error);
}

}  // namespace
}  // namespace barman::pipeline

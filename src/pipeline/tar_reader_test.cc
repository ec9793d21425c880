#include "pipeline/tar_reader.h"

#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace barman::pipeline {
namespace {

struct HeaderSpec {
  std::string name;
  char type = '0';
  std::uint64_t size = 0;
  std::string link;
  std::string prefix;
  bool is_base256 = false;
};

std::string header(const HeaderSpec& spec) {
  std::string block(512, '\0');
  const auto put = [&](std::size_t offset, std::string_view text) {
    block.replace(offset, text.size(), text);
  };
  put(0, spec.name);
  put(100, "0000600");
  put(108, "0000032");
  put(116, "0000033");
  if (spec.is_base256) {
    block[124] = static_cast<char>(0x80);
    for (std::size_t index = 0; index < 8; ++index)
      block[128 + index] = static_cast<char>(spec.size >> (56 - 8 * index) & 0xFFU);
  } else {
    put(124, fmt::format("{:011o}", spec.size));
  }
  put(136, "14706172461");
  block[156] = spec.type;
  put(157, spec.link);
  put(257, std::string_view("ustar\00000", 8));
  put(345, spec.prefix);
  put(148, "        ");
  unsigned sum = 0;
  for (const char byte : block) sum += static_cast<unsigned char>(byte);
  put(148, fmt::format("{:06o} ", sum));
  block[154] = '\0';
  return block;
}

std::string padded(std::string content) {
  content.resize((content.size() + 511) / 512 * 512);
  return content;
}

std::string file(const std::string& name, const std::string& content) {
  return header({.name = name, .size = content.size()}) + padded(content);
}

class Recorder final : public TarVisitor {
 public:
  void begin_member(const TarMember& member) override { members.push_back({member, {}}); }
  void write(Bytes data) override { members.back().content += as_text(data); }
  void end_member() override { ++ended; }

  struct Entry {
    TarMember member;
    std::string content;
  };
  std::vector<Entry> members;
  std::size_t ended = 0;
};

void read(Recorder& recorder, const std::string& archive, std::size_t step) {
  TarReader reader(recorder, "base");
  for (std::size_t at = 0; at < archive.size(); at += step)
    reader.write(as_bytes(std::string_view(archive).substr(at, step)));
  reader.finish();
}

std::string error_of(const std::string& archive) {
  Recorder recorder;
  try {
    read(recorder, archive, archive.size() + 1);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::corrupt);
    return error.message();
  }
  return {};
}

TEST(TarReader, DeliversTheSameMembersHoweverTheBytesAreCut) {
  const std::string archive =
      header({.name = "base/", .type = '5'}) + file("base/PG_VERSION", "15\n") +
      file("base/empty", "") + file("base/big", std::string(1500, 'x')) +
      header({.name = "pg_tblspc/16384", .type = '2', .link = "/srv/t"}) + std::string(1024, '\0');
  for (const std::size_t step :
       {std::size_t{1}, std::size_t{7}, std::size_t{512}, std::size_t{700}, archive.size()}) {
    Recorder recorder;
    read(recorder, archive, step);
    ASSERT_EQ(recorder.members.size(), 5U);
    EXPECT_EQ(recorder.ended, 5U);
    EXPECT_EQ(recorder.members[0].member.path, "base");
    EXPECT_EQ(recorder.members[0].member.type, TarMemberType::directory);
    EXPECT_EQ(recorder.members[1].content, "15\n");
    EXPECT_EQ(recorder.members[1].member.mode, 0600U);
    EXPECT_EQ(recorder.members[1].member.uid, 26U);
    EXPECT_EQ(recorder.members[2].member.size_bytes, 0U);
    EXPECT_EQ(recorder.members[3].content, std::string(1500, 'x'));
    EXPECT_EQ(recorder.members[4].member.type, TarMemberType::symlink);
    EXPECT_EQ(recorder.members[4].member.link_target, "/srv/t");
  }
}

TEST(TarReader, AcceptsAnArchiveWithoutTrailingZeroBlocks) {
  Recorder recorder;
  read(recorder, file("a", "1"), 100);
  EXPECT_EQ(recorder.members.size(), 1U);
}

TEST(TarReader, RequiresTheEndWhenAsked) {
  const std::string archive = file("a", "1") + file("b", "2");
  const auto error_with = [&](std::size_t size, std::size_t zero_blocks) -> std::string {
    Recorder recorder;
    TarReader reader(recorder, "base", TarEnd::required);
    reader.write(as_bytes(archive.substr(0, size) + std::string(zero_blocks * 512, '\0')));
    try {
      reader.finish();
    } catch (const Error& error) {
      return error.message();
    }
    return {};
  };
  EXPECT_EQ(error_with(archive.size(), 2), "");
  EXPECT_EQ(error_with(archive.size(), 20), "");
  for (const std::size_t size : {std::size_t{0}, archive.size() / 2, archive.size()}) {
    for (const std::size_t zero_blocks : {std::size_t{0}, std::size_t{1}})
      EXPECT_NE(error_with(size, zero_blocks).find("the two blocks that end it are missing"),
                std::string::npos)
          << size << " " << zero_blocks;
  }
}

TEST(TarReader, ReadsBase256SizesBeyondEightGigabytes) {
  Recorder recorder;
  TarReader reader(recorder, "base");
  reader.write(
      as_bytes(header({.name = "big", .size = std::uint64_t{9} << 30, .is_base256 = true})));
  EXPECT_EQ(recorder.members.at(0).member.size_bytes, std::uint64_t{9} << 30);
}

TEST(TarReader, JoinsPrefixAndName) {
  Recorder recorder;
  read(recorder, header({.name = "file", .prefix = "a/b"}), 512);
  EXPECT_EQ(recorder.members.at(0).member.path, "a/b/file");
}

TEST(TarReader, UnderstandsGnuLongNamesAndPaxRecords) {
  const std::string long_name = "d/" + std::string(150, 'n');
  const std::string target = "/" + std::string(120, 't');
  const std::string pax_records = "14 path=pax/x\n10 size=3\n";
  const std::string archive =
      header({.name = "././@LongLink", .type = 'L', .size = long_name.size() + 1}) +
      padded(long_name + '\0') + file("short", "x") +
      header({.name = "././@LongLink", .type = 'K', .size = target.size() + 1}) +
      padded(target + '\0') + header({.name = "link", .type = '2', .link = "cut"}) +
      header({.name = "pax", .type = 'x', .size = pax_records.size()}) + padded(pax_records) +
      header({.name = "short", .size = 0}) + padded("abc");
  for (const std::size_t step : {std::size_t{13}, archive.size()}) {
    Recorder recorder;
    read(recorder, archive, step);
    ASSERT_EQ(recorder.members.size(), 3U);
    EXPECT_EQ(recorder.members[0].member.path, long_name);
    EXPECT_EQ(recorder.members[1].member.link_target, target);
    EXPECT_EQ(recorder.members[2].member.path, "pax/x");
    EXPECT_EQ(recorder.members[2].content, "abc");
  }
}

TEST(TarReader, DetectsEveryTruncation) {
  const std::string archive = file("a", "12345");
  for (std::size_t size = 1; size < archive.size(); ++size) {
    // Cut in the padding, nothing is lost, but the archive is still not what the server sent.
    EXPECT_NE(error_of(archive.substr(0, size)).find("cut off"), std::string::npos) << size;
  }
}

TEST(TarReader, DetectsADamagedHeader) {
  std::string archive = file("a", "12345");
  archive[3] = 'b';
  EXPECT_EQ(error_of(archive),
            "cannot read tar archive \"base\" at byte 0: wrong checksum of a member header");
}

TEST(TarReader, RefusesPathsThatLeadOutside) {
  for (const std::string name : {"../x", "/etc/passwd", "a/../../x", "a//b"})
    EXPECT_NE(error_of(file(name, "x")).find("outside of the target directory"), std::string::npos)
        << name;
}

TEST(TarReader, RefusesHardLinksAndDevices) {
  for (const char type : {'1', '3', '4', '6'})
    EXPECT_NE(error_of(header({.name = "a", .type = type})).find("unsupported type"),
              std::string::npos);
}

TEST(TarReader, RefusesDataAfterTheEnd) {
  EXPECT_NE(
      error_of(file("a", "1") + std::string(1024, '\0') + file("b", "2")).find("after the end"),
      std::string::npos);
}

TEST(TarReader, RefusesMalformedPaxRecords) {
  for (const std::string records :
       {"5", "99 path=x\n", "-1 path=x\n", "9 path=x?", "3 \n", "8 path x\n", "10 size=a\n"})
    EXPECT_FALSE(error_of(header({.name = "pax", .type = 'x', .size = records.size()}) +
                          padded(records) + file("a", "1"))
                     .empty())
        << records;
}

}  // namespace
}  // namespace barman::pipeline

#include "stored/archive_index.h"

#include <cstring>

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/test_support.h"

namespace barman::stored {
namespace {

using pipeline::TarMember;
using pipeline::TarMemberType;

ReadAt reader_of(std::string bytes) {
  return [bytes = std::move(bytes)](std::uint64_t offset, MutableBytes buffer) -> std::size_t {
    if (offset >= bytes.size()) return 0;
    const std::size_t size =
        std::min<std::size_t>(buffer.size(), bytes.size() - static_cast<std::size_t>(offset));
    std::memcpy(buffer.data(), bytes.data() + offset, size);
    return size;
  };
}

const std::vector<TarMember>& members() {
  static const std::vector<TarMember> members = {
      {.path = "base",
       .type = TarMemberType::directory,
       .mode = 0700,
       .mtime = -5,
       .content_offset = 512},
      {.path = "base/1/1259",
       .mode = 0600,
       .size_bytes = 3000000,
       .mtime = 1700000000,
       .content_offset = 1024},
      {.path = "base/1/1259_fsm",
       .mode = 0640,
       .size_bytes = 0,
       .mtime = 1600000000,
       .content_offset = 3002368},
      {.path = "pg_tblspc/16384",
       .type = TarMemberType::symlink,
       .mode = 0777,
       .mtime = 7,
       .link_target = "/srv/ts",
       .content_offset = 3002880},
  };
  return members;
}

std::string written(const std::vector<compression::FrameSize>& frames) {
  const TemporaryDirectory directory;
  ArchiveIndexWriter writer(directory.path() / "base.index");
  for (const TarMember& member : members()) writer.add(member);
  writer.commit({.stamp = {.size_bytes = 1500, .mtime_seconds = 12},
                 .stream_size = 3003904,
                 .algorithm = compression::Algorithm::zstd},
                frames);
  return get_file(directory.path() / "base.index");
}

const std::vector<compression::FrameSize> kFrames = {{1000, 2097152}, {500, 906752}};

TEST(ArchiveIndex, GivesBackWhatWasWritten) {
  const std::string bytes = written(kFrames);
  const auto index = ArchiveIndex::parse(reader_of(bytes), bytes.size(), "base.index");
  ASSERT_TRUE(index);
  EXPECT_EQ(index->facts().stamp, (ArchiveStamp{.size_bytes = 1500, .mtime_seconds = 12}));
  EXPECT_EQ(index->facts().algorithm, compression::Algorithm::zstd);
  EXPECT_EQ(index->facts().stream_size, 3003904U);
  std::vector<TarMember> found;
  index->for_each([&](const TarMember& member) { found.push_back(member); });
  ASSERT_EQ(found.size(), members().size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].path, members()[i].path);
    EXPECT_EQ(found[i].type, members()[i].type);
    EXPECT_EQ(found[i].mode, members()[i].mode);
    EXPECT_EQ(found[i].mtime, members()[i].mtime);
    EXPECT_EQ(found[i].size_bytes, members()[i].size_bytes);
    EXPECT_EQ(found[i].content_offset, members()[i].content_offset);
    EXPECT_EQ(found[i].link_target, members()[i].link_target);
  }
  const auto location = index->find("base/1/1259");
  ASSERT_TRUE(location);
  EXPECT_EQ(location->content_offset, 1024U);
  EXPECT_EQ(location->size_bytes, 3000000U);
  EXPECT_FALSE(index->find("base"));
  EXPECT_FALSE(index->find("pg_tblspc/16384"));
  EXPECT_TRUE(index->has_random_access());
  ASSERT_EQ(index->frames().size(), 3U);
  EXPECT_EQ(index->frames()[1].archive_offset, 1000U);
  EXPECT_EQ(index->frames()[2].stream_offset, 3003904U);
}

TEST(ArchiveIndex, TellsTheChecksumsOfFiles) {
  const TemporaryDirectory directory;
  ArchiveIndexWriter writer(directory.path() / "base.index");
  std::uint32_t crc = 0xFFFFFF00U;
  for (const TarMember& member : members()) writer.add(member, crc++);
  writer.commit({.stamp = {.size_bytes = 3003904},
                 .stream_size = 3003904,
                 .joining = compression::Joining::one_stream,
                 .has_file_checksums = true},
                {});
  const std::string bytes = get_file(directory.path() / "base.index");
  const auto index = ArchiveIndex::parse(reader_of(bytes), bytes.size(), "base.index");
  ASSERT_TRUE(index);
  EXPECT_TRUE(index->has_random_access());
  std::size_t count = 0;
  index->for_each([&](const IndexedMember& member) {
    const bool is_file = member.type == TarMemberType::regular;
    EXPECT_EQ(member.path, members()[count].path);
    EXPECT_EQ(
        member.content_crc32c,
        is_file ? std::optional(static_cast<std::uint32_t>(0xFFFFFF00U + count)) : std::nullopt);
    ++count;
  });
  EXPECT_EQ(count, members().size());
}

TEST(ArchiveIndex, HasNoRandomAccessWithoutFrames) {
  const std::string bytes = written({});
  const auto index = ArchiveIndex::parse(reader_of(bytes), bytes.size(), "base.index");
  ASSERT_TRUE(index);
  EXPECT_FALSE(index->has_random_access());
}

TEST(ArchiveIndex, NoticesEveryFlippedBitAndEveryMissingByte) {
  const std::string bytes = written(kFrames);
  const auto is_refused = [](const std::string& damaged) {
    try {
      // An unknown version is no damage.
      return !ArchiveIndex::parse(reader_of(damaged), damaged.size(), "base.index");
    } catch (const Error& error) {
      return error.kind() == ErrorKind::corrupt &&
             error.message().find("base.index") != std::string::npos;
    }
  };
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at % 8)));
    EXPECT_TRUE(is_refused(damaged)) << at;
    EXPECT_TRUE(is_refused(bytes.substr(0, at))) << at;
  }
}

TEST(ArchiveIndex, RefusesFramesThatDoNotAddUp) {
  const std::string bytes = written({{1000, 2097152}, {400, 906752}});
  EXPECT_THROW(ArchiveIndex::parse(reader_of(bytes), bytes.size(), "base.index"), Error);
}

}  // namespace
}  // namespace barman::stored

#include "verify/verify_archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <set>

#include "wal/test_support.h"
#include "wal_archive/test_support.h"
#include "wal_archive/wal_index.h"

namespace barman::verify {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr wal::SegmentSize kSize{wal::kSegment};

std::string name_of_segment(std::uint64_t number) {
  return wal::segment_name({wal::TimelineId{1}, number}, kSize);
}

// Segments 1 to 5 of a server, whose records cross their borders; the last one ends anywhere.
class VerifyArchiveTest : public testing::Test {
 protected:
  VerifyArchiveTest() {
    wal::WalBuilder wal;
    while (wal.position() < 6 * wal::kSegment - 100'000) wal.add_record(70'001);
    content_ = wal.bytes();
    content_.resize(5 * wal::kSegment);
    for (std::uint64_t number = 1; number <= 5; ++number) put(number, segment(number));
  }

  std::string segment(std::uint64_t number) const {
    return content_.substr((number - 1) * wal::kSegment, wal::kSegment);
  }
  void put_file_of(std::uint64_t number, const std::string& content) const {
    put_file(test_.archived(name_of_segment(number)), content);
  }
  void put(std::uint64_t number, const std::string& content) const {
    put_file_of(number, content);
    wal_archive::WalIndex index = wal_archive::WalIndex::open(test_.make().locations());
    index.merge(std::array{wal_archive::WalIndexEntry{
        .name = name_of_segment(number), .size_bytes = content.size(), .mtime = 1700000000}});
  }
  void remove_lines(const std::set<std::string, std::less<>>& names) const {
    wal_archive::WalIndex index = wal_archive::WalIndex::open(test_.make().locations());
    index.cut_out(index.find_lines([&](const auto& line) { return names.contains(line.name); }));
  }
  std::string damaged(std::uint64_t number) const {
    std::string content = segment(number);
    content[content.size() / 2] = static_cast<char>(content[content.size() / 2] ^ 1);
    return content;
  }
  ArchiveVerdict verdict(std::optional<std::string> first = {},
                         std::optional<std::string> last = {}) const {
    NoProgress progress;
    return verify_wal_archive(test_.make(),
                              {.segment_size = kSize,
                               .system_id = wal::kSystem,
                               .server_major = std::nullopt,
                               .first = std::move(first),
                               .last = std::move(last),
                               .worker_count = 2},
                              progress);
  }
  static std::vector<std::string> objects(const ArchiveVerdict& verdict) {
    std::vector<std::string> names;
    for (const VerifyFinding& finding : verdict.findings) names.push_back(finding.object);
    return names;
  }

  const wal_archive::TestServer test_;
  std::string content_;
};

TEST_F(VerifyArchiveTest, ReadsEveryRecordOnce) {
  const ArchiveVerdict found = verdict();
  EXPECT_THAT(objects(found), IsEmpty());
  EXPECT_THAT(found.gaps, IsEmpty());
  EXPECT_EQ(found.wal_count, 5U);
  EXPECT_EQ(found.record_count, 5 * wal::kSegment / 70'200);
}

TEST_F(VerifyArchiveTest, DamageIsToldOfItsFileAlone) {
  put_file_of(3, damaged(3));
  const ArchiveVerdict found = verdict();
  EXPECT_THAT(objects(found), ElementsAre(name_of_segment(3)));
  EXPECT_THAT(found.findings[0].text, HasSubstr("WAL file '" + name_of_segment(3) + "'"));
  EXPECT_GT(found.record_count, 2 * wal::kSegment / 70'200) << "behind it, too";
}

TEST_F(VerifyArchiveTest, AGapIsToldAndIsNoDamage) {
  remove_lines({name_of_segment(3), name_of_segment(4)});
  fs::remove(test_.archived(name_of_segment(3)));
  fs::remove(test_.archived(name_of_segment(4)));
  const ArchiveVerdict found = verdict();
  EXPECT_THAT(objects(found), IsEmpty());
  ASSERT_EQ(found.gaps.size(), 1U);
  EXPECT_EQ(found.gaps[0].first, name_of_segment(3));
  EXPECT_EQ(found.gaps[0].last, name_of_segment(4));
  EXPECT_EQ(found.gaps[0].count, 2U);
  EXPECT_EQ(found.wal_count, 3U);
}

TEST_F(VerifyArchiveTest, FilesAndLinesThatDoNotFitAreTold) {
  fs::remove(test_.archived(name_of_segment(2)));
  EXPECT_THAT(objects(verdict()), ElementsAre(name_of_segment(2)));
  EXPECT_THAT(verdict().findings[0].text, HasSubstr("does not exist"));
  put_file_of(2, segment(2));
  put_file_of(7, segment(5));
  const ArchiveVerdict found = verdict();
  EXPECT_THAT(objects(found), ElementsAre(name_of_segment(7)));
  EXPECT_THAT(found.findings[0].text,
              AllOf(HasSubstr("is not in the index"), HasSubstr("rebuild-xlogdb main")));
}

TEST_F(VerifyArchiveTest, WalOfAnotherPlaceOrClusterIsDamage) {
  put_file_of(2, segment(3));
  EXPECT_THAT(objects(verdict()), testing::Contains(name_of_segment(2)));
  put_file_of(2, segment(2));
  std::string other = segment(4);
  wal::store(other, 24, wal::kSystem + 1);
  put_file_of(4, other);
  EXPECT_THAT(objects(verdict()), testing::Contains(name_of_segment(4)));
}

TEST_F(VerifyArchiveTest, WhatIsNotAskedForIsNotRead) {
  put_file_of(1, damaged(1));
  put_file_of(5, damaged(5));
  const ArchiveVerdict found = verdict(name_of_segment(2), name_of_segment(4));
  EXPECT_THAT(objects(found), IsEmpty());
  EXPECT_EQ(found.wal_count, 3U);
}

}  // namespace
}  // namespace barman::verify

// The files of the archive against the lines of the index.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/process.h"
#include "catalogue/test_support.h"
#include "wal_archive/storage_test_support.h"
#include "wal_archive/wal_archive.h"

namespace barman::wal_archive {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;

constexpr std::uint64_t kMegabyte = std::uint64_t{1} << 20;

class ArchiveCheckTest : public testing::TestWithParam<StorageKind> {
 protected:
  ArchiveCheckTest()
      : locations_(catalogue::default_locations("main", directory_.path() / "main")),
        files_(locations_.wals_directory) {}
  static std::string segment(unsigned number) {
    return fmt::format("0000000100000000{:08X}", number);
  }
  void put(const std::string& name, std::uint64_t size_bytes = kMegabyte) {
    const auto path = archived_wal_path(locations_.wals_directory, name);
    put_file(path, "x");
    std::filesystem::resize_file(path, size_bytes);
  }
  void index(const std::string& name, std::uint64_t size_bytes = kMegabyte,
             const std::string& compression = "None") {
    index_ += fmt::format("{}\t{}\t1.5\t{}\tNone\n", name, size_bytes, compression);
  }
  void put_indexed(unsigned number) {
    put(segment(number));
    index(segment(number));
  }
  // "object: reason"
  std::vector<std::string> damage() {
    put_file(locations_.wal_index_path(), index_);
    check_ = WalArchive(locations_, {}, storage()).check({kMegabyte}, {});
    std::vector<std::string> result;
    for (const ArchiveDamage& finding : check_.damage) {
      EXPECT_FALSE(finding.next_step.empty());
      result.push_back(finding.object + ": " + finding.reason);
    }
    return result;
  }

  // The files that were put, in the storage of this test.
  std::shared_ptr<storage::Storage> storage() {
    if (GetParam() == StorageKind::local) {
      return std::make_shared<storage::LocalStorage>(locations_.wals_directory);
    }
    if (GetParam() == StorageKind::distant) {
      return std::make_shared<storage::DistantStorage>(files_);
    }
    auto memory = std::make_shared<storage::MemoryStorage>();
    files_.list("", [&](const storage::ObjectFacts& object) {
      const auto sink = memory->create(object.key, storage::IfPresent::refuse);
      sink->write(as_bytes(get_file(files_.path_of(object.key))));
      sink->finish();
    });
    return memory;
  }

  TemporaryDirectory directory_;
  catalogue::CatalogueLocations locations_;
  storage::LocalStorage files_;
  ArchiveCheck check_;
  std::string index_;
};

TEST_P(ArchiveCheckTest, FindsTheRunsAcrossDirectories) {
  // 4096 segments of a megabyte make one log number.
  for (const unsigned number : {1U, 2U, 4U}) put_indexed(number);
  put("000000010000000000000FFF");
  index("000000010000000000000FFF");
  put("000000010000000100000000");
  index("000000010000000100000000");
  EXPECT_THAT(damage(), IsEmpty());
  EXPECT_EQ(check_.file_count, 5U);
  EXPECT_EQ(check_.size_bytes, 5 * kMegabyte);
  const std::vector<SegmentRun>& runs = check_.segments.at(wal::TimelineId{1});
  ASSERT_EQ(runs.size(), 3U);
  EXPECT_EQ(runs[0].first, 1U);
  EXPECT_EQ(runs[0].last, 2U);
  EXPECT_EQ(runs[2].first, 4095U);
  EXPECT_EQ(runs[2].last, 4096U);
}

TEST_P(ArchiveCheckTest, AnUnsortedIndexIsAsGood) {
  put(segment(1));
  put_indexed(2);
  index(segment(1));
  EXPECT_THAT(damage(), IsEmpty());
}

TEST_P(ArchiveCheckTest, ComparesFilesWithLines) {
  put(segment(1));  // no line
  index(segment(2));
  put(segment(3), kMegabyte / 2);
  index(segment(3));
  put(segment(4), 100);
  index(segment(4), 100);
  put(segment(5), 100);
  index(segment(5), 100, "gzip");
  put(segment(8), 100);
  index(segment(8), 101, "gzip");
  put(segment(6), 0);
  index(segment(6), 0);
  put_indexed(7);
  index(segment(7), 100, "gzip");
  index("000000020000000000000001");
  EXPECT_THAT(damage(),
              ElementsAre(HasSubstr(segment(1) + ": it has no line"),
                          HasSubstr(segment(2) + ": the index has a line"),
                          HasSubstr("000000020000000000000001: the index has a line"),
                          HasSubstr(segment(8) + ": its size is not the one in the index"),
                          HasSubstr(segment(3) + ": its size is not that of a segment"),
                          HasSubstr(segment(4) + ": its size is not that of a segment"),
                          HasSubstr(segment(6) + ": it is empty"),
                          HasSubstr(segment(7) + ": the index has lines for it that differ")));
}

TEST_P(ArchiveCheckTest, TellsAFileInThePlaceOfADirectory) {
  put_file(locations_.wals_directory / "0000000100000000", "x");
  const std::vector<std::string> told = damage();
  if (GetParam() != StorageKind::local) return;
  EXPECT_THAT(told, ElementsAre(HasSubstr("/0000000100000000: it is no file of the WAL archive")));
}

TEST_P(ArchiveCheckTest, ALineThatIsThereTwiceIsHarmless) {
  for (const std::string& name : {segment(1), segment(1) + ".00000028.backup"}) {
    put(name);
    index(name);
    index(name);
  }
  EXPECT_EQ(damage().size(), 2U);
  for (const ArchiveDamage& each : check_.damage) {
    EXPECT_TRUE(each.is_harmless) << each.object;
    EXPECT_THAT(each.reason, HasSubstr("more than one line"));
    EXPECT_THAT(each.next_step, HasSubstr("rebuild-xlogdb"));
  }
}

// Nobody gets through it.
TEST_P(ArchiveCheckTest, ASegmentThatIsCutOffIsAHole) {
  for (const unsigned number : {1U, 2U, 3U}) put_indexed(number);
  put(segment(2), kMegabyte / 2);
  EXPECT_EQ(damage().size(), 1U);
  const std::vector<SegmentRun>& runs = check_.segments.at(wal::TimelineId{1});
  ASSERT_EQ(runs.size(), 2U);
  EXPECT_EQ(runs[0].last, 1U);
  EXPECT_EQ(runs[1].first, 3U);
}

TEST_P(ArchiveCheckTest, CountsWhatIsTooMuchToShow) {
  for (unsigned number = 1; number <= 50; ++number) put(segment(number));
  put_indexed(51);
  const std::vector<std::string> texts = damage();
  EXPECT_EQ(texts.size(), 21U);
  EXPECT_THAT(texts.back(), HasSubstr("30 more WAL files"));
}

TEST_P(ArchiveCheckTest, ReadsHistories) {
  put_file(locations_.wals_directory / "00000002.history", "1\t0/3000158\tno recovery target\n");
  index("00000002.history", 30);
  put_file(locations_.wals_directory / "00000003.history", "nonsense\n");
  index("00000003.history", 9);
  EXPECT_THAT(damage(), ElementsAre(HasSubstr("00000003.history: it cannot be read")));
  EXPECT_TRUE(check_.histories.contains(wal::TimelineId{2}));
  EXPECT_TRUE(check_.unread_histories.contains(wal::TimelineId{3}));
}

TEST_P(ArchiveCheckTest, ReadsCompressedHistories) {
  const auto path = locations_.wals_directory / "00000002.history";
  put_file(path, "1\t0/3000158\tno recovery target\n");
  ASSERT_EQ(run_process({.argv = {"gzip", path.string()}}).exit_code, 0);
  std::filesystem::rename(path.string() + ".gz", path);
  index("00000002.history", std::filesystem::file_size(path), "gzip");
  EXPECT_THAT(damage(), IsEmpty());
  EXPECT_TRUE(check_.histories.contains(wal::TimelineId{2}));
}

// They need a passphrase, and there is none.
TEST_P(ArchiveCheckTest, TellsWhyAnEncryptedHistoryIsNotRead) {
  put_file(locations_.wals_directory / "00000002.history", "\x84\x5e\x03" + std::string(120, 'x'));
  index("00000002.history", 123);
  EXPECT_THAT(damage(), ElementsAre(HasSubstr("encryption_passphrase_command")));
  EXPECT_TRUE(check_.unread_histories.contains(wal::TimelineId{2}));
}

TEST_P(ArchiveCheckTest, ADamagedIndexIsOneFinding) {
  put(segment(1));
  index_ = "one two\n";
  EXPECT_THAT(damage(), ElementsAre(HasSubstr("WAL index: ")));
  EXPECT_EQ(check_.segments.size(), 1U);
}

TEST_P(ArchiveCheckTest, StrangeFilesAreNamed) {
  put_indexed(1);
  put_file(locations_.wals_directory / "0000000100000000" / "core", "x");
  put_file(locations_.wals_directory / "lost+found" / "x", "x");
  // What a file system keeps for itself is no damage.
  EXPECT_THAT(damage(), ElementsAre(MatchesRegex("WAL file .*0000000100000000/core\"?: it is no "
                                                 "file of the WAL archive")));
}

TEST_P(ArchiveCheckTest, ADirectoryOfAnotherNameIsNamedOnce) {
  put_indexed(1);
  for (const char* const name : {"1", "2"}) {
    put_file(locations_.wals_directory / "copies" / name, "x");
  }
  EXPECT_THAT(damage(), ElementsAre(MatchesRegex("WAL file .*copies\"?: it is no file of the WAL "
                                                 "archive")));
}

// No further question is asked for what the listing has told.
TEST(ArchiveCheckOfObjects, ListsOnce) {
  const ArchiveSite site({.kind = StorageKind::memory, .compression = ""});
  std::vector<std::string> names;
  for (unsigned number = 1; number <= 20; ++number) names.push_back(wal_name(number));
  for (const std::string& name : names) site.receive(name, "x");
  site.file(names);
  const auto counted = std::make_shared<storage::FaultyStorage>(
      site.storage(), 0, storage::FaultyStorage::Fault::fail);
  EXPECT_THAT(site.archive_in(counted).check({wal::kSegment}, {}).damage, IsEmpty());
  EXPECT_EQ(counted->operations(), 1U);
}

// barman cloud-wal-archive of Barman 3.20: "X\t16777216\t...\tNone\tNone" for the object X.gz.
TEST(ArchiveCheckOfObjects, ALineOfWhatBarmanHasCompressedSaysNothingOfTheObject) {
  const TemporaryDirectory directory;
  const auto locations = catalogue::default_locations("main", directory.path() / "main");
  const auto objects = std::make_shared<storage::MemoryStorage>();
  const auto put = [&](const std::string& key, const std::string& text) {
    const auto sink = objects->create(key, storage::IfPresent::refuse);
    sink->write(as_bytes(text));
    sink->finish();
  };
  put("0000000100000000/000000010000000000000001.gz", "small");
  put("0000000100000000/000000010000000000000002.gz", "small");
  put("0000000100000000/000000010000000000000003.gz", "small");
  put("0000000100000000/000000010000000000000004", "small");
  put_file(locations.wal_index_path(),
           "000000010000000000000001\t1048576\t1.5\tNone\tNone\n"
           "000000010000000000000002\t5\t1.5\tgzip\tNone\n"
           "000000010000000000000003\t1048570\t1.5\tNone\tNone\n"
           "000000010000000000000004\t1048576\t1.5\tNone\tNone\n");
  const ArchiveCheck check =
      WalArchive(locations, {}, std::make_shared<ArchiveBucket>(objects)).check({kMegabyte}, {});
  ASSERT_EQ(check.damage.size(), 2U);
  EXPECT_EQ(check.damage.front().object, "WAL file 000000010000000000000003");
  EXPECT_EQ(check.damage.back().object, "WAL file 000000010000000000000004");
  ASSERT_EQ(check.segments.at({1}).size(), 1U);
  EXPECT_EQ(check.segments.at({1}).front().last, 3U);
}

INSTANTIATE_TEST_SUITE_P(Storages, ArchiveCheckTest,
                         testing::Values(StorageKind::local, StorageKind::distant,
                                         StorageKind::memory),
                         [](const auto& parameters) { return name_of(parameters.param); });

}  // namespace
}  // namespace barman::wal_archive

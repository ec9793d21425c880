#include "wal_archive/wal_statistics.h"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalogue/test_support.h"
#include "wal/wal_file_name.h"
#include "wal_archive/test_support.h"

namespace barman::wal_archive {
namespace {

WalLines lines_of(std::vector<WalIndexEntry> entries) {
  return [entries = std::move(entries)](const WalIndexVisitor& visit) {
    for (const WalIndexEntry& entry : entries) {
      visit({.name = entry.name, .size_bytes = entry.size_bytes, .mtime = entry.mtime});
    }
  };
}

// Segments first..last, 100 bytes each, ten seconds apart.
std::vector<WalIndexEntry> segments(unsigned first, unsigned last, unsigned timeline = 1) {
  std::vector<WalIndexEntry> entries;
  for (unsigned number = first; number <= last; ++number) {
    entries.push_back(
        {.name = segment(number, timeline), .size_bytes = 100, .mtime = 10.0 * number});
  }
  return entries;
}

TEST(WalStatistics, SplitsAtTheBackupsEnds) {
  const std::vector<catalogue::BackupInfo> backups = {
      catalogue::make_backup("20261101T000000", segment(3), segment(4)),
      catalogue::make_backup("20261102T000000", segment(6), "", catalogue::BackupStatus::failed),
      catalogue::make_backup("20261103T000000", segment(8), segment(9)),
  };
  auto entries = segments(1, 12);
  entries.push_back({.name = segment(3) + ".00000028.backup", .size_bytes = 7});
  entries.push_back({.name = "00000002.history", .size_bytes = 7});
  entries.push_back({.name = segment(5) + ".partial", .size_bytes = 7});
  const auto result = wal_statistics(backups, lines_of(entries));
  EXPECT_EQ(result[0].wal_num, 2U);
  EXPECT_EQ(result[0].wal_size, 200U);
  EXPECT_EQ(result[0].wal_until_next_num, 5U);
  EXPECT_EQ(result[0].wal_until_next_size, 500U);
  EXPECT_EQ(result[0].first->name, segment(3));
  EXPECT_EQ(result[0].last->name, segment(9));
  EXPECT_DOUBLE_EQ(result[0].wal_total_seconds, 60);
  EXPECT_DOUBLE_EQ(result[0].wals_per_second, 7.0 / 60);
  EXPECT_DOUBLE_EQ(result[0].wal_compression_ratio, 1 - 200.0 / (2 * 16777216.0));
  EXPECT_EQ(result[1].wal_num, 0U);
  EXPECT_EQ(result[2].wal_num, 2U);
  EXPECT_EQ(result[2].wal_until_next_num, 3U);
  EXPECT_EQ(result[2].last->name, segment(12));
  EXPECT_EQ(wal_statistics_of(backups, {"20261101T000000"}, lines_of(entries)).last->name,
            segment(9));
}

TEST(WalStatistics, AMissingBeginLeavesRatesAtZero) {
  const std::vector<catalogue::BackupInfo> backups = {
      catalogue::make_backup("20261101T000000", segment(3), segment(4))};
  const auto result = wal_statistics(backups, lines_of(segments(4, 6)));
  EXPECT_EQ(result[0].wal_num, 1U);
  EXPECT_EQ(result[0].wal_until_next_num, 2U);
  EXPECT_EQ(result[0].first, std::nullopt);
  EXPECT_EQ(result[0].wals_per_second, 0);
  EXPECT_EQ(result[0].wal_compression_ratio, 0);
}

TEST(WalStatistics, OtherTimelinesDoNotCount) {
  const std::vector<catalogue::BackupInfo> backups = {
      catalogue::make_backup("20261101T000000", segment(3), segment(4)),
      catalogue::make_backup("20261102T000000", segment(7, 2), segment(7, 2))};
  auto entries = segments(1, 6);
  for (const WalIndexEntry& entry : segments(5, 9, 2)) entries.push_back(entry);
  const auto result = wal_statistics(backups, lines_of(entries));
  EXPECT_EQ(result[0].wal_until_next_num, 2U);
  EXPECT_EQ(result[1].wal_num, 1U);
  EXPECT_EQ(result[1].wal_until_next_num, 2U);
}

TEST(WalStatistics, AnInvalidNameIsAnError) {
  try {
    wal_statistics({}, lines_of({{.name = "00000001junk"}}));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "invalid WAL segment name '00000001junk'");
  }
}

// Against the definition, backup by backup and line by line, with the lines in random order.
TEST(WalStatistics, AgreeWithTheDefinitionOnRandomCatalogues) {
  std::mt19937 random(7);
  const auto pick = [&](unsigned limit) { return static_cast<unsigned>(random() % limit); };
  for (int round = 0; round < 300; ++round) {
    std::vector<catalogue::BackupInfo> backups;
    for (unsigned i = 0; i < 6; ++i) {
      const unsigned begin = pick(30);
      const unsigned timeline = 1 + pick(2);
      const catalogue::BackupStatus status =
          pick(4) == 0 ? catalogue::BackupStatus::failed : catalogue::BackupStatus::done;
      backups.push_back(catalogue::make_backup("2026110" + std::to_string(i) + "T000000",
                                               segment(begin, timeline),
                                               segment(begin + pick(4), timeline), status));
    }
    std::vector<WalIndexEntry> entries;
    for (unsigned number = 0; number < 40; ++number) {
      for (unsigned timeline = 1; timeline <= 2; ++timeline) {
        if (pick(5) > 0) {
          entries.push_back({.name = segment(number, timeline), .size_bytes = 1 + pick(100)});
        }
      }
    }
    std::shuffle(entries.begin(), entries.end(), random);
    const auto result = wal_statistics(backups, lines_of(entries));
    for (std::size_t i = 0; i < backups.size(); ++i) {
      const catalogue::BackupInfo* const next = next_backup(backups, backups[i].id);
      std::uint64_t required = 0;
      std::uint64_t following = 0;
      for (const WalIndexEntry& entry : entries) {
        if (entry.name < *backups[i].begin_wal ||
            !entry.name.starts_with(backups[i].begin_wal->substr(0, 8))) {
          continue;
        }
        if (entry.name <= *backups[i].end_wal) {
          required += entry.size_bytes;
        } else if (next == nullptr || entry.name <= *next->end_wal) {
          following += entry.size_bytes;
        }
      }
      EXPECT_EQ(result[i].wal_size, required);
      EXPECT_EQ(result[i].wal_until_next_size, following);
    }
  }
}

TEST(ChildrenTimelines, AreThoseThatForkAfterTheEnd) {
  catalogue::BackupInfo backup = catalogue::make_backup("20261101T000000", segment(3), segment(4));
  backup.end_xlog = wal::Lsn{0x5000000};
  const auto read = [](wal::TimelineId timeline) -> std::optional<std::string> {
    if (timeline.value == 2) return "1\t0/4000000\tbefore the end\n";
    if (timeline.value == 3) return "# comment\n\n1\t0/6000000\treason\n";
    if (timeline.value == 4) return "1\t0/6000000\tx\n3\t0/7000000\ty\n";
    if (timeline.value == 6) return "1\t0/6000000\tafter a gap\n";
    return std::nullopt;
  };
  EXPECT_THAT(children_timelines(backup, read),
              testing::ElementsAre(wal::TimelineId{3}, wal::TimelineId{4}));
}

}  // namespace
}  // namespace barman::wal_archive

#include "wal_archive/wal_index.h"

#include <fcntl.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalogue/test_support.h"
#include "wal_archive/wal_encoding.h"

namespace barman::wal_archive {
namespace {
namespace fs = std::filesystem;

constexpr std::string_view kSample =
    "00000001000000000000000F\t1238\t1795225416.4135256\tgzip\tNone\n"
    "000000010000000000000012\t1728\t1795226212.4815547\tgzip\tgpg\n"
    "00000001000000000000000A.00000028.backup\t344\t1795225358.045248\tNone\tNone\n"
    "00000002.history\t41\t1795225877.75821\tNone\tNone\n";
constexpr std::string_view kHash = "0000000100000000";

class WalIndexTest : public testing::Test {
 protected:
  WalIndexTest() { fs::create_directories(locations_.wals_directory); }
  fs::path wal(std::string_view name) const {
    return archived_wal_path(locations_.wals_directory, name);
  }
  std::vector<std::string> names() const {
    std::vector<std::string> result;
    visit_wal_index(locations_.wal_index_path(), 0, [&](const WalIndexLine& line) {
      result.emplace_back(line.name);
      return Visit::proceed;
    });
    return result;
  }
  void set_mtime(const fs::path& path, std::int64_t seconds, std::int64_t nanoseconds) const {
    const std::array<timespec, 2> times = {timespec{seconds, nanoseconds},
                                           timespec{seconds, nanoseconds}};
    ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times.data(), 0), 0);
  }

  TemporaryDirectory directory_;
  catalogue::CatalogueLocations locations_ =
      catalogue::default_locations("main", directory_.path() / "main");
};

TEST_F(WalIndexTest, RoundTripOfTheSample) {
  put_file(locations_.wal_index_path(), kSample);
  std::string written;
  std::vector<std::uint64_t> offsets;
  visit_wal_index(locations_.wal_index_path(), 0, [&](const WalIndexLine& line) {
    written += format_wal_index_entry(line.entry());
    offsets.push_back(line.offset);
    return Visit::proceed;
  });
  EXPECT_EQ(written, kSample);
  ASSERT_EQ(offsets.size(), 4U);
  EXPECT_EQ(kSample.substr(offsets[3], 8), "00000002");
  std::vector<std::string> rest;
  visit_wal_index(locations_.wal_index_path(), offsets[2], [&](const WalIndexLine& line) {
    rest.emplace_back(line.name);
    EXPECT_EQ(line.offset, offsets[2]);
    return Visit::stop;
  });
  EXPECT_THAT(rest, testing::ElementsAre("00000001000000000000000A.00000028.backup"));
}

TEST(WalIndexLine, AcceptsThreeToFiveFields) {
  const auto three = parse_wal_index_line("00000001000000000000000F 16777216 1795225416.0");
  ASSERT_TRUE(three);
  EXPECT_EQ(three->entry(), (WalIndexEntry{.name = "00000001000000000000000F",
                                           .size_bytes = 16777216,
                                           .mtime = 1795225416.0}));
  const auto four = parse_wal_index_line("00000001000000000000000F\t1\t1795225416\tbzip2");
  ASSERT_TRUE(four);
  EXPECT_EQ(four->entry().compression, "bzip2");
  EXPECT_EQ(four->entry().encryption, std::nullopt);
  for (const char* line :
       {"", "a", "a 1", "a x 1.0", "a 1 y", "a 1 1.0 None None None", "a -1 1.0"}) {
    EXPECT_FALSE(parse_wal_index_line(line)) << line;
  }
}

TEST_F(WalIndexTest, ErrorsNameFileAndLine) {
  put_file(locations_.wal_index_path(), std::string(kSample) + "damaged\n");
  try {
    names();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.message(),
              "cannot parse line 5 of \"" + locations_.wal_index_path().string() + "\"");
  }
}

TEST_F(WalIndexTest, LinesLongerThanOneReadAreWhole) {
  std::string text;
  for (int i = 0; i < 40'000; ++i) {
    char name[32];
    std::snprintf(name, sizeof(name), "00000001%08X%08X", i / 256, i % 256);
    text += format_wal_index_entry({.name = name, .size_bytes = 16777216, .mtime = 1.5 + i});
  }
  put_file(locations_.wal_index_path(), text);
  std::string written;
  WalIndex::open(locations_).for_each([&](const WalIndexLine& line) {
    EXPECT_EQ(line.offset, written.size());
    written += format_wal_index_entry(line.entry());
    return Visit::proceed;
  });
  EXPECT_EQ(written, text);
}

TEST_F(WalIndexTest, MergesByNameAndReplaces) {
  put_file(locations_.wal_index_path(),
           "000000010000000000000002\t1\t1.0\tNone\tNone\n"
           "000000010000000000000005\t1\t1.0\tNone\tNone\n"
           "000000010000000000000003\t1\t1.0\tNone\tNone\n");
  std::vector<WalIndexEntry> added;
  for (const char* digit : {"1", "3", "4", "9"}) {
    added.push_back({.name = "00000001000000000000000" + std::string(digit), .size_bytes = 7});
  }
  WalIndex index = WalIndex::open(locations_);
  index.merge(added);
  EXPECT_THAT(names(),
              testing::ElementsAre("000000010000000000000001", "000000010000000000000002",
                                   "000000010000000000000003", "000000010000000000000004",
                                   "000000010000000000000005", "000000010000000000000009"));
  EXPECT_EQ(index.find("000000010000000000000003")->size_bytes, 7U);
  EXPECT_EQ(index.find("000000010000000000000005")->size_bytes, 1U);
}

TEST_F(WalIndexTest, AppendsLines) {
  put_file(locations_.wal_index_path(), kSample);
  WalIndex index = WalIndex::open(locations_);
  const WalIndexEntry entry = {
      .name = "000000010000000000000013", .size_bytes = 5, .mtime = 2.0, .compression = "lz4"};
  index.append(entry);
  EXPECT_EQ(get_file(locations_.wal_index_path()),
            std::string(kSample) + "000000010000000000000013\t5\t2.0\tlz4\tNone\n");
  EXPECT_EQ(index.find("000000010000000000000013"), entry);
  EXPECT_EQ(index.find("000000010000000000000014"), std::nullopt);
}

TEST_F(WalIndexTest, CutsOutLinesAndLeavesTheOthersAsTheyAre) {
  const std::string lines = "a 1 1.00\n\nb\t2\t2.5\tgzip\tNone\nc 3 3\nd 4 4.0\ne 5 5\n";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", lines},
      {"a", "b\t2\t2.5\tgzip\tNone\nc 3 3\nd 4 4.0\ne 5 5\n"},
      {"bc", "a 1 1.00\n\nd 4 4.0\ne 5 5\n"},
      {"ce", "a 1 1.00\n\nb\t2\t2.5\tgzip\tNone\nd 4 4.0\n"},
      {"abcde", ""}};
  for (const auto& [doomed, left] : cases) {
    put_file(locations_.wal_index_path(), lines);
    WalIndex index = WalIndex::open(locations_);
    const auto ranges = index.find_lines([&names = doomed](const WalIndexLine& line) {
      return names.find(line.name) != std::string::npos;
    });
    std::string visited;
    for (const LineRange& range : ranges) {
      index.for_each_of(range, [&](const WalIndexLine& line) { visited += line.name; });
    }
    EXPECT_EQ(visited, doomed);
    index.cut_out(ranges);
    EXPECT_EQ(get_file(locations_.wal_index_path()), left) << doomed;
  }
}

TEST_F(WalIndexTest, LooksForLinesInAWholeIndexOnly) {
  put_file(locations_.wal_index_path(), "x\n" + std::string(kSample));
  EXPECT_THROW(WalIndex::open(locations_).find_lines([](const auto&) { return true; }), Error);
}

TEST_F(WalIndexTest, TheLockIsHeldWhileOpen) {
  std::optional<WalIndex> index = WalIndex::open(locations_);
  EXPECT_TRUE(FileLock::holder(locations_.lock_directory / ".main-xlogdb.lock"));
  index.reset();
  EXPECT_FALSE(FileLock::holder(locations_.lock_directory / ".main-xlogdb.lock"));
}

TEST_F(WalIndexTest, AMissingIndexIsRebuiltAndTheOldOneGoes) {
  put_file(wal("000000010000000000000002"), "\x1f\x8b\x08...");
  put_file(wal("000000010000000000000001"), "plain");
  put_file(wal("000000010000000000000003.partial"), "part");
  put_file(wal("000000010000000000000001.00000028.backup"), "label");
  put_file(locations_.wals_directory / kHash / "junk.compressed", "junk");
  put_file(wal("00000002.history"), "1\t0/3000000\tx\n");
  put_file(wal("000000020000000000000003"), std::string("\x85\x01\x0c\x03", 4) + "secret");
  put_file(locations_.wals_directory / "xlog.db",
           "000000020000000000000003\t10\t1795225358.0\tzstd\tgpg\n");
  set_mtime(wal("000000020000000000000003"), 1795225358, 0);
  set_mtime(wal("000000010000000000000001"), 1795225416, 413525600);
  WalIndex::open(locations_);
  EXPECT_THAT(names(), testing::ElementsAre(
                           "000000010000000000000001", "000000010000000000000001.00000028.backup",
                           "000000010000000000000002", "000000010000000000000003.partial",
                           "00000002.history", "000000020000000000000003"));
  const std::string text = get_file(locations_.wal_index_path());
  EXPECT_THAT(text,
              testing::StartsWith("000000010000000000000001\t5\t1795225416.4135256\tNone\tNone\n"));
  EXPECT_THAT(text, testing::HasSubstr("\tgzip\tNone\n"));
  EXPECT_THAT(text, testing::EndsWith("000000020000000000000003\t10\t1795225358.0\tzstd\tgpg\n"));
  EXPECT_FALSE(fs::exists(locations_.wals_directory / "xlog.db"));
}

TEST_F(WalIndexTest, RebuildCounts) {
  put_file(wal("000000010000000000000001"), "plain");
  put_file(wal("000000010000000000000001.00000028.backup"), "label");
  put_file(wal("00000002.history"), "h");
  put_file(locations_.wal_index_path(), "damage\n");
  WalIndex index = WalIndex::open(locations_);
  const RebuildCounts counts = index.rebuild();
  EXPECT_EQ(counts.wal_files, 1U);
  EXPECT_EQ(counts.backup_labels, 1U);
  EXPECT_EQ(counts.history, 1U);
  EXPECT_EQ(names().size(), 3U);
}

TEST_F(WalIndexTest, IsNotRebuiltWhileAFileIsInThePlaceOfADirectory) {
  const std::string line = "000000010000000000000001\t5\t1.0\tNone\tNone\n";
  put_file(locations_.wal_index_path(), line);
  put_file(locations_.wals_directory / "0000000100000000", "x");
  WalIndex index = WalIndex::open(locations_);
  EXPECT_THROW(index.rebuild(), Error);
  EXPECT_EQ(get_file(locations_.wal_index_path()), line);
  // Without an index there is nothing to lose, and what else is there needs one.
  std::filesystem::remove(locations_.wal_index_path());
  put_file(wal("000000020000000000000001"), "x");
  index.rebuild();
  EXPECT_THAT(names(), testing::ElementsAre("000000020000000000000001"));
}

TEST_F(WalIndexTest, ALineCutOffByACrashIsMadeAnew) {
  put_file(wal("000000010000000000000001"), "plain");
  set_mtime(wal("000000010000000000000001"), 1795225416, 0);
  const std::string first = "00000001000000000000000F\t1\t1.0\tNone\tNone\n";
  put_file(locations_.wal_index_path(), first + "000000010000000000000001\t16777");
  WalIndex::open(locations_);
  EXPECT_EQ(get_file(locations_.wal_index_path()),
            first + "000000010000000000000001\t5\t1795225416.0\tNone\tNone\n");
  put_file(locations_.wal_index_path(), first + "00000001000000");
  WalIndex::open(locations_);
  EXPECT_EQ(get_file(locations_.wal_index_path()), first);
}

TEST(WalEncoding, IsToldFromTheFirstBytes) {
  const auto detect = [](std::string_view text) { return detect_wal_encoding(as_bytes(text)); };
  using namespace std::string_view_literals;
  EXPECT_EQ(detect("\x1f\x8b\x08"sv).compression, "gzip");
  EXPECT_EQ(detect("BZh9"sv).compression, "bzip2");
  EXPECT_EQ(detect("\xfd"
                   "7zXZ\0\0"sv)
                .compression,
            "xz");
  EXPECT_EQ(detect("\x28\xb5\x2f\xfd"sv).compression, "zstd");
  EXPECT_EQ(detect("\x04\x22\x4d\x18"sv).compression, "lz4");
  EXPECT_EQ(detect("\xff\x06\x00\x00sNaPpY"sv).compression, "snappy");
  EXPECT_EQ(detect("\x85\x01\x0c\x03zz"sv).encryption, "gpg");
  EXPECT_EQ(detect("\x84\x5e\x03zz"sv).encryption, "gpg");
  EXPECT_EQ(detect("\xc1\xc0\x4c\x03zz"sv).encryption, "gpg");
  EXPECT_EQ(detect("\x8c\x0d\x04\x09"sv).encryption, "gpg");
  EXPECT_EQ(detect("-----BEGIN PGP MESSAGE-----\n"sv).encryption, "gpg");
  EXPECT_EQ(detect("\x10\xd1\x07\x00\x01\x00"sv), WalEncoding{});
  EXPECT_EQ(detect(""sv), WalEncoding{});
}

}  // namespace
}  // namespace barman::wal_archive

#include "wal/wal_content.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wal/test_support.h"

namespace barman::wal {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::string kName = "000000010000000000000003";
const std::string kLabelName = kName + ".00000028.backup";

// "unfinished: TEXT" or "foreign: TEXT"; "" when nothing speaks against it.
std::string problem(const std::string& name, const std::string& content,
                    const ContentExpectation& expectation = {.system_id = kSystem}) {
  ContentCheck check(parse_wal_file_name(name).value(), expectation);
  // In pieces of odd size.
  for (std::size_t i = 0; i < content.size(); i += 100'007) {
    check.add(as_bytes(std::string_view(content).substr(i, 100'007)));
  }
  const auto found = check.find_problem();
  if (!found) return {};
  return (found->fault == ContentProblem::Fault::unfinished ? "unfinished: " : "foreign: ") +
         found->text;
}

TEST(WalContent, TakesSegmentsOfEverySizeAndVersion) {
  for (std::uint64_t size = std::uint64_t{1} << 20; size <= std::uint64_t{64} << 20; size *= 4) {
    EXPECT_EQ(problem(kName, make_segment(kName, {.size_bytes = size})), "");
  }
  // PostgreSQL 10 to 18.
  for (const int magic : {0xD097, 0xD098, 0xD101, 0xD106, 0xD10D, 0xD110, 0xD113, 0xD116, 0xD118}) {
    std::string segment = make_segment(kName);
    store(segment, 0, static_cast<std::uint16_t>(magic));
    EXPECT_EQ(problem(kName, segment), "") << magic;
  }
  // The first segment of a timeline begins with pages of the one before.
  std::string segment = make_segment(kName);
  EXPECT_EQ(problem("000000020000000000000003", segment), "");
}

TEST(WalContent, RefusesWhatCannotBeTheSegment) {
  EXPECT_EQ(problem(kName, ""), "unfinished: it is empty");
  EXPECT_EQ(problem(kName, "hello"),
            "foreign: it begins with \"hello\", not as a WAL segment does");
  EXPECT_EQ(problem(kName, "\x1b[1mWelcome\n" + make_segment(kName)),
            "foreign: it begins with \"\\x1b[1mWelcome\\x0a\\x10\\xd1\\x02\\x00\\x01\\x00\\x00\\x00"
            "\\x00\\x000\\x00\", not as a WAL segment does");
  EXPECT_EQ(problem(kName, std::string(1 << 20, '\0')), "unfinished: it begins with zeroes");
  const std::string segment = make_segment(kName);
  EXPECT_EQ(problem(kName, segment.substr(0, 30)), "unfinished: it has 30 bytes only");
  EXPECT_EQ(problem(kName, segment.substr(0, 8192)),
            "unfinished: it has 8192 bytes, its header tells a segment size of 1048576");
  EXPECT_THAT(problem(kName, segment + "\n"), StartsWith("foreign: it has 1048577 bytes"));
  EXPECT_THAT(problem("000000010000000000000004", segment), HasSubstr("it begins at LSN 0/300000"));
  EXPECT_THAT(problem(kName, make_segment(kName, {.system_id = 7})),
              HasSubstr("the cluster with system id 7, not 77104"));
  EXPECT_EQ(problem(kName, make_segment(kName, {.system_id = 7}), {}), "");
  std::string damaged = segment;
  store(damaged, 32, std::uint32_t{12345});
  EXPECT_EQ(problem(kName, damaged), "foreign: the header of its first page is damaged");
  std::string later = segment;
  store(later, 4, std::uint32_t{2});
  EXPECT_THAT(problem(kName, later), HasSubstr("it is of timeline 2"));
}

TEST(WalContent, PartialSegmentsMayBeShortOrUnwritten) {
  const std::string name = kName + ".partial";
  const std::string segment = make_segment(kName);
  EXPECT_EQ(problem(name, segment), "");
  EXPECT_EQ(problem(name, segment.substr(0, 8192)), "");
  EXPECT_EQ(problem(name, std::string(1 << 20, '\0')), "");
  EXPECT_EQ(problem(name, ""), "unfinished: it is empty");
  EXPECT_THAT(problem(name, "text"), HasSubstr("not as a WAL segment"));
  EXPECT_THAT(problem(name, segment + segment), HasSubstr("foreign: it has"));
  EXPECT_EQ(problem(kName, std::string(1 << 20, '\0'), {.may_be_unwritten = true}), "");
}

TEST(WalContent, HistoryFilesNameTheirAncestors) {
  const std::string name = "00000003.history";
  EXPECT_EQ(problem(name, "1\t0/3000158\tno recovery target specified\n\n2\t0/5000000\tat \"x\"\n"),
            "");
  EXPECT_EQ(problem(name, "# a comment\n 2 0/5000000"), "");
  EXPECT_EQ(problem(name, "# a comment\n"), "unfinished: it names no ancestor of the timeline");
  EXPECT_EQ(problem(name, "Last login: never\n1\t0/3000158\tx\n"),
            "foreign: its line \"Last login: never\" is none of a timeline history file");
  EXPECT_THAT(problem(name, "3\t0/3000158\tx\n"), HasSubstr("timeline 3 cannot be an ancestor"));
  EXPECT_THAT(problem(name, "2\t0/3\tx\n1\t0/4\tx\n"), HasSubstr("timeline 1 cannot be"));
  EXPECT_THAT(problem(name, "1x\t0/3\tx\n"), HasSubstr("is none of a timeline history file"));
  EXPECT_THAT(problem(name, make_segment(kName)), StartsWith("foreign: "));
}

TEST(WalContent, BackupHistoryFilesBelongToTheirSegment) {
  const std::string text = "START WAL LOCATION: 0/300028 (file " + kName +
                           ")\nSTOP WAL LOCATION: 0/300100 (file " + kName + ")\n";
  EXPECT_EQ(problem(kLabelName, text), "");
  EXPECT_EQ(problem(kLabelName, "START"), "unfinished: it has no STOP WAL LOCATION");
  EXPECT_EQ(problem(kLabelName, text.substr(0, 70)), "unfinished: it has no STOP WAL LOCATION");
  EXPECT_EQ(problem("000000010000000000000004.00000028.backup", text),
            "foreign: it belongs to another segment");
  EXPECT_THAT(problem(kLabelName, "hello"), StartsWith("foreign: it begins with \"hello\""));
}

}  // namespace
}  // namespace barman::wal

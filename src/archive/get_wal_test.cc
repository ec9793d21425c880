#include "archive/get_wal.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "archive/test_support.h"

namespace barman::archive {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string sent(const TestServer& test, const std::string& name, PartialFiles partial_files) {
  const std::filesystem::path path = test.home.path() / "out";
  const Fd fd = open_file(path, O_WRONLY | O_CREAT | O_TRUNC);
  EXPECT_EQ(send_wal(test.make(), find_wal(test.make(), name, partial_files), fd.get()),
            SendOutcome::sent);
  return get_file(path);
}

TEST(GetWal, ArchiveComesBeforeIncomingBeforeStreaming) {
  TestServer test;
  put_file(test.streaming(wal_name(1)), "streaming");
  EXPECT_EQ(sent(test, wal_name(1), PartialFiles::ignore), "streaming");
  put_file(test.incoming(wal_name(1)), "incoming");
  EXPECT_EQ(sent(test, wal_name(1), PartialFiles::ignore), "incoming");
  put_file(test.archived(wal_name(1)), "archive");
  EXPECT_EQ(sent(test, wal_name(1), PartialFiles::ignore), "archive");
}

TEST(GetWal, PartialFilesOnlyWhenAsked) {
  TestServer test;
  put_file(test.streaming(wal_name(1) + ".partial"), "partial");
  EXPECT_THROW(sent(test, wal_name(1), PartialFiles::ignore), Error);
  EXPECT_EQ(sent(test, wal_name(1), PartialFiles::accept), "partial");
  // The whole segment is always better.
  put_file(test.archived(wal_name(1) + ".partial"), "archived partial");
  put_file(test.archived(wal_name(1)), "whole");
  EXPECT_EQ(sent(test, wal_name(1), PartialFiles::accept), "whole");
}

TEST(GetWal, PipeGetsAllBytesAndAGoneReaderIsAnOutcome) {
  ::signal(SIGPIPE, SIG_IGN);
  TestServer test;
  put_file(test.archived(wal_name(1)), std::string(4096, 'x'));
  std::array<int, 2> fds = {};
  ASSERT_EQ(::pipe(fds.data()), 0);
  Fd reader(fds[0]);
  const Fd writer(fds[1]);
  EXPECT_EQ(
      send_wal(test.make(), find_wal(test.make(), wal_name(1), PartialFiles::ignore), writer.get()),
      SendOutcome::sent);
  std::array<std::byte, 4096> buffer = {};
  EXPECT_EQ(read_full(reader, buffer, "pipe"), buffer.size());
  reader = Fd();
  EXPECT_EQ(
      send_wal(test.make(), find_wal(test.make(), wal_name(1), PartialFiles::ignore), writer.get()),
      SendOutcome::reader_gone);
}

TEST(GetWal, NeverSendsCompressedBytes) {
  TestServer test;
  put_file(test.archived(wal_name(1)), std::string("\x28\xb5\x2f\xfd zstd", 9));
  try {
    sent(test, wal_name(1), PartialFiles::ignore);
    FAIL() << "sent";
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), HasSubstr(wal_name(1) + "\" is compressed with zstd"));
  }
  EXPECT_EQ(get_file(test.home.path() / "out"), "");
}

TEST(GetWal, InvalidNamesAndOutputsAreBadRequests) {
  TestServer test;
  EXPECT_THROW(sent(test, "foo", PartialFiles::ignore), BadWalRequest);
  put_file(test.archived(wal_name(1)), "one");
  RecordedMessages messages;
  EXPECT_THROW(write_wal(test.make(), wal_name(1), PartialFiles::ignore,
                         test.home.path() / "missing", messages),
               BadWalRequest);
}

TEST(GetWal, OutputFileAppearsCompleteOrNotAtAll) {
  TestServer test;
  const std::filesystem::path directory = test.home.path() / "to";
  std::filesystem::create_directory(directory);
  RecordedMessages messages;
  EXPECT_THROW(write_wal(test.make(), wal_name(1), PartialFiles::ignore, directory, messages),
               Error);
  EXPECT_THAT(list_names(directory), IsEmpty());
  put_file(test.streaming(wal_name(1) + ".partial"), "partial");
  write_wal(test.make(), wal_name(1), PartialFiles::accept, directory, messages);
  EXPECT_EQ(get_file(directory / wal_name(1)), "partial");
  EXPECT_THAT(list_names(directory), ElementsAre(wal_name(1)));
  EXPECT_THAT(messages.lines.back(), "Sending WAL '" + wal_name(1) +
                                         ".partial' for server 'main' into '" +
                                         (directory / wal_name(1)).string() + "' file");
}

TEST(GetWal, PeekStopsAtTheFirstMissingName) {
  TestServer test;
  put_file(test.archived(wal_name(1)), "");
  put_file(test.incoming(wal_name(2)), "");
  put_file(test.streaming(wal_name(3)), "");
  put_file(test.streaming(wal_name(4) + ".partial"), "");
  EXPECT_THAT(peek_wals(test.make(), wal_name(1), 10),
              ElementsAre(wal_name(1), wal_name(2), wal_name(3)));
  EXPECT_THAT(peek_wals(test.make(), wal_name(1), 2), ElementsAre(wal_name(1), wal_name(2)));
  EXPECT_THAT(peek_wals(test.make(), wal_name(9), 2), IsEmpty());
}

TEST(GetWal, PeekCrossesTheEndOfALog) {
  TestServer test;
  put_file(test.archived("0000000100000000000000FF"), "");
  put_file(test.archived("000000010000000100000000"), "");
  EXPECT_THAT(peek_wals(test.make(), "0000000100000000000000FF", 5),
              ElementsAre("0000000100000000000000FF", "000000010000000100000000"));
}

TEST(GetWal, PeekOfAHistoryFileIsThatFile) {
  TestServer test;
  put_file(test.archived("00000002.history"), "");
  EXPECT_THAT(peek_wals(test.make(), "00000002.history", 5), ElementsAre("00000002.history"));
  EXPECT_THAT(peek_wals(test.make(), "00000003.history", 5), IsEmpty());
}

}  // namespace
}  // namespace barman::archive

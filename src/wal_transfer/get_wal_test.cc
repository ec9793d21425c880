#include "wal_transfer/get_wal.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "compression/codec.h"
#include "compression/stored_file.h"
#include "compression/test_support.h"
#include "wal_transfer/test_support.h"

namespace barman::wal_transfer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string sent(const TestServer& test, const std::string& name, PartialWal partial_files) {
  const std::filesystem::path path = test.home.path() / "out";
  const Fd fd = open_file(path, O_WRONLY | O_CREAT | O_TRUNC);
  EXPECT_EQ(
      send_wal(test.make(),
               find_wal(test.make(), {.wal_name = name, .partial_files = partial_files}), fd.get()),
      SendOutcome::sent);
  return get_file(path);
}

std::string packed(compression::Algorithm algorithm, std::string_view text) {
  const TemporaryDirectory directory;
  const std::filesystem::path path = directory.path() / "packed";
  const Fd fd = open_file(path, O_WRONLY | O_CREAT);
  compression::FdSink sink(fd.get(), path);
  const auto compressor = compression::make_compressor(algorithm, 1, sink);
  compressor->write(as_bytes(text));
  compressor->finish();
  return get_file(path);
}

TEST(GetWal, ArchiveComesBeforeIncomingBeforeStreaming) {
  TestServer test;
  put_file(test.streaming(wal_name(1)), "streaming");
  EXPECT_EQ(sent(test, wal_name(1), PartialWal::ignore), "streaming");
  put_file(test.incoming(wal_name(1)), "incoming");
  EXPECT_EQ(sent(test, wal_name(1), PartialWal::ignore), "incoming");
  put_file(test.archived(wal_name(1)), "archive");
  EXPECT_EQ(sent(test, wal_name(1), PartialWal::ignore), "archive");
}

// Not found ends a recovery; it must not be said of what cannot be looked at.
TEST(GetWal, NothingIsMissingWhereItsPlaceIsNotThere) {
  namespace fs = std::filesystem;
  TestServer test;
  const auto ask = [&] { find_wal(test.make(), {.wal_name = wal_name(1)}); };
  EXPECT_THROW(ask(), WalNotFound);
  for (const std::string& place : {test.config.wals_directory, test.config.streaming_wals_directory,
                                   test.config.incoming_wals_directory}) {
    fs::rename(place, place + "-aside");
    fs::create_symlink("/nowhere/at/all", place);
    EXPECT_THROW(ask(), SystemError) << place;
    fs::remove(place);
    put_file(place, "x");
    EXPECT_THROW(ask(), SystemError) << place;
    fs::remove(place);
    EXPECT_THROW(ask(), WalNotFound) << "a new server";
    fs::rename(place + "-aside", place);
  }
  const fs::path hash_directory = fs::path(test.archived(wal_name(1))).parent_path();
  fs::remove_all(hash_directory);
  put_file(hash_directory, "x");
  EXPECT_THAT(ask, testing::ThrowsMessage<Error>(HasSubstr("in the place of a directory of WAL")));
  fs::remove(hash_directory);
  EXPECT_THROW(ask(), WalNotFound);
  put_file(fs::path(test.config.meta_directory()) / "20260101T000000-backup.info", "");
  fs::remove_all(test.config.wals_directory);
  try {
    ask();
    ADD_FAILURE();
  } catch (const WalNotFound&) {
    ADD_FAILURE() << "with a backup there was an archive";
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), HasSubstr("the WAL archive of server 'main'"));
    EXPECT_EQ(error.hint(), "Is its disk mounted?");
  }
}

TEST(GetWal, PartialFilesOnlyWhenAsked) {
  TestServer test;
  put_file(test.streaming(wal_name(1) + ".partial"), "partial");
  EXPECT_THROW(sent(test, wal_name(1), PartialWal::ignore), Error);
  EXPECT_EQ(sent(test, wal_name(1), PartialWal::accept), "partial");
  // The whole segment is always better.
  put_file(test.archived(wal_name(1) + ".partial"), "archived partial");
  put_file(test.archived(wal_name(1)), "whole");
  EXPECT_EQ(sent(test, wal_name(1), PartialWal::accept), "whole");
}

TEST(GetWal, PartialFilesAreFilledUpAndEmptyOnesAreMissing) {
  TestServer test;
  put_file(test.streaming(wal_name(1) + ".partial"), "");
  EXPECT_THROW(sent(test, wal_name(1), PartialWal::accept), Error);
  // A long page header of a segment of 1 MiB.
  std::string content("\x0d\xd1\x02\x00", 4);
  content.resize(5000);
  content[34] = '\x10';
  put_file(test.streaming(wal_name(1) + ".partial"), content);
  const std::string whole = sent(test, wal_name(1), PartialWal::accept);
  EXPECT_EQ(whole.size(), std::size_t{1} << 20);
  EXPECT_TRUE(whole.starts_with(content));
  EXPECT_EQ(whole.find_first_not_of('\0', content.size()), std::string::npos);
  // In whatever form it travels.
  const std::filesystem::path path = test.home.path() / "out";
  for (const WalForm form :
       {WalForm::as_stored, WalForm::gzip, WalForm::bzip2, WalForm::zstd, WalForm::lz4}) {
    const WalRequest request = {
        .wal_name = wal_name(1), .partial_files = PartialWal::accept, .form = form};
    const Fd fd = open_file(path, O_WRONLY | O_CREAT | O_TRUNC);
    send_wal(test.make(), find_wal(test.make(), request), fd.get());
    EXPECT_TRUE(compression::decompress_text(get_file(path), "out") == whole)
        << static_cast<int>(form);
  }
}

TEST(GetWal, ArchivedPartialFilesAreDecompressed) {
  TestServer test;
  test.config.compression = "zstd";
  put_file(test.archived(wal_name(1) + ".partial"),
           packed(compression::Algorithm::zstd, "\x0d\xd1 content"));
  EXPECT_EQ(sent(test, wal_name(1), PartialWal::accept), "\x0d\xd1 content");
}

TEST(GetWal, PipeGetsAllBytesAndAGoneReaderIsAnOutcome) {
  ::signal(SIGPIPE, SIG_IGN);
  TestServer test;
  put_file(test.archived(wal_name(1)), std::string(4096, 'x'));
  std::array<int, 2> fds = {};
  ASSERT_EQ(::pipe(fds.data()), 0);
  Fd reader(fds[0]);
  const Fd writer(fds[1]);
  EXPECT_EQ(send_wal(test.make(), find_wal(test.make(), {.wal_name = wal_name(1)}), writer.get()),
            SendOutcome::sent);
  std::array<std::byte, 4096> buffer = {};
  EXPECT_EQ(read_full(reader, buffer, "pipe"), buffer.size());
  reader = Fd();
  EXPECT_EQ(send_wal(test.make(), find_wal(test.make(), {.wal_name = wal_name(1)}), writer.get()),
            SendOutcome::reader_gone);
}

std::string sent(const TestServer& test, WalForm form) {
  const std::filesystem::path path = test.home.path() / "out";
  const Fd fd = open_file(path, O_WRONLY | O_CREAT | O_TRUNC);
  send_wal(test.make(), find_wal(test.make(), {.wal_name = wal_name(1), .form = form}), fd.get());
  return get_file(path);
}

TEST(GetWal, StoredFormsAreConvertedToWhatIsWanted) {
  using compression::Algorithm;
  const std::string text = "\x0d\xd1 content of a segment";
  TestServer test;
  for (const auto algorithm : {Algorithm::bzip2, Algorithm::gzip, Algorithm::lz4, Algorithm::snappy,
                               Algorithm::xz, Algorithm::zstd}) {
    const std::string stored = packed(algorithm, text);
    put_file(test.archived(wal_name(1)), stored);
    EXPECT_EQ(sent(test, WalForm::plain), text) << to_text(algorithm);
    EXPECT_EQ(sent(test, WalForm::as_stored), stored) << to_text(algorithm);
    const std::string gzip = sent(test, WalForm::gzip);
    EXPECT_TRUE(gzip.starts_with("\x1f\x8b")) << to_text(algorithm);
    EXPECT_EQ(compression::decompress_text(gzip, "gzip"), text) << to_text(algorithm);
    EXPECT_EQ(gzip == stored, algorithm == Algorithm::gzip);
    const std::string bzip2 = sent(test, WalForm::bzip2);
    EXPECT_TRUE(bzip2.starts_with("BZh")) << to_text(algorithm);
    EXPECT_EQ(compression::decompress_text(bzip2, "bzip2"), text) << to_text(algorithm);
    for (const auto& [form, wanted] :
         {std::pair(WalForm::zstd, Algorithm::zstd), std::pair(WalForm::lz4, Algorithm::lz4)}) {
      const std::string converted = sent(test, form);
      EXPECT_EQ(compression::detect(as_bytes(converted)), wanted) << to_text(algorithm);
      EXPECT_EQ(compression::decompress_text(converted, "wire"), text) << to_text(algorithm);
    }
  }
}

TEST(GetWal, DamagedFileIsAnError) {
  TestServer test;
  std::string stored = packed(compression::Algorithm::zstd, std::string(5000, 'x'));
  stored.resize(stored.size() - 3);
  put_file(test.archived(wal_name(1)), stored);
  try {
    sent(test, WalForm::plain);
    FAIL() << "sent";
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), ::testing::StartsWith("Error decompressing WAL: "));
    EXPECT_THAT(error.message(), HasSubstr(wal_name(1) + "\" is damaged"));
  }
}

TEST(GetWal, EncryptedFileIsRefused) {
  TestServer test;
  put_file(test.archived(wal_name(1)), "-----BEGIN PGP MESSAGE-----");
  EXPECT_THROW(sent(test, WalForm::plain), Error);
  EXPECT_THROW(sent(test, WalForm::as_stored), Error);
}

TEST(GetWal, InvalidNamesAndOutputsAreBadRequests) {
  TestServer test;
  EXPECT_THROW(sent(test, "foo", PartialWal::ignore), BadWalRequest);
  put_file(test.archived(wal_name(1)), "one");
  RecordedMessages messages;
  EXPECT_THROW(
      write_wal(test.make(), {.wal_name = wal_name(1)}, test.home.path() / "missing", messages),
      BadWalRequest);
}

TEST(GetWal, OutputFileAppearsCompleteOrNotAtAll) {
  TestServer test;
  const std::filesystem::path directory = test.home.path() / "to";
  std::filesystem::create_directory(directory);
  RecordedMessages messages;
  EXPECT_THROW(write_wal(test.make(), {.wal_name = wal_name(1)}, directory, messages), Error);
  EXPECT_THAT(list_names(directory), IsEmpty());
  put_file(test.streaming(wal_name(1) + ".partial"), "partial");
  write_wal(test.make(), {.wal_name = wal_name(1), .partial_files = PartialWal::accept}, directory,
            messages);
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
}  // namespace barman::wal_transfer

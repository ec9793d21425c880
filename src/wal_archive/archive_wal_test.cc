#include "wal_archive/archive_wal.h"

#include <sys/stat.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file_lock.h"
#include "catalogue/locks.h"
#include "catalogue/minimal_wal.h"
#include "compression/codec.h"
#include "compression/stored_file.h"
#include "compression/test_support.h"
#include "wal_archive/killed_process.h"
#include "wal_archive/test_support.h"
#include "wal_archive/wal_filer.h"

namespace barman::wal_archive {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string gzipped(const std::string& content) {
  compression::TextSink text("a test");
  const auto compressor = compression::make_compressor(compression::Algorithm::gzip, 1, text);
  compressor->write(as_bytes(content));
  compressor->finish();
  return text.take();
}

constexpr ArchiveRequest kTelling = {.when_idle = ArchiveRequest::WhenIdle::tell};

TEST(ArchiveWal, StreamingFirstThenIncoming) {
  TestServer test;
  put_wal_file(test.streaming(wal_name(1)), "one");
  put_wal_file(test.streaming(wal_name(2) + ".partial"), "two");
  put_wal_file(test.incoming("00000002.history"), "history");
  RecordedMessages messages;
  const ArchiveCounts counts = archive_pending_wal(test.make(), kTelling, messages);
  EXPECT_EQ(counts.archived, 2U);
  EXPECT_THAT(
      messages.lines,
      ElementsAre("Processing xlog segments from streaming for main", "\t" + wal_name(1),
                  "Processing xlog segments from file archival for main", "\t00000002.history"));
  EXPECT_EQ(get_wal_text(test.archived(wal_name(1))), "one");
  EXPECT_EQ(get_wal_text(test.archived("00000002.history")), "history");
  EXPECT_THAT(test.indexed(), ElementsAre(wal_name(1), "00000002.history"));
  EXPECT_THAT(list_names(test.config.streaming_wals_directory),
              ElementsAre(wal_name(2) + ".partial"));
  EXPECT_THAT(list_names(test.config.incoming_wals_directory), IsEmpty());
}

TEST(ArchiveWal, TellsThatNothingWaitsOnlyWhenAsked) {
  TestServer test;
  RecordedMessages messages;
  archive_pending_wal(test.make(), {}, messages);
  EXPECT_THAT(messages.lines, IsEmpty());
  test.config.streaming_archiver = false;
  archive_pending_wal(test.make(), kTelling, messages);
  EXPECT_THAT(messages.lines, ElementsAre("Processing xlog segments from file archival for main",
                                          "\tno file found"));
}

TEST(ArchiveWal, TellsOfWalThatIsNotLookedAt) {
  TestServer test;
  test.config.archiver = false;
  put_wal_file(test.incoming(wal_name(1)), "one");
  RecordedMessages messages;
  archive_pending_wal(test.make(), kTelling, messages);
  EXPECT_THAT(messages.lines.back(),
              HasSubstr("1 WAL file in \"" + test.config.incoming_wals_directory +
                        "\" is not archived, since archiver = off. Set archiver = on in section "
                        "[main]"));
  RecordedMessages silent;
  archive_pending_wal(test.make(), {}, silent);
  EXPECT_THAT(silent.lines, IsEmpty());
}

TEST(ArchiveWal, AFileInThePlaceOfADirectoryIsNotNothing) {
  TestServer test;
  std::filesystem::remove_all(test.config.streaming_wals_directory);
  put_file(test.config.streaming_wals_directory, "x");
  RecordedMessages messages;
  EXPECT_THROW(archive_pending_wal(test.make(), kTelling, messages), SystemError);
}

TEST(ArchiveWal, LimitedBatchSaysSo) {
  TestServer test;
  test.config.archiver_batch_size = 1;
  put_wal_file(test.incoming(wal_name(1)), "one");
  put_wal_file(test.incoming(wal_name(2)), "two");
  RecordedMessages messages;
  archive_pending_wal(test.make(), {}, messages);
  EXPECT_THAT(messages.lines,
              ElementsAre("Processing xlog segments from file archival for main (batch size: 1)",
                          "\t" + wal_name(1)));
  EXPECT_THAT(test.indexed(), ElementsAre(wal_name(1)));
}

TEST(ArchiveWal, MoreThanOneGroupKeepsTheOrder) {
  TestServer test;
  std::vector<std::string> names;
  for (unsigned i = 1; i <= 2 * WalFiler::kGroupSize + 1; ++i) {
    names.push_back(wal_name(i));
    put_wal_file(test.incoming(names.back()), "x");
  }
  RecordedMessages messages;
  EXPECT_EQ(archive_pending_wal(test.make(), {}, messages).archived, names.size());
  EXPECT_EQ(test.indexed(), names);
}

TEST(ArchiveWal, IdenticalDuplicateIsDroppedAndItsLineRepaired) {
  TestServer test;
  put_wal_file(test.incoming(wal_name(1)), "one");
  RecordedMessages messages;
  archive_pending_wal(test.make(), {}, messages);
  // A file without a line, as a crash of Barman leaves it.
  put_wal_file(test.archived(wal_name(2)), "two");
  put_wal_file(test.incoming(wal_name(1)), "one");
  put_wal_file(test.incoming(wal_name(2)), "two");
  const ArchiveCounts counts = archive_pending_wal(test.make(), {}, messages);
  EXPECT_EQ(counts.duplicates, 2U);
  EXPECT_THAT(test.indexed(), ElementsAre(wal_name(1), wal_name(2)));
  EXPECT_THAT(list_names(test.config.incoming_wals_directory), IsEmpty());
}

TEST(ArchiveWal, DifferentDuplicateGoesToErrors) {
  TestServer test;
  put_wal_file(test.archived(wal_name(1)), "one");
  put_wal_file(test.incoming(wal_name(1)), "two");
  RecordedMessages messages;
  EXPECT_EQ(archive_pending_wal(test.make(), {}, messages).rejected, 1U);
  EXPECT_THAT(messages.lines.back(), "\tError: " + wal_name(1) +
                                         " is already present in server main. File moved to "
                                         "errors directory.");
  EXPECT_EQ(get_wal_text(test.archived(wal_name(1))), "one");
  const auto errors = list_names(test.config.errors_directory);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_THAT(errors.front(), EndsWith("Z.duplicate"));
  EXPECT_EQ(get_wal_text(std::filesystem::path(test.config.errors_directory) / errors.front()),
            "two");
}

TEST(ArchiveWal, UnknownObjectsGoToErrors) {
  TestServer test;
  put_wal_file(test.incoming("README"), "text");
  put_wal_file(test.incoming("adir/file"), "text");
  put_wal_file(test.incoming("half.tmp"), "stays");
  put_wal_file(test.incoming(".hidden"), "stays");
  RecordedMessages messages;
  archive_pending_wal(test.make(), {}, messages);
  EXPECT_THAT(messages.lines,
              ElementsAre("Some unknown objects have been found while processing xlog segments "
                          "for main. Objects moved to errors directory:",
                          "\tREADME", "\tadir"));
  EXPECT_THAT(list_names(test.config.incoming_wals_directory), ElementsAre(".hidden", "half.tmp"));
  EXPECT_EQ(list_names(test.config.errors_directory).size(), 2U);
}

TEST(ArchiveWal, WhatGoesToErrorsIsNamedAfterTheMoment) {
  TestServer test;
  test.clock = WallClock::at(parse_timestamp("2026-11-21 02:43:14+01:00")->time);
  put_wal_file(test.incoming("README"), "text");
  RecordedMessages messages;
  archive_pending_wal(test.make(), {}, messages);
  EXPECT_THAT(list_names(test.config.errors_directory),
              ElementsAre("README.20261121T014314Z.unknown"));
}

// A link, a FIFO or a directory in the place of a segment must not keep the others waiting.
TEST(ArchiveWal, WhatIsNoFileGoesToErrorsAndTheOthersAreArchived) {
  TestServer test;
  put_wal_file(test.home.path() / wal_name(1), "elsewhere");
  std::filesystem::create_symlink(test.home.path() / wal_name(1), test.incoming(wal_name(1)));
  std::filesystem::create_symlink("nowhere", test.incoming(wal_name(2)));
  ASSERT_EQ(::mkfifo(test.incoming(wal_name(3)).c_str(), 0600), 0);
  std::filesystem::create_directory(test.incoming(wal_name(4)));
  put_wal_file(test.incoming(wal_name(5)), "five");
  RecordedMessages messages;
  const ArchiveCounts counts = archive_pending_wal(test.make(), {}, messages);
  EXPECT_EQ(counts.archived, 1U);
  EXPECT_EQ(counts.rejected, 4U);
  EXPECT_THAT(test.indexed(), ElementsAre(wal_name(5)));
  EXPECT_THAT(list_names(test.config.incoming_wals_directory), IsEmpty());
  EXPECT_EQ(list_names(test.config.errors_directory).size(), 4U);
  for (unsigned number = 1; number <= 4; ++number) {
    EXPECT_THAT(messages.lines, Contains("\t" + wal_name(number)));
  }
  EXPECT_EQ(get_wal_text(test.home.path() / wal_name(1)), "elsewhere");
}

// XLOG_PARAMETER_CHANGE of PostgreSQL 13 to 17, with wal_level = minimal.
std::string minimal_segment() {
  wal::WalBuilder wal;
  wal.add_record(100);
  std::string settings(28, '\0');
  wal::store(settings, 20, std::uint32_t{0});
  wal.add_record_with("\xFF" + std::string(1, static_cast<char>(settings.size())) + settings, 0,
                      0x60);
  wal.add_switch();
  return wal.bytes();
}

TEST(ArchiveWal, TellsMinimalWalOfWhatItArchives) {
  for (const bool is_compressed : {false, true}) {
    TestServer test;
    if (is_compressed) test.config.compression = "gzip";
    const std::string name = wal::segment_name({wal::TimelineId{1}, 1}, {wal::kSegment});
    put_file(test.incoming(name), minimal_segment());
    put_file(test.incoming(wal_name(2)), "none");
    RecordedMessages messages;
    EXPECT_EQ(archive_pending_wal(test.make(), {}, messages).archived, 1U);
    EXPECT_THAT(messages.lines, Contains(HasSubstr("ran with wal_level = minimal from ")));
    const auto places = catalogue::list_minimal_wal(test.config.backup_directory);
    ASSERT_EQ(places.size(), 1U);
    EXPECT_EQ(places.front().segment, name);
  }
}

TEST(ArchiveWal, RecordsCompressionFoundByMagic) {
  TestServer test;
  const std::string gzip = gzipped(wal_content(wal_name(1), "one"));
  put_file(test.incoming(wal_name(1)), gzip);
  RecordedMessages messages;
  archive_pending_wal(test.make(), {}, messages);
  const auto entry = WalIndex::open(test.make().locations()).find(wal_name(1));
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->compression, "gzip");
  EXPECT_EQ(entry->size_bytes, gzip.size());
}

void make_old(const std::filesystem::path& path) {
  std::filesystem::last_write_time(
      path, std::filesystem::file_time_type::clock::now() - std::chrono::minutes(10));
}

TEST(ArchiveWal, WhatCannotBeWalOfTheServerGoesToErrors) {
  TestServer test;
  test.make().catalogue().write_identity_once(
      {.system_id = std::to_string(wal::kSystem), .version = "17"});
  const std::string segment = wal_content(wal_name(1), "one");
  const std::vector<std::string> contents = {"hello",
                                             segment + "x",
                                             wal_content(wal_name(2), "of another place"),
                                             wal::make_segment(wal_name(1), {.system_id = 7}),
                                             "",
                                             segment.substr(0, 8192),
                                             gzipped("hello"),
                                             gzipped(segment).substr(0, 500)};
  for (const std::string& content : contents) {
    put_file(test.incoming(wal_name(1)), content);
    make_old(test.incoming(wal_name(1)));
    RecordedMessages messages;
    EXPECT_EQ(archive_pending_wal(test.make(), {}, messages).rejected, 1U);
    EXPECT_THAT(messages.lines.back(), ::testing::StartsWith("\tError: " + wal_name(1) +
                                                             " is no WAL file of server main: "));
  }
  EXPECT_EQ(list_names(test.config.errors_directory).size(), contents.size());
  EXPECT_THAT(list_names(test.config.incoming_wals_directory), IsEmpty());
  EXPECT_THAT(test.indexed(), IsEmpty());
  put_file(test.incoming(wal_name(1)), segment);
  RecordedMessages messages;
  EXPECT_EQ(archive_pending_wal(test.make(), {}, messages).archived, 1U);
}

// Somebody's archive_command may copy into incoming/ directly.
TEST(ArchiveWal, WhatIsStillBeingWrittenStays) {
  TestServer test;
  const std::string segment = wal_content(wal_name(1), "one");
  put_file(test.incoming(wal_name(1)), segment.substr(0, 8192));
  put_wal_file(test.incoming(wal_name(2)), "two");
  RecordedMessages messages;
  EXPECT_EQ(archive_pending_wal(test.make(), {}, messages).archived, 1U);
  EXPECT_THAT(list_names(test.config.incoming_wals_directory), ElementsAre(wal_name(1)));
  put_file(test.incoming(wal_name(1)), segment);
  EXPECT_EQ(archive_pending_wal(test.make(), {}, messages).archived, 1U);
  EXPECT_THAT(test.indexed(), ::testing::UnorderedElementsAre(wal_name(1), wal_name(2)));
}

// Who writes a segment needs less than a minute; what is short after that stays so.
TEST(ArchiveWal, AShortFileIsGivenUpAfterAMinute) {
  TestServer test;
  const std::string segment = wal::make_segment(wal_name(1), {.text = "one"});
  put_file(test.incoming(wal_name(1)), segment.substr(0, 8192));
  struct stat status = {};
  ASSERT_EQ(::stat(test.incoming(wal_name(1)).c_str(), &status), 0);
  const auto archive_after = [&](int seconds) {
    test.clock = WallClock::at({.microseconds = (status.st_mtim.tv_sec + seconds) * 1'000'000});
    RecordedMessages messages;
    archive_pending_wal(test.make(), {}, messages);
    return list_names(test.config.incoming_wals_directory);
  };
  EXPECT_THAT(archive_after(59), ElementsAre(wal_name(1)));
  EXPECT_THAT(archive_after(60), ::testing::IsEmpty());
  EXPECT_EQ(list_names(test.config.errors_directory).size(), 1U);
}

TEST(ArchiveWal, AGoodFileTakesThePlaceOfOneThatCannotBeRight) {
  TestServer test;
  put_file(test.archived(wal_name(1)), "");
  put_wal_file(test.archived(wal_name(2)), "good");
  put_file(test.archived("00000002.history"), "Welcome to this host\n");
  EXPECT_EQ(test.indexed().size(), 3U);
  put_wal_file(test.incoming(wal_name(1)), "one");
  put_wal_file(test.incoming(wal_name(2)), "two");
  put_wal_file(test.incoming("00000002.history"), "reason");
  RecordedMessages messages;
  const ArchiveCounts counts = archive_pending_wal(test.make(), {}, messages);
  EXPECT_EQ(counts.archived, 2U);
  EXPECT_EQ(counts.rejected, 1U);
  EXPECT_EQ(get_wal_text(test.archived(wal_name(1))), "one");
  EXPECT_EQ(get_wal_text(test.archived(wal_name(2))), "good");
  EXPECT_EQ(get_wal_text(test.archived("00000002.history")), "reason");
  EXPECT_EQ(test.indexed().size(), 3U);
  EXPECT_EQ(WalIndex::open(test.make().locations()).find(wal_name(1))->size_bytes, wal::kSegment);
  EXPECT_THAT(list_names(test.config.errors_directory),
              ElementsAre(EndsWith("Z.unknown"), EndsWith("Z.duplicate"), EndsWith("Z.unknown")));
  EXPECT_THAT(messages.lines,
              ::testing::Contains(::testing::HasSubstr("what was archived as " + wal_name(1) +
                                                       " in server main is none: it is empty")));
}

// Renames the file that is told, as the program that was writing it does at its end.
class RenamesWhatIsTold final : public Messages {
 public:
  RenamesWhatIsTold(std::filesystem::path from, std::filesystem::path to)
      : from_(std::move(from)), to_(std::move(to)) {}
  void debug(const std::string&) override {}
  void info(const std::string& text) override {
    if (text == "\t" + from_.filename().string()) std::filesystem::rename(from_, to_);
  }
  void warning(const std::string&) override {}
  void error(const std::string&) override {}
  void exception(const std::string&) override {}

 private:
  std::filesystem::path from_;
  std::filesystem::path to_;
};

TEST(ArchiveWal, AFileThatGetsItsRightNameMeanwhileIsNoFailure) {
  TestServer test;
  put_wal_file(test.incoming(wal_name(1)), "one");
  put_wal_file(test.incoming(wal_name(2)), "two");
  std::filesystem::rename(test.incoming(wal_name(2)), test.incoming(wal_name(2) + ".part"));
  RenamesWhatIsTold messages(test.incoming(wal_name(2) + ".part"), test.incoming(wal_name(2)));
  const ArchiveCounts counts = archive_pending_wal(test.make(), {}, messages);
  EXPECT_EQ(counts.archived, 1U);
  EXPECT_EQ(counts.rejected, 0U);
  EXPECT_EQ(archive_pending_wal(test.make(), {}, messages).archived, 1U);
}

TEST(ArchiveWal, NamesOfAnyLengthDoNotStopIt) {
  TestServer test;
  for (const std::size_t size : {229U, 230U, 255U})
    put_file(test.incoming(std::string(size, 'x')), "x");
  put_file(test.incoming(std::string(254, 'x') + "y"), "y");
  put_wal_file(test.incoming(wal_name(1)), "one");
  RecordedMessages messages;
  EXPECT_EQ(archive_pending_wal(test.make(), {}, messages).archived, 1U);
  EXPECT_THAT(list_names(test.config.incoming_wals_directory), IsEmpty());
  EXPECT_EQ(list_names(test.config.errors_directory).size(), 4U);
}

TEST(ArchiveWal, FileThatCannotBeReadStopsTheRunAfterThoseBefore) {
  TestServer test;
  put_wal_file(test.incoming(wal_name(1)), "one");
  put_wal_file(test.incoming(wal_name(2)), "two");
  put_file(test.config.wals_directory + "/0000000100000001", "in the way of a directory");
  put_wal_file(test.incoming("000000010000000100000000"), "cannot go");
  RecordedMessages messages;
  EXPECT_THROW(archive_pending_wal(test.make(), {}, messages), Error);
  EXPECT_THAT(test.indexed(), ElementsAre(wal_name(1), wal_name(2)));
  EXPECT_THAT(list_names(test.config.incoming_wals_directory),
              ElementsAre("000000010000000100000000"));
}

// The removal of old WAL takes empty directories along, whenever that is.
TEST(ArchiveWal, DirectoryThatWentMeanwhileIsMadeAgain) {
  TestServer test;
  const server::Server server = test.make();
  put_wal_file(test.incoming(wal_name(1)), "x");
  put_wal_file(test.incoming(wal_name(2)), "y");
  WalFiler filer(server, WalSource::incoming);
  const auto file = [&](unsigned number) {
    const std::string name = wal_name(number);
    EXPECT_EQ(filer.file_group(std::span(&name, 1)).size(), 1U);
    filer.rethrow_failure();
    EXPECT_TRUE(std::filesystem::exists(test.archived(name)));
  };
  file(1);
  std::filesystem::remove_all(test.archived(wal_name(1)).parent_path());
  file(2);
}

TEST(ArchiveWal, BusyLockIsToldOnce) {
  TestServer test;
  const auto lock = FileLock::try_lock(catalogue::archive_wal_lock(test.make().locks()));
  RecordedMessages messages;
  EXPECT_TRUE(archive_pending_wal(test.make(), {}, messages).is_busy);
  EXPECT_TRUE(
      archive_pending_wal(test.make(), {.when_busy = ArchiveRequest::WhenBusy::be_silent}, messages)
          .is_busy);
  EXPECT_THAT(messages.lines,
              ElementsAre("Another archive-wal process is already running on server main. Skipping "
                          "to the next server"));
}

TEST(ArchiveWal, HooksSeeTheFileAndRunOutsideTheIndexLock) {
  TestServer test;
  const std::string output = (test.home.path() / "hooks").string();
  const std::string index_lock = catalogue::wal_index_lock(test.make().locks()).string();
  const std::string script =
      "echo $BARMAN_PHASE $BARMAN_SEGMENT $BARMAN_SIZE $(basename $(dirname "
      "$BARMAN_FILE)) $(flock -n " +
      index_lock + " echo free) >> " + output;
  test.config.pre_archive_script = script;
  test.config.post_archive_script = script;
  put_wal_file(test.incoming(wal_name(1)), "one");
  RecordedMessages messages;
  archive_pending_wal(test.make(), {}, messages);
  EXPECT_EQ(get_file(output), "pre " + wal_name(1) + " 1048576 incoming free\npost " + wal_name(1) +
                                  " 1048576 0000000100000000 free\n");
}

TEST(ArchiveWal, AbortedPreRetryHookLeavesTheFile) {
  TestServer test;
  const std::string output = (test.home.path() / "hooks").string();
  test.config.pre_archive_retry_script = "exit 63";
  test.config.post_archive_script = "echo \"$BARMAN_ERROR\" > " + output;
  put_wal_file(test.incoming(wal_name(1)), "one");
  RecordedMessages messages;
  EXPECT_EQ(archive_pending_wal(test.make(), {}, messages).archived, 0U);
  EXPECT_THAT(list_names(test.config.incoming_wals_directory), ElementsAre(wal_name(1)));
  EXPECT_THAT(get_file(output), ::testing::HasSubstr("pre_archive_retry_script"));
}

// A process that is killed before the n-th change of a group, for every n; the next run completes
// the work.
class KilledArchiver : public ::testing::TestWithParam<const char*> {
 protected:
  // False when the group ended before the step was reached.
  static bool archive_and_die(const TestServer& test, const std::vector<std::string>& names,
                              int last_step) {
    return run_and_kill(
        [&] {
          WalFiler filer(test.make(), WalSource::incoming);
          filer.file_group(names);
        },
        last_step);
  }
};

TEST_P(KilledArchiver, NextRunLeavesEverySegmentOnceInArchiveAndIndex) {
  const std::vector<std::string> names = {wal_name(1), wal_name(2), wal_name(3)};
  int steps = first_of_stride(6);
  for (bool was_killed = true; was_killed; steps += stride(6)) {
    TestServer test;
    if (*GetParam() != '\0') test.config.compression = GetParam();
    for (const std::string& name : names) put_wal_file(test.incoming(name), "content of " + name);
    was_killed = archive_and_die(test, names, steps + 1);
    RecordedMessages messages;
    archive_pending_wal(test.make(), {}, messages);
    EXPECT_THAT(test.indexed(), ::testing::UnorderedElementsAreArray(names)) << "step " << steps;
    for (const std::string& name : names) {
      EXPECT_EQ(
          wal::text_of_segment(compression::decompress_text(get_file(test.archived(name)), name)),
          "content of " + name)
          << "step " << steps;
    }
    EXPECT_THAT(list_names(test.config.incoming_wals_directory), IsEmpty()) << "step " << steps;
    EXPECT_EQ(list_names(test.archived(wal_name(1)).parent_path()), names) << "step " << steps;
    EXPECT_FALSE(std::filesystem::exists(test.config.errors_directory)) << "step " << steps;
  }
  EXPECT_GT(steps, 10);
}

INSTANTIATE_TEST_SUITE_P(All, KilledArchiver, ::testing::Values("", "zstd"));

}  // namespace
}  // namespace barman::wal_archive

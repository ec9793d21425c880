#include "wal_transfer/put_wal.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fmt/format.h>

#include "base/digest.h"
#include "wal/segment_header.h"
#include "wal_transfer/test_support.h"

namespace barman::wal_transfer {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

std::string member(const std::string& name, const std::string& content, char type = '0') {
  std::string header(512, '\0');
  header.replace(0, name.size(), name);
  header.replace(100, 7, "0000600");
  header.replace(108, 7, "0000000");
  header.replace(116, 7, "0000000");
  header.replace(124, 11, fmt::format("{:011o}", content.size()));
  header.replace(136, 11, "14503060000");
  header.replace(148, 8, "        ");
  header[156] = type;
  if (type == '2') header.replace(157, 4, "link");
  header.replace(257, 8, std::string("ustar\00000", 8));
  unsigned sum = 0;
  for (const char byte : header) sum += static_cast<unsigned char>(byte);
  header.replace(148, 8, fmt::format("{:06o}", sum) + std::string("\0 ", 2));
  return header + content + std::string((512 - content.size() % 512) % 512, '\0');
}

std::string line(const std::string& name, const std::string& content) {
  return digest_of(DigestAlgorithm::sha256, content) + " *" + name + "\n";
}

// `text` inside of a file that may have this name.
std::string one_file(const std::string& name, const std::string& text) {
  const std::string content = wal_content(name, text);
  return member(name, content) + member("SHA256SUMS", line(name, content)) +
         std::string(1024, '\0');
}

std::string raw_file(const std::string& name, const std::string& content) {
  return member(name, content) + member("SHA256SUMS", line(name, content)) +
         std::string(1024, '\0');
}

class PutWal : public ::testing::Test {
 protected:
  void put(const std::string& stream) {
    const std::filesystem::path path = test.home.path() / "stream";
    const Fd fd = open_file(path, O_RDWR | O_CREAT | O_TRUNC);
    write_full(fd, as_bytes(stream), path);
    ::lseek(fd.get(), 0, SEEK_SET);
    put_wal(test.make(), fd.get(), messages);
  }
  std::string refusal_of(const std::string& stream) {
    try {
      put(stream);
    } catch (const Error& error) {
      EXPECT_THAT(list_names(test.config.incoming_wals_directory), IsEmpty());
      return error.message();
    }
    return "accepted";
  }
  std::vector<std::string> incoming() { return list_names(test.config.incoming_wals_directory); }

  TestServer test;
  RecordedMessages messages;
  const std::string name = wal_name(1);
  const std::string one = wal_content(name, "one");
  const std::string two = wal_content(name, "two");
};

TEST_F(PutWal, FilesAppearWithTheirTimesInSilence) {
  const std::string history = wal_content("00000002.history", "two");
  put(member(name, one) + member("00000002.history", history) +
      member("SHA256SUMS", line(name, one) + line("00000002.history", history)) +
      std::string(1024, '\0'));
  EXPECT_THAT(incoming(), ElementsAre(name, "00000002.history"));
  EXPECT_EQ(get_wal_text(test.incoming(name)), "one");
  EXPECT_THAT(messages.lines, IsEmpty());
}

TEST_F(PutWal, ChecksumsMayComeFirstAndBeMd5) {
  const std::string list = digest_of(DigestAlgorithm::md5, one) + "  ./" + name + "\n";
  put(member("MD5SUMS", list) + member("./" + name, one));
  EXPECT_EQ(get_wal_text(test.incoming(name)), "one");
}

TEST_F(PutWal, RefusesAsBarmanSays) {
  const std::string tail = " in put-wal for server 'main'";
  EXPECT_EQ(refusal_of(member("adir/", "", '5')),
            "Unsupported file type '5' for file 'adir'" + tail);
  EXPECT_EQ(refusal_of(member("alink", "", '2')),
            "Unsupported file type '2' for file 'alink'" + tail);
  EXPECT_EQ(refusal_of(member("sub/f", "x")), "Unsupported filename 'sub/f'" + tail);
  EXPECT_EQ(refusal_of(member(name, one)), "Missing checksum for file '" + name + "'" + tail);
  EXPECT_EQ(refusal_of(member("SHA256SUMS", line(name, one))),
            "Checksum without corresponding file '" + name + "'" + tail);
  EXPECT_EQ(refusal_of(member(name, two) + member("SHA256SUMS", line(name, one))),
            "Bad file checksum '" + digest_of(DigestAlgorithm::sha256, two) + "' (should be " +
                digest_of(DigestAlgorithm::sha256, one) + ") for file '" + name + "'" + tail);
}

TEST_F(PutWal, BadChecksumLinesAreWarnings) {
  refusal_of(member(name, one) + member("SHA256SUMS", "no checksum\n"));
  EXPECT_THAT(messages.lines,
              ElementsAre("WARNING: Bad checksum line 'no checksum' found in put-wal for server "
                          "'main'"));
}

TEST_F(PutWal, EveryBrokenStreamIsRefusedAndLeavesNothing) {
  EXPECT_EQ(refusal_of(""), "empty file");
  EXPECT_EQ(refusal_of("short"), "truncated header");
  const std::string stream = raw_file(name, std::string(3000, 'x'));
  for (std::size_t size = 512; size < stream.size() - 1024; size += 500) {
    EXPECT_NE(refusal_of(stream.substr(0, size)), "accepted") << size;
  }
  EXPECT_THAT(refusal_of(stream.substr(0, 1100)), StartsWith("unexpected end of data"));
}

TEST_F(PutWal, IdenticalDuplicateIsDroppedAndAnotherOneKeptInErrors) {
  put(one_file(name, "one"));
  put(one_file(name, "one"));
  EXPECT_THAT(incoming(), ElementsAre(name));
  EXPECT_THAT(messages.lines, IsEmpty());
  put(one_file(name, "two"));
  EXPECT_EQ(get_wal_text(test.incoming(name)), "one");
  EXPECT_THAT(incoming(), ElementsAre(name));
  ASSERT_EQ(messages.lines.size(), 1U);
  EXPECT_THAT(messages.lines[0],
              StartsWith("\tError: Duplicate Files Detected with Mismatched Checksums. File " +
                         name + " already exists on server main with checksum " +
                         digest_of(DigestAlgorithm::sha256, one)));
  const auto errors = list_names(test.config.errors_directory);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_THAT(errors[0], StartsWith(name + "."));
  EXPECT_THAT(errors[0], EndsWith("Z.duplicate"));
  EXPECT_EQ(get_wal_text(std::filesystem::path(test.config.errors_directory) / errors[0]), "two");
}

TEST_F(PutWal, MismatchingDuplicateThatCannotBeKeptIsAFailure) {
  put(one_file(name, "one"));
  put_file(test.config.errors_directory, "a file in the way of the directory");
  EXPECT_THROW(put(one_file(name, "two")), Error);
}

TEST_F(PutWal, SegmentOfAnotherClusterOrPlaceIsRefused) {
  test.make().catalogue().write_identity_once({.system_id = "42", .version = "15"});
  EXPECT_THAT(refusal_of(raw_file(name, wal::make_segment(name, {.system_id = 43}))),
              HasSubstr("it belongs to the cluster with system id 43, not 42"));
  EXPECT_THAT(refusal_of(raw_file(name, wal::make_segment(wal_name(2), {.system_id = 42}))),
              HasSubstr("it begins at LSN 0/200000, its name says 0/100000"));
  EXPECT_THAT(
      refusal_of(raw_file(name, wal::make_segment("000000020000000000000001", {.system_id = 42}))),
      HasSubstr("of timeline 2"));
  put(raw_file(name, wal::make_segment(name, {.system_id = 42})));
  EXPECT_THAT(incoming(), ElementsAre(name));
}

TEST_F(PutWal, WhatIsNoWalIsRefused) {
  for (const std::string& other :
       {std::string("f0"), std::string("main-xlog.db"), std::string("backup_label"),
        std::string(99, 'x'), std::string(100, '0'), name + ".tmp"}) {
    EXPECT_THAT(refusal_of(raw_file(other, one)), StartsWith("Not the name of a WAL file: "))
        << other;
  }
  EXPECT_THAT(refusal_of(raw_file(name, "")), HasSubstr("it is empty"));
  EXPECT_THAT(refusal_of(raw_file(name, "hello")), HasSubstr("not as a WAL segment does"));
  EXPECT_THAT(refusal_of(raw_file(name, one.substr(0, 100000))), HasSubstr("it has 100000 bytes"));
  EXPECT_THAT(refusal_of(raw_file(name, one + "x")), HasSubstr("it has 1048577 bytes"));
  EXPECT_THAT(refusal_of(raw_file("00000002.history", one)), HasSubstr("timeline history file"));
  EXPECT_THAT(refusal_of(raw_file(name + ".00000028.backup", one)),
              HasSubstr("not as a backup history file"));
}

TEST_F(PutWal, PartialAndLabelFilesAreTaken) {
  put(one_file(name + ".partial", "one"));
  put(one_file(name + ".00000028.backup", "LABEL: x\n"));
  EXPECT_THAT(incoming(), ElementsAre(name + ".00000028.backup", name + ".partial"));
}

TEST_F(PutWal, AGoodFileTakesThePlaceOfOneThatCannotBeRight) {
  put_file(test.incoming(name), "not yet");
  put(one_file(name, "one"));
  EXPECT_EQ(get_wal_text(test.incoming(name)), "one");
  EXPECT_THAT(list_names(test.config.errors_directory), ElementsAre(EndsWith("Z.unknown")));
  EXPECT_THAT(messages.lines, ElementsAre(HasSubstr("takes its place")));
}

TEST_F(PutWal, ALongLineOfTheListIsALineAsAnyOther) {
  const std::string digits(60000, 'a');
  EXPECT_THAT(refusal_of(member(name, one) + member("SHA256SUMS", digits + " *" + name + "\n")),
              StartsWith("Bad file checksum"));
  EXPECT_THAT(refusal_of(member(name, one) + member("SHA256SUMS", digits + "\n")),
              StartsWith("Missing checksum"));
}

TEST_F(PutWal, RemovesWhatAKilledProcessHasLeftLongAgo) {
  // Its time of change cannot be set back, so this one stays; that it is not in the way is enough.
  put_file(test.incoming(".1-" + name), "of a running process");
  put(one_file(name, "one"));
  EXPECT_THAT(incoming(), ElementsAre(".1-" + name, name));
}

}  // namespace
}  // namespace barman::wal_transfer

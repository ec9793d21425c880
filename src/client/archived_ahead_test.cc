#include "client/archived_ahead.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/digest.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/test_support.h"

namespace barman::client {
namespace {

namespace fs = std::filesystem;

class ArchivedAheadTest : public ::testing::Test {
 protected:
  bool holds(const std::string& name, const std::string& content, const RemoteBarman& barman) {
    const fs::path path = root_.path() / "wal";
    write_file_durably(path, content);
    return ArchivedAhead(directory(), barman).holds(name, open_file(path, O_RDONLY), path);
  }
  static SentFile sent(const std::string& content) {
    return {.sha256 = digest_of(DigestAlgorithm::sha256, content)};
  }
  fs::path directory() const { return root_.path() / "cache"; }

  TemporaryDirectory root_;
  RemoteBarman barman_{.host = "backup", .server = "main"};
};

TEST_F(ArchivedAheadTest, BelievesTheSameContentAtTheSamePlaceOnly) {
  ArchivedAhead ahead(directory(), barman_);
  ahead.add("W2", sent("two"));
  ahead.add("W1", sent("one"));
  ahead.forget("W1");
  ahead.save();
  EXPECT_TRUE(holds("W2", "two", barman_));
  EXPECT_FALSE(holds("W2", "other content", barman_));
  EXPECT_FALSE(holds("W1", "one", barman_)) << "forgotten";
  RemoteBarman other = barman_;
  other.port = "2222";
  EXPECT_FALSE(holds("W2", "two", other));
  other = barman_;
  other.server = "other";
  EXPECT_FALSE(holds("W2", "two", other));
}

TEST_F(ArchivedAheadTest, WhatIsOnItsWayIsNotHeld) {
  ArchivedAhead ahead(directory(), barman_);
  ahead.announce("W2");
  ahead.save();
  EXPECT_TRUE(ArchivedAhead(directory(), barman_).is_on_its_way("W2"));
  EXPECT_FALSE(ArchivedAhead(directory(), barman_).find("W2").has_value());
  EXPECT_FALSE(holds("W2", "", barman_));
  ahead.add("W2", sent("two"));
  ahead.save();
  EXPECT_FALSE(ArchivedAhead(directory(), barman_).is_on_its_way("W2"));
  EXPECT_TRUE(holds("W2", "two", barman_));
}

TEST_F(ArchivedAheadTest, AFileThatNobodyTouchedIsNotReadAgain) {
  // Old enough, and not ours to change: its times tell everything.
  const fs::path path = fs::canonical("/bin/sh");
  const Fd file = open_file(path, O_RDONLY);
  const std::string state = untouched_state(file, path);
  ASSERT_NE(state, "");
  ArchivedAhead ahead(directory(), barman_);
  ahead.add("W2", {.sha256 = "not looked at", .state = state});
  EXPECT_TRUE(ahead.holds("W2", file, path));
  ahead.add("W2", {.sha256 = "looked at", .state = state + "0"});
  EXPECT_FALSE(ahead.holds("W2", file, path));
}

TEST_F(ArchivedAheadTest, TheTimesOfAFileThatWasJustWrittenSayNothing) {
  const fs::path path = root_.path() / "wal";
  write_file_durably(path, "two");
  EXPECT_EQ(untouched_state(open_file(path, O_RDONLY), path), "");
}

TEST_F(ArchivedAheadTest, DamagedOrOldFilesCountAsNothing) {
  ArchivedAhead ahead(directory(), barman_);
  ahead.add("W2", sent("two"));
  ahead.save();
  const fs::path file = directory() / "wal-archived-ahead";
  const std::string text = read_file(file);
  const std::size_t time = std::string("barman-wal-archive 2 ").size();
  std::string old = text;
  old[time] = '0';
  write_file_durably(file, old);
  EXPECT_FALSE(holds("W2", "two", barman_));
  write_file_durably(file, text.substr(0, text.size() - 20));
  EXPECT_FALSE(holds("W2", "two", barman_));
  write_file_durably(file, "");
  EXPECT_FALSE(holds("W2", "two", barman_));
}

TEST_F(ArchivedAheadTest, RefusesADirectoryThatOthersCanWrite) {
  make_directories(directory());
  fs::permissions(directory(), fs::perms::all);
  EXPECT_THROW(ArchivedAhead(directory(), barman_), Error);
  remove_tree(directory());
  fs::create_directory_symlink("/tmp", directory());
  EXPECT_THROW(ArchivedAhead(directory(), barman_), Error);
}

TEST_F(ArchivedAheadTest, DefaultDirectoryIsThatOfBarman) {
  EXPECT_EQ(
      ArchivedAhead::default_directory(barman_),
      "/tmp/barman-main-" + digest_of(DigestAlgorithm::sha256, "backup:None:None").substr(0, 16));
}

}  // namespace
}  // namespace barman::client

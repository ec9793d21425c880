#include "client/spool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/durable.h"
#include "base/error.h"
#include "base/test_support.h"
#include "wal/segment_header.h"
#include "wal/test_support.h"

namespace barman::client {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class SpoolTest : public ::testing::Test {
 protected:
  static void put(const Spool& spool, const std::string& name, const std::string& content) {
    SpooledFile file(spool.directory(), name);
    write_full(file.file(), as_bytes(content), "spool");
    file.keep();
  }

  TemporaryDirectory root_;
  RemoteBarman barman_{.host = "backup", .server = "main"};
};

TEST_F(SpoolTest, FilesHaveTheirNameWhenTheyAreComplete) {
  const Spool spool(root_.path(), barman_);
  {
    const SpooledFile file(spool.directory(), "W1");
    EXPECT_TRUE(spool.is_on_its_way("W1"));
    EXPECT_THAT(spool.list(), IsEmpty());
    EXPECT_FALSE(spool.take("W1", root_.path() / "to"));
  }
  EXPECT_FALSE(spool.is_on_its_way("W1"));
  put(spool, "W1", "one");
  EXPECT_THAT(spool.list(), ElementsAre("W1"));
  EXPECT_TRUE(spool.take("W1", root_.path() / "to"));
  EXPECT_EQ(read_file(root_.path() / "to"), "one");
  EXPECT_FALSE(spool.take("W1", root_.path() / "to"));
}

TEST_F(SpoolTest, ServersAndPlacesDoNotMix) {
  put(Spool(root_.path(), barman_), "W1", "one");
  RemoteBarman other = barman_;
  other.server = "other";
  EXPECT_FALSE(Spool(root_.path(), other).take("W1", root_.path() / "to"));
  other = barman_;
  other.host = "elsewhere";
  EXPECT_FALSE(Spool(root_.path(), other).take("W1", root_.path() / "to"));
  EXPECT_TRUE(Spool(root_.path(), barman_).take("W1", root_.path() / "to"));
}

// What fills it in the background has "/" as its working directory.
TEST_F(SpoolTest, ItsDirectoryIsAbsolute) {
  const fs::path before = fs::current_path();
  fs::current_path(root_.path());
  const Spool spool("spool", barman_);
  fs::current_path("/");
  put(spool, "W1", "one");
  fs::current_path(before);
  EXPECT_EQ(spool.directory().parent_path(), fs::canonical(root_.path()) / "spool");
  EXPECT_THAT(spool.list(), ElementsAre("W1"));
}

TEST_F(SpoolTest, WhyTheBackgroundHasEndedIsToldOnce) {
  const Spool spool(root_.path(), barman_);
  const auto fail = [] { throw Error(ErrorKind::connection, "no store", "Start it."); };
  EXPECT_THROW(spool.keep_reason_of(fail), Error);
  EXPECT_THAT(spool.take_warning().value_or(""),
              testing::AllOf(testing::StartsWith("fetching files in advance has ended: "),
                             testing::HasSubstr("no store")));
  EXPECT_EQ(spool.take_warning(), std::nullopt);
}

TEST_F(SpoolTest, WhatIsNoWalAnyMoreIsNotTaken) {
  const Spool spool(root_.path(), barman_);
  const std::string name = "000000010000000000000001";
  const std::string segment = wal::make_segment(name);
  put(spool, name, segment.substr(0, 5000));
  EXPECT_FALSE(spool.take(name, root_.path() / "to"));
  EXPECT_THAT(spool.list(), IsEmpty());
  put(spool, name, segment);
  EXPECT_TRUE(spool.take(name, root_.path() / "to"));
}

// Two clusters of this host may fetch from one place.
TEST_F(SpoolTest, WhatIsOfAnotherClusterIsNotTaken) {
  const Spool spool(root_.path(), barman_);
  const std::string name = "000000010000000000000001";
  const std::string segment = wal::make_segment(name);
  const std::uint64_t own = wal::parse_segment_header(as_bytes(segment))->system_id;
  put(spool, name, segment);
  EXPECT_FALSE(spool.take(name, root_.path() / "to", own + 1));
  EXPECT_FALSE(fs::exists(root_.path() / "to"));
  put(spool, name, segment);
  EXPECT_TRUE(spool.take(name, root_.path() / "to", own));
}

TEST_F(SpoolTest, RefusesADirectoryThatOthersCanChange) {
  const fs::path parent = root_.path() / "spool";
  fs::create_directory(parent);
  fs::permissions(parent, fs::perms(0777));
  EXPECT_THROW(Spool(parent, barman_), Error);
  // As /var/tmp is.
  fs::permissions(parent, fs::perms(01777));
  EXPECT_NO_THROW(Spool(parent, barman_));
  fs::permissions(parent, fs::perms(0700));
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give directories away";
  ASSERT_EQ(::chown(parent.c_str(), 65534, 65534), 0);
  EXPECT_THROW(Spool(parent, barman_), Error);
  fs::create_directory_symlink(root_.path(), root_.path() / "link");
  EXPECT_NO_THROW(Spool(root_.path() / "link", barman_));
  ASSERT_EQ(::lchown((root_.path() / "link").c_str(), 65534, 65534), 0);
  EXPECT_THROW(Spool(root_.path() / "link", barman_), Error);
}

TEST_F(SpoolTest, PruneKeepsWhatIsStillAhead) {
  const Spool spool(root_.path(), barman_);
  for (const char* name : {"W1", "W2", "W3"}) put(spool, name, name);
  // Of a process that is no more.
  write_file_durably(spool.directory() / ".part-999999999-W4", "half");
  spool.prune("W2");
  EXPECT_THAT(spool.list(), ElementsAre("W2", "W3"));
  EXPECT_FALSE(fs::exists(spool.directory() / ".part-999999999-W4"));
}

TEST_F(SpoolTest, RefusesADirectoryThatOthersCanWrite) {
  const fs::path directory = Spool(root_.path(), barman_).directory();
  fs::permissions(directory, fs::perms::all);
  EXPECT_THROW(Spool(root_.path(), barman_), Error);
}

}  // namespace
}  // namespace barman::client

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
  fs::path directory() const { return root_.path() / "cache"; }

  TemporaryDirectory root_;
  RemoteBarman barman_{.host = "backup", .server = "main"};
};

TEST_F(ArchivedAheadTest, BelievesTheSameContentAtTheSamePlaceOnly) {
  ArchivedAhead ahead(directory(), barman_);
  ahead.add("W2", digest_of(DigestAlgorithm::sha256, "two"));
  ahead.add("W1", digest_of(DigestAlgorithm::sha256, "one"));
  ahead.save("W1");
  EXPECT_TRUE(holds("W2", "two", barman_));
  EXPECT_FALSE(holds("W2", "other content", barman_));
  EXPECT_FALSE(holds("W1", "one", barman_)) << "behind";
  RemoteBarman other = barman_;
  other.port = "2222";
  EXPECT_FALSE(holds("W2", "two", other));
  other = barman_;
  other.server = "other";
  EXPECT_FALSE(holds("W2", "two", other));
}

TEST_F(ArchivedAheadTest, DamagedOrOldFilesCountAsNothing) {
  ArchivedAhead ahead(directory(), barman_);
  ahead.add("W2", digest_of(DigestAlgorithm::sha256, "two"));
  ahead.save("W1");
  const fs::path file = directory() / "wal-archived-ahead";
  const std::string text = read_file(file);
  const std::size_t time = std::string("barman-wal-archive 1 ").size();
  std::string old = text;
  old[time] = '0';
  write_file_durably(file, old);
  EXPECT_FALSE(holds("W2", "two", barman_));
  write_file_durably(file, text.substr(0, text.size() - 10));
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

TEST_F(ArchivedAheadTest, DefaultDirectoryIsThatOfTheContract) {
  EXPECT_EQ(
      ArchivedAhead::default_directory(barman_),
      "/tmp/barman-main-" + digest_of(DigestAlgorithm::sha256, "backup:None:None").substr(0, 16));
}

}  // namespace
}  // namespace barman::client

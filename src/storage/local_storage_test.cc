// What only files of this host can do wrong; the rest is in storage_test.cc.
#include "storage/local_storage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/test_support.h"

namespace barman::storage {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> keys_of(const Storage& storage) {
  std::vector<std::string> keys;
  storage.list("", [&](const ObjectFacts& facts) { keys.push_back(facts.key); });
  return keys;
}

class LocalStorageTest : public testing::Test {
 protected:
  void put(const std::string& key, const std::string& content,
           IfPresent if_present = IfPresent::replace) {
    const auto sink = storage_.create(key, if_present);
    sink->write(as_bytes(content));
    sink->finish();
  }

  const TemporaryDirectory home_;
  const fs::path directory_ = home_.path() / "wals";
  LocalStorage storage_{directory_};
};

TEST_F(LocalStorageTest, KeepsObjectsAsFilesUnderTheirNames) {
  EXPECT_THAT(keys_of(storage_), IsEmpty()) << "the directory does not exist yet";
  put("a/b", "x");
  EXPECT_EQ(get_file(directory_ / "a" / "b"), "x");
  ASSERT_NE(storage_.local(), nullptr);
  EXPECT_EQ(storage_.local()->path_of("a/b"), directory_ / "a" / "b");
  EXPECT_NE(storage_.open("a/b")->descriptor(), nullptr);
}

TEST_F(LocalStorageTest, FollowsNoLinkInThePlaceOfAnObject) {
  put_file(home_.path() / "secret", "s");
  fs::create_directories(directory_);
  fs::create_symlink(home_.path() / "secret", directory_ / "link");
  EXPECT_FALSE(storage_.find("link"));
  EXPECT_THROW(storage_.open("link"), Error);
  EXPECT_THAT(keys_of(storage_), IsEmpty());
  EXPECT_THROW(put("link", "x", IfPresent::refuse), Error);
  EXPECT_EQ(get_file(home_.path() / "secret"), "s");
  put("link", "x");
  EXPECT_EQ(get_file(home_.path() / "secret"), "s");
  EXPECT_FALSE(fs::is_symlink(directory_ / "link"));
}

TEST_F(LocalStorageTest, PassesOverWhatACrashLeft) {
  put("a/b", "x");
  put_file(directory_ / "a" / "c.4711-1.tmp", "half");
  EXPECT_THAT(keys_of(storage_), ElementsAre("a/b"));
}

TEST_F(LocalStorageTest, TakesEmptyDirectoriesAlong) {
  put("a/b/1", "x");
  put("a/2", "x");
  const std::vector<std::string> first = {"a/b/1"};
  storage_.remove(first);
  EXPECT_FALSE(fs::exists(directory_ / "a" / "b"));
  EXPECT_TRUE(fs::exists(directory_ / "a"));
  const std::vector<std::string> second = {"a/2"};
  storage_.remove(second);
  EXPECT_FALSE(fs::exists(directory_ / "a"));
  EXPECT_TRUE(fs::exists(directory_));
}

TEST_F(LocalStorageTest, MakesNoObjectOfADirectory) {
  fs::create_directories(directory_ / "a");
  EXPECT_FALSE(storage_.find("a"));
  EXPECT_THROW(put("a", "x"), Error);
  EXPECT_THROW(put("a", "x", IfPresent::refuse), Error);
  EXPECT_TRUE(fs::is_directory(directory_ / "a"));
}

TEST(LocalStorage, KeepsItsOwnDirectoryHoweverItIsWritten) {
  const TemporaryDirectory top;
  fs::create_directories(top.path() / "above" / "storage");
  LocalStorage storage(top.path() / "above" / "storage" / "");
  put_file(storage.path_of("a/b"), "x");
  const std::vector<std::string> keys = {"a/b"};
  storage.remove(keys);
  EXPECT_FALSE(fs::exists(storage.path_of("a")));
  EXPECT_TRUE(fs::exists(top.path() / "above" / "storage"));
}

TEST(LocalStorage, PublishesPreparedFilesTogether) {
  const TemporaryDirectory directory;
  LocalStorage storage(directory.path() / "below");
  const std::vector<std::string> keys = {"a/1", "a/2", "b/1"};
  for (const std::string& key : keys) {
    const std::filesystem::path file = storage.prepare(key);
    EXPECT_TRUE(std::filesystem::is_directory(file.parent_path()));
    put_file(file, "content of " + key);
    EXPECT_FALSE(storage.find(key));
  }
  std::size_t count = 0;
  storage.list("", [&](const ObjectFacts&) { ++count; });
  EXPECT_EQ(count, 0U) << "what is prepared is no object";
  storage.publish(keys);
  for (const std::string& key : keys) {
    EXPECT_EQ(get_file(storage.path_of(key)), "content of " + key);
    EXPECT_FALSE(std::filesystem::exists(storage.path_of(key).string() + ".tmp"));
  }
  const std::vector<std::string> absent = {"a/3"};
  EXPECT_THROW(storage.publish(absent), SystemError);
  put_file(storage.prepare("a/1"), "new");
  storage.publish(std::span(keys).first(1));
  EXPECT_EQ(get_file(storage.path_of("a/1")), "new");
}

}  // namespace
}  // namespace barman::storage

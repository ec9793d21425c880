#include "restore/partial_copies.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "catalogue/test_support.h"

namespace barman::restore {
namespace {

namespace fs = std::filesystem;

const std::string kName = "000000010000000000000005.partial";

class PartialCopies : public testing::Test {
 protected:
  PartialCopies() {
    fs::remove_all(root_);
    for (const char* const name : {"wals/0000000100000000", "streaming", "incoming"}) {
      fs::create_directories(root_ / name);
    }
    facts_.archive = wal_archive::WalArchive(catalogue::default_locations("main", root_), {});
  }
  ~PartialCopies() override { fs::remove_all(root_); }

  void archive(const std::string& content) {
    std::ofstream(root_ / "wals/0000000100000000" / kName) << content;
    facts_.wal.push_back({.name = kName, .size_bytes = content.size()});
  }
  void receive(const std::string& directory, const std::string& content) {
    const fs::path path = root_ / directory / kName;
    std::ofstream(path) << content;
    facts_.received.push_back({.path = path, .size_bytes = content.size()});
  }
  // Of the received ones, the directories that are left.
  std::vector<std::string> left() {
    drop_shorter_partials(facts_);
    std::vector<std::string> names;
    for (const wal_archive::ReceivedWal& file : facts_.received) {
      names.push_back(file.path.parent_path().filename().string());
    }
    return names;
  }

  const fs::path root_ =
      fs::temp_directory_path() / ("barman-partial-copies-" + std::to_string(::getpid()));
  RestoreFacts facts_;
  const std::string zeroes_ = std::string(100, '\0');
};

using Names = std::vector<std::string>;

TEST_F(PartialCopies, TheOneThatGoesFurtherIsTaken) {
  receive("streaming", "abc" + zeroes_);
  archive("abcdef old records");
  EXPECT_EQ(left(), Names{});
}

TEST_F(PartialCopies, WhatWasReceivedStaysWhenTheArchiveHasLess) {
  archive("abc");
  receive("streaming", "abcdef" + zeroes_);
  EXPECT_EQ(left(), Names{"streaming"});
}

TEST_F(PartialCopies, AnotherHistoryIsNoCopy) {
  archive("xyz and more");
  receive("streaming", "abc" + zeroes_);
  EXPECT_EQ(left(), Names{"streaming"});
}

TEST_F(PartialCopies, OfTwoThatWaitTheLongerOneIsTaken) {
  receive("streaming", "abc" + zeroes_);
  receive("incoming", "abcdef" + zeroes_);
  EXPECT_EQ(left(), Names{"incoming"});
}

TEST_F(PartialCopies, OfTwoThatAreTheSameOneStays) {
  receive("streaming", "abc" + zeroes_);
  receive("incoming", "abc" + zeroes_);
  EXPECT_EQ(left().size(), 1U);
}

}  // namespace
}  // namespace barman::restore

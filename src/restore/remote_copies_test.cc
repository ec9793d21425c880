#include "restore/remote_copies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/anonymous_file.h"
#include "base/digest.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/test_interrupt.h"
#include "host/test_support.h"
#include "stored/content_tree.h"

namespace barman::restore {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class RemoteCopiesTest : public testing::Test {
 protected:
  // As SignalSource does.
  RemoteCopiesTest() { ::signal(SIGPIPE, SIG_IGN); }

  void put(const std::string& name, const std::string& content) const {
    fs::create_directories((root_ / name).parent_path());
    put_file(root_ / name, content);
  }
  // What the backup says of it.
  copy::CopyTask task_of(const std::string& name, const std::string& content) const {
    return {
        .source = "backup/" + name,
        .open = []() -> std::unique_ptr<stored::ContentFile> {
          throw Error(ErrorKind::io, "the backup was read");
        },
        .destination = root_ / name,
        .size_bytes = content.size(),
        .expected = stored::ExpectedFile{.size_bytes = content.size(),
                                         .algorithm = DigestAlgorithm::crc32c,
                                         .checksum = digest_of(DigestAlgorithm::crc32c, content)}};
  }
  // Names of those that are right.
  std::set<std::string> judge(const std::vector<copy::CopyTask>& tasks,
                              const RemoteCopying& options = {}, std::size_t sessions = 3) {
    std::vector<Fd> lists;
    for (std::size_t i = 0; i < sessions; ++i) {
      lists.push_back(open_anonymous_file(fs::temp_directory_path()));
    }
    std::size_t next = 0;
    for (const copy::CopyTask& task : tasks) {
      const std::string name = "./" + task.destination.lexically_relative(root_).string();
      write_full(lists[next++ % sessions], as_bytes(name + std::string(1, '\0')), "names");
    }
    std::mutex mutex;
    std::set<std::string> right;
    RemoteCopies copies(host_, root_, options, {});
    copies.start(std::move(lists), [&](const copy::CopyTask& task, std::uint32_t) {
      const std::lock_guard lock(mutex);
      right.insert(task.destination.lexically_relative(root_).string());
    });
    for (const copy::CopyTask& task : tasks) copies.judge(task);
    copies.wait();
    return right;
  }

  host::FakeSsh ssh_;
  TemporaryDirectory target_;
  const fs::path root_ = target_.path() / "it's a $place";
  host::SshHost host_ = ssh_.host();
};

TEST_F(RemoteCopiesTest, ChecksumsTellWhichFilesAreRight) {
  std::vector<copy::CopyTask> tasks;
  std::set<std::string> right;
  for (int i = 0; i < 400; ++i) {
    const std::string name = "base/" + std::to_string(i % 7) + "/a b " + std::to_string(i);
    const std::string content(static_cast<std::size_t>(i) * 197, 'x');
    const bool is_right = i % 3 != 1;
    put(name, is_right ? content : "y" + content.substr(1));
    tasks.push_back(task_of(name, content));
    if (is_right) right.insert(name);
  }
  EXPECT_EQ(judge(tasks), right);
  EXPECT_EQ(judge(tasks, {.is_compressed = true}, 1), right);
}

TEST_F(RemoteCopiesTest, WhatIsNotThereIsNotRight) {
  put("one", "1");
  put("three", "3");
  EXPECT_THAT(judge({task_of("one", "1"), task_of("two", "2"), task_of("three", "3")}, {}, 1),
              ElementsAre("one", "three"));
}

// Of what no manifest lists the content is compared.
TEST_F(RemoteCopiesTest, WithoutAChecksumTheBackupIsRead) {
  put("one", "1");
  copy::CopyTask task = task_of("one", "1");
  task.expected.reset();
  task.open = [] { return stored::make_text_file("1"); };
  EXPECT_THAT(judge({task}), ElementsAre("one"));
  task.open = [] { return stored::make_text_file("2"); };
  EXPECT_THAT(judge({task}), ElementsAre());
}

TEST_F(RemoteCopiesTest, TheFirstFailureIsTheReasonAndEndsAll) {
  std::vector<copy::CopyTask> tasks;
  for (int i = 0; i < 300; ++i) {
    put(std::to_string(i), std::string(100'000, 'x'));
    tasks.push_back(task_of(std::to_string(i), std::string(100'000, 'x')));
  }
  tasks[7].expected.reset();
  try {
    judge(tasks);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.describe(), "the backup was read");
  }
  fs::remove_all(root_);
  try {
    judge(tasks);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::remote);
    EXPECT_THAT(error.describe(), HasSubstr("cannot compare"));
  }
}

}  // namespace
}  // namespace barman::restore

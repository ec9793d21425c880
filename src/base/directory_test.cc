#include "base/directory.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/test_support.h"

namespace barman {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Directory : public testing::Test {
 protected:
  Directory() {
    put_file(path("b"), "");
    put_file(path("a/inside"), "");
    put_file(path("a/deep/file"), "");
    fs::create_symlink("b", path("link"));
    fs::create_symlink("nowhere", path("dangling"));
    fs::create_directory_symlink("a", path("to-a"));
    fs::create_symlink("loop", path("loop"));
    EXPECT_EQ(::mkfifo(path("fifo").c_str(), 0600), 0);
  }
  const fs::path& top() const { return directory_.path(); }
  fs::path path(const std::string& name) const { return directory_.path() / name; }

 private:
  const TemporaryDirectory directory_;
};

TEST_F(Directory, IsListedByName) {
  const std::vector<std::string> names = {"a", "b", "dangling", "fifo", "link", "loop", "to-a"};
  EXPECT_EQ(list_directory(top()), names);
  const Fd open = open_file(top(), O_RDONLY | O_DIRECTORY);
  EXPECT_EQ(list_directory(open, top()), names);
  EXPECT_EQ(list_directory(open, top()), names) << "from its beginning each time";
  EXPECT_THAT(list_directory(path("to-a")), ElementsAre("deep", "inside"));
}

TEST_F(Directory, HasEntriesOfFourKinds) {
  std::vector<std::pair<std::string, EntryKind>> found;
  for (const DirectoryEntry& entry : list_entries(top())) {
    found.emplace_back(entry.name, entry.kind);
    EXPECT_EQ(entry.name != "loop" && leads_to_file(top(), entry),
              entry.name == "b" || entry.name == "link")
        << entry.name;
  }
  EXPECT_THAT(found,
              ElementsAre(std::pair("a", EntryKind::directory), std::pair("b", EntryKind::file),
                          std::pair("dangling", EntryKind::link),
                          std::pair("fifo", EntryKind::other), std::pair("link", EntryKind::link),
                          std::pair("loop", EntryKind::link), std::pair("to-a", EntryKind::link)));
}

TEST_F(Directory, ThatIsNotThereIsEmptyOrAnError) {
  EXPECT_THAT(list_directory(path("missing")), IsEmpty());
  EXPECT_THAT(list_entries(path("missing")), IsEmpty());
  for (const char* const name : {"missing", "b", "b/below", "dangling"}) {
    EXPECT_THAT(list_directory(path(name), IfAbsent::or_other_is_empty), IsEmpty()) << name;
    EXPECT_THROW(list_directory(path(name), IfAbsent::is_error), SystemError) << name;
    EXPECT_THROW(list_entries(path(name), IfAbsent::is_error), SystemError) << name;
  }
}

TEST_F(Directory, IsThereOrNotOrNobodyCanTell) {
  EXPECT_TRUE(is_directory_there(path("a")));
  EXPECT_TRUE(is_directory_there(path("to-a")));
  EXPECT_FALSE(is_directory_there(path("missing")));
  for (const char* const name : {"b", "b/below", "dangling", "loop", "link"}) {
    EXPECT_THROW(is_directory_there(path(name)), SystemError) << name;
  }
}

TEST_F(Directory, IsNotEmptyWhereSomethingElseHasItsName) {
  const auto error_of = [&](const char* name) {
    try {
      list_directory(path(name));
    } catch (const SystemError& error) {
      return error.describe_with_hint();
    }
    return std::string("empty");
  };
  EXPECT_THAT(error_of("b"), HasSubstr("b\": Not a directory\nHINT: A part of that path is no"));
  EXPECT_THAT(error_of("b/below"), HasSubstr("b/below\": Not a directory\nHINT: "));
  EXPECT_THAT(error_of("dangling"), HasSubstr("dangling\", a symbolic link that leads nowhere: No "
                                              "such file or directory\nHINT: Is the disk mounted"));
}

TEST_F(Directory, ThatCannotBeReadIsNeverEmpty) {
  try {
    list_directory(path("loop"));
    ADD_FAILURE() << "a loop is no directory that is empty";
  } catch (const SystemError& error) {
    EXPECT_THAT(error.message(), HasSubstr("cannot read directory \"" + path("loop").string()));
  }
  EXPECT_THROW(list_entries(path("loop")), SystemError);
  EXPECT_THROW(walk_directory(path("loop"), [](const auto&, EntryKind) { return Descend::yes; }),
               SystemError);
  EXPECT_THROW(leads_to_file(top(), {.name = "loop", .kind = EntryKind::link}), SystemError);
}

// The directory of a process that has ended can be open, and no longer be read.
TEST_F(Directory, ThatCannotBeReadAnyMoreIsNeverEmpty) {
  const pid_t child = ::fork();
  if (child == 0) {
    for (;;) ::pause();
  }
  ASSERT_GT(child, 0);
  const fs::path tasks = "/proc/" + std::to_string(child) + "/task";
  const Fd open = open_file(tasks, O_RDONLY | O_DIRECTORY);
  EXPECT_THAT(list_directory(open, tasks), ElementsAre(std::to_string(child)));
  ::kill(child, SIGKILL);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_THROW(list_directory(open, tasks), SystemError);
}

TEST_F(Directory, IsWalkedThroughFromAboveWithoutFollowingLinks) {
  std::vector<std::string> found;
  const auto walk = [&](const std::string& left_out) {
    found.clear();
    walk_directory(top(), [&](const fs::path& below, EntryKind) {
      found.push_back(below.lexically_relative(top()).string());
      return found.back() == left_out ? Descend::no : Descend::yes;
    });
    return found;
  };
  EXPECT_THAT(walk(""), ElementsAre("a", "a/deep", "a/deep/file", "a/inside", "b", "dangling",
                                    "fifo", "link", "loop", "to-a"));
  EXPECT_THAT(walk("a/deep"), ElementsAre("a", "a/deep", "a/inside", "b", "dangling", "fifo",
                                          "link", "loop", "to-a"));
  walk_directory(path("missing"), [](const auto&, EntryKind) {
    ADD_FAILURE() << "nothing is there";
    return Descend::yes;
  });
}

}  // namespace
}  // namespace barman

#include "host/remote_tree.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "base/error.h"
#include "base/text.h"
#include "host/test_support.h"

namespace barman::host {
namespace {

using testing::HasSubstr;

// What came, by name.
class Received final : public pipeline::TarVisitor {
 public:
  void begin_member(const pipeline::TarMember& member) override { content_ = &files[member.path]; }
  void write(Bytes data) override {
    content_->append(reinterpret_cast<const char*>(data.data()), data.size());
  }
  void end_member() override {}

  std::map<std::string, std::string> files;

 private:
  std::string* content_ = nullptr;
};

class HostTree : public testing::Test {
 protected:
  HostTree() {
    put_file(tree() / "a b", "one");
    put_file(tree() / "sub/Zürich", "two");
  }

  std::filesystem::path tree() const { return ssh_.directory() / "it's here"; }
  std::string refusal(const Host& host, const std::filesystem::path& directory) {
    try {
      receive_tree(host, {.directory = directory}, received_, transfer());
    } catch (const Error& error) {
      return error.describe() + "\n" + error.hint();
    }
    return "";
  }
  TreeTransfer transfer(bool is_compressed = false) {
    return {.is_compressed = is_compressed,
            .bandwidth_limit = {},
            .progress = progress_,
            .interrupt = interrupt_};
  }

  FakeSsh ssh_;
  Received received_;
  NoProgress progress_;
  Interrupt interrupt_;
};

TEST_F(HostTree, ComesFromEitherHost) {
  for (const bool is_compressed : {false, true}) {
    received_.files.clear();
    receive_tree(ssh_.host(), {.directory = tree()}, received_, transfer(is_compressed));
    EXPECT_EQ(received_.files.at("a b"), "one");
    EXPECT_EQ(received_.files.at("sub/Zürich"), "two");
  }
  received_.files.clear();
  receive_tree(LocalHost(), {.directory = tree()}, received_, transfer());
  EXPECT_EQ(received_.files.at("a b"), "one");
}

TEST_F(HostTree, NamesAreChosen) {
  put_file(ssh_.directory() / "names", "a b\n");
  const Fd names = open_file(ssh_.directory() / "names", O_RDONLY);
  receive_tree(ssh_.host(), {.directory = tree(), .names = names.get()}, received_, transfer());
  EXPECT_EQ(received_.files.size(), 1U);
}

TEST_F(HostTree, TellsWhyNothingCame) {
  EXPECT_THAT(refusal(ssh_.host(), tree() / "absent"), HasSubstr("absent\" of the other host: "));
  const std::string away = refusal(ssh_.host("away"), tree());
  EXPECT_THAT(away, HasSubstr("exit code 255: no route to away"));
  EXPECT_THAT(away, HasSubstr("Try ssh_command by hand"));
  // A command that says nothing has not sent an empty tree.
  EXPECT_THAT(refusal(SshHost({.command = "true", .title = "there", .option = "x"}), tree()),
              HasSubstr("is not a whole tar archive"));
}

// A primary without GNU's programs is asked in another way, one that is not reached is not.
TEST_F(HostTree, ListIsRefusedByAHostThatIsNotReached) {
  ASSERT_TRUE(list_remote_files(ssh_.host(), tree(), interrupt_));
  EXPECT_THROW(list_remote_files(ssh_.host("away"), tree(), interrupt_), Error);
  EXPECT_THROW(list_remote_files(ssh_.host(), tree() / "absent", interrupt_), Error);
  const auto with = [&](const std::string& programs) {
    put_file(ssh_.directory() / "run", programs + "\neval \"$@\"\n");
    return SshHost({.command = "sh " + shell_quote((ssh_.directory() / "run").string()),
                    .title = "there",
                    .option = "ssh_command"});
  };
  EXPECT_FALSE(list_remote_files(with("tar() { echo 'tar (busybox) 1.35'; }"), tree(), interrupt_));
  EXPECT_FALSE(list_remote_files(
      with("find() { echo 'find: unrecognized: -printf' >&2; return 1; }"), tree(), interrupt_));
}

TEST_F(HostTree, TellsOfALoginShellThatTalks) {
  const SshHost host({.command = "echo 'Welcome to db1!';" + ssh_.host().describe(),
                      .title = "there",
                      .option = "primary_ssh_command"});
  const auto expect_told = [](const auto& action) {
    try {
      action();
      FAIL();
    } catch (const Error& error) {
      EXPECT_THAT(error.describe(), HasSubstr("it begins with \"Welcome to db1!\""));
      EXPECT_THAT(error.hint(), HasSubstr("Run primary_ssh_command with the command \"true\""));
    }
  };
  expect_told([&] { list_remote_files(host, tree(), interrupt_); });
  expect_told([&] { receive_tree(host, {.directory = tree()}, received_, transfer()); });
  expect_told([&] { receive_tree(host, {.directory = tree()}, received_, transfer(true)); });
}

TEST_F(HostTree, CommandIsTheOneThatRestrictedKeysKnow) {
  const auto line = [](const RemoteTree& tree, bool is_compressed) {
    return SshHost({.command = "ssh barman@primary", .title = {}, .option = {}})
        .command(tar_command(tree, is_compressed))
        .back();
  };
  EXPECT_EQ(line({.directory = "/srv/main/base/20261102T000001"}, false),
            "ssh barman@primary tar -C /srv/main/base/20261102T000001 --format=pax -cf - .");
  EXPECT_EQ(line({.directory = "/srv/a b", .names = 3}, true),
            "ssh barman@primary tar -C ''\\''/srv/a b'\\''' --format=pax -czf - -T -");
}

TEST_F(HostTree, DigestsAreThoseOfTheFiles) {
  const auto listing = list_remote_digests(ssh_.host(), tree(), interrupt_);
  ASSERT_TRUE(listing);
  EXPECT_EQ(split(strip(*listing), '\n').size(), 2U);
  EXPECT_THAT(ssh_.sent(), HasSubstr(" -type f -exec sha256sum {} +"));
  EXPECT_THROW(list_remote_digests(ssh_.host(), tree() / "absent", interrupt_), Error);
  EXPECT_THROW(list_remote_digests(ssh_.host("away"), tree(), interrupt_), Error);
}

}  // namespace
}  // namespace barman::host

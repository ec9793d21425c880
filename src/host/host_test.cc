#include "host/host.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "host/test_support.h"

namespace barman::host {
namespace {

using testing::HasSubstr;

const std::vector<std::string> kPrintAll = {"printf", "[%s]"};

TEST(Host, WordsArriveHereAndThere) {
  const FakeSsh ssh;
  std::vector<std::string> argv = kPrintAll;
  for (const char* word : {"a b", "it's", "\"", "two\nlines", "-x", "", "$HOME", "Zürich", "{}"}) {
    argv.emplace_back(word);
  }
  const std::string expected = "[a b][it's][\"][two\nlines][-x][][$HOME][Zürich][{}]";
  EXPECT_EQ(LocalHost().run(argv, {}).read_output(), expected);
  EXPECT_EQ(ssh.host().run(argv, {}).read_output(), expected);
}

TEST(Host, OrdinaryCommandsGoOverTheWireAsTheyAre) {
  const FakeSsh ssh;
  ssh.host().run({"true", "-c", "/etc/barman.conf", "sync-info", "main"}, {});
  EXPECT_EQ(ssh.sent(), "true -c /etc/barman.conf sync-info main");
  EXPECT_EQ(SshHost({.command = "ssh -p 22 b@h", .title = {}, .option = {}})
                .command({"barman", "-c", "/etc/b c.conf"})
                .back(),
            "ssh -p 22 b@h barman -c ''\\''/etc/b c.conf'\\'''");
}

// As csh takes a line: no line breaks in quotes, and "!" means something everywhere.
TEST(Host, NoLoginShellSeesWhatShellsDifferIn) {
  const FakeSsh ssh;
  std::vector<std::string> argv = kPrintAll;
  for (const char* word : {"two\nlines\n", "what!", "it's", "a\\nb", "-x", "", "100%", "über"}) {
    argv.emplace_back(word);
  }
  EXPECT_EQ(ssh.host().run(argv, {}).read_output(),
            "[two\nlines\n][what!][it's][a\\nb][-x][][100%][über]");
  EXPECT_EQ(ssh.sent().find_first_of("\n!"), std::string::npos);
}

TEST(Host, StreamsPassBothWays) {
  const FakeSsh ssh;
  put_file(ssh.directory() / "in", "content");
  const Fd input = open_file(ssh.directory() / "in", O_RDONLY);
  EXPECT_EQ(ssh.host().run({"cat"}, {}, input.get()).read_output(), "content");

  PipeEnds pipe = make_pipe();
  ChildProcess program = ssh.host().start({"sh", "-c", "echo begun; cat >&2"},
                                          {.input = input.get(), .output = pipe.write_end.get()});
  pipe.write_end = Fd();
  std::string text(16, '\0');
  text.resize(read_full(pipe.read_end, std::as_writable_bytes(std::span(text)), "output"));
  EXPECT_EQ(text, "begun\n");
  EXPECT_EQ(program.wait(), 0);
}

TEST(Host, TellsHowItEnded) {
  const FakeSsh ssh;
  const HostAnswer failed = ssh.host().run({"sh", "-c", "echo password=x failed >&2; exit 3"}, {});
  EXPECT_EQ(failed.exit_code, 3);
  EXPECT_EQ(failed.reason(), ": password=*REDACTED* failed");
  const HostAnswer away = ssh.host("away").run({"true"}, {});
  EXPECT_EQ(away.exit_code, 255);
  EXPECT_THAT(away.reason(), HasSubstr("no route to away"));
  EXPECT_EQ(ssh.host().run({"barman-no-such-program"}, {}).exit_code, 127);
}

TEST(Host, SaysWhoItIsAndWhatToTry) {
  const SshHost host({.command = "sshpass -p secret ssh b@h",
                      .title = "the primary node",
                      .option = "some_option"});
  EXPECT_EQ(host.title(), "the primary node");
  EXPECT_THAT(host.describe(), testing::Not(HasSubstr("secret")));
  EXPECT_EQ(host.hint(), "Try some_option by hand, as the user that runs barman.");
  EXPECT_EQ(LocalHost().describe(), "this host");
}

}  // namespace
}  // namespace barman::host

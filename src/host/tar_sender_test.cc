#include "host/tar_sender.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include "base/error.h"
#include "host/test_support.h"

namespace barman::host {
namespace {

using testing::HasSubstr;

class Sending : public testing::Test {
 protected:
  Sending() {
    ::signal(SIGPIPE, SIG_IGN);
    std::filesystem::create_directory(target());
  }

  std::filesystem::path target() const { return ssh_.directory() / "it's -here"; }

  void send(const Host& host, const TarSending& options = {}) {
    TarSender sender(host, target(), options, interrupt_);
    sender.archive().begin_member({.path = "sub",
                                   .type = pipeline::TarMemberType::directory,
                                   .mode = 0750,
                                   .link_target = {}});
    sender.archive().add_file(
        {.path = "sub/-Zürich\nnew", .mode = 0666, .mtime = 1'000'000'000, .link_target = {}},
        "content");
    sender.archive().add_file(
        {.path = "sub/" + std::string(200, 'x'), .mode = 0600, .link_target = {}}, "");
    sender.finish();
  }

  std::string failure(const Host& host, const TarSending& options = {}) {
    try {
      TarSender sender(host, target(), options, interrupt_);
      const std::string piece(1 << 20, 'x');
      for (int i = 0; i < 20; ++i) {
        sender.archive().add_file({.path = "f", .mode = 0600, .link_target = {}}, piece);
      }
      sender.finish();
    } catch (const Error& error) {
      return error.describe() + "\n" + error.hint();
    }
    return "";
  }

  FakeSsh ssh_;
  Interrupt interrupt_;
};

TEST_F(Sending, FilesArriveWithNamesModesAndTimes) {
  using compression::Algorithm;
  for (const std::optional<Algorithm> form :
       {std::optional<Algorithm>(), std::optional(Algorithm::gzip),
        std::optional(Algorithm::zstd)}) {
    std::filesystem::remove_all(target());
    std::filesystem::create_directory(target());
    const mode_t umask = ::umask(077);
    send(ssh_.host(), {.compression = form});
    ::umask(umask);
    const std::filesystem::path file = target() / "sub/-Zürich\nnew";
    EXPECT_EQ(get_file(file), "content");
    struct stat status = {};
    ASSERT_EQ(::stat(file.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0666U);
    EXPECT_EQ(status.st_mtime, 1'000'000'000);
    EXPECT_EQ(status.st_uid, ::geteuid());
    ASSERT_EQ(::stat((target() / "sub").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0750U);
    EXPECT_TRUE(std::filesystem::exists(target() / "sub" / std::string(200, 'x')));
  }
}

TEST_F(Sending, GoesToThisHostAsWell) {
  send(LocalHost());
  EXPECT_EQ(get_file(target() / "sub/-Zürich\nnew"), "content");
}

TEST_F(Sending, TellsWhyNothingArrived) {
  EXPECT_THAT(failure(ssh_.host("away")), HasSubstr("exit code 255: no route to away"));
  EXPECT_THAT(failure(ssh_.host("away")), HasSubstr("Try ssh_command by hand"));
  // A command that reads nothing has not unpacked anything.
  EXPECT_THAT(failure(SshHost({.command = "true", .title = "there", .option = "x"})),
              HasSubstr("ended with exit code 0"));
  std::filesystem::remove(target());
  EXPECT_THAT(failure(ssh_.host()), HasSubstr("it's -here\" of the other host: "));
}

// The end of a pipe decides for a shell: each program of it must have ended well.
TEST_F(Sending, TellsThatOneOfTwoProgramsHasFailed) {
  const TarSending zstd = {.compression = compression::Algorithm::zstd};
  int count = 0;
  const auto with_program = [&](const std::string& name, const std::string& does) {
    const std::filesystem::path programs =
        ssh_.directory() / ("programs " + std::to_string(++count));
    std::filesystem::create_directory(programs);
    for (const char* other : {"tar", "zstd", "sh"}) {
      std::filesystem::create_symlink(std::filesystem::path("/usr/bin") / other, programs / other);
    }
    std::filesystem::remove(programs / name);
    put_file(programs / name, "#!/bin/sh\n" + does + "\n");
    std::filesystem::permissions(programs / name, std::filesystem::perms::owner_all);
    return failure(SshHost({.command = "env 'PATH=" + programs.string() +
                                       ":/usr/bin' sh -c 'exec sh -c \"$*\"' there",
                            .title = "the other host",
                            .option = "x"}),
                   zstd);
  };
  EXPECT_EQ(with_program("tar", "exec /usr/bin/tar \"$@\""), "");
  EXPECT_THAT(with_program("zstd", "exit 7"), HasSubstr("ended with exit code 7"));
  // Half of it, and an end that looks like one.
  EXPECT_THAT(with_program("zstd", "/usr/bin/zstd -dcq | /usr/bin/head -c 3000000; exit 5"),
              HasSubstr("ended with exit code "));
  EXPECT_THAT(with_program("tar", "echo full >&2; exit 2"), HasSubstr("full"));
  EXPECT_THAT(with_program("tar", "head -c 100000 > /dev/null; kill -9 $$"),
              HasSubstr("ended with exit code 137"));
  // It has read nothing: nothing is unpacked.
  EXPECT_THAT(with_program("tar", "exit 0"), HasSubstr("ended with exit code "));
}

}  // namespace
}  // namespace barman::host

#include "host/ssh_words.h"

#include <gtest/gtest.h>

namespace barman::host {
namespace {

TEST(SshWords, AreForACommandThatIsPlainSsh) {
  const SshWords words = ssh_words("ssh -p 22 postgres@127.0.0.1");
  if (!words.streams.empty()) EXPECT_TRUE(words.streams.starts_with(" -o Ciphers=aes"));
  EXPECT_TRUE(words.calls.starts_with(words.streams)) << words.calls;
  EXPECT_NE(words.calls.find(" -o ControlMaster=auto -o ControlPath=/"), std::string::npos);
  // What a process is told once stays: there is one connection for it.
  EXPECT_EQ(ssh_words("ssh -p 22 postgres@127.0.0.1").calls, words.calls);
  EXPECT_NE(ssh_words("ssh -p 23 postgres@127.0.0.1").calls, words.calls);
}

TEST(SshWords, LeaveWhatTheUserHasSaid) {
  EXPECT_EQ(ssh_words("ssh -c aes128-gcm@openssh.com postgres@127.0.0.1").streams, "");
  EXPECT_EQ(ssh_words("ssh -o Ciphers=aes128-ctr postgres@127.0.0.1").streams, "");
  const SshWords kept = ssh_words("ssh -o ControlPath=/tmp/theirs postgres@127.0.0.1");
  EXPECT_EQ(kept.calls, kept.streams);
}

TEST(SshWords, AreNoneForWhatAShellOrAnotherProgramTakesApart) {
  for (const char* const other : {"", "sudo ssh postgres@db", "ssh postgres@db | cat",
                                  "ssh 'postgres'@db", "ssh $HOST", "docker exec db"}) {
    EXPECT_EQ(ssh_words(other).streams + ssh_words(other).calls, "") << other;
  }
}

}  // namespace
}  // namespace barman::host

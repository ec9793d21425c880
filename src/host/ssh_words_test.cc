#include "host/ssh_words.h"

#include <gtest/gtest.h>

namespace barman::host {
namespace {

TEST(SshWords, AreForACommandThatIsPlainSsh) {
  const SshWords words = ssh_words("ssh -p 22 postgres@127.0.0.1");
  EXPECT_TRUE(words.streams.starts_with(" -o ConnectTimeout=30 -o ServerAliveInterval=15"))
      << words.streams;
  EXPECT_TRUE(words.calls.starts_with(words.streams)) << words.calls;
  EXPECT_NE(words.calls.find(" -o ControlMaster=auto -o ControlPath=/"), std::string::npos);
  // What a process is told once stays: there is one connection for it.
  EXPECT_EQ(ssh_words("ssh -p 22 postgres@127.0.0.1").calls, words.calls);
  EXPECT_NE(ssh_words("ssh -p 23 postgres@127.0.0.1").calls, words.calls);
}

TEST(SshWords, LeaveWhatTheUserHasSaid) {
  for (const char* const cipher : {"-c aes128-gcm@openssh.com", "-o Ciphers=aes128-ctr"}) {
    const SshWords words = ssh_words(std::string("ssh ") + cipher + " postgres@127.0.0.1");
    EXPECT_EQ(words.streams.find("Ciphers"), std::string::npos);
  }
  EXPECT_EQ(ssh_words("ssh -o ConnectTimeout=5 postgres@127.0.0.1").streams.find("ConnectTimeout"),
            std::string::npos);
  const SshWords kept = ssh_words("ssh -o ControlPath=/tmp/theirs postgres@127.0.0.1");
  EXPECT_EQ(kept.calls, kept.streams);
  const std::string alive = ssh_words("ssh -o ServerAliveInterval=7 postgres@127.0.0.1").calls;
  EXPECT_NE(alive.find("ControlPath="), std::string::npos);
  EXPECT_EQ(alive.find("ServerAlive"), std::string::npos);
  EXPECT_NE(ssh_words("ssh postgres@127.0.0.1").calls.find("ServerAlive"), std::string::npos);
}

TEST(SshWords, AreNoneForWhatAShellOrAnotherProgramTakesApart) {
  for (const char* const other : {"", "sudo ssh postgres@db", "ssh postgres@db | cat",
                                  "ssh 'postgres'@db", "ssh $HOST", "docker exec db"}) {
    EXPECT_EQ(ssh_words(other).streams + ssh_words(other).calls, "") << other;
  }
}

// What follows the host is for a program there.
TEST(SshWords, GoBehindTheFirstWord) {
  EXPECT_EQ(with_words("ssh -p 22 postgres@db env A=b", " -o X=y"),
            "ssh -o X=y -p 22 postgres@db env A=b");
  EXPECT_EQ(with_words("  ssh", " -o X=y"), "  ssh -o X=y");
  EXPECT_EQ(with_words("docker exec db", ""), "docker exec db");
  EXPECT_EQ(ssh_words("ssh postgres@127.0.0.1 env A=b").streams,
            ssh_words("ssh postgres@127.0.0.1").streams);
}

}  // namespace
}  // namespace barman::host

#include "client/remote_barman.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace barman::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(RemoteBarman, PutWalCommandIsThatOfBarman) {
  RemoteBarman barman{.host = "backup", .server = "main"};
  EXPECT_THAT(put_wal_command(barman, RemoteMode::run),
              ElementsAre("ssh", "-q", "-T", "barman@backup", "barman", "put-wal", "main"));
  barman.user = "b";
  barman.port = "2222";
  barman.config_file = "/etc/b.conf";
  EXPECT_THAT(put_wal_command(barman, RemoteMode::test),
              ElementsAre("ssh", "-p", "2222", "-q", "-T", "b@backup", "barman",
                          "--config='/etc/b.conf'", "put-wal", "main", "--test"));
}

TEST(RemoteBarman, GetWalCommandIsThatOfBarman) {
  RemoteBarman barman{.host = "backup", .server = "main"};
  EXPECT_THAT(get_wal_command(barman, {.wal_name = "W"}),
              ElementsAre("ssh", "-q", "-T", "barman@backup", "barman", "get-wal 'main' 'W'"));
  barman.config_file = "/etc/b.conf";
  EXPECT_THAT(get_wal_command(barman, {.wal_name = "W",
                                       .mode = RemoteMode::test,
                                       .peek = 3,
                                       .compression_options = {"--gzip"},
                                       .takes_partial = true}),
              ElementsAre("ssh", "-q", "-T", "barman@backup", "barman", "--config '/etc/b.conf'",
                          "get-wal --test --peek '3' --gzip --partial 'main' 'W'"));
}

TEST(RemoteBarman, NothingReachesTheRemoteShellUnquoted) {
  const RemoteBarman barman{.host = "backup", .server = "a; rm -rf /'"};
  EXPECT_EQ(put_wal_command(barman, RemoteMode::run).back().front(), '\'');
  EXPECT_EQ(get_wal_command(barman, {.wal_name = "$(x)"}).back(),
            "get-wal 'a; rm -rf /'\\''' '$(x)'");
}

TEST(RemoteBarman, EachReasonOfSshHasItsNextStep) {
  const RemoteBarman barman{.host = "backup", .port = "2222", .server = "main"};
  const auto step = [&](const char* message) { return ssh_next_step(barman, message); };
  EXPECT_THAT(step("barman@backup: Permission denied (publickey)."),
              HasSubstr("'ssh-copy-id -p 2222 barman@backup'"));
  EXPECT_THAT(step("Host key verification failed."), HasSubstr("'ssh -p 2222 barman@backup true'"));
  EXPECT_THAT(step("ssh: connect to host backup port 2222: Connection refused"),
              HasSubstr("sshd runs on backup"));
  EXPECT_THAT(step("ssh: Could not resolve hostname backup: Name or service not known"),
              HasSubstr("/etc/hosts"));
  EXPECT_THAT(step("ssh: connect to host backup port 22: Connection timed out"),
              HasSubstr("firewall"));
  EXPECT_THAT(step("kex_exchange_identification: read"), HasSubstr("'ssh -v "));
}

}  // namespace
}  // namespace barman::client

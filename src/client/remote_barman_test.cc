#include "client/remote_barman.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace barman::client {
namespace {

using ::testing::ElementsAre;

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

}  // namespace
}  // namespace barman::client

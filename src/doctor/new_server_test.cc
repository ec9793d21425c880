#include "doctor/new_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace barman::doctor {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

NewServer new_server() {
  NewServer server;
  server.name = "main";
  server.host = "pg";
  return server;
}

TEST(NewServer, TheSectionHasWhatStreamingNeeds) {
  const std::string text = section_text(new_server());
  EXPECT_THAT(text, HasSubstr("[main]\n"));
  EXPECT_THAT(text, HasSubstr("\nconninfo = host=pg port=5432 user=barman dbname=postgres\n"));
  EXPECT_THAT(text, HasSubstr("\nstreaming_conninfo = host=pg port=5432 user=streaming_barman\n"));
  EXPECT_THAT(text, HasSubstr("\ncreate_slot = auto\n"));
  EXPECT_THAT(text, Not(HasSubstr("ssh_command")));
}

TEST(NewServer, RsyncGoesThroughSsh) {
  NewServer server = new_server();
  server.method = "rsync";
  EXPECT_THAT(section_text(server), HasSubstr("\nssh_command = ssh postgres@pg\n"));
  EXPECT_THAT(preparation(server, ""), Contains("\tssh-copy-id postgres@pg"));
}

TEST(NewServer, ValuesOfConnectionStringsAreQuoted) {
  NewServer server = new_server();
  server.user = "it's";
  EXPECT_THAT(section_text(server), HasSubstr("user='it\\'s' "));
}

TEST(NewServer, PostgresIsPreparedForTheAddressOfThisHost) {
  const std::vector<std::string> lines = preparation(new_server(), "192.0.2.10");
  EXPECT_THAT(lines, Contains("\tCREATE ROLE streaming_barman LOGIN REPLICATION;"));
  EXPECT_THAT(lines, Contains("\thost postgres barman 192.0.2.10/32 scram-sha-256"));
  EXPECT_THAT(lines, Contains("\thost replication streaming_barman 192.0.2.10/32 scram-sha-256"));
  EXPECT_THAT(lines, Contains("\tpg:5432:*:streaming_barman:PASSWORD"));
  EXPECT_THAT(preparation(new_server(), ""),
              Contains("\thost postgres barman ADDRESS scram-sha-256"));
}

}  // namespace
}  // namespace barman::doctor

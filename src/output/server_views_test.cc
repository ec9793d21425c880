#include "output/server_views.h"

#include <gtest/gtest.h>

#include "output/captured_output.h"

namespace barman::output {
namespace {

const std::vector<ServerListEntry> kServers = {
    {.name = "arch",
     .description = "Main",
     .state = facts::ServerState::active,
     .is_passive = false},
    {.name = "copy", .description = {}, .state = facts::ServerState::active, .is_passive = true},
    {.name = "off",
     .description = "Old",
     .state = facts::ServerState::inactive,
     .is_passive = true},
    {.name = "plain", .description = {}, .state = facts::ServerState::active, .is_passive = false},
    {.name = "sick",
     .description = "Bad",
     .state = facts::ServerState::disabled,
     .is_passive = false},
};

TEST(ServerList, ShowsNameDescriptionAndState) {
  CapturedOutput output;
  write_server_list(output.reporter(), kServers, ListStyle::full);
  EXPECT_EQ(output.out(),
            "arch - Main\ncopy -  (Passive)\noff - Old (inactive) (Passive)\nplain\n"
            "sick - Bad (WARNING: disabled)\n");
}

TEST(ServerList, ShowsNamesOnlyWhenMinimal) {
  CapturedOutput output;
  write_server_list(output.reporter(), kServers, ListStyle::minimal);
  EXPECT_EQ(output.out(), "arch\ncopy\noff\nplain\nsick\n");
}

TEST(ServerList, HasDescriptionsInJsonEvenWhenMinimal) {
  CapturedOutput output({.format = OutputFormat::json});
  write_server_list(output.reporter(), {kServers[0], kServers[3]}, ListStyle::minimal);
  output.reporter().finish();
  EXPECT_EQ(output.out(), R"({"arch": {"description": "Main"}, "plain": {"description": ""}})");
}

TEST(Status, PairsLabelAndMessage) {
  const std::vector<facts::StatusRow> rows = {{"active", "Active", "True"},
                                              {"pg_version", "PostgreSQL version", "15.20"}};
  CapturedOutput console;
  write_status(console.reporter(), "main", rows);
  EXPECT_EQ(console.out(), "Server main:\n\tActive: True\n\tPostgreSQL version: 15.20\n");

  CapturedOutput json({.format = OutputFormat::json});
  write_status(json.reporter(), "main", rows);
  json.reporter().finish();
  EXPECT_EQ(json.out(),
            R"({"main": {"active": {"description": "Active", "message": "True"}, )"
            R"("pg_version": {"description": "PostgreSQL version", "message": "15.20"}}})");
}

config::ShownOptions properties() {
  using config::OptionValue;
  return {{"wal_level", OptionValue{std::string("replica")}},
          {"description", OptionValue{nullptr}},
          {"active", OptionValue{true}},
          {"check_timeout", OptionValue{std::int64_t{30}}},
          {"conninfo", OptionValue{std::string("host=a password=secret")}},
          {"snapshot_disks", OptionValue{OptionValue::List{OptionValue{std::string("d1")}}}}};
}

TEST(Properties, AreSortedAndInPythonForm) {
  CapturedOutput output;
  write_properties(output.reporter(), "main", facts::ServerState::active, properties());
  EXPECT_EQ(output.out(),
            "Server main:\n\tactive: True\n\tcheck_timeout: 30\n"
            "\tconninfo: host=a password=*REDACTED*\n\tdescription: None\n"
            "\tsnapshot_disks: ['d1']\n\twal_level: replica\n");
}

TEST(Properties, KeepTypesInJsonAndNameTheState) {
  CapturedOutput output({.format = OutputFormat::json});
  write_properties(output.reporter(), "main", facts::ServerState::inactive, properties());
  output.reporter().finish();
  EXPECT_EQ(output.out(),
            R"({"main": {"active": true, "check_timeout": 30, )"
            R"-("conninfo": "host=a password=*REDACTED*", "description": "(inactive)", )-"
            R"("snapshot_disks": ["d1"], "wal_level": "replica"}})");
}

}  // namespace
}  // namespace barman::output

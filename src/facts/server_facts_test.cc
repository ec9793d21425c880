#include "facts/server_facts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "wal_archive/test_support.h"

namespace barman::facts {
namespace {

using config::OptionValue;
using testing::HasSubstr;

// nullopt: the key is not among the values.
std::optional<OptionValue> shown(const config::ServerConfig& config, const ServerFacts& facts,
                                 std::string_view key) {
  const server::Server server(config, {}, {.program = "/usr/bin/barman"});
  for (const auto& [name, value] : list_live_values(server, facts)) {
    if (name == key) return value;
  }
  return std::nullopt;
}

config::ServerConfig streaming_config() {
  config::ServerConfig config;
  config.name = "main";
  config.streaming_conninfo = "host=/nowhere";
  config.streaming_archiver = true;
  config.streaming_archiver_name = "barman_receive_wal";
  config.backup_method = config::BackupMethod::postgres;
  return config;
}

TEST(ServerFacts, AServerThatIsNotInServiceHasNoLiveValues) {
  config::ServerConfig config = streaming_config();
  EXPECT_TRUE(has_live_values(config));
  config.active = false;
  EXPECT_FALSE(has_live_values(config));
  EXPECT_EQ(shown(config, {}, "connection_error"), std::nullopt);
  config.active = true;
  config.primary_ssh_command = "ssh primary";
  EXPECT_FALSE(has_live_values(config));
}

TEST(ServerFacts, WhatIsNotKnownIsNull) {
  const OptionValue null{nullptr};
  for (const char* key : {"connection_error", "server_txt_version", "version_supported",
                          "current_lsn", "replication_slot", "replication_slot_support",
                          "included_files", "synchronous_standby_names", "streaming",
                          "pg_receivexlog_compatible", "pg_receivexlog_synchronous"}) {
    EXPECT_EQ(shown(streaming_config(), {}, key), null) << key;
  }
}

TEST(ServerFacts, ValuesAreThoseOfTheWaysThatAreConfigured) {
  config::ServerConfig config = streaming_config();
  EXPECT_TRUE(shown(config, {}, "pg_receivexlog_path").has_value());
  EXPECT_TRUE(shown(config, {}, "pg_basebackup_path").has_value());
  EXPECT_TRUE(shown(config, {}, "streaming").has_value());
  EXPECT_FALSE(shown(config, {}, "archive_command").has_value());
  config.streaming_archiver = false;
  config.archiver = true;
  EXPECT_FALSE(shown(config, {}, "pg_receivexlog_path").has_value());
  EXPECT_TRUE(shown(config, {}, "archive_command").has_value());
  config.backup_method = config::BackupMethod::rsync;
  EXPECT_FALSE(shown(config, {}, "pg_basebackup_path").has_value());
  EXPECT_FALSE(shown(config, {}, "streaming").has_value());
}

TEST(ServerFacts, VersionsAreJudged) {
  ServerFacts facts;
  facts.version = 80400;
  EXPECT_EQ(shown(streaming_config(), facts, "version_supported"), OptionValue{false});
  EXPECT_EQ(shown(streaming_config(), facts, "pg_basebackup_compatible"), OptionValue{false});
  facts.version = 170006;
  EXPECT_EQ(shown(streaming_config(), facts, "version_supported"), OptionValue{true});
  EXPECT_EQ(shown(streaming_config(), facts, "pg_basebackup_compatible"), OptionValue{true});
  facts.streaming_version = 90600;
  EXPECT_EQ(shown(streaming_config(), facts, "pg_basebackup_compatible"), OptionValue{false})
      << "that of the session that streams counts";
}

TEST(ServerFacts, ASlotIsShownAsBarmanDoes) {
  ServerFacts facts;
  facts.slot = {.name = "barman"};
  EXPECT_EQ(shown(streaming_config(), facts, "replication_slot"),
            OptionValue{std::string("Record(slot_name='barman', active=False, restart_lsn=None)")});
  facts.slot->active = true;
  facts.slot->restart_lsn = wal::Lsn{0x3000060};
  EXPECT_EQ(
      shown(streaming_config(), facts, "replication_slot"),
      OptionValue{std::string("Record(slot_name='barman', active=True, restart_lsn='0/3000060')")});
}

TEST(ServerFacts, TheReceiverIsSynchronousWhenPostgresqlWaitsForIt) {
  ServerFacts facts;
  facts.settings.emplace();
  const auto is_synchronous = [&](std::string names) {
    facts.settings->synchronous_standby_names = std::move(names);
    return shown(streaming_config(), facts, "pg_receivexlog_synchronous");
  };
  EXPECT_EQ(is_synchronous(""), OptionValue{false});
  EXPECT_EQ(shown(streaming_config(), facts, "synchronous_standby_names"),
            (OptionValue{OptionValue::List{{std::string()}}}));
  EXPECT_EQ(is_synchronous("ANY 1 (other, \"Barman_Receive_Wal\")"), OptionValue{true});
  EXPECT_EQ(is_synchronous("other"), OptionValue{false});
}

TEST(ServerFacts, TheRateOfArchivingHasTheTypeThatPostgresqlGivesIt) {
  config::ServerConfig config = streaming_config();
  config.archiver = true;
  ServerFacts facts;
  facts.archiver.emplace();
  const std::string key = "current_archived_wals_per_second";
  EXPECT_EQ(shown(config, facts, key), OptionValue{nullptr});
  facts.archiver->current_archived_wals_per_second = 0.125;
  facts.version = 130020;
  EXPECT_EQ(shown(config, facts, key), OptionValue{0.125});
  facts.version = 140000;
  EXPECT_EQ(shown(config, facts, key), OptionValue{std::string("0.125")});
}

TEST(ServerFacts, ACauseOnSeveralLinesIsShownOnOne) {
  ServerFacts facts;
  facts.connection_error = "connection failed: No such file\n\tIs the server running?";
  EXPECT_EQ(shown(streaming_config(), facts, "connection_error"),
            OptionValue{std::string("connection failed: No such file Is the server running?")});
}

// No fact is worth a failure.
TEST(ServerFacts, AServerThatCannotBeReachedTellsWhy) {
  wal_archive::TestServer site;
  site.config.conninfo = "host=" + site.home.path().string() + " user=nobody";
  site.config.streaming_conninfo = site.config.conninfo;
  const ServerFacts facts = gather_server_facts(site.make());
  EXPECT_THAT(facts.connection_error.value_or(""), HasSubstr("No such file or directory"));
  EXPECT_FALSE(facts.version.has_value());
  EXPECT_FALSE(facts.streaming_version.has_value());
}

}  // namespace
}  // namespace barman::facts

#include "facts/status_rows.h"

#include <gtest/gtest.h>

#include <string>

namespace barman::facts {
namespace {

using catalogue::BackupInfo;
using catalogue::BackupStatus;

Timestamp time_of(std::string_view text) { return parse_timestamp(text).value().time; }

config::ServerConfig sample_config() {
  config::ServerConfig config;
  config.name = "arch";
  config.description = "Local rsync, file archiver";
  config.archiver = true;
  config.minimum_redundancy = 1;
  config.retention_policy = config::RetentionPolicy{.count = 2};
  config.wal_retention_policy = "main";
  return config;
}

ServerFacts sample_facts() {
  ServerFacts facts;
  facts.version_text = "15.20";
  facts.is_in_recovery = false;
  facts.size_bytes = 23'697'818;
  facts.settings.emplace();
  facts.settings->data_directory = "/var/lib/postgresql/15/main";
  facts.settings->archive_mode = "on";
  facts.settings->archive_command = "test ! -f %p";
  facts.wal_position = postgres::WalPosition{.wal_name = "00000001000000000000001B"};
  facts.archiver.emplace();
  facts.archiver->last_archived_wal = "00000001000000000000001A.00000028.backup";
  facts.archiver->last_archived_time = time_of("2026-11-21 01:50:54.1+00:00");
  facts.archiver->current_archived_wals_per_second = 176.36 / 3600;
  return facts;
}

BackupInfo make_backup(const std::string& id, BackupStatus status) {
  BackupInfo backup;
  backup.id = {id};
  backup.status = status;
  backup.mode = "postgres";
  return backup;
}

std::string text_of(const std::vector<StatusRow>& rows) {
  std::string text;
  for (const StatusRow& row : rows) {
    text += row.key + "|" + row.label + ": " + row.message + "\n";
  }
  return text;
}

TEST(StatusRows, AreThoseOfTheSampleOfBarman) {
  EXPECT_EQ(text_of(make_status_rows(sample_config(), sample_facts(),
                                     {make_backup("20261121T015053", BackupStatus::done)})),
            "description|Description: Local rsync, file archiver\n"
            "active|Active: True\n"
            "disabled|Disabled: False\n"
            "active_model|Active configuration model: None\n"
            "pg_version|PostgreSQL version: 15.20\n"
            "is_in_recovery|Cluster state: in production\n"
            "current_size|Current data size: 22.6 MiB\n"
            "data_directory|PostgreSQL Data directory: /var/lib/postgresql/15/main\n"
            "current_xlog|Current WAL segment: 00000001000000000000001B\n"
            "archive_command|PostgreSQL 'archive_command' setting: test ! -f %p\n"
            "last_archived_wal|Last archived WAL: 00000001000000000000001A.00000028.backup, at Sat "
            "Nov 21 01:50:54 2026\n"
            "failed_count|Failures of WAL archiver: 0\n"
            "server_archived_wals_per_hour|Server WAL archiving rate: 176.36/hour\n"
            "passive_node|Passive node: False\n"
            "retention_policies|Retention policies: enforced (mode: auto, retention: REDUNDANCY 2, "
            "WAL retention: MAIN)\n"
            "backups_number|No. of available backups: 1\n"
            "first_backup|First available backup: 20261121T015053\n"
            "last_backup|Last available backup: 20261121T015053\n"
            "minimum_redundancy|Minimum redundancy requirements: satisfied (1/1)\n");
}

TEST(StatusRows, NothingIsSatisfiedByAGuess) {
  config::ServerConfig config = sample_config();
  config.minimum_redundancy = 0;
  config.unusable_values = {{"minimum_redundancy", {.written = "two", .text = "told"}}};
  const std::string text = text_of(make_status_rows(
      config, ServerFacts{}, {make_backup("20261121T015053", BackupStatus::done)}));
  EXPECT_NE(text.find("Retention policies: not enforced (a setting is not understood)\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("Minimum redundancy requirements: FAILED (1/unknown: the setting is not "
                      "understood)\n"),
            std::string::npos)
      << text;
}

TEST(StatusRows, AnUnreachableServerTellsOnlyThat) {
  config::ServerConfig config = sample_config();
  config.description.reset();
  config.retention_policy.reset();
  EXPECT_EQ(text_of(make_status_rows(config, ServerFacts{}, {})),
            "active|Active: True\n"
            "disabled|Disabled: False\n"
            "active_model|Active configuration model: None\n"
            "pg_version|PostgreSQL version: FAILED trying to get PostgreSQL version\n"
            "passive_node|Passive node: False\n"
            "retention_policies|Retention policies: not enforced\n"
            "backups_number|No. of available backups: 0\n"
            "first_backup|First available backup: None\n"
            "last_backup|Last available backup: None\n"
            "minimum_redundancy|Minimum redundancy requirements: FAILED (0/1)\n");
}

TEST(StatusRows, APassiveServerShowsItsPrimaryAndNoPostgres) {
  config::ServerConfig config = sample_config();
  config.primary_ssh_command = "ssh barman@primary";
  const std::string text = text_of(make_status_rows(config, std::nullopt, {}));
  EXPECT_EQ(text.find("pg_version"), std::string::npos);
  EXPECT_EQ(text.find("archive_command"), std::string::npos);
  EXPECT_NE(text.find("passive_node|Passive node: True\n"), std::string::npos);
  EXPECT_TRUE(
      text.ends_with("primary_ssh_command|SSH command to primary server: ssh barman@primary\n"));
}

TEST(StatusRows, ArchiverTroubleIsTold) {
  ServerFacts facts = sample_facts();
  facts.settings->archive_command = "(disabled)";
  facts.archiver->last_archived_wal.reset();
  facts.archiver->failed_count = 3;
  facts.archiver->last_failed_wal = "00000001000000000000001B";
  facts.archiver->last_failed_time = time_of("2026-11-07 01:50:54+00:00");
  facts.archiver->current_archived_wals_per_second = 0;
  const std::string text = text_of(make_status_rows(sample_config(), facts, {}));
  EXPECT_NE(text.find("setting: FAILED (please set it accordingly to documentation)\n"
                      "last_archived_wal|Last archived WAL: No WAL segment shipped yet\n"
                      "failed_count|Failures of WAL archiver: 3 (00000001000000000000001B at Sat "
                      "Nov  7 01:50:54 2026)\n"
                      "passive_node|"),
            std::string::npos)
      << text;
}

TEST(StatusRows, CountsAndNeighboursFollowDifferentRules) {
  BackupInfo incremental = make_backup("20261103T000000", BackupStatus::done);
  incremental.parent_backup_id = catalogue::BackupId{"20261102T000000"};
  const std::string text =
      text_of(make_status_rows(sample_config(), std::nullopt,
                               {make_backup("20261101T000000", BackupStatus::failed),
                                make_backup("20261102T000000", BackupStatus::done), incremental,
                                make_backup("20261104T000000", BackupStatus::waiting_for_wals)}));
  EXPECT_NE(text.find("No. of available backups: 2\n"
                      "first_backup|First available backup: 20261102T000000\n"
                      "last_backup|Last available backup: 20261104T000000\n"
                      "minimum_redundancy|Minimum redundancy requirements: satisfied (1/1)\n"),
            std::string::npos)
      << text;
}

}  // namespace
}  // namespace barman::facts

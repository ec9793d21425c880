#include "output/backup_views.h"

#include <gtest/gtest.h>

#include "catalogue/python_literal.h"
#include "output/captured_output.h"

namespace barman::output {
namespace {

using catalogue::BackupId;
using catalogue::BackupInfo;
using catalogue::BackupStatus;
using catalogue::BackupType;
using catalogue::RetentionStatus;

Timestamp time_of(std::string_view text) { return parse_timestamp(text).value().time; }

std::string list_text(const std::vector<BackupListRow>& rows, ListStyle style = ListStyle::full) {
  return captured(OutputFormat::console,
                  [&](Reporter& reporter) { write_backup_list(reporter, "main", rows, style); });
}
std::string list_json(const std::vector<BackupListRow>& rows, ListStyle style = ListStyle::full) {
  return captured(OutputFormat::json,
                  [&](Reporter& reporter) { write_backup_list(reporter, "main", rows, style); });
}
std::string show_text(const BackupDetails& details) {
  return captured(OutputFormat::console,
                  [&](Reporter& reporter) { write_backup_details(reporter, "main", details); });
}
std::string show_json(const BackupDetails& details) {
  return captured(OutputFormat::json,
                  [&](Reporter& reporter) { write_backup_details(reporter, "main", details); });
}

// Barman's samples.
std::vector<BackupListRow> sample_rows() {
  return {{.id = {"20261121T014946"}, .status = BackupStatus::failed},
          {.id = {"20261121T014915"},
           .name = "hooked",
           .status = BackupStatus::done,
           .sizes = BackupListSizes{.end_time = time_of("2026-11-21 01:49:16.5+00:00"),
                                    .size_bytes = 40'276'048},
           .retention = RetentionStatus::valid},
          {.id = {"20261107T015053"},
           .type = BackupType::rsync,
           .status = BackupStatus::done,
           .sizes = BackupListSizes{.end_time = time_of("2026-11-07 01:50:54+02:00"),
                                    .size_bytes = 23'383'244,
                                    .wal_size_bytes = 33'075},
           .retention = RetentionStatus::obsolete},
          {.id = {"20261106T000000"},
           .type = BackupType::incremental,
           .status = BackupStatus::waiting_for_wals,
           .sizes = BackupListSizes{.end_time = time_of("2026-11-06 00:00:01+00:00"),
                                    .size_bytes = 999}}};
}

TEST(BackupList, ConsoleLinesAreThoseOfBarman) {
  EXPECT_EQ(list_text(sample_rows()),
            "main 20261121T014946 - F - FAILED\n"
            "main 20261121T014915 'hooked' - F - Sat Nov 21 01:49:16 2026 - Size: 38.4 MiB - WAL "
            "Size: 0 B\n"
            "main 20261107T015053 - R - Sat Nov  7 01:50:54 2026 - Size: 22.3 MiB - WAL Size: 32.3 "
            "KiB - OBSOLETE\n"
            "main 20261106T000000 - I - Fri Nov  6 00:00:01 2026 - Size: 999 B - WAL Size: 0 B - "
            "WAITING_FOR_WALS\n");
}

TEST(BackupList, AnUnknownEndIsNoDate) {
  const std::vector<BackupListRow> rows = {{.id = {"20261121T014915"},
                                            .status = BackupStatus::done,
                                            .sizes = BackupListSizes{.size_bytes = 1}}};
  EXPECT_EQ(list_text(rows), "main 20261121T014915 - F - unknown - Size: 1 B - WAL Size: 0 B\n");
  const std::string json = list_json(rows);
  EXPECT_NE(json.find(R"("end_time": null, "end_time_timestamp": null)"), std::string::npos)
      << json;
}

TEST(BackupList, KeptAndPotentiallyObsoleteBackupsAreMarked) {
  std::vector<BackupListRow> rows = {sample_rows()[1]};
  rows[0].retention = RetentionStatus::keep_standalone;
  EXPECT_TRUE(list_text(rows).ends_with(" - WAL Size: 0 B - KEEP:STANDALONE\n"));
  rows[0].retention = RetentionStatus::potentially_obsolete;
  EXPECT_TRUE(list_text(rows).ends_with(" - WAL Size: 0 B - OBSOLETE*\n"));
}

TEST(BackupList, MinimalStyleShowsIds) {
  EXPECT_EQ(
      list_text({{.id = {"20261121T014946"}}, {.id = {"20261121T014915"}}}, ListStyle::minimal),
      "20261121T014946\n20261121T014915\n");
  EXPECT_EQ(list_json({{.id = {"20261121T014946"}}}, ListStyle::minimal),
            R"_({"main": ["20261121T014946"]})_");
}

TEST(BackupList, JsonHasTheTypesThatClientsParse) {
  EXPECT_EQ(
      list_json(sample_rows()),
      R"_({"main": [{"backup_id": "20261121T014946", "backup_type": "full", "status": "FAILED"}, )_"
      R"_({"backup_id": "20261121T014915", "backup_name": "hooked", "backup_type": "full", )_"
      R"_("end_time": "Sat Nov 21 01:49:16 2026", "end_time_timestamp": "1795225756", )_"
      R"_("retention_status": "-", "size": "38.4 MiB", "size_bytes": 40276048, "status": "DONE", )_"
      R"_("wal_size": "0 B", "wal_size_bytes": 0}, )_"
      R"_({"backup_id": "20261107T015053", "backup_type": "rsync", )_"
      R"_("end_time": "Sat Nov  7 01:50:54 2026", "end_time_timestamp": "1794009054", )_"
      R"_("retention_status": "OBSOLETE", "size": "22.3 MiB", "size_bytes": 23383244, )_"
      R"_("status": "DONE", "wal_size": "32.3 KiB", "wal_size_bytes": 33075}, )_"
      R"_({"backup_id": "20261106T000000", "backup_type": "incremental", )_"
      R"_("end_time": "Fri Nov  6 00:00:01 2026", "end_time_timestamp": "1793923201", )_"
      R"_("retention_status": "-", "size": "999 B", "size_bytes": 999, )_"
      R"_("status": "WAITING_FOR_WALS", "wal_size": "0 B", "wal_size_bytes": 0}]})_");
}

TEST(BackupList, WithoutBackupsConsoleIsEmptyAndJsonIsAnEmptyList) {
  EXPECT_EQ(list_text({}), "");
  EXPECT_EQ(list_json({}), R"_({"main": []})_");
  EXPECT_EQ(list_json({}, ListStyle::minimal), R"_({"main": []})_");
}

// The backup of the sample of cli.md 5.2.
BackupDetails nightly() {
  BackupDetails details;
  BackupInfo& backup = details.backup;
  backup.id = {"20261121T015155"};
  backup.backup_name = "nightly";
  backup.systemid = "7710433624940005412";
  backup.status = BackupStatus::done;
  backup.version = 150020;
  backup.pgdata = "/var/lib/postgresql/15/main";
  backup.cluster_size = 23'697'818;
  backup.data_checksums = "on";
  backup.tablespaces = {{.name = "tbs1", .oid = 16386, .location = "/srv/tbs1"}};
  backup.mode = "postgres";
  backup.size = 3'250'586;
  backup.deduplicated_size = 3'250'586;
  backup.compression = "gzip";
  backup.timeline = {1};
  backup.begin_wal = "000000010000000000000020";
  backup.end_wal = "000000010000000000000020";
  backup.begin_time = time_of("2026-11-21 01:51:55.999092+00:00");
  backup.end_time = time_of("2026-11-21 01:51:57.386131+00:00");
  backup.copy_stats = catalogue::parse_python("{'copy_time': 1.375, 'total_time': 1.387}");
  backup.begin_offset = 40;
  backup.end_offset = 0;
  backup.begin_xlog = wal::Lsn{0x20000028};
  backup.end_xlog = wal::Lsn{0x21000000};
  details.wal.wal_num = 1;
  details.wal.wal_size = 16'450;
  details.wal.wal_compression_ratio = 0.99902;
  details.wal.wal_until_next_num = 2;
  details.wal.wal_until_next_size = 34'400;
  details.wal.wal_until_next_compression_ratio = 0.99897;
  details.wal.wals_per_second = 3994.08 / 3600;
  details.wal.last = wal_archive::WalFileTime{.name = "000000010000000000000022"};
  details.previous = BackupId{"20261121T014915"};
  return details;
}

constexpr std::string_view kNightlyHead =
    "Backup 20261121T015155:\n"
    "  Backup Name            : nightly\n"
    "  Server Name            : main\n"
    "  System Id              : 7710433624940005412\n"
    "  Status                 : DONE\n"
    "  PostgreSQL Version     : 150020\n"
    "  PGDATA directory       : /var/lib/postgresql/15/main\n"
    "  Estimated Cluster Size : 22.6 MiB\n"
    "\n"
    "  Server information:\n"
    "    Checksums            : on\n"
    "\n"
    "  Tablespaces:\n"
    "    tbs1                 : /srv/tbs1 (oid: 16386)\n"
    "\n";

TEST(ShowBackup, ConsoleTextIsTheSampleOfBarman) {
  EXPECT_EQ(show_text(nightly()),
            std::string(kNightlyHead) +
                "  Base backup information:\n"
                "    Backup Method        : postgres\n"
                "    Backup Type          : full\n"
                "    Backup Size          : 3.1 MiB (3.1 MiB with WALs)\n"
                "    Backup Compression   : gzip\n"
                "    WAL Size             : 16.1 KiB\n"
                "    Timeline             : 1\n"
                "    Begin WAL            : 000000010000000000000020\n"
                "    End WAL              : 000000010000000000000020\n"
                "    Number of WALs       : 1\n"
                "    WAL compression ratio: 99.90%\n"
                "    Begin time           : 2026-11-21 01:51:55.999092+00:00\n"
                "    End time             : 2026-11-21 01:51:57.386131+00:00\n"
                "    Copy time            : 1 second\n"
                "    Estimated throughput : 2.3 MiB/s\n"
                "    Begin Offset         : 40\n"
                "    End Offset           : 0\n"
                "    Begin LSN            : 0/20000028\n"
                "    End LSN              : 0/21000000\n"
                "\n"
                "  WAL information:\n"
                "    Number of files      : 2\n"
                "    Disk usage           : 33.6 KiB\n"
                "    WAL rate             : 3994.08/hour\n"
                "    Compression ratio    : 99.90%\n"
                "    Last available       : 000000010000000000000022\n"
                "\n"
                "  Catalog information:\n"
                "    Retention Policy     : not enforced\n"
                "    Previous Backup      : 20261121T014915\n"
                "    Next Backup          : - (this is the latest base "
                "backup)\n");
}

TEST(ShowBackup, JsonHasTheKeysAndTypesOfBarman) {
  EXPECT_EQ(
      show_json(nightly()),
      R"_({"main": {"backup_id": "20261121T015155", "backup_name": "nightly", )_"
      R"_("backup_type": "full", "base_backup_information": {"backup_method": "postgres", )_"
      R"_("backup_size": "3.1 MiB", "backup_size_bytes": 3250586, )_"
      R"_("backup_size_with_wals": "3.1 MiB", "backup_size_with_wals_bytes": 3267036, )_"
      R"_("begin_lsn": "0/20000028", "begin_offset": 40, )_"
      R"_("begin_time": "2026-11-21 01:51:55.999092+00:00", "begin_time_timestamp": "1795225915", )_"
      R"_("begin_wal": "000000010000000000000020", "compression": "gzip", )_"
      R"_("copy_time": "1 second", "copy_time_seconds": 1.375, "encryption": null, )_"
      R"_("end_lsn": "0/21000000", "end_offset": 0, )_"
      R"_("end_time": "2026-11-21 01:51:57.386131+00:00", "end_time_timestamp": "1795225917", )_"
      R"_("end_wal": "000000010000000000000020", "number_of_workers": 1, )_"
      R"_("throughput": "2.3 MiB/s", "throughput_bytes": 2364062, "timeline": 1, )_"
      R"_("wal_compression_ratio": "99.90%", "wal_num": 1, "wal_size": "16.1 KiB", )_"
      R"_("wal_size_bytes": 16450}, )_"
      R"_("catalog_information": {"children_backup_ids": null, )_"
      R"_("next_backup": "- (this is the latest base backup)", )_"
      R"_("previous_backup": "20261121T014915", "retention_policy": "not enforced"}, )_"
      R"_("cluster_size": "22.6 MiB", "cluster_size_bytes": 23697818, )_"
      R"_("pgdata_directory": "/var/lib/postgresql/15/main", "postgresql_version": 150020, )_"
      R"_("server_information": {"data_checksums": "on", "summarize_wal": null}, )_"
      R"_("status": "DONE", "system_id": "7710433624940005412", )_"
      R"_("tablespaces": [{"location": "/srv/tbs1", "name": "tbs1", "oid": 16386}], )_"
      R"_("wal_information": {"compression_ratio": "99.90%", "disk_usage": "33.6 KiB", )_"
      R"_("disk_usage_bytes": 34400, "last_available": "000000010000000000000022", )_"
      R"_("no_of_files": 2, "timelines": [], "wal_rate": "3994.08/hour", )_"
      R"_("wal_rate_per_second": 1.1094666666666666}}})_");
}

TEST(ShowBackup, AFailedBackupShowsItsError) {
  BackupDetails details = nightly();
  details.backup.status = BackupStatus::failed;
  details.backup.backup_name.reset();
  details.backup.error = "failure copying files (connection lost)";
  EXPECT_EQ(show_text(details),
            "Backup 20261121T015155:\n"
            "  Server Name            : main\n"
            "  System Id              : 7710433624940005412\n"
            "  Status                 : FAILED\n"
            "\n"
            "  Server information:\n"
            "    Checksums            : on\n"
            "\n"
            "  Error                  : failure copying files (connection lost)\n");
  EXPECT_EQ(show_json(details),
            R"_({"main": {"backup_id": "20261121T015155", )_"
            R"_("error": "failure copying files (connection lost)", )_"
            R"_("server_information": {"data_checksums": "on", "summarize_wal": null}, )_"
            R"_("status": "FAILED", "system_id": "7710433624940005412"}})_");
}

TEST(ShowBackup, ABackupWithoutWalHasNoSizesOfWal) {
  BackupDetails details = nightly();
  details.backup.status = BackupStatus::waiting_for_wals;
  details.wal = {};
  details.retention = RetentionStatus::none;
  const std::string text = show_text(details);
  EXPECT_NE(text.find("  Status                 : WAITING_FOR_WALS\n"), std::string::npos);
  EXPECT_NE(text.find("    Backup Size          : 3.1 MiB\n"
                      "    Backup Compression   : gzip\n"
                      "    Timeline             : 1\n"),
            std::string::npos);
  EXPECT_EQ(text.find("Number of WALs"), std::string::npos);
  EXPECT_NE(text.find("    Number of files      : 0\n"
                      "    Disk usage           : 0 B\n"
                      "    Last available       : None\n"
                      "\n"
                      "  Catalog information:\n"
                      "    Retention Policy     : -\n"),
            std::string::npos);
  const std::string json = show_json(details);
  EXPECT_NE(json.find(R"_("wal_information": {"compression_ratio": 0, "disk_usage": "0 B", )_"
                      R"_("disk_usage_bytes": 0, "last_available": null, "no_of_files": 0, )_"
                      R"_("timelines": [], "wal_rate": 0, "wal_rate_per_second": 0})_"),
            std::string::npos);
}

BackupDetails incremental() {
  BackupDetails details = nightly();
  details.backup.parent_backup_id = BackupId{"20261121T014915"};
  details.backup.compression.reset();
  details.backup.summarize_wal = "on";
  details.backup.deduplicated_size = 8'192;
  details.backup.size = 8'192;
  details.reachable_timelines = {{2}, {3}};
  details.retention = RetentionStatus::valid;
  details.chain = ShownChain{.root = {"20261121T014320"}, .parent = {"20261121T014915"}, .size = 3};
  details.children = {{"20261121T020000"}, {"20261121T030000"}};
  return details;
}

TEST(ShowBackup, AnIncrementalBackupShowsItsChainAndTimelines) {
  const std::string text = show_text(incremental());
  EXPECT_NE(text.find("    Checksums            : on\n"
                      "    WAL summarizer       : on\n"),
            std::string::npos);
  EXPECT_NE(text.find("    Backup Type          : incremental\n"
                      "    Backup Size          : 8.0 KiB (24.1 KiB with WALs)\n"
                      "    WAL Size             : 16.1 KiB\n"
                      "    Resources saved      : 22.6 MiB (99.97%)\n"
                      "    Timeline             : 1\n"),
            std::string::npos);
  const std::string tail =
      "    Last available       : 000000010000000000000022\n"
      "    Reachable timelines  : 2, 3\n"
      "\n"
      "  Catalog information:\n"
      "    Retention Policy     : VALID\n"
      "    Previous Backup      : 20261121T014915\n"
      "    Next Backup          : - (this is the latest base backup)\n"
      "\n"
      "WARNING: WAL information is inaccurate due to multiple timelines interacting with this "
      "backup\n"
      "    Root Backup          : 20261121T014320\n"
      "    Parent Backup        : 20261121T014915\n"
      "    Backup chain size    : 3\n"
      "    Children Backup(s)   : 20261121T020000,20261121T030000\n";
  EXPECT_TRUE(text.ends_with(tail)) << text;
}

TEST(ShowBackup, JsonOfAnIncrementalBackup) {
  const std::string json = show_json(incremental());
  EXPECT_NE(json.find(R"_("catalog_information": {"chain_size": 3, )_"
                      R"_("children_backup_ids": ["20261121T020000", "20261121T030000"], )_"
                      R"_("next_backup": "- (this is the latest base backup)", )_"
                      R"_("parent_backup_id": "20261121T014915", )_"
                      R"_("previous_backup": "20261121T014915", "retention_policy": "VALID", )_"
                      R"_("root_backup_id": "20261121T014320"})_"),
            std::string::npos)
      << json;
  EXPECT_NE(json.find(R"_("resources_saved": "22.6 MiB", "resources_saved_bytes": 23689626, )_"
                      R"_("resources_saved_percentage": "99.97%", )_"),
            std::string::npos)
      << json;
  EXPECT_NE(json.find(R"("timelines": ["2", "3"])"), std::string::npos) << json;
  EXPECT_NE(json.find(R"_("_WARNING": "WAL information is inaccurate due to multiple timelines )_"
                      R"_(interacting with this backup")_"),
            std::string::npos)
      << json;
}

// The sample of catalogue.md 12.3.
TEST(ShowBackup, AnRsyncBackupTellsWhatLinksSaved) {
  BackupDetails details = nightly();
  details.backup.mode = "rsync-concurrent";
  details.backup.compression.reset();
  details.backup.cluster_size = 23'383'244;
  details.backup.size = 23'100'000;
  details.backup.deduplicated_size = 1'711'710;
  details.backup.copy_stats =
      catalogue::parse_python("{'copy_time': 0.3, 'analysis_time': 61.5, 'number_of_workers': 4}");
  details.children = {{"20261121T020000"}};
  const std::string text = show_text(details);
  EXPECT_NE(text.find("    Backup Method        : rsync-concurrent\n"
                      "    Backup Size          : 1.6 MiB (1.6 MiB with WALs)\n"
                      "    WAL Size             : 16.1 KiB\n"
                      "    Resources saved      : 20.6 MiB (92.59%)\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("    Copy time            : less than one second + 1 minute, 1 second "
                      "startup\n"
                      "    Estimated throughput : 5.4 MiB/s (4 jobs)\n"),
            std::string::npos)
      << text;
  EXPECT_EQ(text.find("Children Backup(s)"), std::string::npos);
  const std::string json = show_json(details);
  EXPECT_NE(json.find(R"_("analysis_time": "1 minute, 1 second", "analysis_time_seconds": 61.5)_"),
            std::string::npos)
      << json;
  EXPECT_EQ(json.find("children_backup_ids"), std::string::npos);
}

}  // namespace
}  // namespace barman::output

#include "cloud_cli/cloud_views.h"

#include <gtest/gtest.h>

namespace barman::cloud_cli {
namespace {

// As Barman 3.20 wrote it, lines that say nothing left out.
constexpr const char* kInfo =
    "backup_label='START WAL LOCATION: 0/900028 (file 000000010000000000000009)\\nLABEL: x\\n'\n"
    "backup_name=firstname\nbegin_offset=40\nbegin_time=2026-11-21 01:43:01.564442+00:00\n"
    "begin_wal=000000010000000000000009\nbegin_xlog=0/900028\nchildren_backup_ids=None\n"
    "cluster_size=23506633\ncompression=None\nconfig_file=/etc/postgresql.conf\n"
    "copy_stats={'total_time': 1.724194, 'number_of_workers': 2, 'copy_time_per_item': {'16384': "
    "0.031166, 'data': 1.321573}, 'copy_time': 1.321573}\n"
    "data_checksums=on\nend_offset=312\nend_time=2026-11-21 01:43:02.050364+00:00\n"
    "end_wal=000000010000000000000009\nend_xlog=0/900138\nerror=None\nincluded_files=None\n"
    "mode=None\npgdata=/var/lib/postgresql/15/main\nserver_name=cloud\nsize=None\nstatus=DONE\n"
    "systemid=7710433670035413314\ntablespaces=[('tbs1', 16384, '/srv/ts1')]\ntimeline=1\n"
    "version=150020\nxlog_segment_size=1048576\n";

catalogue::BackupInfo example() {
  return catalogue::parse_backup_info(kInfo, {"20261121T014301"}, "backup.info");
}

catalogue::BackupInfo unfinished(const char* id, catalogue::BackupStatus status) {
  catalogue::BackupInfo info;
  info.id = {id};
  info.status = status;
  info.begin_wal = "000000010000000000000016";
  info.server_name = "cloud";
  info.systemid = "7710433670035413314";
  info.data_checksums = "on";
  return info;
}

TEST(CloudViews, ListAllBackups) {
  cloud::CloudBackups backups;
  backups.list.backups = {example(),
                          unfinished("20261121T030000", catalogue::BackupStatus::started),
                          unfinished("20261121T030100", catalogue::BackupStatus::failed)};
  backups.list.backups[1].backup_name = "myname";
  backups.annotations.keeps[{"20261121T014301"}] = catalogue::KeepTarget::standalone;
  EXPECT_EQ(
      cloud_list_text(backups),
      "Backup ID           End Time                 Begin Wal                     Archival "
      "Status  Name                \n"
      "20261121T014301     2026-11-21 01:43:02      000000010000000000000009      "
      "KEEP:STANDALONE  firstname           \n"
      "20261121T030000                              000000010000000000000016      STARTED     "
      "     myname              \n"
      "20261121T030100                              000000010000000000000016      FAILED      "
      "                         \n");
}

TEST(CloudViews, ListAsJson) {
  EXPECT_EQ(cloud_list_json({}), "{\"backups_list\": []}\n");
  cloud::CloudBackups backups;
  backups.list.backups = {example()};
  EXPECT_EQ(
      cloud_list_json(backups),
      "{\"backups_list\": [{\"backup_label\": \"'START WAL LOCATION: 0/900028 (file "
      "000000010000000000000009)\\\\nLABEL: x\\\\n'\", \"backup_name\": \"firstname\", "
      "\"begin_offset\": 40, \"begin_time\": \"Sat Nov 21 01:43:01 2026\", \"begin_wal\": "
      "\"000000010000000000000009\", \"begin_xlog\": \"0/900028\", \"children_backup_ids\": null, "
      "\"cluster_size\": 23506633, \"compression\": null, \"config_file\": "
      "\"/etc/postgresql.conf\", \"copy_stats\": {\"total_time\": 1.724194, "
      "\"number_of_workers\": 2, \"copy_time_per_item\": {\"16384\": 0.031166, \"data\": "
      "1.321573}, "
      "\"copy_time\": 1.321573}, \"data_checksums\": \"on\", \"deduplicated_size\": null, "
      "\"encryption\": null, \"end_offset\": 312, \"end_time\": \"Sat Nov 21 01:43:02 2026\", "
      "\"end_wal\": \"000000010000000000000009\", \"end_xlog\": \"0/900138\", \"error\": null, "
      "\"hba_file\": null, \"ident_file\": null, \"included_files\": null, \"mode\": null, "
      "\"parent_backup_id\": null, \"pgdata\": \"/var/lib/postgresql/15/main\", \"server_name\": "
      "\"cloud\", \"size\": null, \"status\": \"DONE\", \"summarize_wal\": null, \"systemid\": "
      "\"7710433670035413314\", \"tablespaces\": [[\"tbs1\", 16384, \"/srv/ts1\"]], \"timeline\": "
      "1, "
      "\"version\": 150020, \"xlog_segment_size\": 1048576, \"backup_id\": \"20261121T014301\", "
      "\"begin_time_iso\": \"2026-11-21T01:43:01.564442+00:00\", \"end_time_iso\": "
      "\"2026-11-21T01:43:02.050364+00:00\"}]}\n");
}

TEST(CloudViews, ShowACompleteBackup) {
  EXPECT_EQ(cloud_show_text(example()),
            "Backup 20261121T014301:\n"
            "  Backup Name            : firstname\n"
            "  Server Name            : cloud\n"
            "  System Id              : 7710433670035413314\n"
            "  Status                 : DONE\n"
            "  PostgreSQL Version     : 150020\n"
            "  PGDATA directory       : /var/lib/postgresql/15/main\n"
            "  Estimated Cluster Size : 22.4 MiB\n"
            "\n"
            "  Server information:\n"
            "    Checksums            : on\n"
            "\n"
            "  Tablespaces:\n"
            "    tbs1                 : /srv/ts1 (oid: 16384)\n"
            "\n"
            "  Base backup information:\n"
            "    Timeline             : 1\n"
            "    Begin WAL            : 000000010000000000000009\n"
            "    End WAL              : 000000010000000000000009\n"
            "    Begin time           : 2026-11-21 01:43:01.564442+00:00\n"
            "    End time             : 2026-11-21 01:43:02.050364+00:00\n"
            "    Copy time            : 1 second\n"
            "    Begin Offset         : 40\n"
            "    End Offset           : 312\n"
            "    Begin LSN            : 0/900028\n"
            "    End LSN              : 0/900138\n"
            "\n");
}

TEST(CloudViews, ShowAFailedBackup) {
  catalogue::BackupInfo info = unfinished("20261121T030100", catalogue::BackupStatus::failed);
  info.error = "failure uploading data (reason)";
  EXPECT_EQ(cloud_show_text(info),
            "Backup 20261121T030100:\n"
            "  Server Name            : cloud\n"
            "  System Id              : 7710433670035413314\n"
            "  Status                 : FAILED\n"
            "\n"
            "  Server information:\n"
            "    Checksums            : on\n"
            "\n"
            "  Error                  : failure uploading data (reason)\n");
  EXPECT_TRUE(cloud_show_json(info).starts_with("{\"cloud\": {\"backup_label\": null, "));
}

}  // namespace
}  // namespace barman::cloud_cli

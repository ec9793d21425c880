#include "server/server_hooks.h"

#include <gtest/gtest.h>

#include "catalogue/backup_info.h"

namespace barman::server {
namespace {

using catalogue::BackupInfo;
using catalogue::BackupStatus;

BackupInfo backup(const char* id, BackupStatus status) {
  BackupInfo info;
  info.id = {id};
  info.status = status;
  return info;
}

TEST(ServerHooks, TellOfABackupAndItsUsableNeighbours) {
  config::ServerConfig config;
  config.name = "main";
  config.backup_directory = "/srv/main";
  config.basebackups_directory = "/srv/main/base";
  const Server server(config, {}, {});
  const std::vector<BackupInfo> backups = {backup("20261101T000000", BackupStatus::done),
                                           backup("20261102T000000", BackupStatus::failed),
                                           backup("20261103T000000", BackupStatus::started),
                                           backup("20261104T000000", BackupStatus::done)};
  const HookVariables variables = backup_hook_variables(server, backups, backups[2]);
  EXPECT_EQ(variables.at("BARMAN_BACKUP_ID"), "20261103T000000");
  EXPECT_EQ(variables.at("BARMAN_BACKUP_DIR"), "/srv/main/base/20261103T000000");
  EXPECT_EQ(variables.at("BARMAN_PREVIOUS_ID"), "20261101T000000");
  EXPECT_EQ(variables.at("BARMAN_NEXT_ID"), "20261104T000000");
  EXPECT_EQ(variables.at("BARMAN_STATUS"), "STARTED");
  EXPECT_EQ(backup_hook_variables(server, backups, backups[0]).at("BARMAN_PREVIOUS_ID"), "");
  EXPECT_EQ(backup_hook_variables(server, backups, backups[3]).at("BARMAN_NEXT_ID"), "");
}

}  // namespace
}  // namespace barman::server

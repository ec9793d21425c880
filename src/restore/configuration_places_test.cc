#include "restore/configuration_places.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace barman::restore {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::EndsWith;
using testing::IsEmpty;

catalogue::BackupInfo backup_of_debian() {
  catalogue::BackupInfo backup;
  backup.pgdata = "/var/lib/postgresql/15/main";
  backup.config_file = "/etc/postgresql/15/main/postgresql.conf";
  return backup;
}

TEST(ConfigurationPlaces, ASettingMayLeadOutsideOnlyWhenTheFilesWereInside) {
  catalogue::BackupInfo backup = backup_of_debian();
  RestorePlan plan;
  plan_configuration(backup, {}, plan);
  EXPECT_EQ(plan.file_places, FilePlaces::data_directory);

  backup.hba_file = "/etc/access/rules";
  plan = {};
  plan_configuration(backup, {}, plan);
  EXPECT_EQ(plan.file_places, FilePlaces::as_set) << "of a copied backup it lies there as 'rules'";

  backup.config_file = "/var/lib/postgresql/15/main/postgresql.conf";
  plan = {};
  plan_configuration(backup, {}, plan);
  EXPECT_EQ(plan.file_places, FilePlaces::as_set);
  plan_configuration(backup, {{.name = "pg_hba.conf", .content = ""}}, plan);
  EXPECT_EQ(plan.file_places, FilePlaces::data_directory);
}

TEST(ConfigurationPlaces, TheAdviceIsACommand) {
  RestorePlan plan;
  plan.destination = "/srv/my data";
  plan.restored = backup_of_debian();
  EXPECT_THAT(start_advice(plan, {}, {}), IsEmpty());
  EXPECT_THAT(
      start_advice(plan, {"pg_hba.conf", "postgresql.conf"}, {}),
      ElementsAre("Configuration files that lay outside of PGDATA are in the directory now: "
                  "pg_hba.conf, postgresql.conf",
                  "Start it, as the user it belongs to, with: pg_ctl -D '/srv/my data' start"));
  plan.restored.version = 150018;
  EXPECT_THAT(
      start_advice(plan, {"conf.d/a.conf", "conf.d/b.conf", "pg_hba.conf"}, {}),
      Contains("Or, as root, let Debian take it over, with its files in "
               "/etc/postgresql/15/restored: pg_createcluster -d '/srv/my data' 15 restored && "
               "cp -a '/srv/my data/conf.d' /etc/postgresql/15/restored/ && pg_ctlcluster 15 "
               "restored start"));
  plan.destination = "/srv/restored";
  EXPECT_THAT(start_advice(plan, {"pg_hba.conf"}, {}),
              Contains(EndsWith("pg_createcluster -d /srv/restored 15 restored && pg_ctlcluster 15 "
                                "restored start")));
  EXPECT_THAT(start_advice(plan, {}, {"postgresql.conf"}),
              ElementsAre("On a host that has /etc/postgresql/15/main/postgresql.conf, start it "
                          "with: pg_ctl -D /srv/restored -o '-c "
                          "config_file=/etc/postgresql/15/main/postgresql.conf -c "
                          "data_directory=/srv/restored -c archive_command=false' start"));
}

}  // namespace
}  // namespace barman::restore

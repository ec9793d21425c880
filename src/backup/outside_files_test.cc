#include "backup/outside_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace barman::backup {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

postgres::ServerSettings debian() {
  postgres::ServerSettings settings;
  settings.data_directory = "/var/lib/postgresql/15/main";
  settings.config_file = "/etc/postgresql/15/main/postgresql.conf";
  settings.hba_file = "/etc/postgresql/15/main/pg_hba.conf";
  settings.ident_file = "/etc/postgresql/15/main/pg_ident.conf";
  return settings;
}

TEST(OutsideFiles, HaveTheNamesThatPostgresLooksForInADataDirectory) {
  postgres::ServerSettings settings = debian();
  settings.hba_file = "/etc/access/rules";
  EXPECT_THAT(
      list_outside_files(settings),
      ElementsAre(
          OutsideFile{"/etc/postgresql/15/main/postgresql.conf", "postgresql.conf", "config_file"},
          OutsideFile{"/etc/access/rules", "pg_hba.conf", "hba_file"},
          OutsideFile{"/etc/postgresql/15/main/pg_ident.conf", "pg_ident.conf", "ident_file"}));
}

TEST(OutsideFiles, KeepThePlaceBesideTheFileThatIncludesThem) {
  postgres::ServerSettings settings = debian();
  settings.included_files = {"/etc/postgresql/15/main/conf.d/a.conf", "/etc/shared.conf",
                             "/etc/postgresql/15/main/../../b.conf",
                             "/var/lib/postgresql/15/main/postgresql.auto.conf"};
  const std::vector<OutsideFile> files = list_outside_files(settings);
  ASSERT_EQ(files.size(), 6u);
  EXPECT_EQ(files[0], (OutsideFile{"/etc/postgresql/15/main/conf.d/a.conf", "conf.d/a.conf"}));
  EXPECT_EQ(files[1], (OutsideFile{"/etc/shared.conf", std::nullopt}));
  EXPECT_EQ(files[2].name, std::nullopt);
  for (std::size_t index = 0; index < files.size(); ++index) {
    EXPECT_EQ(files[index].is_included(), index < 3) << index;
    EXPECT_EQ(files[index].is_optional(), index == 5) << index;
  }
}

TEST(OutsideFiles, AreThoseOutsideOnly) {
  postgres::ServerSettings settings = debian();
  settings.config_file = "/var/lib/postgresql/15/main/postgresql.conf";
  settings.hba_file = "/var/lib/postgresql/15/main/pg_hba.conf";
  settings.ident_file = "/var/lib/postgresql/15/main2/pg_ident.conf";
  EXPECT_THAT(list_outside_files(settings),
              ElementsAre(OutsideFile{"/var/lib/postgresql/15/main2/pg_ident.conf", "pg_ident.conf",
                                      "ident_file"}));
  EXPECT_THAT(list_outside_files({}), IsEmpty());
}

}  // namespace
}  // namespace barman::backup

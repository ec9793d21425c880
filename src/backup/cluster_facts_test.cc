#include "backup/cluster_facts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace barman::backup {
namespace {

using replication::TablespaceMap;
using testing::ElementsAre;

const postgres::TablespaceRow kInPlace = {.name = "p", .oid = 16386, .location = "pg_tblspc/16386"};
const postgres::TablespaceRow kOutside = {.name = "a", .oid = 16384, .location = "/srv/a"};

TEST(ClusterFacts, TablespacesAreThoseOfTheAnnouncement) {
  // b was dropped while the checkpoint was waited for, n was made; d was dropped after it.
  const std::vector<postgres::TablespaceRow> before = {
      kOutside, {"b", 16385, "/srv/b"}, {"d", 16389, "/srv/d"}, kInPlace};
  const std::vector<postgres::TablespaceRow> after = {kOutside, kInPlace, {"n", 16387, "/srv/n"}};
  const std::vector<catalogue::Tablespace> result =
      name_tablespaces({{.oid = 16384, .location = "/srv/a"},
                        {.oid = 16386, .location = "pg_tblspc/16386"},
                        {.oid = 16387, .location = "/srv/n"},
                        {.oid = 16388, .location = "/srv/x"},
                        {.oid = 16389, .location = "/srv/d"},
                        {}},
                       after, before);
  EXPECT_THAT(result, ElementsAre(catalogue::Tablespace{"a", 16384, "/srv/a"},
                                  catalogue::Tablespace{"n", 16387, "/srv/n"},
                                  catalogue::Tablespace{"16388", 16388, "/srv/x"},
                                  catalogue::Tablespace{"d", 16389, "/srv/d"}));
}

TEST(ClusterFacts, AMapInsteadOfLinksWhereTheyWouldHarm) {
  const postgres::TablespaceRow long_one = {"l", 16390, "/" + std::string(99, 'l')};
  const auto choose = choose_tablespace_map;
  EXPECT_EQ(choose({kOutside}, catalogue::StoredForm::plain, 170000), TablespaceMap::no);
  EXPECT_EQ(choose({kOutside}, catalogue::StoredForm::tar, 170000), TablespaceMap::yes);
  EXPECT_EQ(choose({long_one}, catalogue::StoredForm::plain, 170000), TablespaceMap::yes);
  EXPECT_EQ(choose({kInPlace}, catalogue::StoredForm::tar, 160000), TablespaceMap::yes);
  EXPECT_EQ(choose({kInPlace}, catalogue::StoredForm::tar, 150000), TablespaceMap::no);
}

}  // namespace
}  // namespace barman::backup

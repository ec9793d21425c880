#include "upgrade/upgrade_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace barman::upgrade {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

UpgradeFacts upgraded() {
  UpgradeFacts facts{.barman_home = "/srv",
                     .written = {{"conninfo", "host=pg"}, {"retention_policy", "REDUNDANCY 2"}},
                     .taken_names = {"barman", "main"},
                     .known = catalogue::Identity{.system_id = "1", .version = "15"},
                     .cluster = {.system_id = "2", .version = "17"},
                     .today = "2026-11-30"};
  config::ServerConfig& config = facts.config;
  config.name = "main";
  config.backup_directory = "/srv/main";
  config.basebackups_directory = "/srv/main/base";
  config.wals_directory = "/srv/main/wals";
  config.incoming_wals_directory = "/srv/main/incoming";
  config.streaming_wals_directory = "/srv/main/streaming";
  config.errors_directory = "/srv/main/errors";
  config.xlogdb_directory = "/srv/main/wals";
  return facts;
}

std::string setting(const UpgradePlan& plan, const std::string& key) {
  for (const config::OptionChange& change : plan.section.changes) {
    if (change.key == key) return change.value;
  }
  return "-";
}

TEST(UpgradePlan, GivesTheOldCatalogueANameAndASectionOfItsOwn) {
  const UpgradePlan plan = plan_upgrade(upgraded());
  EXPECT_EQ(plan.stage, Stage::begins);
  EXPECT_EQ(plan.old_name, "main-15-old");
  EXPECT_THAT(plan.moves, ElementsAre(Move{"/srv/main", "/srv/main-15-old"}));
  EXPECT_EQ(plan.index, (Move{"/srv/main-15-old/wals/main-xlog.db",
                              "/srv/main-15-old/wals/main-15-old-xlog.db"}));
  EXPECT_EQ(plan.section.section, "main-15-old");
  EXPECT_EQ(setting(plan, "active"), "false");
  EXPECT_EQ(setting(plan, "conninfo"), "host=pg");
  EXPECT_EQ(setting(plan, "retention_policy"), "REDUNDANCY 2");
  EXPECT_EQ(setting(plan, "backup_directory"), "-");
  EXPECT_EQ(setting(plan, "wals_directory"), "-");
  EXPECT_EQ(setting(plan, "description"), "main (until 2026-11-30: system identifier 1)");
}

TEST(UpgradePlan, DirectoriesElsewhereGetNamesBesideThem) {
  UpgradeFacts facts = upgraded();
  facts.config.backup_directory = "/disk/pg/";
  facts.config.basebackups_directory = "/disk/pg/base";
  facts.config.wals_directory = "/fast/main";
  facts.config.incoming_wals_directory = "/fast/main/incoming";
  facts.config.streaming_wals_directory = "/disk/pg/received";
  facts.config.errors_directory = "/disk/pg/errors";
  facts.config.xlogdb_directory = "/index";
  facts.written["wals_directory"] = "/fast/%(name)s";
  facts.written["xlogdb_directory"] = "/index";
  const UpgradePlan plan = plan_upgrade(facts);
  EXPECT_THAT(plan.moves, ElementsAre(Move{"/fast/main", "/fast/main-15-old"},
                                      Move{"/disk/pg", "/disk/pg-main-15-old"}));
  EXPECT_EQ(setting(plan, "backup_directory"), "/disk/pg-main-15-old");
  EXPECT_EQ(setting(plan, "wals_directory"), "/fast/main-15-old");
  EXPECT_EQ(setting(plan, "incoming_wals_directory"), "/fast/main-15-old/incoming");
  EXPECT_EQ(setting(plan, "streaming_wals_directory"), "/disk/pg-main-15-old/received");
  EXPECT_EQ(setting(plan, "errors_directory"), "-");
  EXPECT_EQ(setting(plan, "xlogdb_directory"), "/index");
  EXPECT_EQ(plan.index, (Move{"/index/main-xlog.db", "/index/main-15-old-xlog.db"}));
}

TEST(UpgradePlan, DoesNothingToTheCatalogueOfThatCluster) {
  UpgradeFacts facts = upgraded();
  facts.cluster.system_id = "1";
  EXPECT_EQ(plan_upgrade(facts).stage, Stage::done);
}

TEST(UpgradePlan, GoesOnWhereAnEarlierRunWas) {
  UpgradeFacts facts = upgraded();
  facts.begun_name = "main-old";
  facts.taken_names.insert("main-old");  // Its section had been written.
  EXPECT_EQ(plan_upgrade(facts).old_name, "main-old");
  facts.known.reset();
  facts.begun_name.reset();
  facts.moved_name = "main-old";
  const UpgradePlan plan = plan_upgrade(facts);
  EXPECT_EQ(plan.stage, Stage::moved);
  EXPECT_THAT(plan.moves, ElementsAre(Move{"/srv/main", "/srv/main-old"}));
}

TEST(UpgradePlan, TakesNoNameThatIsTaken) {
  UpgradeFacts facts = upgraded();
  facts.taken_names.insert("main-15-old");
  EXPECT_EQ(plan_upgrade(facts).old_name, "main-15-old-2");
  facts.wanted_name = "main";
  EXPECT_THROW(plan_upgrade(facts), Error);
  for (const char* const name : {"../x", "a b", "-x", "all", "", "a'b"}) {
    facts.wanted_name = name;
    EXPECT_THROW(plan_upgrade(facts), Error) << name;
  }
  facts.wanted_name = "before";
  EXPECT_EQ(plan_upgrade(facts).old_name, "before");
}

TEST(UpgradePlan, RefusesWhatItCannotTell) {
  UpgradeFacts facts = upgraded();
  facts.known.reset();
  const auto hint_of = [&] {
    try {
      plan_upgrade(facts);
    } catch (const Error& error) {
      return error.hint();
    }
    return std::string("no error");
  };
  EXPECT_THAT(hint_of(), HasSubstr("barman backup --wait main"));
  facts.has_wal = true;
  EXPECT_THAT(hint_of(), HasSubstr("[main-17]"));
  facts = upgraded();
  facts.written["pre_backup_script"] = "a\nb";
  EXPECT_THROW(plan_upgrade(facts), Error);
}

}  // namespace
}  // namespace barman::upgrade

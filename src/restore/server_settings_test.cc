#include "restore/server_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace barman::restore {
namespace {

using testing::ElementsAre;

ReviewedSettings review(std::string_view content,
                        RestoreCommand restore_command = RestoreCommand::theirs) {
  return review_settings(content, "postgresql.conf", {.restore_command = restore_command});
}

TEST(ServerSettings, DisablesArchiving) {
  const ReviewedSettings reviewed = review("port = 1\narchive_command = 'cp %p /a/%f' # x\n");
  EXPECT_EQ(reviewed.content,
            "port = 1\n#BARMAN#archive_command = 'cp %p /a/%f' # x\narchive_command = false\n");
  EXPECT_THAT(reviewed.changes,
              ElementsAre(SettingNote{"postgresql.conf", 2, "archive_command", "false"}));
}

TEST(ServerSettings, MakesCommentsOfTargetsWhateverTheirCase) {
  const ReviewedSettings reviewed =
      review("  Recovery_Target_Action 'pause'\nARCHIVE_LIBRARY='basic_archive'");
  EXPECT_EQ(reviewed.content,
            "#BARMAN#  Recovery_Target_Action 'pause'\n#BARMAN#ARCHIVE_LIBRARY='basic_archive'");
  EXPECT_THAT(reviewed.changes,
              ElementsAre(SettingNote{"postgresql.conf", 1, "recovery_target_action", std::nullopt},
                          SettingNote{"postgresql.conf", 2, "archive_library", std::nullopt}));
}

TEST(ServerSettings, ReportsLinesOfTheRewrittenFile) {
  const ReviewedSettings reviewed =
      review("archive_command = ''\n#hba_file = 'no'\nhba_file = '/etc/hba'  # moved\n");
  EXPECT_THAT(reviewed.warnings,
              ElementsAre(SettingNote{"postgresql.conf", 4, "hba_file", "'/etc/hba'  # moved"}));
}

TEST(ServerSettings, NamesOfOtherSettingsThatBeginAlikeAreLeftAlone) {
  const ReviewedSettings reviewed = review("archive_command_x = 1\nmyinclude = 'a'\n\n");
  EXPECT_EQ(reviewed.content, "archive_command_x = 1\nmyinclude = 'a'\n\n");
  EXPECT_TRUE(reviewed.changes.empty());
  EXPECT_TRUE(reviewed.warnings.empty());
}

TEST(ServerSettings, KeepsBytesThatAreNotUtf8) {
  const ReviewedSettings reviewed = review("cluster_name = '\xe9t\xe9'\r\n");
  EXPECT_EQ(reviewed.content, "cluster_name = '\xe9t\xe9'\r\n");
}

TEST(ServerSettings, FindsIncludes) {
  const ReviewedSettings reviewed =
      review("include 'it''s.conf' # comment\nInclude_Dir = 'conf.d'\ninclude_if_exists x.conf\n");
  EXPECT_THAT(reviewed.includes, ElementsAre(IncludeDirective{IncludeKind::file, "it's.conf"},
                                             IncludeDirective{IncludeKind::directory, "conf.d"},
                                             IncludeDirective{IncludeKind::file, "x.conf"}));
  EXPECT_EQ(reviewed.warnings.size(), 3U);
}

TEST(ServerSettings, ReplacesTheirRestoreCommandOnlyByOurs) {
  const char* const content = "restore_command = 'cp /old/%f %p'\n";
  EXPECT_TRUE(review(content).changes.empty());
  EXPECT_EQ(review(content).warnings.size(), 1U);
  EXPECT_EQ(review(content, RestoreCommand::ours).changes.size(), 1U);
}

TEST(ServerSettings, DoNotLeadToTheFilesOfTheOldPlace) {
  const ReviewedSettings reviewed =
      review_settings("data_directory = '/old'\nhba_file='/etc/hba'\nport = 5432\n",
                      "postgresql.conf", {.places = FilePlaces::data_directory});
  EXPECT_EQ(reviewed.content,
            "#BARMAN#data_directory = '/old'\n#BARMAN#hba_file='/etc/hba'\nport = 5432\n");
  EXPECT_THAT(reviewed.changes,
              ElementsAre(SettingNote{"postgresql.conf", 1, "data_directory", std::nullopt},
                          SettingNote{"postgresql.conf", 2, "hba_file", std::nullopt}));
  EXPECT_TRUE(reviewed.warnings.empty());
}

TEST(ServerSettings, TellWhetherAStandbyCanBeRead) {
  const auto last = [](const std::string& content) {
    return review_settings(content, "postgresql.conf", {}).hot_standby;
  };
  EXPECT_EQ(last("#hot_standby = off\nport = 5432\n"), std::nullopt);
  EXPECT_EQ(last("hot_standby = on\nHot_Standby 'No' # so\n"),
            (SettingNote{"postgresql.conf", 2, "hot_standby", "No"}));
  for (const char* const word : {"off", "OFF", "of", "f", "false", "No", "n", "0"}) {
    EXPECT_TRUE(is_off(word)) << word;
  }
  for (const char* const word : {"on", "o", "", "true", "1", "yes", "offer"}) {
    EXPECT_FALSE(is_off(word)) << word;
  }
}

TEST(ServerSettings, OfAUserAreHisOwnButForPlaces) {
  const ReviewedSettings reviewed = review_settings(
      "data_directory = '/old'\narchive_command = 'cp'\nrestore_command = 'x'\n"
      "recovery_target_xid = 5\n",
      "postgresql.conf",
      {.restore_command = RestoreCommand::ours,
       .places = FilePlaces::data_directory,
       .scope = ReviewScope::places});
  EXPECT_THAT(reviewed.changes,
              ElementsAre(SettingNote{"postgresql.conf", 1, "data_directory", std::nullopt}));
}

}  // namespace
}  // namespace barman::restore

#include "config/configuration.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/durable.h"
#include "base/test_support.h"
#include "config/rendering.h"

namespace barman::config {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class ConfigurationTest : public ::testing::Test {
 protected:
  ConfigurationTest() { std::filesystem::create_directories(root_ / "conf.d"); }

  std::string path(std::string_view name) const { return (root_ / name).string(); }
  void write(std::string_view name, std::string_view content) const {
    std::filesystem::create_directories((root_ / name).parent_path());
    write_file_durably(root_ / name, content);
  }

  // Loads "[barman] with barman_home and the include directory" + rest.
  Configuration load(std::string_view rest) const {
    write("barman.conf", fmt::format("[barman]\nbarman_home = {0}\n"
                                     "configuration_files_directory = {0}/conf.d\n{1}",
                                     root_.string(), rest));
    Configuration configuration;
    configuration.load_main_file({.option = path("barman.conf")});
    configuration.load_rest(check_conninfo);
    return configuration;
  }

  std::string load_failure(std::string_view rest) const {
    try {
      load(rest);
    } catch (const Error& error) {
      return error.message();
    }
    return "loaded";
  }

  static std::optional<std::string> check_conninfo(const std::string& conninfo) {
    if (conninfo.find('=') != std::string::npos) return std::nullopt;
    return "missing \"=\"";
  }

  const TemporaryDirectory directory_;
  const std::filesystem::path root_ = directory_.path();
};

constexpr std::string_view kStreamingServer =
    "[a]\nconninfo = host=x\nbackup_method = postgres\nstreaming_archiver = on\nslot_name = s\n";

TEST_F(ConfigurationTest, ResolvesAStreamingServer) {
  const Configuration configuration = load(kStreamingServer);
  EXPECT_THAT(configuration.warnings(), IsEmpty());
  ASSERT_THAT(configuration.server_names(), ElementsAre("a"));
  const ServerConfig& server = *configuration.find_server("a");
  EXPECT_FALSE(server.disabled);
  EXPECT_THAT(server.messages, IsEmpty());
  EXPECT_THAT(server.warnings, IsEmpty());
  EXPECT_EQ(server.backup_method, BackupMethod::postgres);
  EXPECT_TRUE(server.backup_options.concurrent_backup);
  EXPECT_EQ(server.streaming_conninfo, "host=x");
  EXPECT_EQ(server.cluster, "a");
  EXPECT_EQ(server.wals_directory, path("a/wals"));
  EXPECT_EQ(server.xlogdb_directory, path("a/wals"));
  EXPECT_EQ(server.cloud_upload_max_archive_size, 107374182400);
  EXPECT_EQ(configuration.global().barman_lock_directory, root_.string());
  EXPECT_EQ(configuration.global().config_changes_queue, path("cfg_changes.queue"));
  EXPECT_EQ(configuration.find_server("b"), nullptr);
}

TEST_F(ConfigurationTest, EveryDocumentedOptionIsAcceptedWithoutWarning) {
  std::string text = "barman_lock_directory = %(barman_home)s/locks\nlog_level = debug\n";
  std::string server = "[s]\nbarman_user = other\n";
  for (const Option& option : server_options()) {
    // The word in every form that its type takes.
    std::string value = "1";
    if (option.type == OptionType::interval) value = "1 day";
    if (option.type == OptionType::absolute_path) value = "/x";
    if (option.type == OptionType::retention) value = "REDUNDANCY 1";
    if (option.type == OptionType::tablespace_limits) value = "a:1";
    if (option.type == OptionType::hexadecimal) value = "0x1f";
    if (option.type == OptionType::path || option.type == OptionType::location)
      value = "/x/" + std::string(option.name);
    if (!option.words.empty()) value = std::string(option.words.substr(0, option.words.find(' ')));
    server += fmt::format("{} = {}\n", option.name, value);
    if (option.is_inheritable()) text += fmt::format("{} = {}\n", option.name, value);
  }
  const Configuration configuration = load(text + server);
  EXPECT_THAT(configuration.warnings(), IsEmpty());
  EXPECT_EQ(configuration.global().log_level, 10);
  EXPECT_EQ(configuration.global().barman_lock_directory, path("locks"));
}

TEST_F(ConfigurationTest, LaterFilesWin) {
  write("conf.d/1.conf", "[a]\nconninfo = host=one\ncheck_timeout = 1\ndescription = one\n");
  write("conf.d/2.conf", "[a]\ncheck_timeout = 2\ndescription = two\n[b]\nconninfo = host=b\n");
  write("conf.d/.hidden.conf", "[c]\n");
  write("conf.d/x.conf-template", "[d]\n");
  write(".barman.auto.conf", "[a]\ndescription = automatic\n");
  const Configuration configuration = load("check_timeout = 9\n[a]\ncheck_timeout = 0\n");
  EXPECT_THAT(configuration.server_names(), ElementsAre("a", "b"));
  const ServerConfig& a = *configuration.find_server("a");
  EXPECT_EQ(a.conninfo, "host=one");
  EXPECT_EQ(a.check_timeout, 2);
  EXPECT_EQ(a.description, "automatic");
  EXPECT_EQ(configuration.find_server("b")->check_timeout, 9);
  EXPECT_EQ(configuration.source(a, "description"), path(".barman.auto.conf"));
  EXPECT_EQ(configuration.source(a, "check_timeout"), path("conf.d/2.conf"));
  EXPECT_EQ(configuration.source(*configuration.find_server("b"), "check_timeout"),
            path("barman.conf"));
  EXPECT_EQ(configuration.source(a, "archiver"), "default");
}

TEST_F(ConfigurationTest, AnIncludedFileMustNotChangeTheGlobalSection) {
  write("conf.d/x.conf", fmt::format("[barman]\nbarman_home = {}\n", root_.string()));
  EXPECT_EQ(load_failure(""), "loaded");
  write("conf.d/x.conf", "[barman]\nbarman_home = /elsewhere\n");
  EXPECT_EQ(load_failure(""),
            "FATAL: the configuration file x.conf contains a not empty [barman] section");
  write("conf.d/x.conf", "[barman]\nlog_level = DEBUG\n");
  EXPECT_THAT(load_failure(""), HasSubstr("contains a not empty [barman] section"));
}

TEST_F(ConfigurationTest, FindsTheMainFileInTheOrderOfBarman) {
  write("home/.barman.conf", "[barman]\nbarman_home = /home\n");
  write("etc.conf", "[barman]\nbarman_home = /etc\n");
  write("env.conf", "[barman]\nbarman_home = /env\n");
  const auto home_of = [](const MainFileLookup& lookup) {
    Configuration configuration;
    configuration.load_main_file(lookup);
    return configuration.global().barman_home;
  };
  MainFileLookup lookup{.defaults = {path("missing"), path("etc.conf")}};
  EXPECT_EQ(home_of(lookup), "/etc");
  lookup.home = path("home");
  EXPECT_EQ(home_of(lookup), "/home");
  lookup.environment = path("env.conf");
  EXPECT_EQ(home_of(lookup), "/env");
  lookup.option = path("nowhere");
  try {
    home_of(lookup);
    ADD_FAILURE();
  } catch (const StartupError& error) {
    EXPECT_EQ(error.message(), "Configuration file '" + path("nowhere") + "' does not exist");
  }
}

TEST_F(ConfigurationTest, FatalErrorsAreWordedAsBarmanSays) {
  write("barman.conf", "[a]\n");
  Configuration configuration;
  EXPECT_THROW(configuration.load_main_file({.option = path("barman.conf")}), Error);
  EXPECT_THROW(configuration.load_main_file({.defaults = {}}), StartupError);

  write("barman.conf", "[barman]\n[a]\n");
  Configuration homeless;
  homeless.load_main_file({.option = path("barman.conf")});
  try {
    homeless.load_rest(check_conninfo);
    ADD_FAILURE();
  } catch (const StartupError& error) {
    EXPECT_EQ(error.message(),
              "ERROR: Parameter \"barman_home\" is required in [barman] section.\n"
              "Your configuration is missing required parameters. Exiting.");
  }
  EXPECT_EQ(load_failure("[all]\n"),
            "FATAL: the reserved word 'all' is not allowed as server name.Please rename it.");
  EXPECT_THAT(load_failure("lock_directory_cleanup = x\n"), HasSubstr("lock_directory_cleanup"));
}

TEST_F(ConfigurationTest, WarnsAboutUnknownKeysAndRefusedValues) {
  const Configuration configuration = load(
      "foo = 1\nbar_timeout = x\ncheck_timeout = y\n[main]\nfoo = 2\nmodel = false\n"
      "active = maybe\ncheck_timeout = z\nlog_level = INFO\n[other]\n");
  EXPECT_THAT(
      configuration.warnings(),
      ElementsAre(
          "Invalid configuration option \"bar_timeout\" in [barman] section.",
          "Invalid configuration option \"foo\" in [barman] section.",
          "Invalid configuration option \"foo\" in [main] section.",
          "Invalid configuration option \"log_level\" in [main] section.",
          "Invalid configuration option \"model\" in [main] section.",
          fmt::format(
              "Ignoring invalid configuration value 'maybe' for key active in [main] section: "
              "Invalid boolean representation (must be one in: true|t|yes|1|on | false|f|no|0|off) "
              "(\"{}\", line 10; for example: active = on). Correct it.",
              path("barman.conf")),
          HasSubstr("Ignoring invalid configuration value 'z' for key check_timeout in [main] "
                    "section: invalid literal for int() with base 10: 'z' (\""),
          HasSubstr("Ignoring invalid configuration value 'y' for key check_timeout in [barman] "
                    "section: invalid literal for int() with base 10: 'y' (\"")));
  EXPECT_EQ(configuration.find_server("main")->check_timeout, 30);
  EXPECT_TRUE(configuration.find_server("main")->active);
}

TEST_F(ConfigurationTest, NamesTheOptionThatWasMeant) {
  const Configuration configuration = load(
      "log_levl = INFO\n[a]\nbakup_method = postgres\nretention_polcy = REDUNDANCY 2\n"
      "[m]\nmodel = on\ncluster = c\nslotname = s\n");
  EXPECT_THAT(configuration.warnings(),
              ElementsAre("Invalid configuration option \"log_levl\" in [barman] section. Did you "
                          "mean 'log_level'?",
                          HasSubstr("Did you mean 'backup_method'?"),
                          HasSubstr("Did you mean 'retention_policy'?"),
                          HasSubstr("Did you mean 'slot_name'?")));
}

TEST_F(ConfigurationTest, RefusesNamesThatCannotBePartOfPaths) {
  const Configuration configuration = load("[a/b]\n[.x]\n[ok é]\n");
  EXPECT_THAT(configuration.server_names(), ElementsAre("ok é"));
  EXPECT_EQ(configuration.gaps().size(), 2U);
}

TEST_F(ConfigurationTest, EmptyOrNoneInAServerCancelsTheGlobalValue) {
  const Configuration configuration = load(
      "encryption = gpg\nparallel_jobs = 4\narchiver = on\ncompression = gzip\n"
      "keepalive_interval = 7\nbandwidth_limit = 5\nprimary_ssh_command = ssh x\n"
      "last_wal_maximum_age = 1 day\nminimum_redundancy = 3\n"
      "[a]\nencryption = none\nparallel_jobs =\narchiver = None\ncompression = none\n"
      "bandwidth_limit = ''\nprimary_ssh_command = \"  \"\nlast_wal_maximum_age =\n"
      "minimum_redundancy =\n[b]\n");
  const ServerConfig& a = *configuration.find_server("a");
  EXPECT_EQ(a.encryption, Encryption::none);
  EXPECT_EQ(a.parallel_jobs, 1);
  EXPECT_FALSE(a.compression);
  EXPECT_FALSE(a.bandwidth_limit);
  EXPECT_FALSE(a.is_passive());
  EXPECT_FALSE(a.last_wal_maximum_age);
  EXPECT_EQ(a.minimum_redundancy, 0);
  EXPECT_EQ(a.keepalive_interval, 7);
  const ServerConfig& b = *configuration.find_server("b");
  EXPECT_EQ(b.encryption, Encryption::gpg);
  EXPECT_EQ(b.parallel_jobs, 4);
  EXPECT_TRUE(b.is_passive());
  EXPECT_FALSE(b.disabled);
  EXPECT_EQ(b.compression, "gzip");
}

TEST_F(ConfigurationTest, OptionsOfAServerAreNotInheritedUnlessTheTableSaysSo) {
  const Configuration configuration = load(
      "conninfo = host=x\nactive = off\nbackup_directory = /x\nxlogdb_directory = /xlog\n[a]\n");
  EXPECT_THAT(configuration.warnings(), IsEmpty());
  const ServerConfig& a = *configuration.find_server("a");
  EXPECT_FALSE(a.conninfo);
  EXPECT_TRUE(a.active);
  EXPECT_EQ(a.backup_directory, path("a"));
  EXPECT_EQ(a.xlogdb_directory, "/xlog");
}

TEST_F(ConfigurationTest, ABadReferenceDisablesOnlyItsServer) {
  const Configuration configuration =
      load(std::string(kStreamingServer) + "[b]\nbackup_directory = %(typo)s/x\n");
  EXPECT_FALSE(configuration.find_server("a")->disabled);
  const ServerConfig& b = *configuration.find_server("b");
  EXPECT_TRUE(b.disabled);
  EXPECT_THAT(b.messages, Contains(HasSubstr("there is no key 'typo'")));
  EXPECT_THAT(load_failure("log_file = %(typo)s\n"), HasSubstr("there is no key 'typo'"));
}

TEST_F(ConfigurationTest, AnUnknownUrlDisablesTheServer) {
  const Configuration configuration =
      load(std::string(kStreamingServer) + "wals_directory = s4://x/y\n");
  EXPECT_TRUE(configuration.find_server("a")->disabled);
  EXPECT_THAT(configuration.find_server("a")->messages,
              Contains(HasSubstr("not compatible with any of the supported cloud providers")));
}

TEST_F(ConfigurationTest, WarnsAboutRelativePaths) {
  const Configuration configuration =
      load(std::string(kStreamingServer) + "errors_directory = errors\n");
  EXPECT_THAT(configuration.warnings(), ElementsAre(HasSubstr("Relative path 'errors'")));
  EXPECT_EQ(configuration.find_server("a")->errors_directory, "errors");
}

TEST_F(ConfigurationTest, ShowsAnInvalidRetentionPolicyWithoutEnforcingIt) {
  const Configuration configuration =
      load("retention_policy = REDUNDANCY 2\n" + std::string(kStreamingServer) +
           "retention_policy = keep everything\n");
  const ServerConfig& a = *configuration.find_server("a");
  EXPECT_FALSE(a.disabled);
  EXPECT_FALSE(a.retention_policy);
  ASSERT_NE(a.find_unusable("retention_policy"), nullptr);
  EXPECT_EQ(a.find_unusable("retention_policy")->written, "keep everything");
}

TEST_F(ConfigurationTest, AppliesTheActiveModel) {
  const std::string text = std::string(kStreamingServer) +
                           "cluster = c1\n[m]\nmodel = on\ncluster = c1\nconninfo = host=y\n"
                           "minimum_redundancy = 5\ndescription =\narchiver = perhaps\n"
                           "[other]\nmodel = true\ncluster = c2\n";
  write("a/.active-model.auto", "m");
  const Configuration configuration = load(text);
  EXPECT_THAT(configuration.server_names(), ElementsAre("a"));
  EXPECT_THAT(configuration.warnings(),
              ElementsAre(HasSubstr("'perhaps' for key archiver in [m] section")));
  const ServerConfig& a = *configuration.find_server("a");
  EXPECT_EQ(a.active_model, "m");
  EXPECT_EQ(a.conninfo, "host=y");
  EXPECT_EQ(a.streaming_conninfo, "host=y");
  EXPECT_EQ(a.minimum_redundancy, 5);
  EXPECT_EQ(configuration.source(a, "minimum_redundancy"), path("barman.conf"));
  EXPECT_THAT(list_model_changes(a, *configuration.find_model("m")), IsEmpty());

  write("a/.active-model.auto", "zz\n");
  EXPECT_THAT(load(text).find_server("a")->messages,
              ElementsAre("Model 'zz' is set as the active model for the server 'a' but the model "
                          "does not exist."));
  write("a/.active-model.auto", "other");
  EXPECT_THAT(load(text).find_server("a")->messages,
              ElementsAre("Model 'other' has 'cluster=c2', which is not compatible with "
                          "'cluster=c1' from server 'a'"));
  write("a/.active-model.auto", "  ");
  EXPECT_FALSE(load(text).find_server("a")->disabled);
}

TEST_F(ConfigurationTest, ListsTheChangesOfAModelByName) {
  const Configuration configuration =
      load(std::string(kStreamingServer) +
           "cluster = c\n[m]\nmodel = on\ncluster = c\nslot_name = t\nminimum_redundancy = 5\n");
  const auto changes =
      list_model_changes(*configuration.find_server("a"), *configuration.find_model("m"));
  ASSERT_EQ(changes.size(), 2U);
  EXPECT_EQ(changes[0].option, "minimum_redundancy");
  EXPECT_EQ(changes[0].old_text, "0");
  EXPECT_EQ(changes[0].new_text, "5");
  EXPECT_EQ(changes[1].old_text, "s");
}

TEST_F(ConfigurationTest, AModelSwitchesCompressionOff) {
  write("a/.active-model.auto", "m");
  const std::string text = std::string(kStreamingServer) + "cluster = c\ncompression = zstd\n";
  const Configuration off = load(text + "[m]\nmodel = on\ncluster = c\ncompression = none\n");
  EXPECT_FALSE(off.find_server("a")->compression);
  const auto changes = list_model_changes(*load(text).find_server("a"), *off.find_model("m"));
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].old_text, "zstd");
  EXPECT_EQ(changes[0].new_text, "None");
  const Configuration unset = load(text + "[m]\nmodel = on\ncluster = c\ncompression =\n");
  EXPECT_EQ(unset.find_server("a")->compression, "zstd");
}

TEST_F(ConfigurationTest, AnInvalidRetentionPolicyOfAModelIsShownAndNotEnforced) {
  const std::string text = std::string(kStreamingServer) +
                           "cluster = c\nretention_policy = REDUNDANCY 2\n"
                           "[m]\nmodel = on\ncluster = c\nretention_policy = for ever\n";
  EXPECT_EQ(load(text).find_server("a")->find_unusable("retention_policy"), nullptr);
  write("a/.active-model.auto", "m");
  const Configuration configuration = load(text);
  const ServerConfig& a = *configuration.find_server("a");
  EXPECT_FALSE(a.retention_policy);
  ASSERT_NE(a.find_unusable("retention_policy"), nullptr);
  EXPECT_EQ(a.find_unusable("retention_policy")->written, "for ever");
}

TEST_F(ConfigurationTest, InlineCommentsEndWordsOutsideTheOptionTable) {
  const Configuration configuration =
      load("log_level = DEBUG ; for a while\n" + std::string(kStreamingServer) +
           "[m]\nmodel = true  # of c\ncluster = c\n");
  EXPECT_THAT(configuration.warnings(), IsEmpty());
  EXPECT_EQ(configuration.global().log_level, 10);
  EXPECT_NE(configuration.find_model("m"), nullptr);
  EXPECT_THAT(configuration.server_names(), ElementsAre("a"));
}

TEST_F(ConfigurationTest, ABadModelStopsNothing) {
  const Configuration configuration =
      load(std::string(kStreamingServer) + "[m]\nmodel = on\n[n]\nmodel = perhaps\ncluster = c\n");
  EXPECT_THAT(configuration.server_names(), ElementsAre("a"));
  EXPECT_TRUE(configuration.models().empty());
  EXPECT_THAT(configuration.warnings(),
              Contains(HasSubstr("Parameter \"cluster\" is required in [m] section.")));
  EXPECT_FALSE(configuration.find_server("a")->disabled);
}

TEST_F(ConfigurationTest, ConflictingPathsDisableTheServersConcernedOnly) {
  std::filesystem::create_directories(root_ / "x");
  std::filesystem::create_symlink(root_ / "x", root_ / "link");
  const std::string common = "conninfo = host=x\nbackup_method = postgres\narchiver = on\n";
  const Configuration configuration = load(fmt::format(
      "[a]\n{0}wals_directory = {1}/x\n[b]\n{0}basebackups_directory = {1}/link/\n[c]\n{0}"
      "[d]\n{0}basebackups_directory = /d\nwals_directory = /d/\n",
      common, root_.string()));
  const std::string text = fmt::format(
      "Conflicting path: basebackups_directory={0}/link/ (symlink to: {0}/x) for server "
      "'b' conflicts with 'wals_directory' for server 'a'",
      root_.string());
  ASSERT_EQ(configuration.global_errors().size(), 1U);
  EXPECT_EQ(configuration.global_errors()[0].text, text);
  EXPECT_THAT(configuration.find_server("a")->messages, ElementsAre(text));
  EXPECT_THAT(configuration.find_server("b")->messages, ElementsAre(text));
  EXPECT_FALSE(configuration.find_server("c")->disabled);
  EXPECT_THAT(configuration.find_server("d")->messages,
              ElementsAre("Conflicting path: wals_directory=/d/ conflicts with "
                          "'basebackups_directory' for server 'd'"));
}

TEST_F(ConfigurationTest, ServersThatShareADirectoryAreToldOnce) {
  const std::string common =
      "conninfo = host=x\nbackup_method = postgres\narchiver = on\nbackup_directory = /x\n";
  const Configuration configuration = load("[a]\n" + common + "[b]\n" + common);
  ASSERT_EQ(configuration.global_errors().size(), 1U);
  EXPECT_EQ(configuration.global_errors()[0].text,
            "Conflicting path: backup_directory=/x for server 'b' conflicts with "
            "'backup_directory' for server 'a' (and so on: basebackups_directory, "
            "errors_directory, incoming_wals_directory, streaming_wals_directory, wals_directory)");
  EXPECT_TRUE(configuration.find_server("a")->disabled);
  EXPECT_THAT(configuration.find_server("b")->messages,
              ElementsAre(configuration.global_errors()[0].text));
}

TEST_F(ConfigurationTest, WhatIsNotReadIsAGap) {
  write("conf.d/a.conf", "[a]\nconninfo = host=x\nretention_policy = REDUNDANCY 2\n");
  std::filesystem::create_symlink(root_ / "gone", root_ / "conf.d/b.conf");
  std::filesystem::create_symlink("/dev/null", root_ / "conf.d/c.conf");  // on purpose
  write("conf.d/d.conf", "[d]\nmodel = perhaps\n");
  const Configuration configuration = load("");
  ASSERT_EQ(configuration.gaps().size(), 2U);
  EXPECT_EQ(configuration.gaps()[0].text, "Discarding configuration file: b.conf (not found)");
  EXPECT_TRUE(configuration.gaps()[0].is_for_log);
  EXPECT_THAT(configuration.gaps()[0].hint, HasSubstr(path("conf.d/b.conf")));
  EXPECT_THAT(configuration.gaps()[1].text, HasSubstr("Ignoring section [d]: "));
  EXPECT_THAT(configuration.gaps()[1].hint, HasSubstr(path("conf.d/d.conf")));
  EXPECT_FALSE(configuration.find_server("a")->find_retention_doubt());
}

TEST_F(ConfigurationTest, ADirectoryOfFilesThatIsNotThereIsAGap) {
  std::filesystem::remove_all(root_ / "conf.d");
  const Configuration configuration = load("");
  ASSERT_EQ(configuration.gaps().size(), 1U);
  EXPECT_THAT(configuration.gaps()[0].text, HasSubstr("is not a directory"));
  EXPECT_THAT(configuration.gaps()[0].hint, HasSubstr("mkdir '" + path("conf.d")));
}

TEST_F(ConfigurationTest, NoPolicyDeletesByHalfOfTheConfiguration) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may read everything";
  write("conf.d/a.conf", "[a]\nconninfo = host=x\nretention_policy = REDUNDANCY 2\n");
  write("conf.d/b.conf", "[a]\nretention_policy = REDUNDANCY 9\n");
  std::filesystem::permissions(root_ / "conf.d/b.conf", std::filesystem::perms::none);
  const Configuration configuration = load("[plain]\nconninfo = host=x\n");
  EXPECT_THAT(configuration.find_server("a")->find_retention_doubt().value_or(""),
              HasSubstr("b.conf"));
  EXPECT_FALSE(configuration.find_server("plain")->find_retention_doubt());
}

TEST_F(ConfigurationTest, TheGlobalSectionIsKeptAsWritten) {
  const Configuration configuration = load("log_level = strange\nlog_filename = /l\n");
  EXPECT_EQ(configuration.global().raw.at("barman_home"), root_.string());
  EXPECT_EQ(configuration.global().unknown_log_level, "strange");
  EXPECT_EQ(configuration.global().log_level, 20);
  EXPECT_EQ(configuration.global().log_file, "/l");
  EXPECT_EQ(configuration.global_source("log_level"), path("barman.conf"));
  EXPECT_EQ(configuration.global_source("barman_user"), "default");
}

}  // namespace
}  // namespace barman::config

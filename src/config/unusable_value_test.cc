// One rule for all options: what is not understood is told, and makes `check` fail.
#include "config/unusable_value.h"

#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/durable.h"
#include "base/test_support.h"
#include "config/configuration.h"
#include "config/ini_reader.h"
#include "config/option_words.h"
#include "config/resolution.h"

namespace barman::config {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Right for no option: no word, no number, no absolute path, a URL of nobody, a list with an empty
// item.
constexpr std::string_view kWrong = "://!?,";

bool takes_anything(const Option& option) {
  return option.type == OptionType::text || option.type == OptionType::path;
}

struct Resolved {
  ServerConfig config;
  std::vector<std::string> warnings;
};

IniDocument document_with(std::string_view text) {
  IniDocument document;
  document.merge(parse_ini(text, "/etc/barman.conf"), "/etc/barman.conf");
  return document;
}

Resolved resolve_text(std::string_view text) {
  Resolved result;
  result.config = resolve_server(document_with(text), "main", "/home", result.warnings);
  return result;
}

TEST(UnusableValue, IsToldForEveryOption) {
  for (const Option& option : server_options()) {
    if (option.scopes == Scope::none || takes_anything(option)) continue;
    const Resolved own =
        resolve_text(fmt::format("[barman]\n[main]\n\n{} = {}\n", option.name, kWrong));
    EXPECT_THAT(own.warnings,
                ElementsAre(AllOf(HasSubstr(fmt::format(
                                      "'{}' for key {} in [main] section: ", kWrong, option.name)),
                                  HasSubstr("(\"/etc/barman.conf\", line 4; "),
                                  HasSubstr(fmt::format("for example: {} = ", option.name)))))
        << option.name;
    // A location disables the server, which tells the same.
    const bool is_told_by_check =
        own.config.find_unusable(option.name) != nullptr || !own.config.messages.empty();
    EXPECT_TRUE(is_told_by_check) << option.name;
    if (!option.is_inheritable()) continue;
    const Resolved global =
        resolve_text(fmt::format("[barman]\n{} = {}\n[main]\n", option.name, kWrong));
    EXPECT_THAT(global.warnings, ElementsAre(HasSubstr("in [barman] section: "))) << option.name;
    EXPECT_NE(global.config.find_unusable(option.name), nullptr) << option.name;
  }
}

TEST(UnusableValue, OfAModelIsToldForEveryOption) {
  for (const Option& option : server_options()) {
    if (!has_scope(option.scopes, Scope::model) || takes_anything(option)) continue;
    std::vector<std::string> warnings;
    const IniDocument document = document_with(fmt::format(
        "[barman]\n[main]\n[m]\nmodel = on\ncluster = main\n{} = {}\n", option.name, kWrong));
    const auto model = resolve_model(document, "m", warnings);
    ASSERT_TRUE(model) << option.name;
    EXPECT_THAT(warnings, ElementsAre(HasSubstr("\", line 6; "))) << option.name;
    ServerConfig config = resolve_server(document, "main", "/home", warnings);
    EXPECT_EQ(config.find_unusable(option.name), nullptr);
    apply_model(config, *model);
    EXPECT_NE(config.find_unusable(option.name), nullptr) << option.name;
  }
}

// A model that says it right heals it.
TEST(UnusableValue, IsForgottenForThatOfAModel) {
  std::vector<std::string> warnings;
  const IniDocument document = document_with(
      "[main]\nminimum_redundancy = two\n[m]\nmodel = on\ncluster = main\n"
      "minimum_redundancy = 2\n");
  ServerConfig config = resolve_server(document, "main", "/home", warnings);
  EXPECT_TRUE(config.find_deletion_doubt());
  apply_model(config, *resolve_model(document, "m", warnings));
  EXPECT_FALSE(config.find_deletion_doubt());
  EXPECT_EQ(config.minimum_redundancy, 2);
}

TEST(UnusableValue, IsToldWithWhatIsAllowed) {
  for (const Option& option : server_options()) {
    if (option.scopes == Scope::none || takes_anything(option)) continue;
    const Resolved resolved = resolve_text(fmt::format("[main]\n{} = {}\n", option.name, kWrong));
    EXPECT_THAT(resolved.warnings,
                ElementsAre(testing::AnyOf(HasSubstr("; allowed: "), HasSubstr("must be"))))
        << option.name;
  }
  EXPECT_THAT(resolve_text("[main]\nbandwidth_limit = 10MB\n").warnings,
              ElementsAre("Ignoring invalid configuration value '10MB' for key bandwidth_limit in "
                          "[main] section: it is not understood (\"/etc/barman.conf\", line 2; "
                          "allowed: kilobytes a second; for example: bandwidth_limit = 10240). "
                          "Correct it."));
}

TEST(UnusableValue, OfExamplesThereIsNone) {
  for (const Option& option : server_options()) {
    const std::string example = example_value(option);
    EXPECT_EQ(example.empty(), takes_anything(option)) << option.name;
    const ParsedOption parsed = parse_option(option, example);
    EXPECT_FALSE(parsed.refusal) << option.name;
    EXPECT_THAT(parsed.log_lines, IsEmpty()) << option.name;
  }
}

TEST(UnusableValue, LetsNothingBeDeletedByAGuess) {
  for (const char* line :
       {"retention_policy = 7 DAYS", "retention_policy_mode = manual", "wal_retention_policy = all",
        "minimum_redundancy = two", "minimum_redundancy = -1"}) {
    const Resolved resolved =
        resolve_text(fmt::format("[barman]\nretention_policy = REDUNDANCY 1\n[main]\n{}\n", line));
    EXPECT_TRUE(resolved.config.find_retention_doubt()) << line;
    EXPECT_EQ(resolved.config.find_deletion_doubt().has_value(),
              std::string_view(line).starts_with("minimum"))
        << line;
    EXPECT_THAT(resolved.warnings, Contains(HasSubstr("Until then no backup is deleted"))) << line;
  }
  // Without a policy there is nothing to doubt.
  EXPECT_FALSE(resolve_text("[main]\nminimum_redundancy = two\n").config.find_retention_doubt());
  EXPECT_TRUE(resolve_text("[main]\nworm_mode = yess\n").config.worm_mode);
  const Resolved right =
      resolve_text("[main]\nretention_policy = REDUNDANCY 2\nminimum_redundancy = 1 ; one\n");
  EXPECT_FALSE(right.config.find_retention_doubt());
  EXPECT_FALSE(right.config.find_deletion_doubt());
  EXPECT_THAT(right.warnings, IsEmpty());
}

TEST(UnusableValue, LetsNoBackupBeTakenByAGuess) {
  EXPECT_TRUE(resolve_text("[main]\nbackup_method = postgress\n").config.find_backup_doubt());
  EXPECT_TRUE(resolve_text("[main]\nencryption = pgp\n").config.find_backup_doubt());
  EXPECT_FALSE(resolve_text("[main]\nbandwidth_limit = 10MB\n").config.find_backup_doubt());
}

TEST(UnusableValue, NamesTheWordThatWasMeant) {
  EXPECT_THAT(resolve_text("[main]\nbackup_method = postgress\n").warnings,
              ElementsAre(AllOf(HasSubstr("for example: backup_method = postgres). Did you mean "
                                          "'postgres'? Correct it."),
                                HasSubstr("Until then no backup is taken."))));
}

TEST(UnusableValue, IsXzWhereBackupsAreNotInABucket) {
  const Resolved own =
      resolve_text("[barman]\nbackup_compression = gzip\n[main]\nbackup_compression = xz\n");
  EXPECT_THAT(own.warnings,
              ElementsAre("Ignoring invalid configuration value 'xz' for key backup_compression in "
                          "[main] section: Invalid value 'xz' (must be one in: gzip, lz4, zstd, "
                          "none) (\"/etc/barman.conf\", line 4; for example: backup_compression = "
                          "gzip). It is for backups in a bucket (basebackups_directory = "
                          "s3://...). Correct it."));
  EXPECT_NE(own.config.find_unusable("backup_compression"), nullptr);
  EXPECT_EQ(own.config.backup_compression, BackupCompression::gzip) << "as with Barman";

  const Resolved inherited = resolve_text("[barman]\nbackup_compression = xz\n[main]\n");
  EXPECT_THAT(inherited.warnings,
              ElementsAre(HasSubstr("'xz' for key backup_compression in [barman] section: ")));
  EXPECT_FALSE(inherited.config.backup_compression);

  const Resolved bucket =
      resolve_text("[barman]\nbackup_compression = xz\n[main]\nbasebackups_directory = s3://b/x\n");
  EXPECT_THAT(bucket.warnings, IsEmpty());
  EXPECT_EQ(bucket.config.backup_compression, BackupCompression::xz);
  EXPECT_EQ(bucket.config.find_unusable("backup_compression"), nullptr);
}

TEST(UnusableValue, IsXzOfAModelToo) {
  std::vector<std::string> warnings;
  const auto apply = [&](const std::string& server) {
    const IniDocument document =
        document_with("[main]\nbackup_compression = gzip\n" + server +
                      "[m]\nmodel = on\ncluster = main\nbackup_compression = xz\n");
    ServerConfig config = resolve_server(document, "main", "/home", warnings);
    apply_model(config, *resolve_model(document, "m", warnings));
    return config;
  };
  const ServerConfig local = apply("");
  EXPECT_EQ(local.backup_compression, BackupCompression::gzip);
  EXPECT_THAT(local.warnings,
              ElementsAre(HasSubstr("'xz' for key backup_compression in [m] section: ")));
  EXPECT_NE(local.find_unusable("backup_compression"), nullptr);

  const ServerConfig bucket = apply("basebackups_directory = s3://b/x\n");
  EXPECT_EQ(bucket.backup_compression, BackupCompression::xz);
  EXPECT_THAT(bucket.warnings, IsEmpty());
  EXPECT_THAT(warnings, IsEmpty());
}

TEST(UnusableValue, HasTheLineOfTheFileThatCounts) {
  const TemporaryDirectory directory;
  const std::string root = directory.path().string();
  write_file_durably(root + "/barman.conf",
                     fmt::format("[barman]\nbarman_home = {0}\nlog_level = LOUD\n"
                                 "configuration_files_directory = {0}/conf.d\n"
                                 "[main]\nbandwidth_limit = 1\n",
                                 root));
  std::filesystem::create_directories(root + "/conf.d");
  write_file_durably(root + "/conf.d/main.conf", "# of main\n[main]\nbandwidth_limit = 10MB\n");
  Configuration configuration;
  configuration.load_main_file({.option = root + "/barman.conf"});
  configuration.load_rest({});
  EXPECT_THAT(configuration.warnings(),
              Contains(AllOf(HasSubstr("'10MB' for key bandwidth_limit in [main] section"),
                             HasSubstr("/conf.d/main.conf\", line 3; "))));
  EXPECT_THAT(configuration.warnings(),
              Contains(AllOf(HasSubstr("'LOUD' for key log_level in [barman] section"),
                             HasSubstr("/barman.conf\", line 3; "))));
}

}  // namespace
}  // namespace barman::config

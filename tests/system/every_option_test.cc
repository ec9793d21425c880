// A barman.conf with every option of Barman, and with two that nobody knows: accepted, shown
// with its values, and warned about by name only.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "support/barman_home.h"
#include "support/command.h"
#include "support/golden.h"
#include "support/privileges.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

constexpr const char* kWarnings =
    "WARNING: Invalid configuration option \"unknown_global\" in [barman] section.\n"
    "WARNING: Invalid configuration option \"unknown_option\" in [main] section.\n";

class EveryOption : public testing::Test {
 protected:
  EveryOption() {
    std::ifstream file(fixture("every-option.conf"));
    std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    text = replace_all(text, "HOME", directory_.path().string());
    text = replace_all(text, "USER", user_name());
    fs::create_directories(directory_.path() / "barman.d");
    std::ofstream(configuration_) << text;
  }
  CommandResult run(std::vector<std::string> arguments) {
    CommandRequest request = barman_.request(arguments);
    for (std::size_t i = 0; i + 1 < request.argv.size(); ++i) {
      if (request.argv[i] == "-c") request.argv[i + 1] = configuration_.string();
    }
    return run_command(request);
  }

  TempDir directory_;
  fs::path configuration_ = directory_.path() / "barman.conf";
  BarmanHome barman_;
};

TEST_F(EveryOption, IsAcceptedByEveryCommandThatReads) {
  for (const char* const server : {"arch", "main/backup_directory", "passive"}) {
    fs::create_directories(directory_.path() / server);
  }
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"list-servers"},
                                             {"show-servers", "all"},
                                             {"list-backups", "all"},
                                             {"status", "all"},
                                             {"diagnose"}}) {
    const CommandResult result = run(arguments);
    EXPECT_EQ(result.exit_code, 0) << arguments.front() << ": " << result.err;
    EXPECT_EQ(result.err, kWarnings) << arguments.front();
  }
  EXPECT_EQ(run({"list-servers"}).out,
            "arch - options of rsync\nmain - every option\n"
            "passive - options of a passive node (Passive)\n");
}

TEST_F(EveryOption, IsShownWithItsValue) {
  const CommandResult result = run({"-f", "json", "show-servers", "main"});
  const nlohmann::json values = nlohmann::json::parse(result.out).at("main");
  std::ifstream file(configuration_);
  std::string line;
  while (std::getline(file, line) && line != "[main]") {
  }
  std::size_t count = 0;
  while (std::getline(file, line) && !line.empty()) {
    const std::string key = line.substr(0, line.find(" = "));
    if (key == "unknown_option") {
      EXPECT_FALSE(values.contains(key));
      continue;
    }
    ASSERT_TRUE(values.contains(key)) << key;
    // As Barman shows it.
    const bool is_none = line == "encryption = none";
    EXPECT_EQ(values.at(key).is_null(), is_none) << line;
    ++count;
  }
  EXPECT_GT(count, 100U);
  EXPECT_EQ(values.at("retention_policy"), "RECOVERY WINDOW OF 2 WEEKS");
  EXPECT_EQ(values.at("last_backup_minimum_size"), 1048576);
  EXPECT_EQ(values.at("parallel_jobs"), 2);
  EXPECT_EQ(values.at("immediate_checkpoint"), true);
  EXPECT_EQ(values.at("pre_archive_retry_script"), "true");
}

}  // namespace
}  // namespace barman::test

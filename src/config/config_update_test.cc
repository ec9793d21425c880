#include "config/config_update.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/durable.h"
#include "base/fd.h"
#include "base/test_support.h"

namespace barman::config {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ConfigUpdate : public ::testing::Test {
 protected:
  ConfigUpdate() {
    write_file_durably(root_ / "barman.conf",
                       fmt::format("[barman]\nbarman_home = {}\nminimum_redundancy = 3\n"
                                   "[main]\nconninfo = host=a\ncluster = c\ncheck_timeout = 20\n"
                                   "[quick]\nmodel = true\ncluster = c\n",
                                   root_.string()));
    load();
  }

  void load() {
    configuration_ = {};
    configuration_.load_main_file({.option = (root_ / "barman.conf").string()});
    configuration_.load_rest([](const std::string&) { return std::optional<std::string>(); });
  }

  std::vector<std::string> errors(std::string_view json) const {
    UpdateRequest request = parse_update_request(json, configuration_);
    EXPECT_THAT(request.sets, IsEmpty());
    return request.errors;
  }
  std::vector<ChangeSet> sets(std::string_view json) const {
    UpdateRequest request = parse_update_request(json, configuration_);
    EXPECT_THAT(request.errors, IsEmpty());
    return request.sets;
  }
  std::string automatic_text() const { return read_file(configuration_.global().automatic_file()); }

  const TemporaryDirectory directory_;
  const std::filesystem::path root_ = directory_.path();
  Configuration configuration_;
};

TEST_F(ConfigUpdate, ReadsChangesOfServersAndModels) {
  EXPECT_EQ(sets(R"([{"scope": "server", "server_name": "main", "archiver": "on",
                      "check_timeout": 31},
                     {"scope": "model", "model_name": "quick", "check_timeout": "5"},
                     {"scope": "model", "model_name": "slow", "cluster": "c"},
                     {"scope": "server", "server_name": "new", "active": false},
                     {"scope": "server", "server_name": "main"}])"),
            (std::vector<ChangeSet>{
                {"main", {{"archiver", "on"}, {"check_timeout", "31"}}},
                {"quick", {{"check_timeout", "5"}}},
                {"slow", {{"model", "on"}, {"cluster", "c"}}},
                {"new", {{"active", "false"}}},
            }));
  EXPECT_THAT(sets("[]"), IsEmpty());
  EXPECT_THAT(sets("{}"), IsEmpty());
}

TEST_F(ConfigUpdate, RefusesEverythingWhenOneObjectIsWrong) {
  EXPECT_THAT(errors(R"([{"scope": "server", "server_name": "main", "archiver": "on"},
                         {"scope": "bad", "server_name": "main"}])"),
              ElementsAre("Invalid section {'scope': 'bad', 'server_name': 'main'}: 'scope' is "
                          "invalid: 'bad'. It should be either 'server' or 'model'.",
                          "Aborting config\u2010update: invalid section {'scope': 'bad', "
                          "'server_name': 'main'}"));
  const auto reason = [&](std::string_view json) { return errors(json).at(0); };
  EXPECT_EQ(reason(R"([{"scope": "server"}])"),
            "Invalid section {'scope': 'server'}: 'server_name' is missing.");
  EXPECT_EQ(reason(R"([{"scope": "server", "server_name": "quick"}])"),
            "Invalid section {'scope': 'server', 'server_name': 'quick'}: 'quick' is a model, not "
            "a server.");
  EXPECT_EQ(reason(R"([{"scope": "model", "model_name": "main"}])"),
            "Invalid section {'model_name': 'main', 'scope': 'model'}: 'main' is a server, not a "
            "model.");
  EXPECT_EQ(reason(R"([{"scope": "model", "model_name": "n"}])"),
            "Invalid section {'model_name': 'n', 'scope': 'model'}: new model but 'cluster' is "
            "missing.");
  EXPECT_EQ(reason(R"([{"scope": "server", "server_name": "main", "foo": "1"}])"),
            "Invalid option 'foo' for server 'main'");
  EXPECT_EQ(reason(R"([{"scope": "model", "model_name": "quick", "wals_directory": "/x"}])"),
            "Invalid option 'wals_directory' for model 'quick'");
  EXPECT_THAT(reason(R"([{"scope": "server", "server_name": "main", "archiver": "maybe"}])"),
              ::testing::StartsWith("Validation failed for server 'main': key 'archiver' -> "));
  EXPECT_EQ(reason(R"([{"scope": "server", "server_name": "main", "minimum_redundancy": "-1"}])"),
            "Validation failed for server 'main': key 'minimum_redundancy' -> the value would be "
            "discarded: Invalid minimum_redundancy '-1', using the default");
  EXPECT_EQ(reason(R"([{"scope": "model", "model_name": "quick", "retention_policy": "foo"}])"),
            "Validation failed for model 'quick': key 'retention_policy' -> the value would be "
            "discarded: Invalid retention_policy 'foo': it is not enforced");
  EXPECT_EQ(reason(R"([{"scope": "server", "server_name": "main", "description": "a\n[b]"}])"),
            "Validation failed for server 'main': key 'description' -> the value has more than "
            "one line");
  EXPECT_EQ(reason(R"([{"scope": "server", "server_name": "main", "description": ["a"]}])"),
            "Validation failed for server 'main': key 'description' -> the value is no text");
}

TEST_F(ConfigUpdate, RefusesNamesThatAreNoServers) {
  for (const char* name : {"all", "barman", "DEFAULT", "", " x", "a]b", "../x", ".x"}) {
    EXPECT_THAT(errors(fmt::format(R"([{{"scope": "server", "server_name": "{}"}}])", name)).at(0),
                ::testing::EndsWith(fmt::format("'server_name' is invalid: '{}'.", name)));
  }
}

TEST_F(ConfigUpdate, RefusesWhatIsNoArrayOfObjects) {
  for (const char* json : {"", "nonsense", "[1]", "{\"a\": 1}", "3", "[{}"}) {
    EXPECT_THROW(parse_update_request(json, configuration_), Error) << json;
  }
}

TEST_F(ConfigUpdate, ShowsNoKey) {
  const std::vector<std::string> lines = errors(
      R"([{"scope": "server", "server_name": "main", "aws_sse_customer_key": "c2VjcmV0", "foo": "1"}])");
  for (const std::string& line : lines) EXPECT_EQ(line.find("c2VjcmV0"), std::string::npos);
  for (const std::string& line :
       errors(R"([{"scope": "server", "server_name": "main", "pasword": "hunter2", "x": "y"}])")) {
    EXPECT_EQ(line.find("hunter2"), std::string::npos) << line;
  }
}

TEST_F(ConfigUpdate, SaysThatNothingWasSet) {
  EXPECT_THAT(
      apply_change_set(configuration_, {"new", {{"conninfo", "host=db"}}}),
      ElementsAre("Changing value of option 'conninfo' for section 'new' from 'None' to 'host=db' "
                  "through config-update."));
}

TEST_F(ConfigUpdate, WritesTheAutomaticFile) {
  EXPECT_THAT(apply_change_set(configuration_,
                               {"main", {{"check_timeout", "31"}, {"minimum_redundancy", "1"}}}),
              ElementsAre("Changing value of option 'check_timeout' for section 'main' from '20' "
                          "to '31' through config-update.",
                          "Changing value of option 'minimum_redundancy' for section 'main' from "
                          "'None' to '1' through config-update."));
  EXPECT_EQ(automatic_text(), "[main]\ncheck_timeout = 31\nminimum_redundancy = 1\n");
  struct stat status = {};
  ASSERT_EQ(::stat(configuration_.global().automatic_file().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  load();
  EXPECT_EQ(configuration_.find_server("main")->check_timeout, 31);
  EXPECT_THAT(apply_change_set(configuration_, {"slow", {{"model", "on"}, {"cluster", "c"}}}),
              ::testing::SizeIs(2));
  load();
  EXPECT_NE(configuration_.find_model("slow"), nullptr);
}

TEST_F(ConfigUpdate, KeepsTheQueueInAFile) {
  const std::filesystem::path path = root_ / "queue";
  EXPECT_THAT(load_change_queue(path).sets, IsEmpty());
  const std::vector<ChangeSet> sets = {{"main", {{"check_timeout", "5"}}}};
  save_change_queue(path, sets, "/home/.barman.auto.conf");
  EXPECT_EQ(read_file(path),
            "[\n  {\n    \"section\": \"main\",\n    \"changes_set\": [\n      {\n"
            "        \"key\": \"check_timeout\",\n        \"value\": \"5\",\n"
            "        \"config_file\": \"/home/.barman.auto.conf\"\n      }\n    ]\n  }\n]");
  EXPECT_EQ(load_change_queue(path).sets, sets);
  save_change_queue(path, {}, "/home/.barman.auto.conf");
  EXPECT_EQ(read_file(path), "[]");
  for (const char* text : {"", "x", "[1]", "[{\"section\": 1}]", "{\"a\": {}}"}) {
    write_file_durably(path, text);
    EXPECT_TRUE(load_change_queue(path).is_malformed) << text;
  }
}

TEST_F(ConfigUpdate, ReadsTheNumbersThatPoisonTheQueueOfBarman) {
  const std::filesystem::path path = root_ / "queue";
  write_file_durably(path, R"([{"section": "main", "changes_set":
      [{"key": "check_timeout", "value": 5, "config_file": "/etc/barman.conf"}]}])");
  EXPECT_EQ(load_change_queue(path).sets,
            (std::vector<ChangeSet>{{"main", {{"check_timeout", "5"}}}}));
}

TEST_F(ConfigUpdate, FindsQueuedChangesThatCanNeverBeWritten) {
  EXPECT_EQ(find_change_problem(configuration_, "main", {"archiver", "on"}), std::nullopt);
  EXPECT_EQ(find_change_problem(configuration_, "quick", {"cluster", "d"}), std::nullopt);
  EXPECT_EQ(find_change_problem(configuration_, "slow", {"model", "on"}), std::nullopt);
  EXPECT_NE(find_change_problem(configuration_, "main", {"archiver", "maybe"}), std::nullopt);
  EXPECT_NE(find_change_problem(configuration_, "main", {"foo", "1"}), std::nullopt);
  EXPECT_NE(find_change_problem(configuration_, "barman", {"archiver", "on"}), std::nullopt);
}

}  // namespace
}  // namespace barman::config

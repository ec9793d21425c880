#include "cli/server_selection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include <fmt/format.h>

#include "base/durable.h"
#include "base/test_support.h"
#include "cli/barman_program.h"
#include "command_line/parser.h"
#include "output/captured_output.h"

namespace barman::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Words = std::vector<std::string>;

command_line::ParsedArguments arguments_of(std::string_view command, Words words) {
  words.insert(words.begin(), std::string(command));
  return command_line::parse_line(barman_program(), words).arguments;
}

// Five servers: two fine ones, an inactive, a disabled (no connection string) and a passive one.
class ServerSelectionTest : public ::testing::Test {
 protected:
  ServerSelectionTest() {
    constexpr std::string_view kServer =
        "backup_method = postgres\nstreaming_archiver = on\nslot_name = s\n";
    std::string text = fmt::format("[barman]\nbarman_home = {}\n", root_.path().string());
    for (const std::string_view name : {"beta", "alpha"}) {
      text +=
          fmt::format("[{}]\nconninfo = host=x\nstreaming_conninfo = host=x\n{}", name, kServer);
    }
    text += fmt::format("[resting]\nactive = false\nconninfo = host=x\n{}", kServer);
    text += fmt::format("[sick]\nnetwork_compression = on\n{}", kServer);
    text += "[copy]\nprimary_ssh_command = ssh barman@primary\n";
    load(text);
  }

  void load(const std::string& text) {
    configuration_ = {};
    write_file_durably(root_.path() / "barman.conf", text);
    configuration_.load_main_file({.option = (root_.path() / "barman.conf").string()});
    configuration_.load_rest([](const std::string&) { return std::nullopt; });
  }

  Words select_many(std::string_view command, const Words& names) {
    arguments_ = arguments_of(command, names);
    CommandContext context = make_context();
    Words result;
    for (const auto* server : select_servers(context)) result.push_back(server->name);
    return result;
  }
  std::string select_one(std::string_view command, const Words& words) {
    arguments_ = arguments_of(command, words);
    CommandContext context = make_context();
    const config::ServerConfig* server = select_server(context);
    return server != nullptr ? server->name : "";
  }
  CommandContext make_context() {
    return {.configuration = configuration_,
            .reporter = output_.reporter(),
            .progress = progress_,
            .interrupt = {},
            .arguments = arguments_};
  }
  int exit_code() { return output_.reporter().finish(); }

  // "" when nothing is refused.
  std::string refusal(std::string_view command, const Words& words) {
    try {
      select_one(command, words);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::config);
      return error.message() + (error.hint().empty() ? "" : " | " + error.hint());
    }
    return "";
  }

  TemporaryDirectory root_;
  config::Configuration configuration_;
  output::CapturedOutput output_;
  NoProgress progress_;
  ParsedArguments arguments_;
};

TEST_F(ServerSelectionTest, SortsAndForgetsDoubles) {
  EXPECT_THAT(select_many("list-backups", {"beta", "alpha", "beta"}), ElementsAre("alpha", "beta"));
  EXPECT_EQ(exit_code(), 0);
  EXPECT_EQ(output_.err(), "");
}

TEST_F(ServerSelectionTest, TakesAllServers) {
  EXPECT_THAT(select_many("list-backups", {"all"}),
              ElementsAre("alpha", "beta", "copy", "resting", "sick"));
}

TEST_F(ServerSelectionTest, TakesAllServersButFailsWhenAllIsNotAlone) {
  EXPECT_EQ(select_many("list-backups", {"all", "beta"}).size(), 5U);
  EXPECT_EQ(exit_code(), 1);
  EXPECT_EQ(output_.err(),
            "ERROR: You cannot use 'all' with other server names\nHINT: Give 'all' alone, or the "
            "names without it.\n");
}

TEST_F(ServerSelectionTest, GoesOnAfterAnUnknownServer) {
  EXPECT_THAT(select_many("list-backups", {"nosrv", "beta"}), ElementsAre("beta"));
  EXPECT_EQ(exit_code(), 1);
  EXPECT_EQ(output_.err(), "ERROR: Unknown server 'nosrv'\n");
}

TEST(UnknownNameHint, NamesTheServers) {
  EXPECT_EQ(unknown_name_hint("server", "mian", {"main", "other"}),
            "Did you mean 'main'? The servers are: main, other.");
  EXPECT_EQ(unknown_name_hint("server", "x", {"main", "other"}), "The servers are: main, other.");
  EXPECT_EQ(unknown_name_hint("model", "x", {}),
            "There is no model: a section of the configuration makes one.");
  EXPECT_THAT(unknown_name_hint("server", "x", Words(25, "many")), HasSubstr(", and 5 more."));
}

TEST_F(ServerSelectionTest, SkipsOrRefusesWhatCannotBeBackedUp) {
  EXPECT_THAT(select_many("backup", {"all"}), ElementsAre("alpha", "beta"));
  EXPECT_EQ(output_.out(), "Skipping passive server 'copy'\nSkipping inactive server 'resting'\n");
  EXPECT_EQ(output_.err().find("ERROR: "), 0U);
  EXPECT_EQ(exit_code(), 1);
}

TEST_F(ServerSelectionTest, NamesADisabledServerAmongSeveral) {
  const std::string message =
      "ERROR: network_compression option is not supported by postgres backup_method";
  select_one("receive-wal", {"sick"});
  EXPECT_THAT(output_.err(), HasSubstr(message + "\n"));
  EXPECT_THAT(output_.err(), Not(HasSubstr("(server 'sick')")));
  select_many("backup", {"alpha", "sick"});
  EXPECT_THAT(output_.err(), HasSubstr(message + " (server 'sick')\n"));
}

TEST_F(ServerSelectionTest, SkippingIsNoFailure) {
  EXPECT_THAT(select_many("backup", {"resting", "copy"}), IsEmpty());
  EXPECT_EQ(exit_code(), 0);
}

TEST_F(ServerSelectionTest, RefusesAllWhereOneServerIsMeant) {
  EXPECT_EQ(select_one("show-backup", {"all", "last"}), "");
  EXPECT_EQ(exit_code(), 1);
  EXPECT_EQ(
      output_.err(),
      "ERROR: You cannot use 'all' in a single server context\nHINT: Give one name of 'barman "
      "list-servers'.\n");
}

TEST_F(ServerSelectionTest, RefusesWalForAnInactiveServer) {
  EXPECT_EQ(select_one("put-wal", {"resting"}), "");
  EXPECT_EQ(exit_code(), 1);
  EXPECT_EQ(output_.err(),
            "ERROR: Inactive server: resting\nHINT: Without 'active = false' in section [resting] "
            "it is in use again.\n");
}

TEST_F(ServerSelectionTest, ReadsFromServersThatAreNotInService) {
  EXPECT_EQ(select_one("show-backup", {"sick", "last"}), "sick");
  EXPECT_EQ(select_one("get-wal", {"resting", "W"}), "resting");
  EXPECT_EQ(select_one("delete", {"copy", "last"}), "copy");
  EXPECT_EQ(exit_code(), 0);
}

TEST_F(ServerSelectionTest, AnErrorOnOneServerDoesNotStopTheOthers) {
  arguments_ = arguments_of("status", {"alpha", "beta"});
  CommandContext context = make_context();
  Words seen;
  for_each_server(context, [&seen](const config::ServerConfig& server) {
    seen.push_back(server.name);
    if (server.name == "alpha") {
      throw Error(ErrorKind::connection, "cannot connect", "Start PostgreSQL.");
    }
  });
  EXPECT_THAT(seen, ElementsAre("alpha", "beta"));
  EXPECT_EQ(output_.err(), "ERROR: cannot connect\nHINT: Start PostgreSQL.\n");
  EXPECT_EQ(exit_code(), 1);
}

TEST_F(ServerSelectionTest, WhatNobodyExpectedNamesServerAndCauseAndStopsNoOther) {
  arguments_ = arguments_of("status", {"alpha", "beta"});
  CommandContext context = make_context();
  Words seen;
  for_each_server(context, [&seen](const config::ServerConfig& server) {
    seen.push_back(server.name);
    if (server.name == "alpha") throw std::out_of_range("vector::at");
  });
  EXPECT_THAT(seen, ElementsAre("alpha", "beta"));
  EXPECT_EQ(output_.err(), "EXCEPTION: server 'alpha': vector::at (std::out_of_range)\n")
      << "and no log, since there is none";
  EXPECT_EQ(exit_code(), 1);
}

TEST_F(ServerSelectionTest, RefusesWhatNeedsFilesOfThisHost) {
  load(
      fmt::format("[barman]\nbarman_home = {}\n[far]\nbackup_method = postgres\nconninfo = host=x\n"
                  "streaming_conninfo = host=x\nstreaming_archiver = on\nslot_name = s\n"
                  "basebackups_directory = s3://bucket/x\nwals_directory = s3://bucket/x\n",
                  root_.path().string()));
  EXPECT_EQ(refusal("get-wal", {"far", "W"}), "");
  EXPECT_EQ(refusal("sync-wals", {"far"}),
            "'sync-wals' is not supported for servers using cloud storage | Another host reads the "
            "bucket itself: with the section of this server, 'active = false' and the keys it "
            "lists, verifies and restores what is there.");
  EXPECT_EQ(refusal("generate-manifest", {"far", "last"}), "");
  EXPECT_EQ(refusal("restore", {"far", "last", "/x"}), "");
  EXPECT_EQ(refusal("keep", {"far", "last", "--release"}), "");
  EXPECT_EQ(refusal("show-backup", {"far", "last"}), "");
}

TEST_F(ServerSelectionTest, AnInterruptEndsTheCommand) {
  arguments_ = arguments_of("status", {"alpha", "beta"});
  CommandContext context = make_context();
  int count = 0;
  EXPECT_THROW(for_each_server(context,
                               [&count](const config::ServerConfig&) {
                                 ++count;
                                 throw Error(ErrorKind::interrupted, "interrupted");
                               }),
               Error);
  EXPECT_EQ(count, 1);
}

}  // namespace
}  // namespace barman::cli

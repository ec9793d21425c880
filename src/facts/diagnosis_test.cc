#include "facts/diagnosis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include <fmt/format.h>

#include "catalogue/test_support.h"
#include "wal_archive/test_support.h"

namespace barman::facts {
namespace {

using config::OptionValue;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kFirstSegment = "000000010000000000000001";

DiagnosedOption find_option(const std::vector<DiagnosedOption>& options, std::string_view key) {
  const auto found = std::ranges::find(options, key, &DiagnosedOption::key);
  return found == options.end() ? DiagnosedOption{} : *found;
}

class DiagnosisTest : public testing::Test {
 protected:
  config::Configuration load(std::string_view sections) const {
    put_file(file, fmt::format("[barman]\nbarman_home = {}\nbarman_lock_directory = {}\n"
                               "encryption_passphrase_command = echo hush\n{}",
                               site.home.path().string(), site.home.path().string(), sections));
    config::Configuration configuration;
    configuration.load_main_file({.option = file.string()});
    configuration.load_rest([](const std::string&) { return std::nullopt; });
    return configuration;
  }
  ServerDiagnosis diagnose(const ServerFacts& facts = {}) const {
    return diagnose_server(site.make(), load("[main]\nactive = off\n"), facts);
  }

  wal_archive::TestServer site;
  std::filesystem::path file = site.home.path() / "barman.conf";
};

TEST_F(DiagnosisTest, OptionsComeWithTheFileThatDefinesThem) {
  const config::Configuration configuration =
      load("[main]\nactive = off\n[fast]\nmodel = true\ncluster = main\ncheck_timeout = 5\n");
  const GlobalDiagnosis global = diagnose_configuration(configuration);
  EXPECT_EQ(find_option(global.options, "barman_home").source, file.string());
  EXPECT_EQ(find_option(global.options, "lock_directory_cleanup").source, "default");
  EXPECT_EQ(find_option(global.options, "lock_directory_cleanup").value, OptionValue{true});
  EXPECT_THAT(
      config::python_text(find_option(global.options, "encryption_passphrase_command").value),
      testing::Not(HasSubstr("hush")));
  const auto models = diagnose_models(configuration);
  ASSERT_TRUE(models.contains("fast"));
  const DiagnosedOption timeout = find_option(models.at("fast"), "check_timeout");
  EXPECT_EQ(timeout.value, OptionValue{std::int64_t{5}});
  EXPECT_EQ(timeout.source, file.string());
  EXPECT_EQ(find_option(models.at("fast"), "conninfo").value, OptionValue{nullptr});
  EXPECT_EQ(find_option(models.at("fast"), "cluster").value, OptionValue{std::string("main")});
  EXPECT_EQ(find_option(models.at("fast"), "disabled").key, "disabled") << "as Barman has it";
}

TEST_F(DiagnosisTest, TellsBackupsAndTheLastWalOfEachTimeline) {
  const server::Server server = site.make();
  server.catalogue().save(catalogue::make_backup("20261101T000000", kFirstSegment, kFirstSegment));
  put_file(server.catalogue().backup_info_path({"20261102T000000"}), "status=NONSENSE\n");
  for (const char* name : {kFirstSegment, "000000010000000000000002", "000000020000000000000002"}) {
    wal_archive::put_wal_file(site.archived(name), name);
  }
  const ServerDiagnosis diagnosis = diagnose();
  ASSERT_TRUE(diagnosis.backups && diagnosis.last_wals);
  EXPECT_EQ(diagnosis.backups->size(), 1U);
  EXPECT_THAT(diagnosis.messages,
              ElementsAre(testing::StartsWith("backup 20261102T000000 is left out: ")));
  EXPECT_EQ(diagnosis.last_wals->size(), 2U);
  EXPECT_EQ(diagnosis.last_wals->at({1}).name, "000000010000000000000002");
  EXPECT_EQ(diagnosis.last_wals->at({2}).name, "000000020000000000000002");
}

// A loop of links stands for a disk that does not answer.
TEST_F(DiagnosisTest, WhatCannotBeReadIsToldAndEndsNothing) {
  std::filesystem::create_directory_symlink("base", site.config.basebackups_directory);
  std::filesystem::remove_all(site.config.wals_directory);
  std::filesystem::create_directory_symlink("wals", site.config.wals_directory);
  const ServerDiagnosis diagnosis = diagnose();
  EXPECT_FALSE(diagnosis.backups.has_value());
  EXPECT_FALSE(diagnosis.last_wals.has_value());
  EXPECT_THAT(diagnosis.messages, ElementsAre(HasSubstr("base"), HasSubstr("wals")));
}

TEST_F(DiagnosisTest, LiveValuesAreThoseThatProgramsRead) {
  ServerFacts facts;
  facts.size_bytes = 42;
  facts.slot = {.name = "barman", .active = true, .restart_lsn = wal::Lsn{0x3000060}};
  facts.version = 170000;
  facts.archiver.emplace().current_archived_wals_per_second = 0.5;
  const config::ShownOptions values = diagnose(facts).live_values;
  // The later one of a key counts.
  const auto last = [&](std::string_view key) {
    OptionValue value;
    for (const auto& [name, shown] : values) {
      if (name == key) value = shown;
    }
    return value;
  };
  EXPECT_EQ(last("current_size"), OptionValue{42.0});
  EXPECT_EQ(last("current_archived_wals_per_second"), OptionValue{0.5});
  EXPECT_EQ(last("replication_slot"),
            (OptionValue{
                OptionValue::List{{std::string("barman")}, {true}, {std::string("0/3000060")}}}));
}

TEST(SystemFacts, TellTheHost) {
  const SystemFacts facts = gather_system_facts();
  EXPECT_THAT(facts.kernel, testing::EndsWith(" GNU/Linux"));
  EXPECT_THAT(facts.release, testing::StartsWith("Distributor ID:\t"));
}

// "ssh" is a shell on this host, which greets.
TEST(SystemFacts, AreAskedOfAnotherHost) {
  const TemporaryDirectory place;
  const auto command = [&](const std::string& text) {
    const std::filesystem::path ssh = place.path() / "ssh";
    put_file(ssh, "#!/bin/sh\n" + text + "\n");
    std::filesystem::permissions(ssh, std::filesystem::perms::owner_all);
    return host::SshHost({.command = ssh.string(), .title = "there", .option = "ssh_command"});
  };
  const SystemFacts here = gather_system_facts();
  constexpr std::chrono::seconds kLimit{60};
  const auto there = find_system_facts(command("echo hello; exec sh -c \"$*\""), kLimit);
  ASSERT_TRUE(there);
  EXPECT_EQ(there->release, here.release);
  EXPECT_EQ(there->rsync_version, here.rsync_version);
  EXPECT_EQ(there->ssh_version, here.ssh_version);
  EXPECT_THAT(there->kernel, testing::StartsWith("Linux "));
  EXPECT_FALSE(find_system_facts(command("echo 'rsync only' >&2; exit 1"), kLimit));
  EXPECT_FALSE(find_system_facts(command("exec sleep 60"), std::chrono::seconds(1)));
}

}  // namespace
}  // namespace barman::facts

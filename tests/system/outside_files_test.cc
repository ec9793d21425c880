// Configuration files outside of the data directory, as Debian has them: kept with a streamed
// backup when the role may read them, and laid where PostgreSQL finds them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "encryption/test_support.h"
#include "support/incremental_site.h"
#include "support/privileges.h"
#include "support/ssh_server.h"
#include "support/streaming_site.h"
#include "support/temp_dir.h"
#include "support/terminal.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

Settings encryption_settings() {
  return {{"backup_compression", "none"},
          {"encryption", "gpg"},
          {"encryption_key_id", encryption::TestKeyring::kKey},
          {"encryption_passphrase_command", "echo open sesame"}};
}

// Relative to the directory of the backup's kept configuration, with what is in them.
std::map<std::string, std::string> kept_files(const BarmanHome& barman, const std::string& id) {
  const fs::path directory = barman.server_directory("main") / "base" / id / "configuration";
  std::map<std::string, std::string> files;
  if (!fs::exists(directory)) return files;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (entry.is_regular_file())
      files[entry.path().lexically_relative(directory).string()] = read_text(entry.path());
  }
  return files;
}

void move_configuration(StreamingSite& site, const fs::path& etc) {
  fs::create_directories(etc / "conf.d");
  site.postgres.move_configuration_to(etc);
  write_text(etc / "conf.d/memory.conf", "work_mem = '5MB'\n");
  const fs::path conf = etc / "postgresql.conf";
  write_text(conf, read_text(conf) + "include_dir 'conf.d'\n");
  site.postgres.restart();
  site.postgres.query("GRANT pg_read_server_files TO barman");
  site.postgres.query(
      "GRANT EXECUTE ON FUNCTION pg_read_binary_file(text, bigint, bigint, boolean) TO barman");
  site.start_receiver();
  site.archive_a_segment();
}

class OutsideFiles : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Of, OutsideFiles, testing::Values("plain", "gzip", "encrypted"),
                         [](const auto& form) { return std::string(form.param); });

TEST_P(OutsideFiles, ComeBackAndStartTheCluster) {
  const encryption::TestKeyring keyring;
  const std::string form = GetParam();
  StreamingSite::Options options;
  if (form == "gzip") options.server = {{"backup_compression", form}};
  if (form == "encrypted") options.server = encryption_settings();
  StreamingSite site(options);
  PostgresServer& postgres = site.postgres;
  const TempDir outside;
  const fs::path etc = outside.path() / "etc";
  fs::create_directories(etc / "conf.d");
  fs::create_directories(etc / "empty.d");
  postgres.move_configuration_to(etc);
  write_text(etc / "conf.d/memory.conf", "work_mem = '5MB'\n");
  const fs::path conf = etc / "postgresql.conf";
  write_text(conf, read_text(conf) + "include_dir 'conf.d'\ninclude_dir 'empty.d'\n");
  postgres.restart();
  postgres.query("CREATE TABLE kept AS SELECT generate_series(1, 1000) id");
  site.start_receiver();
  site.archive_a_segment();

  const CommandResult refused = site.barman.run({"backup", "--wait", "main"});
  ASSERT_EQ(refused.exit_code, 0) << refused.out << refused.err;
  EXPECT_THAT(refused.err, AllOf(HasSubstr("Please manually backup the following files:\n\t" +
                                           (etc / "conf.d/memory.conf").string()),
                                 HasSubstr("\t" + (etc / "pg_ident.conf").string())));
  const fs::path first = outside.path() / "first";
  const CommandResult bare = site.barman.run({"restore", "main", "latest", first.string()});
  ASSERT_EQ(bare.exit_code, 0) << bare.out << bare.err;
  EXPECT_THAT(bare.out, HasSubstr("pg_ctl -D " + first.string() + " -o '-c config_file=" +
                                  conf.string() + " -c data_directory=" + first.string()));

  postgres.query("GRANT pg_read_server_files TO barman");
  postgres.query(
      "GRANT EXECUTE ON FUNCTION pg_read_binary_file(text, bigint, bigint, boolean) TO barman");
  const CommandResult kept = site.barman.run({"backup", "--wait", "main"});
  ASSERT_EQ(kept.exit_code, 0) << kept.out << kept.err;
  EXPECT_THAT(kept.err, Not(HasSubstr("manually backup")));
  for (const auto& [name, content] : kept_files(site.barman, site.listed_backups().front())) {
    if (form != "encrypted" || name == ".sha256sums") continue;
    EXPECT_TRUE(name.ends_with(".gpg")) << name;
    EXPECT_EQ(content.find("work_mem"), std::string::npos) << name;
  }
  const std::string rows = postgres.value("SELECT count(*) || ' ' || sum(id) FROM kept");
  postgres.stop();
  fs::rename(etc, outside.path() / "lost");
  fs::rename(postgres.data_directory(), postgres.data_directory().string() + ".lost");

  const fs::path second = outside.path() / "second";
  const CommandResult whole = site.barman.run({"restore", "main", "latest", second.string()});
  ASSERT_EQ(whole.exit_code, 0) << whole.out << whole.err;
  EXPECT_THAT(whole.out, AllOf(HasSubstr("data_directory = None"),
                               HasSubstr("conf.d/memory.conf, pg_hba.conf, pg_ident.conf, "
                                         "postgresql.conf"),
                               HasSubstr("pg_ctl -D " + second.string() + " start")));
  PostgresServer copy({.data_directory = second});
  copy.wait_until_primary();
  EXPECT_EQ(copy.value("SHOW data_directory"), second.string());
  EXPECT_EQ(copy.value("SHOW hba_file"), (second / "pg_hba.conf").string());
  EXPECT_EQ(copy.value("SHOW work_mem"), "5MB");
  EXPECT_EQ(copy.value("SELECT count(*) || ' ' || sum(id) FROM kept"), rows);
  const CommandResult removed = site.barman.run({"delete", "main", "latest"});
  EXPECT_EQ(removed.exit_code, 0) << removed.out << removed.err;
}

// Each file once, and its checksum.
TEST(KeptConfiguration, GoesWhereTheBackupGoes) {
  IncrementalSite site;
  const TempDir place;
  move_configuration(site, place.path() / "etc");
  const std::string full = site.take_backup();
  const auto kept = kept_files(site.barman, full);
  ASSERT_EQ(kept.size(), 5U) << "four files, and their checksums";

  const std::string last = site.take_incremental(full);
  ASSERT_EQ(site.barman.run({"consolidate", "main", last}).exit_code, 0);
  const std::string whole = site.listed_backups().front();
  EXPECT_EQ(kept_files(site.barman, whole), kept);
  ASSERT_EQ(site.barman.run({"delete", "main", full}).exit_code, 0);

  const fs::path exported = place.path() / "exported";
  fs::create_directories(exported);
  ASSERT_EQ(site.barman.run({"export-backup", "main", whole, exported.string()}).exit_code, 0);
  ASSERT_EQ(site.barman.run({"delete", "main", whole}).exit_code, 0);
  EXPECT_FALSE(fs::exists(site.server_directory() / "base" / whole));
  const std::string file = fs::directory_iterator(exported)->path().string();
  const CommandResult imported = site.barman.run({"import-backup", "main", file});
  ASSERT_EQ(imported.exit_code, 0) << imported.err;
  EXPECT_EQ(kept_files(site.barman, whole), kept);
  EXPECT_EQ(site.barman.run({"verify-backup", "main", whole}).exit_code, 0);

  const CommandResult shown =
      run_on_terminal(site.barman.request({"show-backup", "main", whole}), {.width = 200});
  EXPECT_THAT(shown.out, HasSubstr("Kept configuration     : conf.d/memory.conf, pg_hba.conf, "
                                   "pg_ident.conf, postgresql.conf"));
  EXPECT_THAT(site.barman.run({"show-backup", "main", whole}).out,
              Not(HasSubstr("Kept configuration")));

  write_text(site.server_directory() / "base" / whole / "configuration/pg_hba.conf",
             "local all all trust\n");
  const CommandResult verified = site.barman.run({"verify-backup", "main", whole});
  EXPECT_EQ(verified.exit_code, 1);
  EXPECT_THAT(verified.err,
              HasSubstr("\"pg_hba.conf\", kept from outside of the data directory, is "
                        "damaged"));
  EXPECT_THAT(site.barman.run({"check-backup", "main", whole}).err,
              HasSubstr("'pg_hba.conf' that was kept with backup " + whole + " is damaged"));
  const CommandResult restored =
      site.barman.run({"restore", "--tablespace", "ts:" + (place.path() / "ts").string(), "main",
                       whole, (place.path() / "data").string()});
  EXPECT_EQ(restored.exit_code, 0) << restored.err;
  EXPECT_THAT(restored.err, HasSubstr("is damaged: its checksum is another one. It is not laid."));
  EXPECT_FALSE(fs::exists(place.path() / "data/pg_hba.conf"));
  EXPECT_TRUE(fs::exists(place.path() / "data/postgresql.conf"));
}

TEST(KeptConfiguration, GoesToAPassiveNode) {
  if (!SshServer::is_available()) GTEST_SKIP() << SshServer::kUnavailable;
  const encryption::TestKeyring keyring;
  StreamingSite site({.server = encryption_settings()});
  const TempDir place;
  move_configuration(site, place.path() / "etc");
  const std::string id = site.take_backup();
  const auto kept = kept_files(site.barman, id);
  EXPECT_TRUE(kept.contains("postgresql.conf.gpg"));

  const SshServer ssh(site.barman);
  BarmanHome passive;
  Settings settings = encryption_settings();
  settings["primary_ssh_command"] = fmt::format("ssh -p {} {}@127.0.0.1", ssh.port(), user_name());
  passive.add_section("main", settings);
  const auto run = [&](const std::vector<std::string>& arguments) {
    CommandRequest request = passive.request(arguments);
    request.environment.merge(ssh.environment());
    const CommandResult result = run_command(request);
    EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
    return result.out;
  };
  const std::string told = run({"sync-info", "--primary", "main"});
  fs::create_directories(passive.server_directory("main"));
  write_text(passive.server_directory("main") / "primary.info", told);
  run({"sync-backup", "main", id});
  EXPECT_TRUE(kept_files(passive, id) == kept);
}

}  // namespace
}  // namespace barman::test

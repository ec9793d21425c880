// Programs of other people that run barman and read what it prints or stores: repmgr, which clones
// standbys from the catalogue, and what the exporters for Prometheus ask.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "support/catalogue_files.h"
#include "support/postgres_version.h"
#include "support/privileges.h"
#include "support/ssh_server.h"
#include "support/streaming_site.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kMetadata = "backup.info";
constexpr const char* kRepmgr = "/usr/lib/postgresql/15/bin/repmgr";

StreamingSite::Options options_for_repmgr() {
  const fs::path debian = get_debian_version(15).bin_directory;
  return {
      .postgres = {.major = 15,
                   .bin_directory = debian,
                   .settings = {{"shared_preload_libraries", fs::exists(kRepmgr) ? "repmgr" : ""},
                                {"hot_standby", "on"},
                                {"max_wal_senders", "10"}},
                   .tablespaces = {"fast"}}};
}

class Repmgr : public testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(kRepmgr)) GTEST_SKIP() << "no " << kRepmgr << " of Debian 12";
  }
  std::string configure(int node, const std::string& conninfo, const fs::path& data_directory) {
    const fs::path file = directory_.path() / fmt::format("repmgr{}.conf", node);
    write_text(file, fmt::format("node_id={}\nnode_name='node{}'\nconninfo='{}'\n"
                                 "data_directory='{}'\npg_bindir='/usr/lib/postgresql/15/bin'\n"
                                 "barman_host='127.0.0.1'\nbarman_server='main'\n"
                                 "tablespace_mapping='{}={}'\n",
                                 node, node, conninfo, data_directory.string(),
                                 site_.postgres.tablespace_directory("fast").string(),
                                 (directory_.path() / "fast").string()));
    return file.string();
  }
  CommandResult run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), kRepmgr);
    // repmgr and rsync call ssh without a port: that is for the user's configuration to know.
    std::map<std::string, std::string> environment = ssh_.environment();
    const fs::path bin = directory_.path() / "bin";
    fs::create_directory(bin);
    const std::string known = environment["PATH"].substr(0, environment["PATH"].find(':'));
    write_text(bin / "ssh",
               fmt::format("#!/bin/sh\nexec {}/ssh -p {} \"$@\"\n", known, ssh_.port()));
    fs::permissions(bin / "ssh", fs::perms(0755));
    environment["PATH"] = bin.string() + ":" + environment["PATH"];
    return run_command({.argv = std::move(arguments), .environment = environment});
  }

  StreamingSite site_{options_for_repmgr()};
  SshServer ssh_{site_.barman};
  TempDir directory_;
};

TEST_F(Repmgr, ClonesAStandbyFromTheCatalogue) {
  const PostgresServer& primary = site_.postgres;
  const std::string primary_file = configure(1, primary.conninfo(), primary.data_directory());
  const CommandResult registered = run({"-f", primary_file, "primary", "register"});
  ASSERT_EQ(registered.exit_code, 0) << registered.err;
  primary.query("CREATE TABLE things TABLESPACE fast AS SELECT generate_series(1, 1000) AS n");
  site_.start_receiver();
  site_.archive_a_segment();
  const std::string id = site_.take_backup();

  const CommandResult listed = site_.barman.run({"list-files", "--target=data", "main", "latest"});
  const fs::path copy = site_.server_directory() / "base" / id / kMetadata;
  EXPECT_THAT(listed.out, StartsWith(copy.string() + "\n"));
  EXPECT_EQ(problem_of_old_copy(site_.barman, "main", id, copy), "");

  const fs::path standby = directory_.path() / "standby";
  const std::string standby_file = configure(2, primary.conninfo(), standby);
  const CommandResult cloned =
      run({"-f", standby_file, "-d", primary.conninfo(), "standby", "clone"});
  ASSERT_EQ(cloned.exit_code, 0) << cloned.out << cloned.err;
  PostgresServer clone({.major = 15,
                        .bin_directory = get_debian_version(15).bin_directory,
                        .data_directory = standby});
  clone.wait_until("(SELECT count(*) = 1000 FROM things)");
  EXPECT_EQ(clone.value("SELECT pg_is_in_recovery()"), "t");
  EXPECT_THAT(fs::read_symlink(*fs::directory_iterator(standby / "pg_tblspc")).string(),
              StartsWith(directory_.path().string()));
}

// Debian's Prometheus client, and the questions and keys of the exporters (the program is ours).
TEST(PrometheusExporter, ReadsWhatItExpects) {
  StreamingSite site;
  site.start_receiver();
  site.archive_a_segment();
  site.take_backup();
  CommandRequest request = site.barman.request({});
  request.argv.insert(request.argv.begin(), {"/usr/bin/python3", BARMAN_EXPORTER});
  const CommandResult scraped = run_command(request);
  ASSERT_EQ(scraped.exit_code, 0) << scraped.err;
  EXPECT_EQ(scraped.err, "");
  for (const char* metric :
       {"barman_up{server=\"main\"} 1.0", "barman_backups_total{server=\"main\"} 1.0",
        "barman_backups_failed{server=\"main\"} 0.0", "barman_check_ok{server=\"main\"} 1.0"}) {
    EXPECT_THAT(scraped.out, HasSubstr(metric));
  }
  for (const char* metric :
       {"barman_last_backup{server=\"main\"} ", "barman_first_backup{server=\"main\"} ",
        "barman_backup_size{number=\"1\",server=\"main\"} ",
        "barman_backup_wal_size{number=\"1\",server=\"main\"} ",
        "barman_last_backup_copy_time{server=\"main\"} "}) {
    EXPECT_THAT(scraped.out, HasSubstr(metric));
  }
}

}  // namespace
}  // namespace barman::test

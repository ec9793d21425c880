// Configuration files outside of the data directory, as Debian has them: kept with a streamed
// backup when the role may read them, and laid where PostgreSQL finds them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/streaming_site.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class OutsideFiles : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Of, OutsideFiles, testing::Values("plain", "gzip"),
                         [](const auto& form) { return std::string(form.param); });

TEST_P(OutsideFiles, ComeBackAndStartTheCluster) {
  StreamingSite::Options options;
  if (GetParam() != std::string("plain")) options.server = {{"backup_compression", GetParam()}};
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

}  // namespace
}  // namespace barman::test

// What only the WAL knows is told before a restore writes anything: whether the target is in it,
// and whether the server ran with wal_level = minimal meanwhile.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "support/catalogue_files.h"
#include "support/streaming_site.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using Words = std::vector<std::string>;

constexpr const char* kNotReached = "recovery ended before configured recovery target was reached";

class WhatWalSays : public testing::TestWithParam<int> {
 protected:
  WhatWalSays() : site_({.postgres = {.major = GetParam()}}) {
    site_.start_receiver();
    site_.archive_a_segment();
    site_.postgres.query("CREATE TABLE rows (id int)");
    backup_ = site_.take_backup();
    insert(1);
    site_.postgres.query("SELECT pg_create_restore_point('one')");
  }

  void insert(int id) { site_.postgres.query(fmt::format("INSERT INTO rows VALUES ({})", id)); }
  void archive_all() {
    site_.wait_until_acknowledged();
    site_.barman.run({"archive-wal", "main"});
  }
  fs::path destination() const { return place_.path() / "data"; }

  CommandResult restore(const Words& options, const std::string& backup) {
    fs::remove_all(destination());
    Words words = {"restore"};
    words.insert(words.end(), options.begin(), options.end());
    words.insert(words.end(), {"main", backup, destination().string()});
    return site_.barman.run(words);
  }
  std::string refusal(const Words& options) {
    const CommandResult result = restore(options, backup_);
    EXPECT_NE(result.exit_code, 0) << result.out;
    EXPECT_FALSE(fs::exists(destination()));
    return result.err;
  }
  // What the restored server answers.
  std::string restored(const Words& options, const std::string& backup, const std::string& sql) {
    const CommandResult result = restore(options, backup);
    EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
    PostgresServer server({.major = GetParam(), .data_directory = destination()});
    server.wait_until_primary();
    return server.value(sql);
  }

  StreamingSite site_;
  TempDir place_;
  std::string backup_;
};

class Targets : public WhatWalSays {};
INSTANTIATE_TEST_SUITE_P(Postgres, Targets, testing::Values(kUsualMajor));

TEST_P(Targets, AreLookedForBeforeAnythingIsWritten) {
  const std::string all = "SELECT string_agg(id::text, ' ' ORDER BY id) FROM rows";
  insert(2);
  const std::string before = site_.postgres.value("SELECT pg_current_wal_insert_lsn()");
  // The record at the target is longer than three segments.
  site_.postgres.query("SELECT pg_logical_emit_message(true, 'x', repeat('y', 3500000))");
  insert(3);
  archive_all();

  const std::string future = refusal({"--target-time", "2130-01-01 00:00:00+00"});
  EXPECT_THAT(future, AllOf(HasSubstr("The requested target time 2130-01-01"),
                            HasSubstr("its last transaction ended at 2"), HasSubstr(kNotReached),
                            HasSubstr("--skip-wal-check")));
  EXPECT_EQ(refusal({"--dry-run", "--target-time", "2130-01-01 00:00:00+00"}), future);
  EXPECT_THAT(refusal({"--target-name", "two"}),
              AllOf(HasSubstr("The requested restore point 'two'"), HasSubstr("'one', 'end'. ")));
  EXPECT_THAT(refusal({"--target-name", "onee"}), HasSubstr("Did you mean 'one'?"));
  EXPECT_THAT(refusal({"--target-xid", "4000000"}), HasSubstr("The requested transaction 4000000"));
  // It would be fetched from the same archive.
  EXPECT_THAT(refusal({"--get-wal", "--target-name", "two"}),
              AllOf(HasSubstr("is not in the WAL of this backup"), HasSubstr("--skip-wal-check")));
  const CommandResult fetched =
      restore({"--get-wal", "--skip-wal-check", "--target-name", "two"}, backup_);
  EXPECT_EQ(fetched.exit_code, 0) << fetched.err;

  EXPECT_EQ(restored({"--target-lsn", before, "--target-action", "promote"}, backup_, all), "1 2");
  EXPECT_EQ(restored({"--target-name", "one", "--target-action", "promote"}, backup_, all), "1");

  // It is true: PostgreSQL does not start there.
  const CommandResult prepared =
      restore({"--skip-wal-check", "--target-time", "2130-01-01 00:00:00+00"}, backup_);
  ASSERT_EQ(prepared.exit_code, 0) << prepared.err;
  PostgresServer server(
      {.major = GetParam(), .data_directory = destination(), .start = StartWait::processes});
  server.wait_until_ended();
  EXPECT_THAT(server.log(), HasSubstr(kNotReached));
}

class MinimalWal : public WhatWalSays {
 protected:
  void restart_with(const Words& settings) {
    for (const std::string& setting : settings) site_.postgres.query("ALTER SYSTEM SET " + setting);
    site_.postgres.restart();
  }
  // The position of the receiver is in its files, so that streaming goes on where it was.
  void go_through_minimal() {
    archive_all();
    site_.stop_receiver();
    site_.postgres.query("SELECT pg_drop_replication_slot('barman')");
    restart_with({"wal_level = 'minimal'", "max_wal_senders = 0", "archive_mode = 'off'"});
    // Without WAL, since the table is new in its transaction.
    site_.postgres.query(
        "SET wal_skip_threshold = 0; BEGIN; CREATE TABLE bulk (id int); COPY bulk FROM PROGRAM "
        "'seq 1000'; COMMIT");
    restart_with({"wal_level = 'replica'", "max_wal_senders = 10"});
    site_.barman.run({"receive-wal", "--create-slot", "main"});
    site_.start_receiver();
    insert(2);
    site_.wait_until_acknowledged();
  }
};
INSTANTIATE_TEST_SUITE_P(Postgres, MinimalWal, testing::Values(13, kUsualMajor));

TEST_P(MinimalWal, IsToldAndNotRestoredAcross) {
  go_through_minimal();
  const CommandResult archived = site_.barman.run({"archive-wal", "main"});
  EXPECT_THAT(archived.err, HasSubstr("ran with wal_level = minimal from 0/"));

  EXPECT_THAT(site_.barman.run({"check", "main"}).out, HasSubstr("recoverable WAL: FAILED"));
  const CommandResult survey = site_.barman.run({"catalogue-check", "main"});
  EXPECT_EQ(survey.exit_code, 1);
  EXPECT_THAT(survey.out, HasSubstr("recovery from backup " + backup_ + " and earlier ones ends"));
  fs::remove(site_.server_directory() / ".minimal-wal");
  const CommandResult verified = site_.barman.run({"verify-wal", "main"});
  EXPECT_EQ(verified.exit_code, 1);
  EXPECT_THAT(verified.err, HasSubstr("ran with wal_level = minimal from 0/"));
  EXPECT_THAT(verified.out, Not(HasSubstr("successfully verified")));
  EXPECT_TRUE(fs::exists(site_.server_directory() / ".minimal-wal"));

  const std::string refused = refusal({});
  EXPECT_THAT(refused, HasSubstr("ran with wal_level = minimal from 0/"));
  EXPECT_THAT(refusal({"--get-wal"}), HasSubstr("ran with wal_level = minimal from 0/"));
  // As the hint says.
  const std::size_t at = refused.find("--target-lsn ") + 13;
  const std::string last = refused.substr(at, refused.find(' ', at) - at);
  EXPECT_EQ(restored({"--target-lsn", last, "--target-action", "promote"}, backup_,
                     "SELECT count(*) FROM rows"),
            "1");
  // It is true: PostgreSQL replays it and loses what was committed.
  EXPECT_EQ(restored({"--skip-wal-check"}, backup_,
                     "SELECT (SELECT count(*) FROM bulk) || ' ' || (SELECT count(*) FROM rows)"),
            "0 2");

  const std::string second = site_.take_backup();
  EXPECT_THAT(site_.barman.run({"check", "main"}).out, Not(HasSubstr("recoverable WAL")));
  EXPECT_EQ(restored({}, second, "SELECT count(*) FROM bulk"), "1000");
}

}  // namespace
}  // namespace barman::test

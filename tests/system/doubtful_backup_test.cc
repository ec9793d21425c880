// Backups of which something is missing: metadata that cannot be read, files that are gone, a
// deletion that cannot be done. Nothing that may be needed is deleted because of them, the other
// backups and servers are served, and `check` and `cron` tell.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "support/barman_home.h"
#include "support/old_catalogue.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

class DoubtfulBackup : public testing::Test {
 protected:
  DoubtfulBackup() {
    for (const char* const name : {"main", "second"}) {
      // A port that is refused at once: nothing here needs PostgreSQL.
      barman_.add_section(name, {{"conninfo", "host=127.0.0.1 port=1 user=nobody"},
                                 {"streaming_conninfo", "host=127.0.0.1 port=1 user=nobody"},
                                 {"backup_method", "postgres"},
                                 {"archiver", "on"}});
    }
    catalogue_.add_all();
  }
  ~DoubtfulBackup() override {
    for (const fs::path& path : closed_) fs::permissions(path, fs::perms::owner_all);
  }

  // For the user that runs barman, and until the end of the test.
  void close(const fs::path& path, fs::perms left = fs::perms::none) {
    fs::permissions(path, left);
    closed_.push_back(path);
  }
  bool has_wal(int number) const {
    return !archived_wal_names(barman_, "main").empty() &&
           fs::exists(barman_.server_directory("main") / "wals" / "0000000100000000" /
                      OldCatalogue::wal(number));
  }
  std::string check_line(const std::string& label) {
    for (const std::string& line : split(barman_.run({"check", "main"}).out, '\n')) {
      if (line.starts_with("\t" + label + ":")) return line;
    }
    return "";
  }

  BarmanHome barman_;
  OldCatalogue catalogue_{barman_.server_directory("main"), old_layouts().back()};

 private:
  std::vector<fs::path> closed_;
};

TEST_F(DoubtfulBackup, KeepsItsWalWhenItsMetadataCannotBeRead) {
  close(catalogue_.backup_info(OldCatalogue::kKept));
  barman_.set("main", "retention_policy", "REDUNDANCY 1");
  const CommandResult cron = barman_.run({"cron"});
  EXPECT_THAT(cron.err, AllOf(HasSubstr(OldCatalogue::kKept), HasSubstr("cannot be read"),
                              HasSubstr("No WAL is deleted")));
  EXPECT_FALSE(fs::exists(catalogue_.backup_info(OldCatalogue::kRoot))) << "it is obsolete";
  const CommandResult deleted = barman_.run({"delete", "main", OldCatalogue::kNewest});
  EXPECT_EQ(deleted.exit_code, 0) << deleted.err;
  EXPECT_THAT(deleted.err, HasSubstr("No WAL is deleted"));
  for (int number = 1; number <= 10; ++number) EXPECT_TRUE(has_wal(number)) << number;
  EXPECT_THAT(check_line("readable backups"),
              AllOf(HasSubstr("FAILED"), HasSubstr(OldCatalogue::kKept)));
}

// Nor is anything deleted when it is the configuration that cannot be trusted.
TEST_F(DoubtfulBackup, NothingIsDeletedByASettingThatIsNotUnderstood) {
  barman_.set("main", "retention_policy", "REDUNDANCY 1");
  barman_.set("main", "minimum_redundancy", "two");
  barman_.set("main", "bandwidth_limit", "10MB");
  const CommandResult cron = barman_.run({"cron"});
  EXPECT_EQ(cron.exit_code, 1);
  EXPECT_THAT(cron.err,
              AllOf(HasSubstr("WARNING: Ignoring invalid configuration value 'two' for key "
                              "minimum_redundancy in [main] section: "),
                    HasSubstr("; for example: bandwidth_limit = "),
                    HasSubstr("ERROR: No backup of server 'main' is deleted by a "
                              "retention policy: ")));
  const CommandResult deleted = barman_.run({"delete", "main", OldCatalogue::kRoot});
  EXPECT_EQ(deleted.exit_code, 1);
  EXPECT_THAT(deleted.err, HasSubstr("Cannot delete backup (main "));
  const CommandResult preview = barman_.run({"cron", "--dry-run"});
  EXPECT_THAT(preview.err, HasSubstr("is deleted by a retention policy"));
  EXPECT_EQ(preview.out.find("18446744073709551615"), std::string::npos);
  EXPECT_TRUE(fs::exists(catalogue_.backup_info(OldCatalogue::kRoot)));
  const CommandResult check = barman_.run({"check", "main"});
  EXPECT_EQ(check.exit_code, 1);
  EXPECT_THAT(check.out,
              AllOf(HasSubstr("\tconfiguration: FAILED\n\t\tInvalid configuration value "),
                    HasSubstr("minimum_redundancy is not understood")));
}

TEST_F(DoubtfulBackup, KeepsWhatItBuildsOn) {
  close(catalogue_.backup_info(OldCatalogue::kChild));
  const CommandResult refused = barman_.run({"delete", "main", OldCatalogue::kRoot});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, AllOf(HasSubstr(catalogue_.backup_info(OldCatalogue::kChild).string()),
                                 HasSubstr("Cannot delete backup (main 20260908T000000)")));
  barman_.set("main", "retention_policy", "REDUNDANCY 1");
  barman_.run({"cron"});
  EXPECT_TRUE(fs::exists(catalogue_.data(OldCatalogue::kRoot)));
}

// A file system that is not mounted looks like this, too.
TEST_F(DoubtfulBackup, DoesNotCountWithoutItsFiles) {
  fs::rename(catalogue_.base(OldCatalogue::kNewest), barman_.directory() / "elsewhere");
  barman_.set("main", "retention_policy", "REDUNDANCY 1");
  barman_.set("main", "minimum_redundancy", "1");
  EXPECT_THAT(barman_.run({"cron"}).err, HasSubstr("Backup '20260920T000000' is an orphan backup"));
  EXPECT_TRUE(fs::exists(catalogue_.data(OldCatalogue::kRoot)));
  EXPECT_TRUE(has_wal(4));
  EXPECT_THAT(check_line("readable backups"),
              AllOf(HasSubstr("FAILED"), HasSubstr(OldCatalogue::kNewest)));

  fs::rename(catalogue_.base("").parent_path(), barman_.directory() / "base");
  barman_.run({"cron"});
  for (const std::string& id : catalogue_.ids()) {
    EXPECT_TRUE(fs::exists(catalogue_.backup_info(id))) << id;
  }
}

TEST_F(DoubtfulBackup, DoesNotHideTheOthersWhenItsDirectoryIsClosed) {
  close(catalogue_.base(OldCatalogue::kRoot));
  const CommandResult list = barman_.run({"list-backups", "main"});
  EXPECT_EQ(list.exit_code, 0) << list.err;
  EXPECT_THAT(list.out, HasSubstr(OldCatalogue::kNewest));
  const CommandResult refused = barman_.run({"delete", "main", OldCatalogue::kRoot});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr(catalogue_.base(OldCatalogue::kRoot).string()));
  EXPECT_THAT(check_line("readable backups"),
              AllOf(HasSubstr("FAILED"), HasSubstr(OldCatalogue::kRoot)));
}

TEST_F(DoubtfulBackup, DoesNotStopRetentionWhenItCannotBeDeleted) {
  barman_.run({"keep", "--release", "main", OldCatalogue::kKept});
  const fs::path data = catalogue_.data(OldCatalogue::kKept);
  fs::create_directories(data / "closed");
  write_text(data / "closed" / "file", "");
  close(data / "closed", fs::perms::owner_read | fs::perms::owner_exec);
  barman_.set("main", "retention_policy", "REDUNDANCY 1");
  const CommandResult cron = barman_.run({"cron"});
  EXPECT_THAT(cron.err,
              AllOf(HasSubstr("Failure deleting backup 20260901T000000 for server main."),
                    HasSubstr((data / "closed" / "file").string()),
                    HasSubstr("\nHINT: Please manually remove the '" +
                              catalogue_.base(OldCatalogue::kKept).string() + "' directory"),
                    HasSubstr("Cannot delete backup (main 20260901T000000)")));
  EXPECT_FALSE(fs::exists(catalogue_.base(OldCatalogue::kRoot))) << cron.out << cron.err;
}

TEST_F(DoubtfulBackup, ThatAHookProtectsDoesNotStopCron) {
  barman_.set("main", "pre_delete_retry_script", "exit 63");
  barman_.set("main", "retention_policy", "REDUNDANCY 1");
  const CommandResult cron = barman_.run({"cron"});
  EXPECT_THAT(cron.err, AllOf(HasSubstr("Abort 'pre_delete_retry_script' retry hook script (exit "
                                        "63, exit code: 63)"),
                              Not(HasSubstr("interrupted"))));
  EXPECT_THAT(cron.out, HasSubstr("Starting WAL archiving for server second"));
  const CommandResult deleted = barman_.run({"delete", "main", OldCatalogue::kRoot});
  EXPECT_EQ(deleted.exit_code, 1);
  EXPECT_THAT(deleted.err, HasSubstr("EXCEPTION: Abort 'pre_delete_retry_script' retry hook"));
  EXPECT_TRUE(fs::exists(catalogue_.data(OldCatalogue::kRoot)));
}

}  // namespace
}  // namespace barman::test

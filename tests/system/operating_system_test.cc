// What the operating system may say no to: threads, space, inodes, writing, an output, and files
// that are none. Commands say so and end, and what needs nothing of it works all the same.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "support/catalogue_files.h"
#include "support/streaming_site.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr std::uint64_t kRoom = 300 << 20;

// Before the program, or around it.
CommandResult run_under(BarmanHome& barman, std::vector<std::string> wrapper,
                        const std::vector<std::string>& arguments) {
  CommandRequest request = barman.request(arguments);
  wrapper.insert(wrapper.end(), request.argv.begin(), request.argv.end());
  request.argv = std::move(wrapper);
  // The leak checker wants a thread of its own.
  request.environment["ASAN_OPTIONS"] = "detect_leaks=0";
  return run_command(request);
}

class OperatingSystem : public testing::Test {
 protected:
  void SetUp() override {
    if (!Tmpfs::is_available()) GTEST_SKIP() << Tmpfs::kUnavailable;
  }
};

TEST_F(OperatingSystem, FullDisksAreFreedWithoutSpaceAndWithoutInodes) {
  Tmpfs disk(kRoom);
  StreamingSite site({.home = {.barman_home = disk.path() / "home"}});
  site.start_receiver();
  const std::string first = site.take_backup();
  const std::string second = site.take_backup();
  const std::string third = site.take_backup();
  site.stop_receiver();
  for (const auto& entry : fs::directory_iterator(site.barman.home())) {
    if (entry.path().extension() == ".lock") fs::remove(entry.path());
  }
  disk.allow_no_more_files();
  disk.fill_up(0);

  const CommandResult result = site.barman.run({"delete", "main", first});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(site.listed_backups(), ElementsAre(third, second));
  EXPECT_FALSE(fs::exists(site.server_directory() / "base" / first));
  EXPECT_FALSE(fs::exists(site.server_directory() / "meta" / (first + "-delete_this")));

  disk.allow_no_more_files();
  disk.fill_up(0);
  site.barman.set("main", "retention_policy", "REDUNDANCY 1");
  const CommandResult cron = site.barman.run({"cron"});
  EXPECT_THAT(site.listed_backups(), ElementsAre(third)) << cron.err << site.barman.log();
  EXPECT_FALSE(fs::exists(site.server_directory() / "base" / second));
  EXPECT_EQ(site.backup_damage(third), "");
}

// The deletion of a full disk that was killed: its mark is the metadata itself.
TEST_F(OperatingSystem, ADeletionThatBeganOnAFullDiskIsFinished) {
  StreamingSite site;
  site.start_receiver();
  const std::string first = site.take_backup();
  const std::string second = site.take_backup();
  const fs::path meta = site.server_directory() / "meta";
  fs::rename(meta / (first + "-backup.info"), meta / (first + "-delete_this"));
  site.barman.set("main", "retention_policy", "REDUNDANCY 1");
  EXPECT_THAT(site.listed_backups(), ElementsAre(second));
  EXPECT_EQ(site.barman.run({"cron"}).exit_code, 0);
  EXPECT_FALSE(fs::exists(site.server_directory() / "base" / first));
  EXPECT_FALSE(fs::exists(meta / (first + "-delete_this")));
  EXPECT_EQ(site.barman.run({"catalogue-check", "main"}).exit_code, 0);
}

TEST_F(OperatingSystem, ACatalogueOnAReadOnlyFileSystemIsOfUse) {
  Tmpfs disk(kRoom);
  StreamingSite site({.home = {.barman_home = disk.path() / "home"}});
  site.start_receiver();
  const std::string id = site.take_backup();
  site.archive_a_segment();
  site.stop_receiver();
  for (const auto& entry : fs::directory_iterator(site.barman.home())) {
    if (entry.path().extension() == ".lock") fs::remove(entry.path());
  }
  const std::string wal = archived_wal_names(site.barman, "main").back();
  disk.make_read_only();

  const fs::path destination = site.barman.directory() / "restored";
  const std::vector<std::vector<std::string>> commands = {
      {"list-backups", "main"},
      {"show-backup", "main", id},
      {"status", "main"},
      {"list-files", "main", id},
      {"verify-backup", "main", id},
      {"check-backup", "main", id},
      {"get-wal", "main", wal},
      {"diagnose"},
      {"catalogue-check", "main"},
      {"verify-wal", "main"},
      {"show-servers", "main"},
      {"restore", "main", id, destination.string()}};
  for (const std::vector<std::string>& command : commands) {
    const CommandResult result = site.barman.run(command);
    EXPECT_EQ(result.exit_code, 0) << command.front() << ": " << result.err;
    EXPECT_THAT(result.err, AllOf(HasSubstr("read-only file system"), Not(HasSubstr("EXCEPTION"))))
        << command.front();
  }
  EXPECT_TRUE(fs::exists(destination / "global" / "pg_control"));
  // Whatever it finds: it looks.
  const CommandResult check = site.barman.run({"check", "main"});
  EXPECT_THAT(check.out, HasSubstr("backup maximum age: OK")) << check.err;
  EXPECT_THAT(check.err, Not(HasSubstr("EXCEPTION")));
}

// One installation for what needs no other state.
TEST_F(OperatingSystem, RefusalsEndCommandsWithAReason) {
  StreamingSite site;
  site.start_receiver();
  const std::string id = site.take_backup();
  BarmanHome& barman = site.barman;
  {
    SCOPED_TRACE("no thread");
    const CommandResult verify =
        run_under(barman, {"prlimit", "--nproc=1"}, {"verify-wal", "main"});
    EXPECT_EQ(verify.exit_code, 1);
    EXPECT_THAT(verify.err, AllOf(HasSubstr("cannot start a thread"), HasSubstr("ulimit -u")));
    const CommandResult list =
        run_under(barman, {"prlimit", "--nproc=1"}, {"list-backups", "main"});
    EXPECT_EQ(list.exit_code, 0) << list.err;
    const fs::path destination = barman.directory() / "unthreaded";
    const CommandResult restore =
        run_under(barman, {"prlimit", "--nproc=1"}, {"restore", "main", id, destination.string()});
    EXPECT_EQ(restore.exit_code, 1);
    EXPECT_THAT(restore.err, HasSubstr("cannot start a thread"));
  }
  {
    SCOPED_TRACE("a file that must not grow");
    const fs::path destination = barman.directory() / "too_large";
    const CommandResult result = run_under(barman, {"prlimit", "--fsize=65536"},
                                           {"restore", "main", id, destination.string()});
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.err, HasSubstr("File too large"));
  }
  {
    SCOPED_TRACE("names of the file system");
    for (const char* place : {"wals", "base", "streaming", "incoming"}) {
      fs::create_directory(site.server_directory() / place / "lost+found");
      fs::create_directory(site.server_directory() / place / ".snapshot");
      write_text(site.server_directory() / place / ".nfs000000001", "x");
    }
    EXPECT_EQ(barman.run({"archive-wal", "main"}).exit_code, 0);
    EXPECT_TRUE(fs::exists(site.server_directory() / "streaming" / "lost+found"));
    const CommandResult result = barman.run({"catalogue-check", "main"});
    EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
    EXPECT_EQ(barman.run({"rebuild-xlogdb", "main"}).exit_code, 0);
  }
  {
    SCOPED_TRACE("WAL that cannot be archived");
    site.stop_receiver();
    const fs::path errors = site.server_directory() / "errors";
    fs::remove_all(errors);
    write_text(errors, "no directory");
    write_text(site.server_directory() / "streaming" / "foreign", "x");
    const fs::path destination = barman.directory() / "goes_on";
    const CommandResult result = barman.run({"restore", "main", id, destination.string()});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.err, AllOf(HasSubstr("could not be archived"), HasSubstr("errors")));
    EXPECT_TRUE(fs::exists(destination / "global" / "pg_control"));
    fs::remove(errors);
    fs::remove(site.server_directory() / "streaming" / "foreign");
  }
  {
    SCOPED_TRACE("FIFOs");
    const fs::path lock = barman.home() / ".main-backup.lock";
    fs::remove(lock);
    ASSERT_EQ(::mkfifo(lock.c_str(), 0600), 0);
    const CommandResult result = barman.run({"delete", "main", id});
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.err, AllOf(HasSubstr("it is a FIFO"), HasSubstr(lock.string())));
    fs::remove(lock);
    const fs::path info = site.server_directory() / "meta" / "20200101T000000-backup.info";
    ASSERT_EQ(::mkfifo(info.c_str(), 0600), 0);
    const CommandResult list = barman.run({"list-backups", "main"});
    EXPECT_THAT(list.out, HasSubstr(id));
    EXPECT_THAT(list.err, HasSubstr("it is a FIFO"));
  }
}

TEST_F(OperatingSystem, WhatCannotBeDeliveredIsAnError) {
  StreamingSite site;
  site.start_receiver();
  const std::string id = site.take_backup();
  const std::string wal = archived_wal_names(site.barman, "main").back();
  const std::vector<std::vector<std::string>> commands = {{"list-backups", "main"},
                                                          {"-f", "json", "list-backups", "main"},
                                                          {"show-backup", "main", id},
                                                          {"list-servers"},
                                                          {"show-servers", "main"},
                                                          {"status", "main"},
                                                          {"check", "main"},
                                                          {"check", "--nagios", "main"},
                                                          {"list-files", "main", id},
                                                          {"diagnose"},
                                                          {"catalogue-check", "main"},
                                                          {"get-wal", "main", wal},
                                                          {"--version"},
                                                          {"--help"},
                                                          {"backup", "--help"}};
  for (const std::vector<std::string>& command : commands) {
    for (const char* redirected : {R"(exec "$0" "$@" >/dev/full)", R"(exec "$0" "$@" >&-)"}) {
      const CommandResult result = run_under(site.barman, {"/bin/sh", "-c", redirected}, command);
      EXPECT_NE(result.exit_code, 0) << command.front() << " " << redirected;
      EXPECT_THAT(result.err,
                  AnyOf(HasSubstr("cannot write"), HasSubstr("the standard output is closed")))
          << command.front() << " " << redirected;
    }
  }
}

}  // namespace
}  // namespace barman::test

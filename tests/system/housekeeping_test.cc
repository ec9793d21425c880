// The commands that look after a catalogue: keep, list-files, check-wal-archive,
// check-archived-wal-range, rebuild-xlogdb, list-processes, terminate-process,
// lock-directory-cleanup. The expected texts are in tests/golden.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/file_lock.h"
#include "base/text.h"
#include "support/catalogue_files.h"
#include "support/eventually.h"
#include "support/golden.h"
#include "support/streaming_site.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::Contains;
using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

using Arguments = std::vector<std::string>;

class Housekeeping : public testing::Test {
 protected:
  Housekeeping() {
    words_.replace(site_.barman.directory().string(), "<DIR>");
    site_.start_receiver();
    site_.archive_a_segment();
    backup_ = site_.take_backup();
  }

  CommandResult golden(const std::string& name, const Arguments& arguments) {
    const CommandResult result = site_.barman.run(arguments);
    SCOPED_TRACE(testing::PrintToString(arguments));
    expect_golden(name, words_(transcript(result)));
    return result;
  }

  void silent(const Arguments& arguments) {
    const CommandResult result = site_.barman.run(arguments);
    EXPECT_EQ(result.exit_code, 0) << testing::PrintToString(arguments);
    EXPECT_EQ(result.out + result.err, "") << testing::PrintToString(arguments);
  }

  std::set<std::string> backup_set() const {
    const std::vector<std::string> ids = site_.barman.backup_ids("main");
    return {ids.begin(), ids.end()};
  }

  std::vector<std::string> lines(const Arguments& arguments) {
    const CommandResult result = site_.barman.run(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    std::vector<std::string> all = split(result.out, '\n');
    if (!all.empty() && all.back().empty()) all.pop_back();
    return all;
  }

  fs::path meta(const std::string& name) const { return site_.server_directory() / "meta" / name; }
  void set_field(const std::string& key, const std::string& value) {
    const fs::path file = meta(backup_ + "-backup.info");
    std::string text = read_text(file);
    const std::size_t begin = text.find("\n" + key + "=") + 1;
    text.replace(begin, text.find('\n', begin) - begin, key + "=" + value);
    write_text(file, text);
  }

  StreamingSite site_;
  std::string backup_;
  Normalizer words_;
};

TEST_F(Housekeeping, KeepsABackup) {
  golden("keep/nothing_asked", {"keep", "main", backup_});
  golden("keep/status_nokeep", {"keep", "--status", "main", backup_});
  silent({"keep", "--release", "main", backup_});
  silent({"keep", "--target", "full", "main", "latest"});
  EXPECT_EQ(read_text(meta(backup_ + "-keep")), "full");
  golden("keep/status_full", {"keep", "-s", "main", backup_});
  golden("keep/status_full_json", {"-f", "json", "keep", "--status", "main", backup_});
  silent({"keep", "--target", "standalone", "main", backup_});
  EXPECT_EQ(read_text(meta(backup_ + "-keep")), "standalone");
  golden("keep/status_wins", {"keep", "-s", "-r", "--target", "full", "main", backup_});
  golden("delete/kept", {"delete", "main", backup_});
  silent({"keep", "-r", "main", backup_});
  EXPECT_FALSE(fs::exists(meta(backup_ + "-keep")));
  golden("keep/unknown_backup", {"keep", "-s", "main", "nobody"});
  golden("keep/bad_target", {"keep", "--target", "bogus", "main", backup_});
}

TEST_F(Housekeeping, KeepsCompleteBackupsThatStandForThemselvesOnly) {
  set_field("status", "WAITING_FOR_WALS");
  golden("keep/waiting_for_wals", {"keep", "--target", "full", "main", backup_});
  set_field("status", "DONE");
  set_field("parent_backup_id", "20200101T000000");
  golden("keep/incremental", {"keep", "--target", "full", "main", backup_});
  set_field("parent_backup_id", "None");
  write_text(meta(backup_ + "-delete_this"), "delete");
  golden("keep/being_deleted", {"keep", "--target", "full", "main", backup_});
  EXPECT_FALSE(fs::exists(meta(backup_ + "-keep")));
}

TEST_F(Housekeeping, KeepAndDeletionExcludeEachOther) {
  const fs::path lock_path = site_.barman.home() / (".main-" + backup_ + ".lock");
  {
    const std::optional<FileLock> deletion = FileLock::try_lock(lock_path);
    const CommandResult refused = site_.barman.run({"keep", "--target", "full", "main", backup_});
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_THAT(refused.err, HasSubstr("Cannot keep backup '" + backup_ +
                                       "' of server 'main': "
                                       "another process is working on it"));
    EXPECT_FALSE(fs::exists(meta(backup_ + "-keep")));
  }
  // A restore does not disturb.
  const std::optional<FileLock> restore = FileLock::try_lock_shared(lock_path);
  silent({"keep", "--target", "full", "main", backup_});
  silent({"keep", "--release", "main", backup_});
}

TEST_F(Housekeeping, ReadsTheKeepOfTheOldPlace) {
  const fs::path old_place = site_.server_directory() / "base" / backup_ / "annotations" / "keep";
  fs::create_directories(old_place.parent_path());
  write_text(old_place, "standalone");
  EXPECT_THAT(lines({"keep", "-s", "main", backup_}), Contains("\tKeep: standalone"));
  EXPECT_EQ(site_.barman.run({"delete", "main", backup_}).exit_code, 1);
  silent({"keep", "--target", "full", "main", backup_});
  EXPECT_FALSE(fs::exists(old_place));
  EXPECT_EQ(read_text(meta(backup_ + "-keep")), "full");
  fs::remove(meta(backup_ + "-keep"));
  write_text(old_place, "full");
  silent({"keep", "-r", "main", backup_});
  EXPECT_THAT(lines({"keep", "-s", "main", backup_}), Contains("\tKeep: nokeep"));
}

TEST_F(Housekeeping, ListsTheFilesOfABackup) {
  const fs::path base = site_.server_directory() / "base" / backup_;
  std::set<std::string> on_disk;
  for (const auto& entry : fs::recursive_directory_iterator(base)) {
    if (!entry.is_directory()) on_disk.insert(entry.path().string());
  }
  const std::vector<std::string> data = lines({"list-files", "--target", "data", "main", "latest"});
  EXPECT_EQ(std::set(data.begin(), data.end()), on_disk);
  EXPECT_EQ(data.size(), on_disk.size());
  const Fields fields = read_backup_info(site_.barman, "main", backup_);
  const std::string needed = archived_wal(site_.barman, "main", fields.at("end_wal")).string();
  const std::vector<std::string> standalone = lines({"list-files", "main", backup_});
  EXPECT_EQ(standalone.size(), data.size() + 1);
  EXPECT_EQ(standalone.back(), needed);

  site_.archive_a_segment();
  std::vector<std::string> later;
  for (const std::string& name : archived_wal_names(site_.barman, "main")) {
    if (name >= fields.at("begin_wal") && name.size() == 24) {
      later.push_back(archived_wal(site_.barman, "main", name).string());
    }
  }
  EXPECT_THAT(lines({"list-files", "--target=wal", "main", backup_}), ElementsAreArray(later));
  EXPECT_EQ(lines({"list-files", "--target=full", "main", backup_}).size(),
            data.size() + later.size());
  EXPECT_THAT(lines({"list-files", "--target=data", "--list-empty-directories", "main", backup_}),
              Contains((base / "data" / "pg_wal" / "archive_status").string()));
  const nlohmann::json answer = nlohmann::json::parse(
      site_.barman.run({"-f", "json", "list-files", "--target", "wal", "main", backup_}).out);
  EXPECT_EQ(answer["_INFO"].size(), later.size());
  EXPECT_EQ(answer.size(), 1U);
  golden("list-files/bad_target", {"list-files", "--target", "all", "main", backup_});
}

TEST_F(Housekeeping, ChecksWhetherAnArchiveCanBeUsed) {
  golden("check-wal-archive/not_empty", {"check-wal-archive", "main"});
  golden("check-wal-archive/not_empty_json", {"-f", "json", "check-wal-archive", "main"});
  golden("check-wal-archive/later_timeline", {"check-wal-archive", "--timeline", "2", "main"});
  golden("check-wal-archive/later_timeline_json",
         {"-f", "json", "check-wal-archive", "--timeline", "2", "main"});
  const CommandResult same = site_.barman.run({"check-wal-archive", "--timeline", "1", "main"});
  EXPECT_EQ(same.exit_code, 1);
  EXPECT_THAT(same.err,
              HasSubstr("ERROR: WAL archive check failed for server main: Found " +
                        std::to_string(read_wal_index(site_.barman, "main").size()) + " file"));
  golden("check-wal-archive/bad_timeline", {"check-wal-archive", "--timeline", "0", "main"});
}

TEST_F(Housekeeping, ChecksARangeOfArchivedWal) {
  site_.archive_a_segment();
  site_.archive_a_segment();
  const std::vector<std::string> names = archived_wal_names(site_.barman, "main");
  const std::string begin = read_backup_info(site_.barman, "main", backup_).at("begin_wal");
  golden("check-archived-wal-range/complete",
         {"check-archived-wal-range", "main", begin, names.back()});
  golden("check-archived-wal-range/complete_json",
         {"-f", "json", "check-archived-wal-range", "main", begin, names.back()});
  fs::remove(archived_wal(site_.barman, "main", begin));
  golden("check-archived-wal-range/missing",
         {"check-archived-wal-range", "main", begin, names.back()});
  golden("check-archived-wal-range/missing_json",
         {"-f", "json", "check-archived-wal-range", "main", begin, names.back()});
  golden("check-archived-wal-range/bad_name", {"check-archived-wal-range", "main", begin, "foo"});
  golden("check-archived-wal-range/bad_name_json",
         {"-f", "json", "check-archived-wal-range", "main", begin, "foo"});
  golden("check-archived-wal-range/order",
         {"check-archived-wal-range", "main", names.back(), begin});
  golden("check-archived-wal-range/too_large",
         {"check-archived-wal-range", "main", begin, "00000001FFFFFFFF00000000"});
  fs::remove(meta(backup_ + "-backup.info"));
  fs::remove(site_.server_directory() / "base" / backup_ / "backup.info");
  golden("check-archived-wal-range/no_backup",
         {"check-archived-wal-range", "main", begin, names.back()});
  golden("check-archived-wal-range/no_backup_json",
         {"-f", "json", "check-archived-wal-range", "main", begin, names.back()});
}

TEST_F(Housekeeping, RebuildsTheIndexOfWal) {
  const fs::path index = site_.server_directory() / "wals" / "main-xlog.db";
  const std::string before = read_text(index);
  write_text(index, "nonsense\n" + before);
  const CommandResult broken = site_.barman.run({"show-backup", "main", backup_});
  EXPECT_EQ(broken.exit_code, 1);
  EXPECT_THAT(broken.err, HasSubstr("barman rebuild-xlogdb main"));
  words_.replace("wal_file: " + std::to_string(std::ranges::count(before, '\n')),
                 "wal_file: <NUMBER>");
  golden("rebuild-xlogdb/one", {"rebuild-xlogdb", "main"});
  EXPECT_EQ(read_text(index), before);
  golden("rebuild-xlogdb/one_json", {"-f", "json", "rebuild-xlogdb", "all"});
  EXPECT_EQ(read_text(index), before);
  EXPECT_EQ(site_.barman.run({"show-backup", "main", backup_}).exit_code, 0);
  golden("rebuild-xlogdb/unknown_server", {"rebuild-xlogdb", "main", "nobody"});
}

TEST_F(Housekeeping, ListsAndEndsProcesses) {
  const std::string pid = std::to_string(site_.receiver().pid());
  EXPECT_THAT(lines({"list-processes", "main"}),
              ElementsAre("Active subprocesses for server main:", pid + " receive-wal"));
  EXPECT_EQ(site_.barman.run({"-f", "json", "list-processes", "main"}).out,
            R"({"main": [{"name": "receive-wal", "pid": )" + pid + "}]}");
  golden("terminate-process/receive_wal", {"terminate-process", "main", "receive-wal"});
  EXPECT_EQ(site_.receiver().wait().value().exit_code, 0);
  golden("list-processes/none", {"list-processes", "main"});
  golden("list-processes/none_json", {"-f", "json", "list-process", "main"});
  golden("terminate-process/no_process", {"terminate-process", "main", "receive-wal"});
  golden("terminate-process/unknown_task", {"terminate-process", "main", "coffee"});
}

TEST_F(Housekeeping, CleansTheLockDirectory) {
  const fs::path home = site_.barman.home();
  const auto put_lock = [&](const std::string& name) { write_text(home / name, "1\n"); };
  const fs::path receiver_lock = home / ".main-receive-wal.lock";
  const auto put_free_locks = [&] {
    put_lock(".gone-backup.lock");
    put_lock(".main-20200101T000000.lock");
    put_lock(".notes.lock");
  };
  const auto expect_clean = [&] {
    EXPECT_FALSE(fs::exists(home / ".gone-backup.lock"));
    EXPECT_FALSE(fs::exists(home / ".main-20200101T000000.lock"));
    EXPECT_TRUE(fs::exists(home / ".notes.lock"));
    EXPECT_TRUE(fs::exists(receiver_lock));
  };
  put_free_locks();
  site_.barman.set("barman", "lock_directory_cleanup", "off");
  EXPECT_EQ(site_.barman.run({"cron"}).exit_code, 0);
  EXPECT_TRUE(fs::exists(home / ".gone-backup.lock"));
  silent({"lock-directory-cleanup"});
  expect_clean();
  put_free_locks();
  site_.barman.set("barman", "lock_directory_cleanup", "on");
  EXPECT_EQ(site_.barman.run({"cron"}).exit_code, 0);
  expect_clean();
  EXPECT_TRUE(site_.receiver().is_running());
}

// FAILED backups that a later one has made useless; the newest attempt stays for a person to see.
TEST_F(Housekeeping, CronRemovesSupersededFailuresWhenItIsAsked) {
  const auto killed_backup = [&] {
    const std::set<std::string> before = backup_set();
    BackgroundCommand backup = site_.barman.spawn({"backup", "main"});
    EXPECT_TRUE(eventually([&] { return backup_set().size() > before.size(); }));
    backup.kill(SIGKILL);
    backup.wait();
    return site_.barman.backup_ids("main").back();
  };
  const std::string old_failure = killed_backup();
  const std::string good = site_.take_backup();
  const std::string new_failure = killed_backup();
  // cron marks what has no process; the retention policy is none of this.
  EXPECT_TRUE(eventually([&] {
    site_.barman.run({"cron"});
    return site_.status_of(new_failure) == "FAILED";
  }));
  EXPECT_EQ(site_.status_of(old_failure), "FAILED");
  EXPECT_THAT(site_.barman.run({"check", "main"}).out, HasSubstr("failed backups: FAILED"));

  const CommandResult preview = site_.barman.run({"cron", "--dry-run", "--remove-failed"});
  EXPECT_THAT(preview.out, HasSubstr("delete  " + old_failure));
  EXPECT_THAT(preview.out, Not(HasSubstr("delete  " + new_failure)));
  EXPECT_THAT(backup_set(), Contains(old_failure));

  const CommandResult removed = site_.barman.run({"cron", "--remove-failed"});
  EXPECT_THAT(removed.out, HasSubstr("Deleting FAILED backup " + old_failure));
  EXPECT_EQ(backup_set(), (std::set<std::string>{backup_, good, new_failure}));
  // A good one supersedes it; the next cron takes it away, and check is OK again.
  const std::string last = site_.take_backup();
  EXPECT_EQ(site_.barman.run({"cron", "--remove-failed"}).exit_code, 0);
  EXPECT_EQ(backup_set(), (std::set<std::string>{backup_, good, last}));
  EXPECT_THAT(site_.barman.run({"check", "main"}).out, HasSubstr("failed backups: OK"));
}

}  // namespace
}  // namespace barman::test

#include "backup/take_backup.h"

#include <map>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backup/retry_copy.h"
#include "base/error.h"
#include "base/file_lock.h"
#include "catalogue/locks.h"
#include "catalogue/test_support.h"
#include "stored/backup_store.h"
#include "wal_transfer/test_support.h"

namespace barman::backup {
namespace {

using catalogue::BackupInfo;
using catalogue::BackupStatus;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using wal_transfer::wal_name;

const std::string kSystemId = std::to_string(wal::kSystem);

enum class Step { require_possible, begin, copy, end, none };

// Copies one file, and fails at the step that a test names.
class FakeSource final : public BackupSource {
 public:
  explicit FakeSource(const server::Server& server) : server_(server) {}

  SourceTitle title() const override {
    return {.mode = "rsync-concurrent",
            .finalising = "Finalising the fake.",
            .connection_option = "fake_conninfo"};
  }
  catalogue::Identity require_possible() override {
    note("require_possible", Step::require_possible);
    return {.system_id = system_id, .version = "17"};
  }
  void begin(BackupJob& job) override {
    status_at_begin = server_.catalogue().load_backup(job.info.id).status;
    note("begin", Step::begin);
    job.info.version = 170000;
    job.info.begin_time = now_local();
    job.info.begin_xlog = wal::Lsn{0x5000028};
    job.info.begin_wal = wal_name(5);
    job.info.begin_offset = 0x28;
  }
  CopyFacts copy(BackupJob& job) override {
    status_at_copy = server_.catalogue().load_backup(job.info.id).status;
    const stored::BackupStore store(server_.catalogue());
    store.clear(job.info.id);
    const auto writer = store.create(job.info.id, {});
    stored::TreeSink& tree = writer->begin_tree({});
    for (const auto& [name, content] : files) {
      tree.begin_member({.path = name, .mode = 0600, .size_bytes = content.size()});
      tree.write(as_bytes(content));
      tree.end_member();
    }
    tree.finish();
    note("copy", Step::copy);
    writer->make_durable();
    CopyFacts result = facts;
    result.stats.set("copy_time", {0.5});
    return result;
  }
  void end(BackupJob& job) override {
    job.action = "ending the fake";
    note("end", Step::end);
    job.info.timeline = wal::TimelineId{1};
    job.info.end_wal = wal_name(6);
    job.info.end_xlog = wal::Lsn{0x6000100};
    job.info.end_offset = 0x100;
  }

  Step fails_at = Step::none;
  std::string system_id = kSystemId;
  std::map<std::string, std::string> files = {{"PG_VERSION", "17\n"}};
  CopyFacts facts;
  std::vector<std::string> steps;
  BackupStatus status_at_begin = BackupStatus::done;
  BackupStatus status_at_copy = BackupStatus::done;

 private:
  void note(const std::string& name, Step step) {
    steps.push_back(name);
    if (fails_at == step) {
      throw Error(ErrorKind::connection, "the fake stops at " + name + "\nmore of it", "Go on.");
    }
  }

  const server::Server& server_;
};

class TakenBackup : public testing::Test {
 protected:
  BackupInfo take() { return take_backup(server_, request_, source_, messages_, progress_); }
  BackupInfo stored(const BackupInfo& info) const {
    return server_.catalogue().load_backup(info.id);
  }
  void archive_wal() const {
    for (const unsigned number : {5U, 6U}) {
      wal_transfer::put_wal_file(test_.incoming(wal_name(number)), "w");
    }
  }
  std::string hook_text() const { return get_file(test_.home.path() / "hook"); }
  void set_hooks() {
    const std::string file = (test_.home.path() / "hook").string();
    test_.config.pre_backup_script = "echo pre $BARMAN_STATUS >> " + file;
    test_.config.post_backup_script = "echo post $BARMAN_STATUS \"$BARMAN_ERROR\" >> " + file;
    server_ = test_.make();
  }

  wal_transfer::TestServer test_;
  server::Server server_ = test_.make();
  BackupRequest request_;
  FakeSource source_{server_};
  wal_transfer::RecordedMessages messages_;
  NoProgress progress_;
};

TEST_F(TakenBackup, IsDoneWhenItsFilesAndItsWalAreHere) {
  set_hooks();
  archive_wal();
  const BackupInfo info = take();
  EXPECT_THAT(source_.steps, ElementsAre("require_possible", "begin", "copy", "end"));
  EXPECT_EQ(source_.status_at_begin, BackupStatus::empty);
  EXPECT_EQ(source_.status_at_copy, BackupStatus::started);
  EXPECT_EQ(info.status, BackupStatus::done);
  const BackupInfo saved = stored(info);
  EXPECT_EQ(saved.status, BackupStatus::done);
  EXPECT_EQ(saved.mode, "rsync-concurrent");
  EXPECT_EQ(saved.systemid, kSystemId);
  EXPECT_EQ(saved.size, 3);
  EXPECT_EQ(saved.copy_stat("copy_time"), 0.5);
  EXPECT_EQ(saved.end_wal, wal_name(6));
  EXPECT_EQ(saved.error, std::nullopt);
  EXPECT_EQ(server_.catalogue().find_identity()->version, "17");
  EXPECT_EQ(hook_text(), "pre EMPTY\npost WAITING_FOR_WALS \n");
  EXPECT_THAT(messages_.lines,
              testing::IsSupersetOf({HasSubstr("Starting backup using rsync-concurrent method"),
                                     HasSubstr("Backup start at LSN: 0/5000028 ("),
                                     HasSubstr("Copy done (time: less than one second)"),
                                     HasSubstr("Finalising the fake."), HasSubstr("Backup size:"),
                                     HasSubstr("Backup end at LSN: 0/6000100 ("),
                                     HasSubstr("Backup completed (start time: ")}));
}

TEST_F(TakenBackup, WaitsForWalThatIsNotHere) {
  const BackupInfo info = take();
  EXPECT_EQ(info.status, BackupStatus::waiting_for_wals);
  EXPECT_EQ(stored(info).status, BackupStatus::waiting_for_wals);
  EXPECT_THAT(messages_.lines, Contains(HasSubstr("classified as WAITING_FOR_WALS")));
}

// The metadata cannot be read any more when its WAL is there.
TEST_F(TakenBackup, RunsThePostHookWhenTheWaitForWalFails) {
  set_hooks();
  test_.config.pre_archive_script = "for file in " + (test_.home.path() / "main/meta").string() +
                                    "/*-backup.info; do echo broken > $file; done";
  server_ = test_.make();
  request_.wait = WaitForWal::yes;
  archive_wal();
  EXPECT_THROW(take(), Error);
  EXPECT_THAT(hook_text(), testing::AllOf(testing::StartsWith("pre EMPTY\npost WAITING_FOR_WALS "),
                                          HasSubstr("backup.info")));
}

TEST_F(TakenBackup, HasFailedWhereverTheSourceFails) {
  set_hooks();
  const std::vector<std::pair<Step, std::string>> cases = {
      {Step::begin, "failure starting backup (the fake stops at begin)"},
      {Step::copy, "failure copying files (data transfer failure on directory '"},
      {Step::end, "failure ending the fake (the fake stops at end)"}};
  for (const auto& [step, error] : cases) {
    SCOPED_TRACE(error);
    FakeSource source(server_);
    source.fails_at = step;
    messages_.lines.clear();
    std::filesystem::remove(test_.home.path() / "hook");
    const BackupInfo info = take_backup(server_, request_, source, messages_, progress_);
    EXPECT_EQ(info.status, BackupStatus::failed);
    EXPECT_EQ(stored(info).status, BackupStatus::failed);
    EXPECT_THAT(stored(info).error.value_or(""), testing::StartsWith(error));
    EXPECT_THAT(stored(info).error.value_or(""), Not(HasSubstr("more of it")));
    EXPECT_THAT(messages_.lines.back(), testing::AllOf(testing::StartsWith("ERROR: Backup failed "),
                                                       HasSubstr("\nmore of it\nHINT: Go on.")));
    EXPECT_THAT(hook_text(), testing::AllOf(testing::StartsWith("pre EMPTY\npost FAILED "),
                                            HasSubstr("the fake stops at ")));
    // What has come stays until the backup is deleted.
    EXPECT_EQ(step != Step::begin,
              std::filesystem::exists(server_.catalogue().data_directory(info.id)));
  }
}

TEST_F(TakenBackup, DoesNotBeginWhenTheSourceSaysNo) {
  source_.fails_at = Step::require_possible;
  EXPECT_THROW(take(), Error);
  EXPECT_TRUE(server_.catalogue().list_backups().backups.empty());
}

TEST_F(TakenBackup, DoesNotMixTwoClusters) {
  take();
  FakeSource other(server_);
  other.system_id = "7000000000000000002";
  try {
    take_backup(server_, request_, other, messages_, progress_);
    FAIL() << "a backup of another cluster";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::conflict);
    EXPECT_THAT(error.message(), HasSubstr("7000000000000000002"));
    EXPECT_THAT(error.hint(), HasSubstr("follow-upgrade main. Else correct fake_conninfo."));
  }
  EXPECT_EQ(server_.catalogue().list_backups().backups.size(), 1U);
}

TEST_F(TakenBackup, HasFailedWhenAFileDidNotCome) {
  source_.files = {{"postgresql.conf", ""}};
  archive_wal();
  const BackupInfo info = take();
  EXPECT_EQ(info.status, BackupStatus::failed);
  EXPECT_THAT(stored(info).error.value_or(""),
              HasSubstr("failure checking that the backup can be restored (backup "));
}

TEST_F(TakenBackup, HasFailedWhenAHookForbidsIt) {
  test_.config.pre_backup_retry_script = "exit 63";
  server_ = test_.make();
  const BackupInfo info = take();
  EXPECT_EQ(info.status, BackupStatus::failed);
  EXPECT_THAT(source_.steps, ElementsAre("require_possible"));
}

TEST_F(TakenBackup, WithCorruptPagesIsDoneAndSaysSo) {
  source_.facts.page_damage = PageDamage{.finder = "The fake found corrupt pages while it copied",
                                         .details = "one in \"base/5/1\""};
  archive_wal();
  const BackupInfo info = take();
  EXPECT_EQ(stored(info).status, BackupStatus::done);
  EXPECT_EQ(stored(info).error,
            "The fake found corrupt pages while it copied the backup: one in \"base/5/1\"");
  EXPECT_THAT(
      messages_.lines,
      Contains("WARNING: The fake found corrupt pages while it copied backup " + info.id.value +
               ": one in \"base/5/1\". The backup holds those pages as they are."))
      << "and no log, since there is none";
}

TEST_F(TakenBackup, TakesItsTurn) {
  const auto lock = FileLock::try_lock(catalogue::backup_lock(server_.locks()));
  ASSERT_TRUE(lock);
  EXPECT_THROW(take(), Error);
  EXPECT_TRUE(source_.steps.empty());
}

TEST_F(TakenBackup, MarksThoseWhoseProcessDied) {
  const std::vector<std::pair<std::string, BackupStatus>> cases = {
      {"20260101T000000", BackupStatus::empty},
      {"20260102T000000", BackupStatus::started},
      {"20260103T000000", BackupStatus::waiting_for_wals},
      {"20260104T000000", BackupStatus::syncing}};
  for (const auto& [id, status] : cases) {
    server_.catalogue().save(catalogue::make_backup(id, wal_name(1), wal_name(2), status));
  }
  take();
  const auto status_of = [&](std::size_t index) {
    return server_.catalogue().load_backup({cases[index].first}).status;
  };
  EXPECT_EQ(status_of(0), BackupStatus::failed);
  EXPECT_EQ(status_of(1), BackupStatus::failed);
  EXPECT_EQ(status_of(2), BackupStatus::waiting_for_wals);
  EXPECT_EQ(status_of(3), BackupStatus::syncing);
  EXPECT_THAT(messages_.lines, Contains("WARNING: Backup 20260102T000000 of server main was "
                                        "abandoned by its process and is now marked as FAILED"));
}

TEST_F(TakenBackup, RefusesASourceThatIsNotThere) {
  for (const auto method : {config::BackupMethod::local_to_cloud, config::BackupMethod::snapshot}) {
    test_.config.backup_method = method;
    const server::Server server = test_.make();
    try {
      take_backup(server, request_, messages_, progress_);
      FAIL() << config::to_text(method);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::config);
      EXPECT_THAT(error.message(), HasSubstr(config::to_text(method)));
    }
    EXPECT_TRUE(server.catalogue().list_backups().backups.empty());
  }
}

class RetriedCopy : public TakenBackup {
 protected:
  // How often it was tried when each attempt but the last of `failing + 1` fails.
  int attempts(int failing, ErrorKind kind) {
    const BackupJob job{.server = server_,
                        .request = request_,
                        .messages = messages_,
                        .progress = progress_,
                        .info = {}};
    int count = 0;
    copy_with_retries(job, "the fake", [&] {
      if (++count <= failing) throw Error(kind, "no");
    });
    return count;
  }
};

TEST_F(RetriedCopy, IsTriedAgainAsOftenAsTheRequestSays) {
  request_.retry_sleep = std::chrono::seconds(0);
  request_.retry_times = 2;
  EXPECT_EQ(attempts(0, ErrorKind::connection), 1);
  EXPECT_EQ(attempts(2, ErrorKind::connection), 3);
  EXPECT_THAT(
      messages_.lines,
      ElementsAre("WARNING: Failure executing a backup using the fake (attempt 0)",
                  HasSubstr("The files copied so far will be removed and the backup process will"),
                  "WARNING: Failure executing a backup using the fake (attempt 1)",
                  HasSubstr("restart in 0 seconds")));
  EXPECT_THROW(attempts(3, ErrorKind::connection), Error);
}

TEST_F(RetriedCopy, IsNotTriedAgainWhenThatCannotHelp) {
  request_.retry_times = 2;
  EXPECT_THROW(attempts(1, ErrorKind::config), Error);
  EXPECT_THROW(attempts(1, ErrorKind::interrupted), Error);
  EXPECT_TRUE(messages_.lines.empty());
}

}  // namespace
}  // namespace barman::backup

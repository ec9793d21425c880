#include "backup/reference_backup.h"

#include <functional>
#include <utility>

#include <gtest/gtest.h>

#include "catalogue/test_support.h"
#include "wal_transfer/test_support.h"

namespace barman::backup {
namespace {

using catalogue::BackupInfo;
using catalogue::BackupStatus;

class ReferenceTest : public testing::Test {
 protected:
  ReferenceTest() {
    for (BackupInfo* const backup : {&older_, &next_}) backup->systemid = "1";
    next_.status = BackupStatus::started;
    put_file(server_.catalogue().data_directory(older_.id) / "PG_VERSION", "17\n");
  }
  ReferenceBackup find() const {
    return find_reference(stored::BackupStore(server_.catalogue()), {older_, next_}, next_);
  }

  wal_transfer::TestServer test_;
  server::Server server_ = test_.make();
  BackupInfo older_ = catalogue::make_backup("20260101T000000", "", "");
  BackupInfo next_ = catalogue::make_backup("20260102T000000", "", "");
};

TEST_F(ReferenceTest, IsThePreviousUsableBackupOfFilesInClear) {
  for (const char* mode : {"rsync-concurrent", "rsync-exclusive", "postgres"}) {
    older_.mode = mode;
    ASSERT_TRUE(find().backup) << mode;
    EXPECT_EQ(find().backup->id, older_.id);
    EXPECT_EQ(find().refusal, "");
  }
}

TEST_F(ReferenceTest, IsNoneWithoutAUsableBackup) {
  older_.status = BackupStatus::failed;
  EXPECT_FALSE(find().backup);
  EXPECT_EQ(find().refusal, "");
}

TEST_F(ReferenceTest, TellsWhyAnotherCannotBeOne) {
  const std::vector<std::pair<std::string, std::function<void(BackupInfo&)>>> cases = {
      {"it is encrypted", [](BackupInfo& info) { info.encryption = "gpg"; }},
      {"its files are in archives", [](BackupInfo& info) { info.compression = "zstd"; }},
      {"it holds changed blocks only",
       [](BackupInfo& info) { info.parent_backup_id = catalogue::BackupId{"20251231T000000"}; }},
      {"it is of another cluster", [](BackupInfo& info) { info.systemid = "2"; }},
      {"it has lost its files",
       [](BackupInfo& info) { info.id = catalogue::BackupId{"20260101T000001"}; }}};
  for (const auto& [reason, change] : cases) {
    const BackupInfo whole = older_;
    change(older_);
    EXPECT_FALSE(find().backup) << reason;
    EXPECT_EQ(find().refusal, "backup " + older_.id.value + " cannot be one: " + reason);
    older_ = whole;
  }
}

// A directory has no second name, as a file of immutable storage has none.
TEST_F(ReferenceTest, WhoseFilesCannotBeLinkedIsTold) {
  const stored::BackupStore store(server_.catalogue());
  server_.catalogue().save(older_);
  server_.catalogue().save(next_);
  const std::filesystem::path data = store.directories(older_.id).data_directory;
  std::filesystem::remove(data / "PG_VERSION");
  std::filesystem::create_directory(data / "PG_VERSION");
  std::filesystem::create_directories(store.directories(next_.id).data_directory);
  wal_transfer::RecordedMessages messages;
  NoProgress progress;
  BackupRequest request;
  for (const config::ReuseBackup reuse : {config::ReuseBackup::link, config::ReuseBackup::copy}) {
    request.reuse = reuse;
    BackupJob job{.server = server_,
                  .request = request,
                  .messages = messages,
                  .progress = progress,
                  .info = next_};
    References references(store);
    references.choose(job, UseUnfinished::with_reuse);
    EXPECT_EQ(references.trees_of(0).size(), 1U);
  }
  EXPECT_EQ(messages.lines,
            (std::vector<std::string>{
                "WARNING: Files that have not changed are copied: reuse_backup = link cannot link "
                "those of backup 20260101T000000 (Operation not permitted)."}));
}

TEST_F(ReferenceTest, ListsWhatHasFailedSinceTheLastGoodOneNewestFirst) {
  const auto failed = [&](const char* id, const char* system_id) {
    BackupInfo info = catalogue::make_backup(id, "", "");
    info.status = BackupStatus::failed;
    info.systemid = system_id;
    put_file(server_.catalogue().data_directory(info.id) / "PG_VERSION", "17\n");
    return info;
  };
  const std::vector<BackupInfo> backups = {
      failed("20251231T000000", "1"), older_,
      failed("20260101T010000", "1"), failed("20260101T020000", "2"),
      failed("20260101T030000", "1"), next_};
  std::vector<std::string> ids;
  for (const BackupInfo& info :
       list_unfinished(stored::BackupStore(server_.catalogue()), backups, next_)) {
    ids.push_back(info.id.value);
  }
  EXPECT_EQ(ids, (std::vector<std::string>{"20260101T030000", "20260101T010000"}));
}

}  // namespace
}  // namespace barman::backup

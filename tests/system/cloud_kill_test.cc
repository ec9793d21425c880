// The programs for buckets, killed at one of their requests: what is DONE can be restored, no WAL
// that is needed has gone, and the next run cleans up.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/catalogue_files.h"
#include "support/cloud_site.h"
#include "support/object_server.h"
#include "support/postgres_server.h"
#include "support/request_killer.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;
using testing::Each;
using testing::HasSubstr;
using testing::Not;
using Moment = RequestKiller::Moment;
using Words = std::vector<std::string>;

class CloudKill : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!ObjectServer::is_available()) return;
    killer_ = std::make_unique<RequestKiller>(ObjectServer::shared().port());
    site_ = std::make_unique<CloudSite>("cloudkills");
    postgres_ = std::make_unique<PostgresServer>(PostgresOptions{
        .settings = {{"archive_mode", "on"},
                     {"archive_command",
                      site_->command_line("barman-cloud-wal-archive", "--zstd %p")}},
        .environment = site_->server().environment()});
    postgres_->query("CREATE TABLE there AS SELECT generate_series(1, 5000) AS id");
  }
  static void TearDownTestSuite() {
    postgres_.reset();
    site_.reset();
    killer_.reset();
  }
  void SetUp() override {
    if (!ObjectServer::is_available()) GTEST_SKIP() << ObjectServer::kUnavailable;
  }

  static CommandRequest request(const std::string& name, const Words& words,
                                const Words& options = {}) {
    return site_->request_at(killer_->endpoint(), name, words, options);
  }
  static Words backup_options() {
    Words options = site_->back_up_options(*postgres_);
    // Several parts of each archive.
    options.insert(options.end(), {"--min-chunk-size", "5MB"});
    return options;
  }
  // IDs and status, ascending.
  static std::map<std::string, std::string> backups() {
    const CommandResult list = site_->run("barman-cloud-backup-list", {}, {"--format", "json"});
    EXPECT_EQ(list.exit_code, 0) << list.err;
    std::map<std::string, std::string> result;
    const auto all = nlohmann::json::parse(list.out);
    for (const auto& backup : all.at("backups_list")) {
      result[backup.at("backup_id")] = backup.at("status");
    }
    return result;
  }
  static std::string take_backup() {
    const auto before = backups();
    const CommandResult taken = site_->run("barman-cloud-backup", {}, backup_options());
    EXPECT_EQ(taken.exit_code, 0) << taken.err;
    for (const auto& [id, status] : backups()) {
      if (!before.contains(id)) return id;
    }
    ADD_FAILURE() << "no new backup";
    return "";
  }
  static void delete_backup(const std::string& id) {
    const CommandResult gone = site_->run("barman-cloud-backup-delete", {}, {"--force", "-b", id});
    EXPECT_EQ(gone.exit_code, 0) << gone.err;
  }
  // Names, those of parts that were uploaded among them.
  static Words objects() {
    const auto all = nlohmann::json::parse(ObjectServer::shared().admin(
        {"bucket", "list", "--bucket=cloudkills", "--max-entries=10000"}));
    Words names;
    for (const auto& object : all) names.push_back(object.at("name"));
    return names;
  }
  static void expect_restored(const std::string& id) {
    const TempDir place;
    const fs::path data = place.path() / "data";
    const CommandResult restored = site_->run("barman-cloud-restore", {id, data.string()});
    ASSERT_EQ(restored.exit_code, 0) << id << restored.err;
    std::ofstream(data / "recovery.signal");
    std::ofstream(data / "postgresql.auto.conf", std::ios::app)
        << "archive_mode = off\nrestore_command = '"
        << site_->command_line("barman-cloud-wal-restore", "%f %p")
        << "'\nrecovery_target = 'immediate'\nrecovery_target_action = 'promote'\n";
    const PostgresServer again({.data_directory = data, .environment = site_->environment()});
    again.wait_until("NOT pg_is_in_recovery()");
    EXPECT_EQ(again.value("SELECT count(*) FROM there"), "5000");
  }

  static std::unique_ptr<RequestKiller> killer_;
  static std::unique_ptr<CloudSite> site_;
  static std::unique_ptr<PostgresServer> postgres_;
};

std::unique_ptr<RequestKiller> CloudKill::killer_;
std::unique_ptr<CloudSite> CloudKill::site_;
std::unique_ptr<PostgresServer> CloudKill::postgres_;

TEST_F(CloudKill, ABackupIsWholeOrNone) {
  const CommandRequest backup = request("barman-cloud-backup", {}, backup_options());
  const int count = killer_->run(backup);
  ASSERT_EQ(backups().size(), 1U);
  const std::string good = backups().begin()->first;
  at_each_request(count, [&](int number, Moment moment) {
    killer_->run(backup, number, moment);
    const auto after = backups();
    if (after.size() > 1) {
      const auto& [killed, status] = *after.rbegin();
      EXPECT_THAT(status, testing::AnyOf("STARTED", "DONE"));
      if (status == "DONE") expect_restored(killed);
      // The next run is not hindered, and what the dead one has left goes with it.
      const std::string next = take_backup();
      delete_backup(next);
      delete_backup(killed);
    }
    EXPECT_EQ(backups().size(), 1U);
    EXPECT_THAT(objects(), Each(Not(HasSubstr("multipart")))) << "of unfinished uploads";
  });
  expect_restored(good);
  delete_backup(good);
}

TEST_F(CloudKill, ADeletionLeavesWhatIsNeeded) {
  const std::string first = take_backup();
  postgres_->query("SELECT pg_switch_wal()");
  const std::string kept = take_backup();
  const auto deletion = [](const std::string& id) {
    return request("barman-cloud-backup-delete", {}, {"-b", id});
  };
  const int count = killer_->run(deletion(first));
  std::string oldest = kept;
  at_each_request(count, [&](int number, Moment moment) {
    const std::string next = take_backup();
    killer_->run(deletion(oldest), number, moment);
    const auto after = backups();
    if (after.contains(oldest) && after.at(oldest) == "DONE") expect_restored(oldest);
    // Again, as whoever has seen it die would.
    EXPECT_EQ(site_->run("barman-cloud-backup-delete", {}, {"-b", oldest}).exit_code, 0);
    EXPECT_FALSE(backups().contains(oldest));
    EXPECT_THAT(objects(), Each(Not(HasSubstr("base/" + oldest))));
    EXPECT_EQ(backups().at(next), "DONE");
    oldest = next;
  });
  expect_restored(oldest);
  delete_backup(oldest);
}

TEST_F(CloudKill, AKeepIsThereOrNot) {
  const std::string id = take_backup();
  const CommandRequest keep = request("barman-cloud-backup-keep", {id}, {"--target", "full"});
  const CommandRequest release = request("barman-cloud-backup-keep", {id}, {"--release"});
  const auto status = [&] {
    return site_->run("barman-cloud-backup-keep", {id}, {"--status"}).out;
  };
  const int count = killer_->run(keep);
  killer_->run(release);
  at_each_request(count, [&](int number, Moment moment) {
    killer_->run(keep, number, moment);
    EXPECT_THAT(status(), testing::AnyOf("Keep: full\n", "Keep: nokeep\n"));
    killer_->run(keep);
    EXPECT_EQ(status(), "Keep: full\n");
    killer_->run(release, number, moment);
    EXPECT_THAT(status(), testing::AnyOf("Keep: full\n", "Keep: nokeep\n"));
    killer_->run(release);
    EXPECT_EQ(status(), "Keep: nokeep\n");
  });
  delete_backup(id);
}

TEST_F(CloudKill, WalIsThereAsAWholeOrNotAtAll) {
  const TempDir place;
  unsigned number_of_wal = 0x10;
  const auto archive_one = [&](std::size_t size_bytes, int number, Moment moment) {
    const std::string name = fmt::format("0000000900000000{:08X}", ++number_of_wal);
    const std::string file = (place.path() / name).string();
    std::string content = wal_segment(name, "content");
    for (std::size_t at = 0; content.size() < size_bytes; ++at) {
      content += static_cast<char>('a' + at % 23);
    }
    write_text(file, content);
    const CommandRequest archive = request("barman-cloud-wal-archive", {file});
    if (number == 0) return killer_->run(archive);
    killer_->run(archive, number, moment);
    const std::string to = (place.path() / "to").string();
    const CommandResult came = site_->run("barman-cloud-wal-restore", {name, to});
    if (came.exit_code != 0) {
      EXPECT_EQ(came.exit_code, 1) << came.err;
      EXPECT_THAT(came.err, HasSubstr("does not exist"));
    }
    // PostgreSQL sends it again.
    EXPECT_EQ(site_->run("barman-cloud-wal-archive", {file}).exit_code, 0);
    EXPECT_EQ(site_->run("barman-cloud-wal-restore", {name, to}).exit_code, 0);
    EXPECT_TRUE(read_text(to) == content);
    return 0;
  };
  constexpr std::size_t kSmall = std::size_t{1} << 20;
  const int count = archive_one(kSmall, 0, Moment::before);
  at_each_request(count, [&](int number, Moment moment) { archive_one(kSmall, number, moment); });
}

}  // namespace
}  // namespace barman::test

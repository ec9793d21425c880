// Commands for a server in a bucket, killed at one of their requests, before the store has got it
// or after it has done what it says: what is DONE is whole, nothing that is needed has gone, and
// the next run cleans up.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "support/bucket_site.h"
#include "support/object_server.h"
#include "support/request_killer.h"

namespace barman::test {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

using Moment = RequestKiller::Moment;
using Words = std::vector<std::string>;

class BucketKill : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!ObjectServer::is_available()) return;
    use_object_server();
    killer_ = std::make_unique<RequestKiller>(ObjectServer::shared().port());
    site_ = std::make_unique<BucketSite>("kills", Settings{{"backup_compression", "zstd"}});
    full_ = site_->take_backup();
  }
  static void TearDownTestSuite() {
    site_.reset();
    killer_.reset();
  }
  void SetUp() override {
    if (!ObjectServer::is_available()) GTEST_SKIP() << ObjectServer::kUnavailable;
  }

  static CommandRequest request_of(const Words& words) {
    CommandRequest request = site_->barman.request(words);
    request.environment["AWS_ENDPOINT_URL_S3"] = killer_->endpoint();
    return request;
  }
  // Returns how many requests there were.
  static int run(const Words& words) { return killer_->run(request_of(words)); }
  static void run(const Words& words, int fatal_request, Moment moment) {
    killer_->run(request_of(words), fatal_request, moment);
  }

  static std::string shown_in_bucket(const std::string& id) {
    return run_cloud("kills", "barman-cloud-backup-show", {id}).out;
  }
  static void expect_good(const std::string& id) {
    const CommandResult verified = site_->barman.run({"verify-backup", "main", id});
    EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
  }
  static void remove(const std::string& id) {
    const CommandResult removed = site_->barman.run({"delete", "main", id});
    EXPECT_EQ(removed.exit_code, 0) << removed.out << removed.err;
  }

  static std::unique_ptr<RequestKiller> killer_;
  static std::unique_ptr<BucketSite> site_;
  static std::string full_;
};

std::unique_ptr<RequestKiller> BucketKill::killer_;
std::unique_ptr<BucketSite> BucketKill::site_;
std::string BucketKill::full_;

TEST_F(BucketKill, ABackupIsWholeOrNone) {
  const int count = run({"backup", "main"});
  const std::string good = site_->listed_backups().front();
  at_each_request(count, [&](int number, Moment moment) {
    run({"backup", "main"}, number, moment);
    const std::string killed = site_->listed_backups().front();
    if (killed == good) return;  // Before it had a name.
    if (shown_in_bucket(killed).find(": DONE\n") != std::string::npos) expect_good(killed);
    const std::string next = site_->take_backup();
    expect_good(next);
    // Complete, or given up.
    const std::string status = site_->status_of(killed);
    EXPECT_THAT(status, testing::AnyOf("FAILED", "WAITING_FOR_WALS", "DONE"));
    if (status != "FAILED") expect_good(killed);
    remove(killed);
    EXPECT_EQ(shown_in_bucket(killed).find(killed), std::string::npos);
    remove(next);
  });
  expect_good(good);
  remove(good);
}

TEST_F(BucketKill, ADeletionLeavesAWholeBackupOrNone) {
  const std::string first = site_->take_backup();
  const std::size_t object_count = site_->objects_of(first).size();
  const int count = run({"delete", "main", first});
  at_each_request(count, [&](int number, Moment moment) {
    const std::string id = site_->take_backup();
    run({"delete", "main", id}, number, moment);
    if (shown_in_bucket(id).find(": DONE\n") != std::string::npos) {
      EXPECT_EQ(site_->objects_of(id).size(), object_count);
    }
    EXPECT_EQ(site_->barman.run({"cron"}).exit_code, 0);
    if (!site_->listed_backups().empty() && site_->listed_backups().front() == id) remove(id);
    EXPECT_EQ(shown_in_bucket(id).find(id), std::string::npos);
    EXPECT_THAT(site_->listed_backups(), Not(Contains(id)));
  });
  expect_good(full_);
}

TEST_F(BucketKill, AKeepIsThereOrNot) {
  const int count = run({"keep", "--target", "full", "main", full_});
  EXPECT_GT(run({"keep", "--release", "main", full_}), 0);
  at_each_request(count, [&](int number, Moment moment) {
    run({"keep", "--target", "full", "main", full_}, number, moment);
    EXPECT_EQ(site_->barman.run({"keep", "--status", "main", full_}).exit_code, 0);
    run({"keep", "--target", "full", "main", full_});
    EXPECT_THAT(site_->barman.run({"keep", "--status", "main", full_}).out, HasSubstr("full"));
    run({"keep", "--release", "main", full_}, number, moment);
    run({"keep", "--release", "main", full_});
    EXPECT_THAT(site_->barman.run({"keep", "--status", "main", full_}).out, HasSubstr("nokeep"));
  });
}

TEST_F(BucketKill, AConsolidationThatIsKilledLeavesItsChain) {
  const std::string base = site_->take_backup();
  site_->change("changed");
  const std::string child = site_->take_incremental(base);
  const int count = run({"consolidate", "main", child});
  const std::string whole = site_->listed_backups().front();
  ASSERT_NE(whole, child);
  expect_good(whole);
  remove(whole);
  at_each_request(count, [&](int number, Moment moment) {
    run({"consolidate", "main", child}, number, moment);
    expect_good(child);
    run({"consolidate", "main", child});
    expect_good(site_->listed_backups().front());
    for (const std::string& id : site_->listed_backups()) {
      if (id > child) remove(id);
    }
  });
  EXPECT_EQ(site_->listed_backups(), (std::vector<std::string>{child, base, full_}));
  remove(base);
}

}  // namespace
}  // namespace barman::test

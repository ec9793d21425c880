// A store that takes connections and says nothing, that stops behind the head of its answer, or
// that sends a byte now and then for ever: every command ends, and says which bucket and which
// object it wanted.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <climits>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "support/bucket_site.h"
#include "support/catalogue_files.h"
#include "support/object_server.h"
#include "support/privileges.h"
#include "support/store_proxy.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;
using Kind = StoreProxy::Kind;
using Words = std::vector<std::string>;

constexpr const char* kWal = "000000010000000000000001";

const std::string kHead = "HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\n";

// By name.
std::map<std::string, StoreProxy::Fault> kinds_of_silence() {
  return {{"silent", {.times = UINT_MAX, .kind = Kind::stall}},
          {"stops behind the head",
           {.times = UINT_MAX,
            .kind = Kind::stall_behind,
            .text = kHead + "Content-Length: 5000\r\n\r\n"}},
          {"trickles", {.times = UINT_MAX, .kind = Kind::trickle, .text = kHead + "X-Slow: "}}};
}

struct Running {
  Words words;
  BackgroundCommand command;
};

class SilentStore : public testing::Test {
 protected:
  void SetUp() override {
    if (!ObjectServer::is_available()) GTEST_SKIP() << ObjectServer::kUnavailable;
    use_object_server();
    site_ = std::make_unique<BucketSite>(
        "silence", Settings{{"wals_directory", "s3://silence/path/"}, {"aws_read_timeout", "1"}});
    id_ = site_->take_backup();
  }
  void expect_ends(const StoreProxy::Fault& fault);

  std::unique_ptr<BucketSite> site_;
  std::string id_;
};

void SilentStore::expect_ends(const StoreProxy::Fault& fault) {
  BucketSite& site = *site_;
  const std::string& id = id_;
  StoreProxy silent(ObjectServer::shared().port());
  silent.add(fault);
  const TempDir place;
  const std::string wal = (place.path() / kWal).string();
  write_text(wal, wal_segment(kWal, "content"));
  std::list<Running> running;
  const auto start = [&](CommandRequest request, const Words& words) {
    request.environment["AWS_ENDPOINT_URL_S3"] = silent.endpoint();
    request.environment["AWS_MAX_ATTEMPTS"] = "2";
    running.push_back({words, BackgroundCommand(request)});
  };
  for (const Words& words :
       std::vector<Words>{{"show-backup", "main", id},
                          {"check-backup", "main", id},
                          {"list-files", "main", id},
                          {"catalogue-check", "main"},
                          {"verify-backup", "main", id},
                          {"get-wal", "main", kWal},
                          {"restore", "main", id, (place.path() / "data").string()},
                          {"delete", "main", id},
                          {"keep", "--target", "full", "main", id},
                          {"backup", "main"},
                          {"check", "main"}}) {
    start(site.barman.request(words), words);
  }
  const auto start_program = [&](const std::string& name, const Words& words) {
    CommandRequest request{
        .argv = {(barman_program().parent_path() / name).string(), "--read-timeout", "1"}};
    request.argv.insert(request.argv.end(), {"s3://silence/path", "main"});
    request.argv.insert(request.argv.end(), words.begin(), words.end());
    start(request, {name});
  };
  start_program("barman-cloud-backup-list", {});
  start_program("barman-cloud-backup-show", {id});
  start_program("barman-cloud-backup-keep", {"--status", id});
  start_program("barman-cloud-backup-delete", {"--backup-id", id});
  start_program("barman-cloud-check-wal-archive", {});
  start_program("barman-cloud-restore", {id, (place.path() / "other").string()});
  start_program("barman-cloud-wal-restore", {kWal, (place.path() / "to").string()});
  start_program("barman-cloud-wal-archive", {wal});
  start_program("barman-cloud-backup", {"-d", site.postgres.conninfo()});
  for (Running& one : running) {
    SCOPED_TRACE(one.words.front());
    const auto result = one.command.wait(std::chrono::seconds(60));
    ASSERT_TRUE(result) << "it waits for ever";
    if (one.words.front() != "show-backup") {
      EXPECT_NE(result->exit_code, 0) << result->out << result->err;
    }
    const std::string told = result->out + result->err;
    EXPECT_THAT(told, AllOf(HasSubstr("s3://silence"),
                            AnyOf(HasSubstr("ListObjectsV2"), HasSubstr("Object"),
                                  HasSubstr("HeadBucket"), HasSubstr("ListMultipartUploads"))));
  }
  // These tell what this host knows.
  for (const Words& words : std::vector<Words>{{"list-backups", "main"}, {"status", "main"}}) {
    CommandRequest request = site.barman.request(words);
    request.environment["AWS_ENDPOINT_URL_S3"] = silent.endpoint();
    const CommandResult result = run_command(request);
    EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
    EXPECT_THAT(result.err, AllOf(HasSubstr("the bucket of server main cannot be read"),
                                  HasSubstr("s3://silence"), HasSubstr("ListObjectsV2")));
    EXPECT_LT(result.duration, std::chrono::seconds(9)) << words.front();
  }
}

TEST_F(SilentStore, EndsEachCommandInTimeAndWithTheNameOfWhatItWanted) {
  for (const auto& [name, fault] : kinds_of_silence()) {
    SCOPED_TRACE(name);
    expect_ends(fault);
  }
}

}  // namespace
}  // namespace barman::test

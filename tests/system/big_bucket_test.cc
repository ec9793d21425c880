// Buckets with very many objects, made up (support/fake_bucket.h): how many requests each command
// makes, and how much memory it takes. The size of a large site with BARMAN_THOROUGH: 10,000
// backups and 1,000,000 WAL files.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"
#include "support/barman_home.h"
#include "support/catalogue_files.h"
#include "support/fake_bucket.h"
#include "support/privileges.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

using testing::HasSubstr;
using Counts = FakeBucket::Counts;
using Words = std::vector<std::string>;

bool is_full_size() {
  return std::getenv("BARMAN_THOROUGH") != nullptr;  // NOLINT(concurrency-mt-unsafe)
}

FakeBucket::Size chosen_size() {
  return is_full_size() ? FakeBucket::Size{.backups = 10'000, .wals = 1'000'000}
                        : FakeBucket::Size{.backups = 600, .wals = 30'000};
}

unsigned pages_of(unsigned objects) { return (objects + 999) / 1000; }

class BigBucket : public testing::Test {
 protected:
  struct Measured {
    CommandResult result;
    Counts counts;
    std::int64_t kib = 0;  // at most, of memory
  };

  BigBucket() {
    barman_.add_section("main", {{"conninfo", "host=127.0.0.1 port=1 user=nobody"},
                                 {"streaming_conninfo", "host=127.0.0.1 port=1 user=nobody"},
                                 {"backup_method", "postgres"},
                                 {"archiver", "on"},
                                 {"retention_policy", "RECOVERY WINDOW OF 5000 WEEKS"},
                                 {"basebackups_directory", "s3://big/path/"},
                                 {"wals_directory", "s3://big/path/"}});
  }

  Measured run(CommandRequest request) { return run_at(bucket_.endpoint(), std::move(request)); }
  Measured run_at(const std::string& endpoint, CommandRequest request) {
    // The largest child, in KiB, is the last line of stderr.
    request.argv.insert(request.argv.begin(),
                        {"python3", "-c",
                         "import resource,subprocess,sys\n"
                         "code=subprocess.call(sys.argv[1:])\n"
                         "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss,"
                         "file=sys.stderr)\n"
                         "sys.exit(code)"});
    request.environment["AWS_ENDPOINT_URL_S3"] = endpoint;
    request.environment["AWS_ACCESS_KEY_ID"] = "anybody";
    request.environment["AWS_SECRET_ACCESS_KEY"] = "anything";
    request.environment["AWS_REGION"] = "us-east-1";
    for (const char* const name : {"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"}) {
      request.environment[name] = "/dev/null";
    }
    bucket_.take_counts();
    Measured measured{.result = run_command(request), .counts = {}};
    measured.counts = bucket_.take_counts();
    std::string& err = measured.result.err;
    if (err.ends_with('\n')) err.pop_back();
    const std::size_t begin = err.rfind('\n') == std::string::npos ? 0 : err.rfind('\n') + 1;
    measured.kib = parse_integer(err.substr(begin)).value_or(0);
    err.resize(begin);
    return measured;
  }
  Measured run_barman(const Words& words) { return report(words[0], run(barman_.request(words))); }
  Measured run_program(const std::string& name, const Words& words = {}) {
    CommandRequest request{.argv = {(barman_program().parent_path() / name).string()}};
    request.argv.insert(request.argv.end(), words.begin(), words.end());
    request.argv.insert(request.argv.end(), {"s3://big/path", "main"});
    return report(name, run(request));
  }
  // For docs/performance.md.
  static Measured report(const std::string& name, Measured measured) {
    fmt::print("[ MEASURED ] {}: {} pages, {} backup.info, {} others, {} ms, {} MiB\n", name,
               measured.counts.pages, measured.counts.infos, measured.counts.others,
               measured.result.duration.count(), measured.kib / 1024);
    return measured;
  }
  // This host knows all of them, as one that has made them.
  void write_metadata() {
    std::filesystem::create_directories(barman_.server_directory("main") / "meta");
    for (unsigned number = 0; number < size_.backups; ++number) {
      write_text(
          barman_.server_directory("main") / "meta" / (bucket_.backup_id(number) + "-backup.info"),
          bucket_.backup_info(number));
    }
  }

  const FakeBucket::Size size_ = chosen_size();
  const unsigned backup_pages_ = pages_of(4 * size_.backups);
  const unsigned wal_pages_ = pages_of(size_.wals);
  // The programs themselves, unoptimised and with what they load, take some 40 MiB.
  const std::int64_t most_kib_ =
      (std::int64_t{1024} * 96 + std::int64_t{4} * size_.backups + size_.wals / 10) *
      (is_sanitized_program() ? 5 : 1);
  FakeBucket bucket_{size_};
  BarmanHome barman_;
};

TEST_F(BigBucket, IsListedOnceAndEachBackupReadOnce) {
  const Counts once = {.pages = backup_pages_, .infos = size_.backups};
  const Measured list = run_program("barman-cloud-backup-list");
  EXPECT_EQ(list.result.exit_code, 0) << list.result.err;
  EXPECT_EQ(list.counts, once);
  EXPECT_LT(list.kib, most_kib_);
  EXPECT_THAT(list.result.out, HasSubstr(bucket_.backup_id(size_.backups - 1)));

  // One that nobody deletes of, and all of its WAL is needed.
  const Measured deletion =
      run_program("barman-cloud-backup-delete", {"-r", "RECOVERY WINDOW OF 36500 DAYS"});
  EXPECT_EQ(deletion.result.exit_code, 0) << deletion.result.err;
  EXPECT_EQ(deletion.counts, once);
  const Measured some =
      run_program("barman-cloud-backup-delete",
                  {"-r", fmt::format("REDUNDANCY {}", size_.backups - 50), "--dry-run"});
  EXPECT_EQ(some.result.exit_code, 0) << some.result.err;
  EXPECT_EQ(some.counts.pages, backup_pages_ + wal_pages_) << "no WAL listing is read twice";
  EXPECT_EQ(some.counts.infos, size_.backups);
}

// All but one go: looks for uploads and for a keep, a mark and two deletions each, the WAL in
// batches. The time is that of the requests.
TEST_F(BigBucket, IsDeletedInProportionToItsSize) {
  const Measured dry =
      run_program("barman-cloud-backup-delete", {"-r", "REDUNDANCY 1", "--dry-run"});
  EXPECT_EQ(dry.result.exit_code, 0) << dry.result.err;
  EXPECT_EQ(dry.counts, (Counts{.pages = backup_pages_ + wal_pages_, .infos = size_.backups}));
  const Measured deletion = run_program("barman-cloud-backup-delete", {"-r", "REDUNDANCY 1"});
  EXPECT_EQ(deletion.result.exit_code, 0) << deletion.result.err;
  EXPECT_EQ(deletion.counts.pages, backup_pages_ + wal_pages_);
  EXPECT_EQ(deletion.counts.infos, size_.backups);
  EXPECT_LE(deletion.counts.others, 5 * size_.backups + wal_pages_ + 10);
  EXPECT_LT(deletion.kib, most_kib_);
}

TEST_F(BigBucket, IsAskedOfWhatAServerDoesNotKnowOnly) {
  write_metadata();
  const auto expect = [&](const Words& words, unsigned pages, unsigned others, int exit_code = 0) {
    SCOPED_TRACE(words.front());
    const Measured measured = run_barman(words);
    EXPECT_EQ(measured.result.exit_code, exit_code) << measured.result.err;
    EXPECT_LE(measured.counts.pages, pages);
    EXPECT_EQ(measured.counts.infos, 0U);
    EXPECT_LE(measured.counts.others, others);
    EXPECT_LT(measured.kib, most_kib_);
  };
  const std::string newest = bucket_.backup_id(size_.backups - 1);
  expect({"rebuild-xlogdb", "main"}, wal_pages_, 1);
  expect({"rebuild-xlogdb", "main"}, wal_pages_, 1);
  expect({"list-backups", "main"}, backup_pages_, 1);
  expect({"list-backups", "--table", "main"}, backup_pages_, 1);
  expect({"show-backup", "main", newest}, backup_pages_ + 1, 3);
  expect({"check-backup", "main", newest}, 3, 3);
  expect({"status", "main"}, backup_pages_, 1);
  expect({"delete", "--dry-run", "main", bucket_.backup_id(0)}, backup_pages_, 1);
  expect({"keep", "--status", "main", newest}, 1, 3);
  expect({"catalogue-check", "main"}, backup_pages_ + wal_pages_, 2);
  expect({"cron"}, 2 * backup_pages_, 6);
}

// What dead runs have left half uploaded: the younger ones may be somebody's who works, and those
// beside the server are none of ours.
class LeftUploads : public BigBucket {
 protected:
  using Hours = std::chrono::hours;
  static constexpr const char* kOldWal = "path/main/wals/0000000100000000/000000010000000000000001";
  static constexpr const char* kYoungWal =
      "path/main/wals/0000000100000000/000000010000000000000002";
  static constexpr const char* kNamelessOld = "path/main/base/20200101T000000/data.tar";
  static constexpr const char* kNamelessYoung = "path/main/base/20200102T000000/data.tar";

  LeftUploads()
      : left_({.backups = 3, .wals = 10},
              {{kOldWal, Hours(25)},
               {kYoungWal, Hours(23)},
               {done(), Hours(1)},
               {kNamelessOld, Hours(169)},
               {kNamelessYoung, Hours(167)},
               {"path/main2/wals/0000000100000000/000000010000000000000001", Hours(1000)},
               {"path/other/base/20200101T000000/data.tar", Hours(1000)}}) {}

  std::string done() const {
    return fmt::format("path/main/base/{}/data.tar", bucket_.backup_id(0));
  }
  Measured run_there(CommandRequest request) { return run_at(left_.endpoint(), request); }

  FakeBucket left_;
};

TEST_F(LeftUploads, ABackupGivesUpWhatNobodyWorksOn) {
  const Measured backup =
      run_there({.argv = {(barman_program().parent_path() / "barman-cloud-backup").string(), "-d",
                          "host=127.0.0.1 port=1 user=nobody", "s3://big/path", "main"}});
  EXPECT_NE(backup.result.exit_code, 0) << "there is no PostgreSQL";
  EXPECT_THAT(left_.aborted(), testing::UnorderedElementsAre(kOldWal, done(), kNamelessOld));
}

TEST_F(BigBucket, IsReadByAnotherHost) {
  barman_.set("main", "active", "false");
  const Measured list = run_barman({"list-backups", "--minimal", "main"});
  EXPECT_EQ(list.result.exit_code, 0) << list.result.err;
  EXPECT_EQ(list.counts.pages, backup_pages_);
  EXPECT_EQ(list.counts.infos, size_.backups);
  EXPECT_LT(list.kib, most_kib_);
  EXPECT_EQ(split(list.result.out, '\n').size(), size_.backups + 1);
}

}  // namespace
}  // namespace barman::test

// What a passive node takes for WAL: `env` in the place of ssh, so the primary node is this host.
#include "sync/sync_wals.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "catalogue/test_support.h"
#include "catalogue/wal_index.h"
#include "compression/codec.h"
#include "compression/stored_file.h"
#include "wal/test_support.h"

namespace barman::sync {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class SilentMessages final : public Messages {
 public:
  void debug(const std::string&) override {}
  void info(const std::string&) override {}
  void warning(const std::string&) override {}
  void error(const std::string&) override {}
  void exception(const std::string&) override {}
};

std::string wal_name(unsigned number) {
  return wal::segment_name({wal::TimelineId{1}, number}, {wal::kSegment});
}

std::string gzipped(const std::string& content) {
  compression::TextSink text("a test");
  const auto compressor = compression::make_compressor(compression::Algorithm::gzip, 1, text);
  compressor->write(as_bytes(content));
  compressor->finish();
  return text.take();
}

class SyncWals : public testing::Test {
 protected:
  SyncWals() {
    config_.name = "main";
    config_.backup_directory = (home_.path() / "main").string();
    config_.basebackups_directory = config_.backup_directory + "/base";
    config_.wals_directory = config_.backup_directory + "/wals";
    config_.xlogdb_directory = config_.wals_directory;
    config_.incoming_wals_directory = config_.backup_directory + "/incoming";
    config_.streaming_wals_directory = config_.backup_directory + "/streaming";
    config_.errors_directory = config_.backup_directory + "/errors";
    config_.primary_ssh_command = "env";
    fs::create_directories(config_.wals_directory);
    catalogue::BackupInfo backup =
        catalogue::make_backup("20260101T000000", wal_name(1), wal_name(1));
    backup.systemid = std::to_string(wal::kSystem);
    make().catalogue().save(backup);
  }

  server::Server make() const {
    config::GlobalConfig global;
    global.barman_lock_directory = home_.path().string();
    return {config_, global, {}};
  }
  // On the primary node, and in what it tells of its archive.
  void offer(unsigned number, const std::string& content, const std::string& compression = "null",
             const std::string& encryption = "null", std::size_t told_size = 0) {
    const std::string name = wal_name(number);
    put_file(catalogue::archived_wal_path(primary_, name), content);
    if (!wals_.empty()) wals_ += ", ";
    wals_ += fmt::format(
        R"({{"compression": {}, "encryption": {}, "name": "{}", "size": {}, "time": 5}})",
        compression, encryption, name, told_size > 0 ? told_size : content.size());
    last_ = name;
  }
  // What the run says when it fails.
  std::string run() {
    put_file(config_.backup_directory + "/primary.info",
             fmt::format(R"({{"last_position": 7, "last_name": "{}", "backups": {{}}, "wals": [{}],
                 "version": "3.20.1", "config": {{"name": "main", "compression": null,
                 "basebackups_directory": "/nowhere/base", "wals_directory": "{}"}}}})",
                         last_, wals_, primary_.string()));
    SilentMessages messages;
    NoProgress progress;
    try {
      sync_wals(make(), messages, progress);
    } catch (const Error& error) {
      EXPECT_FALSE(error.hint().empty());
      return error.describe();
    }
    return "";
  }
  std::vector<std::string> indexed() const {
    std::vector<std::string> names;
    catalogue::WalIndex::open(make().locations())
        .for_each([&](const catalogue::WalIndexLine& line) {
          names.emplace_back(line.name);
          return catalogue::Visit::proceed;
        });
    return names;
  }
  bool is_here(unsigned number) const {
    return fs::exists(catalogue::archived_wal_path(config_.wals_directory, wal_name(number)));
  }

  TemporaryDirectory home_;
  config::ServerConfig config_;
  const fs::path primary_ = home_.path() / "primary";
  std::string wals_;
  std::string last_;
};

TEST_F(SyncWals, TakesWhatIsWalInWhateverForm) {
  offer(1, wal::make_segment(wal_name(1)));
  offer(2, gzipped(wal::make_segment(wal_name(2))), R"("gzip")");
  offer(3, "\x85\x02\x0c\x03 something encrypted", "null", R"("gpg")");
  offer(4, "of a filter that is not known here", R"("custom")");
  EXPECT_EQ(run(), "");
  EXPECT_THAT(indexed(), ElementsAre(wal_name(1), wal_name(2), wal_name(3), wal_name(4)));
  EXPECT_EQ(load_sync_position(make().locations()).last_wal, wal_name(4));
}

TEST_F(SyncWals, RefusesWhatIsNoneByNameAndTakesTheOthers) {
  const std::string gzip = gzipped(wal::make_segment(wal_name(4)));
  offer(1, wal::make_segment(wal_name(1)));
  offer(2, std::string(wal::kSegment, '\0'));
  offer(3, wal::make_segment(wal_name(3), {.system_id = 4711}));
  offer(4, gzip.substr(0, gzip.size() / 2), R"("gzip")");
  offer(5, wal::make_segment(wal_name(6)));
  offer(6, wal::make_segment(wal_name(6)), "null", R"("gpg")");
  offer(7, wal::make_segment(wal_name(7)), "null", "null", wal::kSegment + 1);
  offer(8, wal::make_segment(wal_name(8)));
  EXPECT_THAT(run(),
              AllOf(HasSubstr("WAL file " + wal_name(2) + " of the primary node was refused"),
                    HasSubstr("(and 5 more)")));
  EXPECT_THAT(indexed(), ElementsAre(wal_name(1), wal_name(8)));
  for (unsigned number = 2; number <= 7; ++number) EXPECT_FALSE(is_here(number)) << number;
  EXPECT_FALSE(load_sync_position(make().locations()).last_wal) << "asked for once more";

  // The primary node has mended them.
  wals_.clear();
  for (unsigned number = 1; number <= 8; ++number) {
    offer(number, wal::make_segment(wal_name(number)));
  }
  EXPECT_EQ(run(), "");
  EXPECT_EQ(indexed().size(), 8U);
  EXPECT_EQ(load_sync_position(make().locations()).last_wal, wal_name(8));
}

}  // namespace
}  // namespace barman::sync

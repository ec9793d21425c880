// Rates, times to drain and the texts of status.
#include "facts/wal_flow.h"

#include <gtest/gtest.h>

#include "base/test_support.h"

namespace barman::facts {
namespace {

constexpr std::uint64_t kSegment = std::uint64_t{16} << 20;

TEST(WalFlow, RateLeavesOutPausesAndTheFirstGroup) {
  EXPECT_EQ(rate_of_archiving({}), std::nullopt);
  EXPECT_EQ(rate_of_archiving({5}), std::nullopt);
  EXPECT_EQ(rate_of_archiving({5, 5.001}), std::nullopt) << "one moment";
  EXPECT_DOUBLE_EQ(rate_of_archiving({10, 10.5, 11}).value(), 2);
  EXPECT_DOUBLE_EQ(rate_of_archiving({11, 10, 10.5}).value(), 2) << "in any order";
  // Two files in the first moment, two a second later.
  EXPECT_DOUBLE_EQ(rate_of_archiving({10, 10, 11, 11}).value(), 2);
  // An hour without work counts as two seconds.
  EXPECT_DOUBLE_EQ(rate_of_archiving({10, 10.5, 3610.5}).value(), 2 / 2.5);
}

TEST(WalFlow, QueueTellsHowLongItTakes) {
  WalFlow flow;
  EXPECT_EQ(describe_queue(flow), "0 segments");
  EXPECT_EQ(flow.seconds_to_drain(), 0.0);
  flow.incoming = {.files = 1, .size_bytes = kSegment};
  EXPECT_EQ(describe_queue(flow), "1 segment (16.0 MiB)");
  EXPECT_EQ(flow.seconds_to_drain(), std::nullopt);
  flow.streaming = {.files = 119, .size_bytes = 119 * kSegment};
  flow.archived_per_second = 2;
  EXPECT_EQ(describe_queue(flow),
            "120 segments (1.9 GiB), archived in about 1 minute (2.0 segments/s)");
}

TEST(WalFlow, AQueueIsStalledWhenNothingComesOutOfIt) {
  WalFlow flow;
  flow.incoming = {.files = 10, .waits_since = 9000};
  EXPECT_TRUE(is_queue_long(flow));
  EXPECT_FALSE(is_queue_stalled(flow, 10000)) << "nothing is known of the archive";
  flow.archived_at = 9500;
  EXPECT_FALSE(is_queue_stalled(flow, 10000));
  flow.archived_at = 9000;
  EXPECT_TRUE(is_queue_stalled(flow, 10000));
  flow.incoming.waits_since = 9900;
  EXPECT_FALSE(is_queue_stalled(flow, 10000)) << "it has just come, after a pause";
  flow.streaming = {.files = 1, .waits_since = 9000};
  EXPECT_TRUE(is_queue_stalled(flow, 10000)) << "the first one counts";
  flow.streaming = {};
  flow.incoming.waits_since = 9000;
  EXPECT_FALSE(is_queue_stalled(flow, 0)) << "the clock was set back";
  flow.incoming.files = 9;
  EXPECT_FALSE(is_queue_long(flow));
  EXPECT_FALSE(is_queue_stalled(flow, 10000));
}

// A loop of links stands for a disk that does not answer.
TEST(WalFlow, AQueueThatCannotBeReadIsUnknown) {
  const TemporaryDirectory home;
  config::ServerConfig config;
  config.name = "main";
  config.backup_directory = (home.path() / "main").string();
  config.basebackups_directory = config.backup_directory + "/base";
  config.wals_directory = config.backup_directory + "/wals";
  config.xlogdb_directory = config.wals_directory;
  config.incoming_wals_directory = config.backup_directory + "/incoming";
  config.archiver = true;
  std::filesystem::create_directories(config.wals_directory);
  config::GlobalConfig global;
  global.barman_lock_directory = home.path().string();
  const server::Server server(config, global, {});
  EXPECT_EQ(describe_queue(gather_wal_flow(server, std::nullopt)), "0 segments");
  std::filesystem::create_directory_symlink("incoming", config.incoming_wals_directory);
  EXPECT_EQ(describe_queue(gather_wal_flow(server, std::nullopt)),
            "unknown: cannot read directory \"" + config.incoming_wals_directory +
                "\": Too many levels of symbolic links");
}

TEST(WalFlow, PositionsTellWhatIsKnown) {
  WalFlow flow;
  EXPECT_EQ(describe_positions(flow), "nothing archived");
  EXPECT_EQ(describe_receiver(flow), "");
  flow.archived_name = "000000010000000000000004";
  flow.is_receiver_running = false;
  EXPECT_EQ(describe_positions(flow), "archived up to 000000010000000000000004");
  EXPECT_EQ(describe_receiver(flow), "not running");
  flow.is_receiver_running = true;
  EXPECT_EQ(describe_receiver(flow), "running");
  flow.stream = StreamLook{.is_streaming = false};
  EXPECT_EQ(describe_receiver(flow), "running, not streaming");
  EXPECT_EQ(describe_positions(flow), "archived up to 000000010000000000000004");
  flow.stream = StreamLook{.is_streaming = true,
                           .current = wal::Lsn{0x5000060},
                           .sent = wal::Lsn{0x5000060},
                           .written = wal::Lsn{0x5000060},
                           .flushed = wal::Lsn{0x5000000}};
  EXPECT_EQ(describe_receiver(flow), "running, streaming");
  EXPECT_EQ(describe_positions(flow),
            "received up to 0/5000060, flushed up to 0/5000000 (96 B behind), archived up to "
            "000000010000000000000004");
}

}  // namespace
}  // namespace barman::facts

#include "output/replication_views.h"

#include <gtest/gtest.h>

#include "base/timestamp.h"
#include "output/captured_output.h"

namespace barman::output {
namespace {

using postgres::ReplicationClient;
using postgres::ReplicationClientKind;
using postgres::ReplicationStatus;

// The clients of the sample in cli.md 4.22.
ReplicationStatus two_clients() {
  ReplicationStatus status;
  status.current_lsn = wal::Lsn{0x26000060};
  status.clients = {
      {.pid = 492,
       .user = "streaming_barman",
       .application_name = "barman_receive_wal",
       .client_address = "192.0.2.20",
       .client_port = 45688,
       .backend_start = parse_timestamp("2026-11-21 01:46:58.837109+00:00").value().time,
       .state = "streaming",
       .sent_lsn = wal::Lsn{0x26000060},
       .write_lsn = wal::Lsn{0x26000060},
       .flush_lsn = wal::Lsn{0x26000000},
       .sync_priority = 0,
       .sync_state = "async",
       .slot_name = "barman"},
      {.pid = 8846,
       .user = "postgres",
       .application_name = "standby1",
       .backend_start = parse_timestamp("2026-11-21 01:53:12.789146+00:00").value().time,
       .state = "streaming",
       .sent_lsn = wal::Lsn{0x26000060},
       .write_lsn = wal::Lsn{0x26000060},
       .flush_lsn = wal::Lsn{0x26000060},
       .replay_lsn = wal::Lsn{0x26000060},
       .sync_priority = 0,
       .sync_state = "async"},
  };
  return status;
}

std::string shown(OutputFormat format, const ReplicationStatus& status,
                  ReplicationClientKind kind = ReplicationClientKind::all,
                  ListStyle style = ListStyle::full) {
  return captured(format, [&](Reporter& reporter) {
    write_replication_status(reporter, "main", status, kind, style);
  });
}

TEST(ReplicationView, ConsoleTextIsTheSampleOfBarman) {
  EXPECT_EQ(shown(OutputFormat::console, two_clients()),
            "Status of streaming clients for server 'main':\n"
            "  Current LSN on master: 0/26000060\n"
            "  Number of streaming clients: 2\n"
            "\n"
            "  1. Async WAL streamer\n"
            "     Application name: barman_receive_wal\n"
            "     Sync stage      : 3/3 Remote write\n"
            "     Communication   : TCP/IP\n"
            "     IP Address      : 192.0.2.20 / Port: 45688 / Host: -\n"
            "     User name       : streaming_barman\n"
            "     Current state   : streaming (async)\n"
            "     Replication slot: barman\n"
            "     WAL sender PID  : 492\n"
            "     Started at      : 2026-11-21 01:46:58.837109+00:00\n"
            "     Sent LSN   : 0/26000060 (diff: 0 B)\n"
            "     Write LSN  : 0/26000060 (diff: 0 B)\n"
            "     Flush LSN  : 0/26000000 (diff: -96 B)\n"
            "\n"
            "  2. Async standby\n"
            "     Application name: standby1\n"
            "     Sync stage      : 5/5 Hot standby (max)\n"
            "     Communication   : Unix domain socket\n"
            "     User name       : postgres\n"
            "     Current state   : streaming (async)\n"
            "     WAL sender PID  : 8846\n"
            "     Started at      : 2026-11-21 01:53:12.789146+00:00\n"
            "     Sent LSN   : 0/26000060 (diff: 0 B)\n"
            "     Write LSN  : 0/26000060 (diff: 0 B)\n"
            "     Flush LSN  : 0/26000060 (diff: 0 B)\n"
            "     Replay LSN : 0/26000060 (diff: 0 B)\n");
}

TEST(ReplicationView, JsonHasPositionsAsTextAndDistancesAsNumbers) {
  ReplicationStatus status = two_clients();
  status.clients.resize(1);
  EXPECT_EQ(
      shown(OutputFormat::json, status),
      R"_({"main": {"server_lsn": "0/26000060", "streaming_clients": [)_"
      R"_({"application_name": "barman_receive_wal", "communication": "TCP/IP", )_"
      R"_("current_state": "streaming", "current_sync_state": "async", )_"
      R"_("flush_lsn": "0/26000000", "flush_lsn_diff": "-96 B", "flush_lsn_diff_bytes": -96, )_"
      R"_("host": null, "ip_address": "192.0.2.20", "name": "Async WAL streamer", )_"
      R"_("port": 45688, "replication_slot": "barman", )_"
      R"_("sent_lsn": "0/26000060", "sent_lsn_diff": "0 B", "sent_lsn_diff_bytes": 0, )_"
      R"_("started_at": "2026-11-21 01:46:58.837109+00:00", )_"
      R"_("sync_stage": "3/3 Remote write", "user_name": "streaming_barman", )_"
      R"_("wal_sender_pid": 492, "write_lsn": "0/26000060", "write_lsn_diff": "0 B", )_"
      R"_("write_lsn_diff_bytes": 0}]}})_");
}

TEST(ReplicationView, MinimalStyleHasOneLineAClient) {
  EXPECT_EQ(shown(OutputFormat::console, two_clients(), ReplicationClientKind::wal_streamer,
                  ListStyle::minimal),
            "Wal streamers for master 'main' (LSN @ 0/26000060):\n"
            "  1. W) streaming_barman@192.0.2.20 S:0/26000060 W:0/26000060 P:0 "
            "AN:barman_receive_wal\n"
            "  2. A) postgres@socket S:0/26000060 F:0/26000060 R:0/26000060 P:0 AN:standby1\n");
}

TEST(ReplicationView, MinimalJson) {
  EXPECT_EQ(shown(OutputFormat::json, two_clients(), ReplicationClientKind::hot_standby,
                  ListStyle::minimal),
            R"_({"main": {"hot_standby_servers": [{"application_name": "barman_receive_wal", )_"
            R"_("client_addr": "192.0.2.20", "sent_lsn": "0/26000060", "sync_priority": 0, )_"
            R"_("user_name": "streaming_barman", "write_lsn": "0/26000060"}, )_"
            R"_({"application_name": "standby1", "client_addr": "socket", )_"
            R"_("flush_lsn": "0/26000060", "replay_lsn": "0/26000060", "sent_lsn": "0/26000060", )_"
            R"_("sync_priority": 0, "sync_state": "A", "user_name": "postgres"}], )_"
            R"_("server_lsn": "0/26000060"}})_");
}

TEST(ReplicationView, WithoutClientsItSaysSo) {
  const ReplicationStatus nobody = {.in_recovery = false, .current_lsn = wal::Lsn{0x1000060}};
  EXPECT_EQ(shown(OutputFormat::console, nobody, ReplicationClientKind::wal_streamer),
            "Status of WAL streamers for server 'main':\n"
            "  Current LSN on master: 0/1000060\n"
            "  No WAL streamers attached\n");
  EXPECT_EQ(shown(OutputFormat::json, nobody),
            R"_({"main": {"server_lsn": "0/1000060", "standby_info": )_"
            R"_("No streaming clients attached", "streaming_clients": []}})_");
}

TEST(ReplicationView, AStandbyWithoutPositionIsASlave) {
  EXPECT_EQ(shown(OutputFormat::console, {.in_recovery = true}, ReplicationClientKind::all,
                  ListStyle::minimal),
            "Streaming clients for slave 'main':\n"
            "  No streaming clients attached\n");
}

TEST(ReplicationView, SynchronousClientsShowTheirPriorityAndStage) {
  ReplicationStatus status = two_clients();
  ReplicationClient& standby = status.clients[1];
  standby.sync_priority = 2;
  standby.sync_state = "potential";
  standby.replay_lsn = wal::Lsn{0x26000000};
  standby.backend_xmin = "745";
  const std::string text = shown(OutputFormat::console, status);
  EXPECT_NE(text.find("  2. #2 Potential standby\n"), std::string::npos) << text;
  EXPECT_NE(text.find("     Sync stage      : 4/5 2-safe\n"), std::string::npos) << text;
  EXPECT_NE(text.find("     Standby's xmin  : 745\n"), std::string::npos) << text;
  status.clients[0].write_lsn = wal::Lsn{0x25000000};
  EXPECT_NE(shown(OutputFormat::console, status).find("Sync stage      : 2/3 WAL Sent (min)\n"),
            std::string::npos);
  status.clients[0].sent_lsn = wal::Lsn{0x25000000};
  EXPECT_NE(shown(OutputFormat::console, status).find("Sync stage      : 1/3 1-safe\n"),
            std::string::npos);
}

TEST(ReplicationView, TheWayIntoTheArchiveIsShownBehindTheClients) {
  facts::WalFlow flow;
  flow.is_receiver_running = true;
  flow.stream = facts::StreamLook{.is_streaming = true,
                                  .current = wal::Lsn{0x26000060},
                                  .written = wal::Lsn{0x26000060},
                                  .flushed = wal::Lsn{0x26000000}};
  flow.archived_name = "000000010000000000000025";
  flow.streaming = {.files = 4, .size_bytes = std::uint64_t{64} << 20};
  flow.archived_per_second = 2;
  const auto shown_with_flow = [&](OutputFormat format, ListStyle style) {
    return captured(format, [&](Reporter& reporter) {
      write_replication_status(reporter, "main", two_clients(), ReplicationClientKind::all, style,
                               flow);
    });
  };
  EXPECT_EQ(shown_with_flow(OutputFormat::console, ListStyle::full),
            shown(OutputFormat::console, two_clients()) +
                "\n"
                "  WAL receiver: running, streaming\n"
                "  WAL positions: received up to 0/26000060, flushed up to 0/26000000 (96 B "
                "behind), archived up to 000000010000000000000025\n"
                "  WAL queue: 4 segments (64.0 MiB), archived in about 2 seconds (2.0 "
                "segments/s)\n");
  EXPECT_EQ(
      shown_with_flow(OutputFormat::console, ListStyle::minimal),
      shown(OutputFormat::console, two_clients(), ReplicationClientKind::all, ListStyle::minimal));
  const std::string json = shown_with_flow(OutputFormat::json, ListStyle::full);
  EXPECT_NE(json.find(R"("wal_flow": {"archived_wal": "000000010000000000000025", )"
                      R"("archived_wals_per_second": 2.0, "flushed_lsn": "0/26000000", )"
                      R"("queue_bytes": 67108864, "queue_drained_in_seconds": 2.0, )"
                      R"("queue_files": 4, "received_lsn": "0/26000060", )"
                      R"("receiver": "running, streaming"})"),
            std::string::npos)
      << json;
}

}  // namespace
}  // namespace barman::output

#include "output/check_report.h"

#include <gtest/gtest.h>

#include "output/captured_output.h"

namespace barman::output {
namespace {

const CheckLine kGood = {.label = "wal_level", .ok = true, .hint = {}, .details = {}};
const CheckLine kNoWal = {.label = "WAL archive",
                          .ok = false,
                          .hint = "please make sure WAL shipping is setup",
                          .details = {}};
const CheckLine kNoReceiver = {.label = "receive-wal running",
                               .ok = false,
                               .hint = "See the Barman log file for more details",
                               .details = {}};

struct CheckedServer {
  std::string name;
  facts::ServerState state = facts::ServerState::active;
  std::vector<CheckLine> lines;
  CheckPerformance performance;
};

int report(Reporter& reporter, const std::vector<CheckedServer>& servers) {
  CheckReport checks(reporter);
  for (const CheckedServer& server : servers) {
    checks.begin_server(server.name, server.state);
    for (const CheckLine& line : server.lines) checks.add(line);
    checks.end_server(server.performance);
  }
  return reporter.finish();
}

TEST(CheckReport, ShowsALinePerCheck) {
  CapturedOutput output;
  EXPECT_EQ(report(output.reporter(), {{"main", facts::ServerState::active, {kNoWal, kGood}, {}},
                                       {"off", facts::ServerState::inactive, {}, {}}}),
            1);
  EXPECT_EQ(output.out(),
            "Server main:\n"
            "\tWAL archive: FAILED (please make sure WAL shipping is setup)\n"
            "\twal_level: OK\n"
            "Server off (inactive):\n");
}

TEST(CheckReport, ShowsTheReasonsOfADisabledServer) {
  CapturedOutput output;
  const CheckLine line = {
      .label = "configuration", .ok = false, .hint = {}, .details = {"Missing 'conninfo'"}};
  EXPECT_EQ(report(output.reporter(), {{"x", facts::ServerState::disabled, {line}, {}}}), 1);
  EXPECT_EQ(output.out(),
            "Server x (WARNING: disabled):\n\tconfiguration: FAILED\n\t\tMissing 'conninfo'\n");
}

TEST(CheckReport, IgnoresFailuresOfInactiveServersInTheExitCode) {
  CapturedOutput output;
  EXPECT_EQ(report(output.reporter(), {{"off", facts::ServerState::inactive, {kNoWal}, {}}}), 0);
}

TEST(CheckReport, HasKeysWithoutBlanksInJson) {
  CapturedOutput output({.format = OutputFormat::json});
  report(output.reporter(), {{"main", facts::ServerState::active, {kGood, kNoReceiver}, {}}});
  EXPECT_EQ(output.out(),
            R"({"main": {"receive_wal_running": {"hint": "See the Barman log file for more )"
            R"(details", "status": "FAILED"}, "wal_level": {"hint": "", "status": "OK"}}})");
}

TEST(CheckReport, DropsDotsFromKeys) {
  EXPECT_EQ(check_key("No. of WAL-files"), "no_of_wal_files");
  EXPECT_EQ(check_key("replication slot (WAL streaming)"), "replication_slot_(wal_streaming)");
}

TEST(NagiosReport, IsOneLineForAHealthyServer) {
  CapturedOutput output;
  output.reporter().use_nagios();
  output.reporter().warning("not shown");
  EXPECT_EQ(report(output.reporter(), {{"main", facts::ServerState::active, {kGood}, {100, 7}}}),
            0);
  EXPECT_EQ(output.out(),
            "BARMAN OK - Ready to serve the Espresso backup for main|main=100B main_wals=7B\n");
  EXPECT_EQ(output.err(), "");
}

TEST(NagiosReport, ListsHealthyServers) {
  CapturedOutput output;
  output.reporter().use_nagios();
  EXPECT_EQ(report(output.reporter(), {{"arch", facts::ServerState::active, {kGood}, {1, 2}},
                                       {"main", facts::ServerState::active, {kGood}, {3, 4}}}),
            0);
  EXPECT_EQ(output.out(),
            "BARMAN OK - Ready to serve the Espresso backup for 2 servers * arch * main"
            "|arch=1B arch_wals=2B main=3B main_wals=4B\n");
}

TEST(NagiosReport, TellsTheFailuresOfOneServer) {
  CapturedOutput output;
  output.reporter().use_nagios();
  EXPECT_EQ(report(output.reporter(),
                   {{"main", facts::ServerState::active, {kNoWal, kGood, kNoReceiver}, {0, 0}}}),
            2);
  EXPECT_EQ(output.out(),
            "BARMAN CRITICAL - server main has issues * main FAILED: WAL archive, receive-wal "
            "running|main=0B main_wals=0B\n"
            "main.WAL archive: FAILED (please make sure WAL shipping is setup)\n"
            "main.receive-wal running: FAILED (See the Barman log file for more details)\n");
}

TEST(NagiosReport, CountsTheFailingServers) {
  CapturedOutput output;
  output.reporter().use_nagios();
  const CheckLine slot = {.label = "replication slot", .ok = false, .hint = {}, .details = {}};
  EXPECT_EQ(report(output.reporter(), {{"a", facts::ServerState::active, {slot}, {}},
                                       {"b", facts::ServerState::active, {kGood}, {}},
                                       {"c", facts::ServerState::inactive, {kNoWal}, {}}}),
            2);
  EXPECT_EQ(output.out(),
            "BARMAN CRITICAL - 2 server out of 3 have issues * a FAILED: replication slot * c "
            "FAILED: WAL archive|a=0B a_wals=0B b=0B b_wals=0B c=0B c_wals=0B\n"
            "a.replication slot: FAILED\n"
            "c.WAL archive: FAILED (please make sure WAL shipping is setup)\n");
}

TEST(NagiosReport, IgnoresInactiveServers) {
  CapturedOutput output;
  output.reporter().use_nagios();
  EXPECT_EQ(report(output.reporter(), {{"inact", facts::ServerState::inactive, {kNoWal}, {}},
                                       {"main", facts::ServerState::active, {kGood}, {}}}),
            0);
  EXPECT_EQ(output.out(),
            "BARMAN OK - Ready to serve the Espresso backup for main * IGNORING: inact"
            "|inact=0B inact_wals=0B main=0B main_wals=0B\n");
}

TEST(NagiosReport, TellsNoNumbersWhereEachServerIsIgnored) {
  CapturedOutput output;
  output.reporter().use_nagios();
  EXPECT_EQ(report(output.reporter(), {{"inact", facts::ServerState::inactive, {kNoWal}, {}}}), 0);
  EXPECT_EQ(output.out(), "BARMAN OK - No server configured * IGNORING: inact\n");
}

TEST(NagiosReport, IsOkWithoutServers) {
  CapturedOutput output;
  output.reporter().use_nagios();
  EXPECT_EQ(report(output.reporter(), {}), 0);
  EXPECT_EQ(output.out(), "BARMAN OK - No server configured\n");
}

TEST(NagiosReport, IsCriticalAfterAnErrorOutsideOfTheChecks) {
  CapturedOutput output;
  output.reporter().use_nagios();
  output.reporter().error("Unknown server 'x'");
  EXPECT_EQ(report(output.reporter(), {{"main", facts::ServerState::active, {kGood}, {}}}), 2);
  EXPECT_EQ(output.out(),
            "BARMAN CRITICAL - Global configuration errors\nERROR: Unknown server 'x'\n");
}

}  // namespace
}  // namespace barman::output

// What counts as a receiver, and when its stream stands still.
#include "facts/receiver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "wal_archive/test_support.h"

namespace barman::facts {
namespace {

using namespace std::string_view_literals;

constexpr std::uint64_t kMegabyte = std::uint64_t{1} << 20;

StreamLook streaming(std::uint64_t current_mb, std::uint64_t sent_mb, std::uint64_t flushed_mb) {
  return {.is_streaming = true,
          .current = wal::Lsn{current_mb * kMegabyte},
          .sent = wal::Lsn{sent_mb * kMegabyte},
          .flushed = wal::Lsn{flushed_mb * kMegabyte}};
}

TEST(Receiver, IsKnownByItsCommandLineAndInDoubtBelieved) {
  EXPECT_TRUE(may_be_receiver("/usr/bin/barman\0-q\0receive-wal\0main\0"sv));
  EXPECT_TRUE(may_be_receiver("/usr/bin/python3\0/usr/bin/barman\0receive-wal\0main\0"sv));
  EXPECT_TRUE(may_be_receiver("/usr/lib/postgresql/16/bin/pg_receivewal\0--no-loop\0"sv));
  EXPECT_TRUE(may_be_receiver(""sv)) << "unreadable";
  EXPECT_FALSE(
      may_be_receiver("/usr/bin/sleep\0"
                      "60\0"sv));
  EXPECT_FALSE(may_be_receiver("postgres: checkpointer\0"sv));
}

TEST(Receiver, MustBeSeenByPostgres) {
  const StreamLook absent;
  EXPECT_EQ(judge_stream(absent, absent), StreamState::absent);
  EXPECT_EQ(judge_stream(streaming(9, 9, 9), absent), StreamState::absent);
  EXPECT_EQ(judge_stream(absent, streaming(9, 9, 9)), StreamState::streams);
  EXPECT_EQ(judge_stream(absent, streaming(900, 9, 9)), StreamState::streams) << "it has begun";
}

TEST(Receiver, IsStalledWhenMuchWaitsAndNothingMoves) {
  const StreamLook behind = streaming(1000, 900, 890);
  EXPECT_EQ(judge_stream(behind, behind), StreamState::stalled);
  EXPECT_EQ(judge_stream(behind, streaming(2000, 900, 890)), StreamState::stalled);
  EXPECT_EQ(judge_stream(behind, streaming(1000, 901, 890)), StreamState::streams);
  EXPECT_EQ(judge_stream(behind, streaming(1000, 900, 891)), StreamState::streams);
  EXPECT_EQ(judge_stream(behind, streaming(1000, 1000, 890)), StreamState::streams);
}

TEST(Receiver, MayReportLate) {
  // pg_receivewal tells every ten seconds what it has flushed.
  const StreamLook sent = streaming(1000, 1000, 100);
  EXPECT_EQ(judge_stream(sent, sent), StreamState::streams);
  const StreamLook idle = streaming(100, 40, 40);
  EXPECT_EQ(judge_stream(idle, idle), StreamState::streams) << "not far behind";
}

TEST(Receiver, WithoutTheRightToSeePositionsIsBelieved) {
  StreamLook hidden;
  hidden.is_streaming = true;
  hidden.current = wal::Lsn{1000 * kMegabyte};
  EXPECT_EQ(judge_stream(hidden, hidden), StreamState::streams);
}

TEST(Receiver, ThatDoesNotRunTellsWhyAndWhatToDo) {
  const wal_archive::TestServer site;
  const server::Server server = site.make();
  const ReceiverProcess never = find_receiver(server);
  EXPECT_FALSE(never.is_running);
  EXPECT_FALSE(never.pid.has_value());
  EXPECT_EQ(never.problem, "it was never started, or was stopped");
  EXPECT_EQ(never.next_step, "Run 'barman cron'");
  catalogue::keep_last_reason(site.config.backup_directory, "receive-wal",
                              Error(ErrorKind::io, "the disk is full"));
  put_file(catalogue::receive_wal_lock(server.locks()), "4711\n");
  const ReceiverProcess ended = find_receiver(server);
  EXPECT_FALSE(ended.is_running);
  EXPECT_EQ(ended.pid, 4711);
  EXPECT_THAT(ended.problem, testing::StartsWith("its process has ended: the disk is full (at "));
  EXPECT_EQ(ended.next_step, "Mend that, then run 'barman cron'");
  wal_archive::RecordedMessages messages;
  warn_of_ended_receiver(server, ended, messages);
  ASSERT_EQ(messages.lines.size(), 1U);
  EXPECT_THAT(messages.lines.front(), testing::EndsWith(". It is started again"));
}

TEST(ReceiverReasons, AreThoseOfWhatTheServerDoes) {
  wal_archive::TestServer site;
  for (const char* task : {"archive-wal", "sync-wals"}) {
    catalogue::keep_last_reason(site.config.backup_directory, task,
                                Error(ErrorKind::io, "the disk is full"));
  }
  const auto only = [](const std::vector<catalogue::LastReason>& reasons) {
    return reasons.size() == 1 ? reasons.front().task : "";
  };
  EXPECT_EQ(only(list_current_reasons(site.make())), "archive-wal");
  site.config.primary_ssh_command = "ssh primary";
  EXPECT_EQ(only(list_current_reasons(site.make())), "sync-wals");
}

TEST(Receiver, ThatRunsHidesTheReasonOfTheOneBefore) {
  const wal_archive::TestServer site;
  const server::Server server = site.make();
  for (const char* task : {"receive-wal", "archive-wal"}) {
    catalogue::keep_last_reason(site.config.backup_directory, task,
                                Error(ErrorKind::io, "the disk is full"));
  }
  EXPECT_EQ(list_current_reasons(server).size(), 2U);
  // The program that runs this test is a barman, as far as its command line tells.
  const auto lock = FileLock::try_lock(catalogue::receive_wal_lock(server.locks()));
  ASSERT_TRUE(lock.has_value());
  const ReceiverProcess process = find_receiver(server);
  if (!process.is_running) {
    EXPECT_THAT(process.problem, testing::HasSubstr(::program_invocation_short_name));
    return;
  }
  const auto reasons = list_current_reasons(server);
  ASSERT_EQ(reasons.size(), 1U);
  EXPECT_EQ(reasons.front().task, "archive-wal");
}

}  // namespace
}  // namespace barman::facts

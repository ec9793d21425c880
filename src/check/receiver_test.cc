// What counts as a receiver, and when its stream stands still.
#include "check/receiver.h"

#include <gtest/gtest.h>

namespace barman::check {
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

}  // namespace
}  // namespace barman::check

#include "catalogue/running_work.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/test_support.h"

namespace barman::catalogue {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

RunningWork some_work() {
  RunningWork work = work_of_this_process("main", "backup", "");
  work.phase = "backup";
  work.done_bytes = 400 << 20;
  work.total_bytes = 1000 << 20;
  work.phase_began = 1000;
  work.updated = 1100;
  return work;
}

class RunningWorkTest : public testing::Test {
 protected:
  void put(const RunningWork& work, const std::string& text) {
    std::ofstream(work_path(location_, work)) << text;
  }

  TemporaryDirectory directory_;
  LockLocation location_{.directory = directory_.path(), .server_name = "main"};
};

TEST_F(RunningWorkTest, IsSeenAsLongAsItsProcessLives) {
  RunningWork work = some_work();
  put(work, format_work(work));
  ASSERT_THAT(list_running_work(location_), SizeIs(1));
  EXPECT_EQ(list_running_work(location_)[0].pid, work.pid);
  EXPECT_EQ(describe_work(list_running_work(location_)[0], 1100),
            "backup: 40 % of 1000.0 MiB, 4.0 MiB/s, about 2 minutes, 30 seconds left");
  EXPECT_THAT(list_running_work({.directory = directory_.path(), .server_name = "mai"}), IsEmpty());
  // Another process has its pid by now.
  ++work.process_start;
  put(work, format_work(work));
  EXPECT_THAT(list_running_work(location_), IsEmpty());
}

TEST_F(RunningWorkTest, IsLeftOutWhenItIsHalfWritten) {
  const RunningWork work = some_work();
  const std::string text = format_work(work);
  RunningWork later = work;
  later.done_bytes = 500 << 20;
  const std::string next = format_work(later);
  EXPECT_EQ(text.size(), next.size());
  for (const std::size_t cut : {std::size_t{0}, std::size_t{5}, text.find("backup\n4") + 8}) {
    put(work, text.substr(0, cut));
    EXPECT_THAT(list_running_work(location_), IsEmpty()) << cut;
  }
  const std::size_t changed = text.find(fmt::to_string(work.done_bytes)) + 1;
  put(work, next.substr(0, changed) + text.substr(changed));
  EXPECT_THAT(list_running_work(location_), IsEmpty());
}

TEST_F(RunningWorkTest, SaysForHowLongItWaits) {
  RunningWork work = some_work();
  work.phase = "waiting for WAL 000000010000000000000007";
  work.done_bytes = 0;
  work.total_bytes = 0;
  EXPECT_EQ(describe_work(work, 1012), "waiting for WAL 000000010000000000000007 (for 12 seconds)");
}

}  // namespace
}  // namespace barman::catalogue

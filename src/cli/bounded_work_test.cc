#include "cli/bounded_work.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <stdexcept>

namespace barman::cli {
namespace {

TEST(BoundedWork, PassesResultsAndErrorsOn) {
  for (const std::chrono::milliseconds limit : {std::chrono::minutes(1), std::chrono::minutes(0)}) {
    int result = 0;
    EXPECT_TRUE(run_bounded(limit, [&](const Gate& gate) { gate([&] { result = 7; }); }));
    EXPECT_EQ(result, 7);
    EXPECT_THROW(run_bounded(limit, [](const Gate&) { throw std::runtime_error("no"); }),
                 std::runtime_error);
  }
  EXPECT_FALSE(has_abandoned_work());
}

TEST(BoundedWork, IsLeftBehindAndThenTouchesNothingOfTheCaller) {
  // The thread lives until the process ends, so what it uses does, too.
  const auto begin = std::make_shared<std::promise<void>>();
  const auto passed = std::make_shared<std::promise<void>>();
  std::future<void> has_passed = passed->get_future();
  EXPECT_FALSE(run_bounded(std::chrono::milliseconds(20), [begin, passed](const Gate& gate) {
    begin->get_future().wait();
    gate([&] { passed->set_value(); });
  }));
  EXPECT_TRUE(has_abandoned_work());
  begin->set_value();
  EXPECT_EQ(has_passed.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
}

}  // namespace
}  // namespace barman::cli

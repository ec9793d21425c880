#include "base/worker_pool.h"

#include <atomic>

#include <gtest/gtest.h>

#include "base/error.h"

namespace barman {
namespace {

TEST(WorkerPool, RunsAllTasks) {
  std::atomic<int> sum = 0;
  WorkerPool pool(3);
  for (int i = 1; i <= 100; ++i) pool.submit([&sum, i] { sum += i; });
  pool.wait();
  EXPECT_EQ(sum, 5050);
}

TEST(WorkerPool, RethrowsTheFirstFailure) {
  WorkerPool pool(2);
  for (int i = 0; i < 20; ++i) pool.submit([] { throw Error(ErrorKind::io, "broken"); });
  EXPECT_THROW(pool.wait(), Error);
}

}  // namespace
}  // namespace barman

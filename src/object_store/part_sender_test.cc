#include "object_store/part_sender.h"

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>

#include "base/error.h"

namespace barman::object_store {
namespace {

PartContent part_of(std::size_t size) { return PartContent(size, std::byte{'x'}); }

TEST(PartSender, SendsEachPartOnce) {
  std::mutex mutex;
  std::set<unsigned> sent;
  PartSender sender(3, [&](unsigned number, Bytes content) {
    EXPECT_EQ(content.size(), number);
    const std::lock_guard lock(mutex);
    EXPECT_TRUE(sent.insert(number).second);
  });
  for (unsigned number = 1; number <= 100; ++number) sender.submit(number, part_of(number));
  sender.wait();
  EXPECT_EQ(sent.size(), 100U);
}

TEST(PartSender, HasNoMorePartsUnderWayThanItMay) {
  std::atomic<int> now = 0;
  std::atomic<int> most = 0;
  PartSender sender(2, [&](unsigned, Bytes) {
    const int count = ++now;
    int before = most;
    while (before < count && !most.compare_exchange_weak(before, count)) {
    }
    std::this_thread::yield();
    --now;
  });
  for (unsigned number = 1; number <= 50; ++number) {
    PartContent part = sender.take_buffer();
    EXPECT_TRUE(part.empty());
    part.resize(10);
    sender.submit(number, std::move(part));
  }
  sender.wait();
  EXPECT_LE(most, 2);
}

TEST(PartSender, TellsTheFirstFailure) {
  std::atomic<unsigned> sent = 0;
  PartSender sender(2, [&](unsigned number, Bytes) {
    ++sent;
    if (number == 2) throw Error(ErrorKind::connection, "part 2");
  });
  const auto send_all = [&] {
    for (unsigned number = 1; number <= 1000; ++number) sender.submit(number, part_of(1));
    sender.wait();
  };
  try {
    send_all();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "part 2");
  }
  EXPECT_LT(sent, 1000U) << "nothing more is sent afterwards";
  EXPECT_THROW(sender.wait(), Error);
}

TEST(PartSender, EndsWithoutBeingWaitedFor) {
  PartSender sender(2, [](unsigned, Bytes) {});
  for (unsigned number = 1; number <= 4; ++number) sender.submit(number, part_of(1));
}

}  // namespace
}  // namespace barman::object_store

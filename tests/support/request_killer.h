// Programs that are killed at one of their requests to an object store: before the store has got
// it, or after it has done what it says.
//
//   RequestKiller killer(server.port());
//   const int count = killer.run(request);            // undisturbed; the store is
//   killer.endpoint() at_each_request(count, [&](int number, RequestKiller::Moment moment) {
//     killer.run(request, number, moment); …
//   });
#pragma once

#include <sys/types.h>

#include <atomic>
#include <string>

#include <gtest/gtest.h>

#include "support/command.h"
#include "support/store_proxy.h"

namespace barman::test {

class RequestKiller {
 public:
  enum class Moment { before, after };

  explicit RequestKiller(int store_port);

  std::string endpoint() const { return proxy_.endpoint(); }
  const StoreProxy& proxy() const { return proxy_; }
  // To its end: returns how many requests there were. It must end with 0.
  int run(const CommandRequest& request);
  // Killed, with all that it has started, at that request, counted from 1; at none when there are
  // not as many.
  void run(const CommandRequest& request, int fatal_request, Moment moment);

 private:
  std::string meet(const std::string& head, Moment moment);
  std::optional<CommandResult> run_until(const CommandRequest& request, int fatal_request,
                                         Moment moment);

  std::atomic<int> requests_ = 0;
  std::atomic<int> fatal_request_ = 0;
  std::atomic<Moment> fatal_moment_ = Moment::before;
  std::atomic<pid_t> victim_ = 0;
  // The last member: its threads use the others.
  StoreProxy proxy_;
};

// How many of so many requests lie between two that are tried: a few of them are; all with
// BARMAN_THOROUGH.
int request_step(int count);
// The first one: BARMAN_SEED chooses others.
int first_request(int step);

// `check` gets the number and the moment, which alternates. Ends with the first failure.
template <typename Check>
void at_each_request(int count, const Check& check) {
  ASSERT_GT(count, 0);
  const int step = request_step(count);
  for (int number = first_request(step); number <= count; number += step) {
    SCOPED_TRACE(number);
    check(number, number % 2 == 0 ? RequestKiller::Moment::before : RequestKiller::Moment::after);
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace barman::test

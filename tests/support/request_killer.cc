#include "support/request_killer.h"

#include <signal.h>

#include <algorithm>
#include <cstdlib>

#include "base/test_support.h"
#include "base/text.h"
#include "support/eventually.h"

namespace barman::test {

RequestKiller::RequestKiller(int store_port) : proxy_(store_port) {
  proxy_.rewrite([this](const std::string& head) { return meet(head, Moment::before); },
                 [this](const std::string& head) { return meet(head, Moment::after); });
}

std::string RequestKiller::meet(const std::string& head, Moment moment) {
  const int number = moment == Moment::before ? ++requests_ : requests_.load();
  if (number != fatal_request_ || moment != fatal_moment_) return head;
  eventually([this] { return victim_ != 0; });
  ::kill(-victim_, SIGKILL);
  // The store does not get it.
  return moment == Moment::before ? StoreProxy::error_answer(503, "SlowDown") : head;
}

std::optional<CommandResult> RequestKiller::run_until(const CommandRequest& request,
                                                      int fatal_request, Moment moment) {
  victim_ = 0;
  requests_ = 0;
  fatal_request_ = fatal_request;
  fatal_moment_ = moment;
  proxy_.reset();
  BackgroundCommand command(request);
  victim_ = command.pid();
  auto result = command.wait();
  EXPECT_TRUE(result);
  return result;
}

int RequestKiller::run(const CommandRequest& request) {
  const auto result = run_until(request, 0, Moment::before);
  if (result) {
    EXPECT_EQ(result->exit_code, 0) << result->out << result->err;
  }
  return requests_;
}

void RequestKiller::run(const CommandRequest& request, int fatal_request, Moment moment) {
  run_until(request, fatal_request, moment);
}

int request_step(int count) { return stride(std::max(count / 2, 1)); }

int first_request(int step) {
  const char* const seed = std::getenv("BARMAN_SEED");  // NOLINT(concurrency-mt-unsafe)
  const auto number = seed == nullptr ? std::nullopt : parse_integer(seed);
  return 1 + static_cast<int>((number ? *number : step / 3) % step);
}

}  // namespace barman::test

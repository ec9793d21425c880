#include "base/worker_pool.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <future>

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

// Exit codes of a child whose user may have `limit` processes and threads.
int run_with_few_threads(rlim_t limit, int (*run)()) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(20);  // Instead of a wait for ever.
    constexpr uid_t kNobodyElse = 64123;
    if (::geteuid() == 0 && ::setresuid(kNobodyElse, kNobodyElse, kNobodyElse) != 0) ::_exit(90);
    const rlimit few = {.rlim_cur = limit, .rlim_max = limit};
    if (::setrlimit(RLIMIT_NPROC, &few) != 0) ::_exit(91);
    ::_exit(run());
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST(WorkerPool, WithoutOneThreadIsAnErrorAndNoWait) {
  EXPECT_EQ(run_with_few_threads(1,
                                 [] {
                                   try {
                                     WorkerPool pool(4);
                                   } catch (const Error& error) {
                                     return error.hint().empty() ? 2 : 7;
                                   }
                                   return 1;
                                 }),
            7);
}

TEST(StartThreads, GivesEachItsNumber) {
  std::array<std::atomic<int>, 3> seen{};
  start_threads(
      3, [&](std::size_t number) { ++seen.at(number); }, [](const Error&) {});
  for (const std::atomic<int>& count : seen) EXPECT_EQ(count, 1);
}

TEST(StartThreads, TellsWhyThereAreFewer) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs a user without other processes";
  EXPECT_EQ(run_with_few_threads(3,
                                 [] {
                                   bool is_told = false;
                                   std::promise<void> all_asked;
                                   const std::shared_future<void> go_on(all_asked.get_future());
                                   const auto threads = start_threads(
                                       8, [go_on](std::size_t) { go_on.wait(); },
                                       [&](const Error&) { is_told = true; });
                                   all_asked.set_value();
                                   return is_told && !threads.empty() && threads.size() < 8 ? 7 : 1;
                                 }),
            7);
}

TEST(WorkerPool, DoesItsWorkWithFewerThreads) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs a user without other processes";
  EXPECT_EQ(run_with_few_threads(3,
                                 [] {
                                   std::atomic<int> sum = 0;
                                   WorkerPool pool(8);
                                   for (int i = 1; i <= 10; ++i) pool.submit([&] { ++sum; });
                                   pool.wait();
                                   return sum == 10 ? 7 : 1;
                                 }),
            7);
}

}  // namespace
}  // namespace barman

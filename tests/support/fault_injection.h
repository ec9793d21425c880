// Programs that fail at a chosen system call: they run under strace, which kills them there or
// makes the call fail.
//
//   const CommandRequest request = barman.request({"archive-wal", "main"});
//   for (const int n : choose_points(count_calls(request, "rename"), 5)) {
//     run_command(with_fault(request, {.system_call = "rename", .when = n}));
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "support/command.h"

namespace barman::test {

struct Fault {
  std::string system_call;
  int when = 1;  // the n-th call of a thread, from 1
  // What happens instead of the call: "signal=KILL", "error=ENOSPC" and the like.
  std::string action = "signal=KILL";
};

CommandRequest with_fault(CommandRequest request, const Fault& fault);

// Each of these system calls ("read,pread64") takes so much longer, in each thread.
CommandRequest with_delay(CommandRequest request, const std::string& system_calls,
                          std::chrono::milliseconds delay);

// Runs it undisturbed; the most calls that one thread has made. Throws when it fails.
int count_calls(CommandRequest request, const std::string& system_call);

// At most `wanted` of 1 … `last`, with both ends; all of them with BARMAN_SWEEP=full.
std::vector<int> choose_points(int last, int wanted);

}  // namespace barman::test

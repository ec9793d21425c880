// For tests: a process that is killed before the n-th of its system calls that change a disk, as a
// crash would end it. What it did before is done, what comes after is not.
#pragma once

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <functional>
#include <iterator>

namespace barman {

inline bool changes_a_disk(std::uint64_t system_call) {
  constexpr std::uint64_t kCalls[] = {
      SYS_renameat,  SYS_renameat2, SYS_linkat,   SYS_unlinkat,        SYS_fsync,   SYS_fdatasync,
      SYS_ftruncate, SYS_write,     SYS_pwrite64, SYS_copy_file_range, SYS_mkdirat,
#ifdef SYS_rename  // not on every processor
      SYS_rename,    SYS_link,      SYS_unlink,   SYS_mkdir,           SYS_rmdir,
#endif
  };
  return std::ranges::find(kCalls, system_call) != std::end(kCalls);
}

// Runs `action` in a process of its own, with all its threads. False when it ended before that
// step.
inline bool run_and_kill(const std::function<void()>& action, int last_step) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    ::raise(SIGSTOP);
    action();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  constexpr long kOptions = PTRACE_O_TRACECLONE | PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL;
  ::ptrace(PTRACE_SETOPTIONS, child, nullptr, kOptions);
  ::ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
  constexpr int kSystemCallStop = SIGTRAP | 0x80;
  int step = 0;
  bool is_killed = false;
  for (pid_t stopped = 0; (stopped = ::waitpid(-1, &status, __WALL)) > 0 || errno == EINTR;) {
    if (!WIFSTOPPED(status)) {
      if (stopped == child) return is_killed;
      continue;
    }
    int signal = WSTOPSIG(status);
    if (signal == kSystemCallStop) {
      signal = 0;
      __ptrace_syscall_info info = {};
      ::ptrace(PTRACE_GET_SYSCALL_INFO, stopped, sizeof(info), &info);
      if (info.op == PTRACE_SYSCALL_INFO_ENTRY && changes_a_disk(info.entry.nr) && !is_killed &&
          ++step == last_step) {
        is_killed = true;
        ::kill(child, SIGKILL);
        continue;
      }
    } else if (signal == SIGTRAP || signal == SIGSTOP) {
      signal = 0;  // a new thread
    }
    ::ptrace(PTRACE_SYSCALL, stopped, nullptr, signal);
  }
  return is_killed;
}

}  // namespace barman

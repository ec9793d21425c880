// Child processes, started from an argument vector, never through a shell; the one exception is
// shell_command(), for command lines that the user wrote into the configuration (hooks,
// ssh_command).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/interrupt.h"

namespace barman {

struct ProcessRequest {
  std::vector<std::string> argv;                   // argv[0] is searched in PATH
  std::map<std::string, std::string> environment;  // added to the inherited one
  std::string standard_input;                      // given to the child, then its stdin is closed
};

struct ProcessResult {
  int exit_code = 0;  // 128 + n when ended by signal n
  std::string standard_output;
  std::string standard_error;
};

// Runs to the end and collects both outputs (each bounded to 1 MiB; the rest is read and dropped).
// Throws SystemError when it cannot be started.
ProcessResult run_process(const ProcessRequest& request);

// Runs to the end with these descriptors as its input and output; its error output is collected as
// by run_process().
ProcessResult run_filter(const std::vector<std::string>& argv, int standard_input,
                         int standard_output);

struct PipeEnds {
  Fd read_end;
  Fd write_end;
};
// Both ends are closed in child processes, unless they are given to them.
PipeEnds make_pipe();

// A running child. The destructor ends it (SIGTERM) and waits, unless wait() was called.
class ChildProcess {
 public:
  // Descriptors for the child; -1 = as ours.
  struct Streams {
    int input = -1;
    int output = -1;
    int error = -1;
    // Its working directory; nullptr = ours.
    const char* directory = nullptr;
    // More descriptors that it gets, under the numbers that they have here (3 and above).
    std::vector<int> inherited{};
  };
  // Throws SystemError when it cannot be started.
  ChildProcess(const std::vector<std::string>& argv, const Streams& streams);
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess();

  // Its exit code; 128 + n when ended by signal n. Called once.
  int wait();
  // The same, or nullopt when the interrupt fires first: the child goes on then.
  std::optional<int> wait_unless_interrupted(const Interrupt& interrupt);

 private:
  std::string name_;
  pid_t pid_ = -1;
};

// The soft limit of open files that children are given back (getrlimit(2)), when ours was raised.
void set_file_limit_of_children(std::uint64_t soft_limit);

// argv for `/bin/sh -c TEXT`.
std::vector<std::string> shell_command(const std::string& text);

// Starts a process that outlives this one: new session, descriptors closed, stdin on /dev/null;
// stdout and stderr too unless keep_outputs. Returns its pid and does not wait for it.
enum class DaemonOutputs { discard, keep };
pid_t spawn_daemon(const std::vector<std::string>& argv, DaemonOutputs outputs);

}  // namespace barman

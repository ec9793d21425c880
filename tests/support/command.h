// Programs that a test runs: to the end with a time limit, or in the background. Both outputs are
// kept in memory files, so that nobody has to read while the program runs, and a daemon that
// inherits them blocks nothing.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"

namespace barman::test {

inline constexpr std::chrono::seconds kCommandTimeout{120};

struct CommandRequest {
  std::vector<std::string> argv;
  std::map<std::string, std::string> environment = {};  // added to the inherited one
  std::string input = {};                               // standard input
  std::filesystem::path output_file = {};  // both outputs, appended; memory files when empty
  std::chrono::milliseconds timeout = kCommandTimeout;
};

struct CommandResult {
  int exit_code = 0;  // 128 + n when ended by signal n
  std::string out;
  std::string err;
  std::chrono::milliseconds duration{0};
};

// A running program. It leads a process group, and is killed when the thread that started it ends,
// or with this object.
class BackgroundCommand {
 public:
  explicit BackgroundCommand(const CommandRequest& request);
  BackgroundCommand(BackgroundCommand&& other) noexcept;
  BackgroundCommand& operator=(BackgroundCommand&&) = delete;
  ~BackgroundCommand();

  pid_t pid() const { return pid_; }
  bool is_running();
  void kill(int signal) const;
  // Also to all processes it has started, as far as they stayed in its group.
  void kill_group(int signal) const;
  // nullopt when it has not ended within `timeout`; it goes on then.
  std::optional<CommandResult> wait(std::chrono::milliseconds timeout = kCommandTimeout);
  // What it has written so far.
  std::string out() const;
  std::string err() const;

 private:
  bool reap(std::chrono::milliseconds timeout);

  pid_t pid_ = -1;
  Fd pidfd_;
  Fd out_;
  Fd err_;
  std::chrono::steady_clock::time_point begin_;
  std::chrono::milliseconds duration_{0};
  std::optional<int> exit_code_;
};

// Kills the program and throws when it has not ended in time.
CommandResult run_command(const CommandRequest& request);
// As run_command, but throws with the program's error output when it fails. Returns its output.
std::string run_checked(const CommandRequest& request);

// The processes whose command line contains `text`.
std::vector<pid_t> list_processes(const std::string& text);
// Those of them whose environment contains `environment`: one test's own, when the command line
// alone does not tell.
std::vector<pid_t> list_processes(const std::string& text, const std::string& environment);
std::vector<pid_t> list_children(pid_t parent);
// Neither gone nor a zombie.
bool is_alive(pid_t pid);

}  // namespace barman::test

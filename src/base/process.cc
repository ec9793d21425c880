#include "base/process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"

// environ is declared by unistd.h with _GNU_SOURCE, which g++ defines.

namespace barman {
namespace {

constexpr std::size_t kMaxOutput = std::size_t{1} << 20;

// Set once, before there are threads; 0 = ours.
std::uint64_t g_file_limit_of_children = 0;

// posix_spawn(3) knows no limits. A moment after its start is early enough.
void give_back_file_limit(pid_t pid) {
  if (g_file_limit_of_children == 0) return;
  rlimit limit = {};
  if (::prlimit(pid, RLIMIT_NOFILE, nullptr, &limit) != 0) return;
  limit.rlim_cur = g_file_limit_of_children;
  static_cast<void>(::prlimit(pid, RLIMIT_NOFILE, &limit, nullptr));
}

constexpr std::string_view kShell = "/bin/sh";

// What the user's commands (hooks, ssh_command, filters) do not inherit: the password that barman's
// own sessions log in with.
constexpr const char* kOwnPassword = "PGPASSWORD";

std::vector<std::string> merged_environment(const std::vector<std::string>& argv,
                                            const std::map<std::string, std::string>& additions) {
  std::map<std::string, std::string> merged;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text(*entry);
    const std::size_t equals = text.find('=');
    if (equals != std::string::npos) merged[text.substr(0, equals)] = text.substr(equals + 1);
  }
  if (argv.front() == kShell) merged.erase(kOwnPassword);
  for (const auto& [key, value] : additions) merged[key] = value;
  std::vector<std::string> result;
  result.reserve(merged.size());
  for (const auto& [key, value] : merged) result.push_back(fmt::format("{}={}", key, value));
  return result;
}

std::vector<char*> as_pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

class SpawnActions {
 public:
  SpawnActions() {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
    // The program blocks the signals it watches; children must not inherit that.
    sigset_t none;
    ::sigemptyset(&none);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    sigset_t defaults;
    ::sigemptyset(&defaults);
    ::sigaddset(&defaults, SIGPIPE);
    ::sigaddset(&defaults, SIGXFSZ);
    ::posix_spawnattr_setsigdefault(&attributes_, &defaults);
    set_flags(0);
  }
  SpawnActions(const SpawnActions&) = delete;
  SpawnActions& operator=(const SpawnActions&) = delete;
  ~SpawnActions() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  void set_flags(short more) {
    ::posix_spawnattr_setflags(
        &attributes_, static_cast<short>(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | more));
  }
  void duplicate(int from, int to) { ::posix_spawn_file_actions_adddup2(&actions_, from, to); }
  void change_directory(const char* directory) {
    ::posix_spawn_file_actions_addchdir_np(&actions_, directory);
  }
  void open_null(int to) {
    ::posix_spawn_file_actions_addopen(&actions_, to, "/dev/null", O_RDWR, 0);
  }

  pid_t spawn(const std::vector<std::string>& argv,
              const std::map<std::string, std::string>& environment) {
    std::vector<std::string> arguments = argv;
    std::vector<std::string> variables = merged_environment(argv, environment);
    pid_t pid = 0;
    const int code = ::posix_spawnp(&pid, arguments.at(0).c_str(), &actions_, &attributes_,
                                    as_pointers(arguments).data(), as_pointers(variables).data());
    if (code != 0) throw SystemError(code, "cannot start \"" + argv.at(0) + "\"");
    give_back_file_limit(pid);
    return pid;
  }

 private:
  posix_spawn_file_actions_t actions_ = {};
  posix_spawnattr_t attributes_ = {};
};

// Reads what is there; closes the descriptor at its end.
void drain(Fd& fd, std::string& output) {
  std::array<char, 8192> buffer = {};
  const ssize_t count = ::read(fd.get(), buffer.data(), buffer.size());
  if (count < 0 && errno == EINTR) return;
  if (count <= 0) {
    fd = Fd();
    return;
  }
  if (output.size() < kMaxOutput) output.append(buffer.data(), static_cast<std::size_t>(count));
}

void feed(Fd& fd, std::string_view& input) {
  const ssize_t count = ::write(fd.get(), input.data(), input.size());
  if (count < 0 && (errno == EINTR || errno == EAGAIN)) return;
  // A child that does not read its input is not an error here: its exit code tells.
  if (count < 0) input = {};
  if (count > 0) input.remove_prefix(static_cast<std::size_t>(count));
  if (input.empty()) fd = Fd();
}

void exchange(Fd& to_child, std::string_view input, Fd& out, Fd& err, ProcessResult& result) {
  while (out.is_open() || err.is_open() || to_child.is_open()) {
    std::array<pollfd, 3> fds = {pollfd{to_child.get(), POLLOUT, 0}, pollfd{out.get(), POLLIN, 0},
                                 pollfd{err.get(), POLLIN, 0}};
    if (::poll(fds.data(), fds.size(), -1) < 0) {
      if (errno == EINTR) continue;
      throw_errno("cannot wait for a child process");
    }
    if (fds[0].revents != 0) feed(to_child, input);
    if (fds[1].revents != 0) drain(out, result.standard_output);
    if (fds[2].revents != 0) drain(err, result.standard_error);
  }
}

int wait_for_child(pid_t pid, const std::string& name) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) throw_errno("cannot wait for \"" + name + "\"");
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

PipeEnds make_pipe() {
  std::array<int, 2> fds = {};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0) throw_errno("cannot create a pipe");
  return {Fd(fds[0]), Fd(fds[1])};
}

ChildProcess::ChildProcess(const std::vector<std::string>& argv, const Streams& streams)
    : name_(argv.at(0)) {
  SpawnActions actions;
  if (streams.input >= 0) actions.duplicate(streams.input, STDIN_FILENO);
  if (streams.output >= 0) actions.duplicate(streams.output, STDOUT_FILENO);
  if (streams.error >= 0) actions.duplicate(streams.error, STDERR_FILENO);
  if (streams.directory != nullptr) actions.change_directory(streams.directory);
  // Onto itself: only the flag that closes it goes away (POSIX, posix_spawn_file_actions_adddup2).
  for (const int fd : streams.inherited) actions.duplicate(fd, fd);
  pid_ = actions.spawn(argv, {});
}

ChildProcess::~ChildProcess() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGTERM);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) continue;
}

int ChildProcess::wait() { return wait_for_child(std::exchange(pid_, -1), name_); }

std::optional<int> ChildProcess::wait_unless_interrupted(const Interrupt& interrupt) {
  const Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  if (!pidfd.is_open()) throw_errno("cannot wait for \"" + name_ + "\"");
  if (wait_for_fd(pidfd.get(), WaitFor::readable, -1, interrupt) == WaitResult::interrupted) {
    return std::nullopt;
  }
  return wait();
}

ProcessResult run_process(const ProcessRequest& request) {
  PipeEnds in = make_pipe();
  PipeEnds out = make_pipe();
  PipeEnds err = make_pipe();
  SpawnActions actions;
  actions.duplicate(in.read_end.get(), STDIN_FILENO);
  actions.duplicate(out.write_end.get(), STDOUT_FILENO);
  actions.duplicate(err.write_end.get(), STDERR_FILENO);
  const pid_t pid = actions.spawn(request.argv, request.environment);
  in.read_end = Fd();
  out.write_end = Fd();
  err.write_end = Fd();
  if (request.standard_input.empty()) {
    in.write_end = Fd();
  } else {
    ::fcntl(in.write_end.get(), F_SETFL, O_NONBLOCK);
  }

  ProcessResult result;
  exchange(in.write_end, request.standard_input, out.read_end, err.read_end, result);
  result.exit_code = wait_for_child(pid, request.argv.at(0));
  return result;
}

ProcessResult run_filter(const std::vector<std::string>& argv, int standard_input,
                         int standard_output) {
  PipeEnds err = make_pipe();
  SpawnActions actions;
  actions.duplicate(standard_input, STDIN_FILENO);
  actions.duplicate(standard_output, STDOUT_FILENO);
  actions.duplicate(err.write_end.get(), STDERR_FILENO);
  const pid_t pid = actions.spawn(argv, {});
  err.write_end = Fd();
  ProcessResult result;
  while (err.read_end.is_open()) drain(err.read_end, result.standard_error);
  result.exit_code = wait_for_child(pid, argv.at(0));
  return result;
}

std::vector<std::string> shell_command(const std::string& text) {
  return {std::string(kShell), "-c", text};
}
void set_file_limit_of_children(std::uint64_t soft_limit) { g_file_limit_of_children = soft_limit; }

pid_t spawn_daemon(const std::vector<std::string>& argv, DaemonOutputs outputs) {
  SpawnActions actions;
  actions.set_flags(POSIX_SPAWN_SETSID);
  actions.open_null(STDIN_FILENO);
  if (outputs == DaemonOutputs::discard) {
    actions.open_null(STDOUT_FILENO);
    actions.open_null(STDERR_FILENO);
  }
  return actions.spawn(argv, {});
}

}  // namespace barman

#include "support/command.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/error.h"
#include "base/text.h"

namespace barman::test {
namespace {

using Clock = std::chrono::steady_clock;

Fd make_memory_file(std::string_view content) {
  Fd file(memfd_create("barman-test", MFD_CLOEXEC));
  if (!file.is_open()) throw_errno("cannot create a memory file");
  write_full(file, as_bytes(content), "memory file");
  if (lseek(file.get(), 0, SEEK_SET) != 0) throw_errno("cannot rewind a memory file");
  return file;
}

std::string content_of(const Fd& file) {
  std::string content;
  std::array<char, 65536> buffer{};
  off_t offset = 0;
  for (;;) {
    const ssize_t count = pread(file.get(), buffer.data(), buffer.size(), offset);
    if (count <= 0) return content;
    content.append(buffer.data(), static_cast<std::size_t>(count));
    offset += count;
  }
}

std::vector<std::string> merged_environment(const std::map<std::string, std::string>& added) {
  std::vector<std::string> merged;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (!added.contains(text.substr(0, text.find('=')))) merged.push_back(text);
  }
  for (const auto& [name, value] : added) merged.push_back(name + "=" + value);
  return merged;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Everything the child needs is made before the fork; it calls system functions only.
struct ChildPlan {
  char* const* argv;
  char* const* environment;
  int input;
  int output;
  int error;
};

[[noreturn]] void become(const ChildPlan& plan) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (dup2(plan.input, 0) >= 0 && dup2(plan.output, 1) >= 0 && dup2(plan.error, 2) >= 0) {
    execvpe(plan.argv[0], plan.argv, plan.environment);
  }
  _exit(127);
}

// State and parent of a process, from /proc/PID/stat; nullopt when it has gone.
struct ProcessFacts {
  char state = '?';
  std::int64_t parent = 0;
};
std::optional<ProcessFacts> find_process(pid_t pid) {
  const Fd file(open(fmt::format("/proc/{}/stat", pid).c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) return std::nullopt;
  const std::string text = content_of(file);
  const std::size_t name_end = text.rfind(')');  // the name itself may contain anything
  if (name_end == std::string::npos) return std::nullopt;
  const std::vector<std::string> fields = split_blanks(text.substr(name_end + 1));
  if (fields.size() < 2) return std::nullopt;
  return ProcessFacts{fields[0].front(), parse_integer(fields[1]).value_or(0)};
}

std::vector<pid_t> all_processes() {
  std::vector<pid_t> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::optional<std::int64_t> pid = parse_integer(entry.path().filename().string());
    if (pid) found.push_back(static_cast<pid_t>(*pid));
  }
  return found;
}

bool process_file_contains(pid_t pid, const char* name, const std::string& text) {
  const Fd file(open(fmt::format("/proc/{}/{}", pid, name).c_str(), O_RDONLY | O_CLOEXEC));
  return file.is_open() && content_of(file).find(text) != std::string::npos;
}

}  // namespace

BackgroundCommand::BackgroundCommand(const CommandRequest& request) : begin_(Clock::now()) {
  const Fd input = make_memory_file(request.input);
  if (request.output_file.empty()) {
    out_ = make_memory_file({});
    err_ = make_memory_file({});
  } else {
    out_ = open_file(request.output_file, O_RDWR | O_CREAT | O_APPEND);
    err_ = open_file(request.output_file, O_RDWR | O_CREAT | O_APPEND);
  }
  std::vector<std::string> argv = request.argv;
  std::vector<std::string> environment = merged_environment(request.environment);
  const std::vector<char*> argv_pointers = pointers_to(argv);
  const std::vector<char*> environment_pointers = pointers_to(environment);
  const ChildPlan plan{argv_pointers.data(), environment_pointers.data(), input.get(), out_.get(),
                       err_.get()};
  pid_ = fork();
  if (pid_ < 0) throw_errno("cannot fork");
  if (pid_ == 0) become(plan);
  setpgid(pid_, pid_);  // in both processes, so that the group exists whoever comes first
  pidfd_ = Fd(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
}

BackgroundCommand::BackgroundCommand(BackgroundCommand&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pidfd_(std::move(other.pidfd_)),
      out_(std::move(other.out_)),
      err_(std::move(other.err_)),
      begin_(other.begin_),
      duration_(other.duration_),
      exit_code_(other.exit_code_) {}

BackgroundCommand::~BackgroundCommand() {
  if (pid_ < 0 || exit_code_) return;
  kill_group(SIGKILL);
  waitpid(pid_, nullptr, 0);
}

bool BackgroundCommand::reap(std::chrono::milliseconds timeout) {
  if (exit_code_) return true;
  struct pollfd entry {
    pidfd_.get(), POLLIN, 0
  };
  const auto deadline = Clock::now() + timeout;
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    const int ready = poll(&entry, 1, static_cast<int>(std::max<long>(left, 0)));
    if (ready > 0) break;
    if (ready == 0) return false;
    if (errno != EINTR) throw_errno("cannot wait for a process");
  }
  int status = 0;
  if (waitpid(pid_, &status, 0) != pid_) throw_errno("cannot reap a process");
  exit_code_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  duration_ = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin_);
  return true;
}

bool BackgroundCommand::is_running() { return !reap(std::chrono::milliseconds(0)); }

void BackgroundCommand::kill(int signal) const {
  if (!exit_code_) ::kill(pid_, signal);
}

void BackgroundCommand::kill_group(int signal) const {
  if (!exit_code_) ::kill(-pid_, signal);
}

std::optional<CommandResult> BackgroundCommand::wait(std::chrono::milliseconds timeout) {
  if (!reap(timeout)) return std::nullopt;
  return CommandResult{*exit_code_, out(), err(), duration_};
}

std::string BackgroundCommand::out() const { return content_of(out_); }
std::string BackgroundCommand::err() const { return content_of(err_); }

CommandResult run_command(const CommandRequest& request) {
  BackgroundCommand command(request);
  if (std::optional<CommandResult> result = command.wait(request.timeout)) return *result;
  throw Error(ErrorKind::internal,
              fmt::format("not ended after {} ms: {}\n{}\n{}", request.timeout.count(),
                          fmt::join(request.argv, " "), command.out(), command.err()));
}

std::string run_checked(const CommandRequest& request) {
  CommandResult result = run_command(request);
  if (result.exit_code != 0) {
    throw Error(ErrorKind::internal,
                fmt::format("exit code {} of {}\n{}\n{}", result.exit_code,
                            fmt::join(request.argv, " "), result.out, result.err));
  }
  return std::move(result.out);
}

std::vector<pid_t> list_processes(const std::string& text) { return list_processes(text, ""); }

std::vector<pid_t> list_processes(const std::string& text, const std::string& environment) {
  std::vector<pid_t> found;
  for (const pid_t pid : all_processes()) {
    if (pid == getpid() || !process_file_contains(pid, "cmdline", text)) continue;
    if (!environment.empty() && !process_file_contains(pid, "environ", environment)) continue;
    found.push_back(pid);
  }
  return found;
}

std::vector<pid_t> list_children(pid_t parent) {
  std::vector<pid_t> found;
  for (const pid_t pid : all_processes()) {
    const std::optional<ProcessFacts> facts = find_process(pid);
    if (facts && facts->parent == parent) found.push_back(pid);
  }
  return found;
}

bool is_alive(pid_t pid) {
  const std::optional<ProcessFacts> facts = find_process(pid);
  return facts && facts->state != 'Z' && facts->state != 'X';
}

}  // namespace barman::test

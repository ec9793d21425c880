#include "wal_transfer/processes.h"

#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <optional>

#include <fmt/format.h>

#include "base/directory.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/file_lock.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/log_components.h"
#include "catalogue/locks.h"
#include "server/receiver_unit.h"
#include "wal_transfer/backup_wals.h"

namespace barman::wal_transfer {
namespace fs = std::filesystem;
namespace {

constexpr int kPolls = 10;
constexpr int kPollMs = 1000;
constexpr int kStartPolls = 500;
constexpr int kStartPollMs = 10;

std::optional<pid_t> find_process(const server::Server& server, const std::string& task) {
  const auto processes = catalogue::list_processes(server.locks());
  const auto found = std::find_if(processes.begin(), processes.end(),
                                  [&](const auto& process) { return process.task == task; });
  if (found == processes.end() || found->pid <= 0) return std::nullopt;
  return found->pid;
}

// A look only. The child takes the lock itself; that another process may come between is
// harmless, because the child then ends with the same message.
bool is_free(const fs::path& lock) { return !FileLock::holder(lock).has_value(); }

void start_archiver(const server::Server& server, DaemonOutputs outputs, Messages& messages) {
  if (!is_free(catalogue::archive_wal_lock(server.locks()))) {
    messages.info(
        fmt::format("Another archive-wal process is already running on server {}. "
                    "Skipping to the next server",
                    server.name()));
    return;
  }
  messages.info(fmt::format("Starting WAL archiving for server {}", server.name()));
  start_child(server, {"archive-wal", server.name()}, outputs);
}

// Whoever changes the configuration next finds the receiver by its lock. One that cannot begin is
// not waited for; its log tells the reason.
void wait_for_receiver(const server::Server& server, std::optional<pid_t> pid) {
  const fs::path lock = catalogue::receive_wal_lock(server.locks());
  for (int i = 0; i < kStartPolls; ++i) {
    if (FileLock::holder(lock).value_or(0) != 0) return;
    siginfo_t ended = {};
    if (pid && ::waitid(P_PID, static_cast<id_t>(*pid), &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        ended.si_pid == *pid) {
      return;
    }
    if (sleep_unless_interrupted(kStartPollMs, server.interrupt())) return;
  }
}

// The child's pid; nullopt when systemd runs it.
std::optional<pid_t> start_receiver(const server::Server& server, DaemonOutputs outputs,
                                    Messages& messages) {
  if (const std::optional<std::string> unit = server::find_receiver_unit(server)) {
    messages.info_unlogged(fmt::format(
        "Starting streaming archiver for server {} via systemd unit {}", server.name(), *unit));
    if (server::control_unit(*unit, server::UnitAction::start)) return std::nullopt;
  }
  messages.info(fmt::format("Starting streaming archiver for server {}", server.name()));
  return start_child(server, {"receive-wal", server.name()}, outputs);
}

void start_or_stop_receiver(const server::Server& server, DaemonOutputs outputs,
                            Messages& messages) {
  if (!server.config().streaming_archiver) {
    if (find_process(server, "receive-wal")) terminate_process(server, "receive-wal", messages);
    return;
  }
  if (!is_free(catalogue::receive_wal_lock(server.locks()))) return;
  start_receiver(server, outputs, messages);
}

}  // namespace

void start_wal_check(const server::Server& server, catalogue::BackupListReader& backups,
                     DaemonOutputs outputs, Messages& messages) {
  const std::optional<catalogue::BackupId> id = choose_for_wal_check(server, backups.read());
  if (!id || !is_free(catalogue::backup_id_lock(server.locks(), *id))) return;
  messages.info(
      fmt::format("Starting check-backup for backup {} of server {}", id->value, server.name()));
  start_child(server, {"check-backup", server.name(), id->value}, outputs);
}

void terminate_process(const server::Server& server, const std::string& task, Messages& messages) {
  const std::optional<pid_t> pid = find_process(server, task);
  if (!pid) {
    throw Error(
        ErrorKind::not_found,
        fmt::format("Termination of {} failed: no such process for server {}", task, server.name()),
        fmt::format("'barman list-processes {}' names those that run.", server.name()));
  }
  // systemd would start again what ends by itself.
  const std::optional<std::string> unit = server::find_unit_of_process(*pid);
  const bool is_stopped = unit && server::control_unit(*unit, server::UnitAction::stop);
  if (!is_stopped && ::kill(*pid, SIGINT) != 0 && errno != ESRCH) {
    throw_errno(fmt::format("cannot send a signal to process {}({})", task, *pid));
  }
  for (int i = 0; i < kPolls; ++i) {
    // A process exists as long as it holds its lock: its pid may be reused.
    if (find_process(server, task) != pid) {
      messages.info(fmt::format("Stopped process {}({})", task, *pid));
      return;
    }
    if (sleep_unless_interrupted(kPollMs, server.interrupt())) {
      server.interrupt().throw_if_requested();
    }
  }
  throw Error(ErrorKind::conflict, fmt::format("Cannot terminate process {}({})", task, *pid),
              fmt::format("It has got SIGINT and goes on: look at it ('ps -p {0}', the log), and "
                          "end it with 'kill {0}'.",
                          *pid));
}

std::vector<std::string> child_command(const server::Server& server,
                                       const std::vector<std::string>& arguments) {
  std::vector<std::string> argv = {server.program().program.string(), "-c",
                                   server.program().configuration_path.string(), "-q"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return argv;
}

pid_t start_child(const server::Server& server, const std::vector<std::string>& arguments,
                  DaemonOutputs outputs) {
  const std::vector<std::string> argv = child_command(server, arguments);
  const pid_t pid = spawn_daemon(argv, outputs);
  log::debug(log::kServerComponent, "started process {} for server '{}': {}", pid, server.name(),
             fmt::join(argv, " "));
  return pid;
}

void run_wal_cron(const server::Server& server, catalogue::BackupListReader& backups,
                  DaemonOutputs outputs, Messages& messages) {
  start_archiver(server, outputs, messages);
  start_or_stop_receiver(server, outputs, messages);
  start_wal_check(server, backups, outputs, messages);
}

void restart_receiver(const server::Server& server, Messages& messages) {
  if (find_process(server, "receive-wal")) terminate_process(server, "receive-wal", messages);
  if (!server.config().active || !server.config().streaming_archiver) return;
  wait_for_receiver(server, start_receiver(server, DaemonOutputs::discard, messages));
}

bool is_receiver_starting(const server::Server& server) {
  constexpr std::size_t kMostBytes = std::size_t{64} << 10;
  const auto ended = [](const std::string& word) { return word + '\0'; };
  const std::string words = ended("receive-wal") + ended(server.name());
  const std::string option = ended("-c");
  const std::string own = option + ended(server.program().configuration_path.string());
  for (const std::string& name : list_directory("/proc")) {
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    try {
      const auto line = find_and_read_file(fs::path("/proc") / name / "cmdline", kMostBytes);
      if (!line || !line->ends_with(words)) continue;
      const bool is_ours = line->find(own) != std::string::npos;
      if (is_ours || line->find(option) == std::string::npos) return true;
    } catch (const Error&) {  // It has ended, or hides: another one may be it.
      continue;
    }
  }
  return false;
}

void stop_receiver_of_inactive_server(const server::Server& server, Messages& messages) {
  if (!find_process(server, "receive-wal")) return;
  messages.info(
      fmt::format("Server '{}' is inactive: stopping receive-wal subprocess", server.name()));
  terminate_process(server, "receive-wal", messages);
}

}  // namespace barman::wal_transfer

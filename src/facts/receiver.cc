#include "facts/receiver.h"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include <fmt/format.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file_lock.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/secrets.h"
#include "base/text.h"
#include "catalogue/last_reason.h"
#include "catalogue/locks.h"
#include "facts/deadline.h"
#include "postgres/queries.h"
#include "wal_archive/receiver_note.h"
#include "wal_transfer/receiver_name.h"

namespace barman::facts {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

// So much WAL does not wait in the buffers of a connection.
constexpr std::uint64_t kFarBehindBytes = std::uint64_t{64} << 20;
constexpr int kReceiverPauseMs = 200;
constexpr std::size_t kMostBytes = std::size_t{1} << 20;

// nullopt when it cannot be read: the process is of another user, or gone.
std::optional<std::string> find_command_line(pid_t pid) {
  try {
    return find_and_read_file(fs::path("/proc") / std::to_string(pid) / "cmdline", kMostBytes);
  } catch (const Error& error) {
    log::debug(log::kServerComponent, "process {}: {}", pid, error.describe());
    return std::nullopt;
  }
}

std::optional<pid_t> last_holder(const fs::path& lock) {
  try {
    const std::optional<std::string> text = find_and_read_file(lock, kMostBytes);
    pid_t pid = 0;
    if (text) std::from_chars(text->data(), text->data() + text->size(), pid);
    if (pid > 0) return pid;
  } catch (const Error& error) {  // It only makes the message better.
    log::debug(log::kServerComponent, "{}", error.describe());
  }
  return std::nullopt;
}

// The arguments may be secret.
std::string program_of(std::string_view command_line) {
  return fs::path(std::string(command_line.substr(0, command_line.find('\0')))).filename().string();
}

bool is_far_behind(const StreamLook& look) {
  return look.current && look.sent && look.current->value > look.sent->value &&
         look.current->value - look.sent->value > kFarBehindBytes;
}

bool is_sending(const postgres::ReplicationClient& client) {
  return !client.state || *client.state == "streaming" || *client.state == "catchup";
}

std::string process_name(const ReceiverProcess& process) {
  return process.pid && *process.pid > 0 ? fmt::format("process {}", *process.pid)
                                         : std::string("a process");
}

std::string restart_text(const server::Server& server) {
  return fmt::format("Run 'barman terminate-process {} receive-wal', then 'barman cron'",
                     server.name());
}

std::string describe_problem(const server::Server& server, const ReceiverProcess& process,
                             StreamState state, const StreamLook& look) {
  const config::ServerConfig& config = server.config();
  if (state == StreamState::stalled) {
    return fmt::format(
        "{} makes no progress: {} of WAL wait at {}, check the disk and the network. {}",
        process_name(process),
        human_size(static_cast<std::int64_t>(look.current->value - look.sent->value)),
        wal::format_lsn(*look.sent), restart_text(server));
  }
  const std::string lives = process_name(process) + " holds the lock but does not stream";
  const wal_archive::ReceiverNote note =
      wal_archive::find_receiver_note(server.locations().backup_directory);
  const std::string source = mask_conninfo(config.streaming_conninfo.value_or(""));
  if (process.pid && note.pid > 0 && note.pid == *process.pid && note.source != source) {
    return fmt::format(
        "{} from here: it began with \"{}\", and the configuration has \"{}\" now. {}", lives,
        note.source, source, restart_text(server));
  }
  const auto reason = catalogue::find_last_reason(config.backup_directory, "receive-wal");
  if (reason) {
    return fmt::format(
        "{}, and goes on trying: {}. Mend that, and it goes on by itself; if the "
        "configuration was changed meanwhile: {}",
        lives, reason->describe(), restart_text(server));
  }
  const std::string what =
      config.slot_name ? fmt::format("replication slot '{}' is not active", *config.slot_name)
                       : fmt::format("PostgreSQL has no WAL sender for '{}'",
                                     wal_transfer::receiver_name(config));
  return fmt::format("{}: {}{}. {}", lives, what,
                     log::has_file() ? ", see the Barman log file" : "", restart_text(server));
}

}  // namespace

StreamLook find_stream(const server::Server& server, const postgres::ReplicationStatus& status) {
  const config::ServerConfig& config = server.config();
  StreamLook look;
  look.current = status.current_lsn;
  const auto found =
      std::find_if(status.clients.begin(), status.clients.end(), [&](const auto& client) {
        if (config.slot_name) return client.slot_name == config.slot_name;
        return client.application_name == wal_transfer::receiver_name(config) && is_sending(client);
      });
  if (found == status.clients.end()) return look;
  look.is_seen = true;
  look.is_streaming = is_sending(*found);
  look.sent = found->sent_lsn;
  look.written = found->write_lsn;
  look.flushed = found->flush_lsn;
  return look;
}

StreamLook look_at_stream(const server::Server& server, postgres::Connection& connection) {
  const config::ServerConfig& config = server.config();
  StreamLook look = find_stream(
      server, postgres::query_replication_status(connection, postgres::ReplicationClientKind::all));
  if (look.is_seen) return look;
  if (config.slot_name) {
    const auto slot = postgres::find_replication_slot(connection, *config.slot_name);
    look.is_streaming = slot && slot->active;
  }
  return look;
}

ReceiverProcess find_receiver(const server::Server& server) {
  const fs::path lock = catalogue::receive_wal_lock(server.locks());
  ReceiverProcess process;
  process.pid = FileLock::holder(lock);
  if (!process.pid) {
    process.pid = last_holder(lock);
    process.problem =
        process.pid ? "its process has ended" : "it was never started, or was stopped";
    process.next_step = "Run 'barman cron'";
    const auto reason =
        catalogue::find_last_reason(server.config().backup_directory, "receive-wal");
    process.has_reason = reason.has_value();
    if (reason) {
      process.problem += ": " + reason->describe();
      process.next_step = "Mend that, then run 'barman cron'";
    }
    return process;
  }
  process.is_running = true;
  if (*process.pid <= 0) return process;
  const std::string command_line = find_command_line(*process.pid).value_or("");
  if (may_be_receiver(command_line)) return process;
  process.is_running = false;
  process.problem = fmt::format("the lock file \"{}\" is held, but process {} is '{}'",
                                lock.string(), *process.pid, program_of(command_line));
  process.next_step = "End what holds it, then run 'barman cron'";
  return process;
}

bool may_be_receiver(std::string_view command_line) {
  return command_line.empty() || command_line.find("receive") != std::string_view::npos ||
         command_line.find("barman") != std::string_view::npos;
}

StreamState judge_stream(const StreamLook& first, const StreamLook& second) {
  if (!second.is_streaming) return StreamState::absent;
  const bool has_moved =
      !first.is_streaming || first.sent != second.sent || first.flushed != second.flushed;
  return is_far_behind(second) && !has_moved ? StreamState::stalled : StreamState::streams;
}

std::string find_stream_problem(const server::Server& server, postgres::Connection& connection,
                                const ReceiverProcess& process, milliseconds patience) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point end = Clock::now() + patience;
  const StreamLook first = look_at_stream(server, connection);
  StreamLook second = first;
  StreamState state = judge_stream(first, second);
  while (state != StreamState::streams && Clock::now() < end) {
    if (sleep_unless_interrupted(kReceiverPauseMs, server.interrupt()))
      server.interrupt().throw_if_requested();
    second = look_at_stream(server, connection);
    state = judge_stream(first, second);
  }
  if (state == StreamState::streams) return {};
  return describe_problem(server, process, state, second);
}

std::vector<catalogue::LastReason> list_current_reasons(const server::Server& server) {
  auto reasons = catalogue::list_last_reasons(server.config().backup_directory);
  if (find_receiver(server).is_running) {
    std::erase_if(reasons, [](const auto& reason) { return reason.task == "receive-wal"; });
  }
  // No later run would end them: a passive node copies, the others archive.
  const bool is_passive = server.config().is_passive();
  std::erase_if(reasons, [&](const auto& reason) {
    return reason.task.starts_with("sync-") ? !is_passive : is_passive;
  });
  return reasons;
}

void warn_of_idle_receiver(const server::Server& server, const ReceiverProcess& process,
                           Messages& messages) {
  if (!process.is_running || !server.config().streaming_archiver) return;
  constexpr std::chrono::seconds kLimit(15);
  const Deadline deadline(kLimit);
  std::string problem;
  try {
    const server::Server source = server.with_wal_connections();
    if (!source.config().conninfo) return;
    postgres::Connection connection = source.connect_beside_streaming(deadline.item_limits());
    problem = find_stream_problem(source, connection, process, deadline.item());
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    log::debug(log::kServerComponent, "cannot see whether receive-wal of server '{}' streams: {}",
               server.name(), error.describe());
    return;
  }
  if (problem.empty()) return;
  messages.warning(fmt::format("receive-wal for server '{}': {}", server.name(), problem));
}

void warn_of_ended_receiver(const server::Server& server, const ReceiverProcess& process,
                            Messages& messages) {
  // One that fails before it has its lock leaves its reason only.
  if (process.is_running || !server.config().streaming_archiver) return;
  if (!process.pid && !process.has_reason) return;
  const bool is_free = !FileLock::holder(catalogue::receive_wal_lock(server.locks()));
  messages.warning(fmt::format("receive-wal for server '{}' is not running: {}. {}", server.name(),
                               process.problem,
                               is_free ? "It is started again" : process.next_step));
}

}  // namespace barman::facts

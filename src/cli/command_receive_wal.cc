#include <csignal>

#include <fmt/format.h>

#include "base/file_lock.h"
#include "catalogue/last_reason.h"
#include "catalogue/locks.h"
#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "wal_transfer/processes.h"
#include "wal_transfer/receive_wal.h"

namespace barman::cli {
namespace {

// How a shell tells that a signal ended a process.
constexpr int kExitSignal = 128;

// Stopping a receiver and dropping its slot make sense on an inactive server, too.
constexpr ServerPolicy kAlsoInactive = {.arity = ServerArity::single,
                                        .disabled = ServerAction::refuse};

bool is_starting(const ParsedArguments& arguments) {
  return !arguments.is_set("stop") && !arguments.is_set("create_slot") &&
         !arguments.is_set("drop_slot") && !arguments.is_set("reset");
}

// Nobody would read the slot: the primary would keep its WAL until the disk is full.
void refuse_slot_of_inactive(const ParsedArguments& arguments, const config::ServerConfig& config) {
  const bool makes_slot = arguments.is_set("create_slot");
  if (config.active || !(makes_slot || arguments.is_set("reset"))) return;
  throw Error(ErrorKind::config,
              fmt::format("Unable to {}: server '{}' is inactive (active = false)",
                          makes_slot ? "create a physical replication slot" : "reset receive-wal",
                          config.name),
              fmt::format("Set 'active = true' for server '{}' first.", config.name));
}

void stop(const server::Server& server, CommandContext& context) {
  context.reporter.warning(
      "--stop is deprecated and will be removed in a future release. Use 'barman "
      "terminate-process " +
      server.name() + " receive-wal' instead.");
  wal_transfer::terminate_process(server, "receive-wal", context.reporter);
}

}  // namespace

void run_receive_wal(CommandContext& context) {
  const ParsedArguments& arguments = context.arguments;
  if (arguments.is_set("stop") && arguments.is_set("reset")) {
    throw Error(ErrorKind::usage, "--stop and --reset options are not compatible",
                "Run 'barman terminate-process SERVER receive-wal' first, then --reset.");
  }
  const config::ServerConfig* config =
      is_starting(arguments) ? select_server(context) : select_server(context, kAlsoInactive);
  if (config == nullptr) return;
  refuse_slot_of_inactive(arguments, *config);
  const server::Server configured = make_server(context, *config);
  if (arguments.is_set("stop")) return stop(configured, context);

  if (const std::string text = configured.wal_connections_text(); !text.empty())
    context.reporter.info(text);
  const server::Server server = configured.with_wal_connections();
  if (arguments.is_set("create_slot")) {
    const auto when_exists = arguments.is_set("if_not_exists") ? wal_transfer::WhenSlotExists::skip
                                                               : wal_transfer::WhenSlotExists::fail;
    return wal_transfer::create_slot(server, when_exists, context.reporter);
  }
  if (arguments.is_set("drop_slot")) return wal_transfer::drop_slot(server, context.reporter);
  if (arguments.is_set("reset")) return wal_transfer::reset_receive_wal(server, context.reporter);
  // What the configuration excludes is no failure of a receiver, which `status` would tell for
  // ever.
  wal_transfer::require_receiver(server);
  int signal = SIGINT;
  // Of a receiver that is killed nobody says what an earlier one has said.
  const auto lock = catalogue::receive_wal_lock(server.locks());
  if (!FileLock::holder(lock)) {
    catalogue::forget_last_reason(config->backup_directory, "receive-wal");
  }
  catalogue::keeping_last_reason(config->backup_directory, "receive-wal", lock, [&] {
    signal = wal_transfer::receive_wal(server, context.reporter);
  });
  if (signal != SIGINT) context.reporter.set_exit_code(kExitSignal + signal);
}

}  // namespace barman::cli

// `barman` on another host, called through ssh: the command lines, word by word as Barman has
// them, because restricted keys and wrappers on that host know them. The
// ssh client is started from an argument vector; what the remote shell sees is quoted.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/ssh_target.h"

namespace barman::client {

// What both programs exit with.
inline constexpr int kExitSuccess = 0;
inline constexpr int kExitFailure = 2;        // ours
inline constexpr int kSshFailure = 255;       // what ssh exits with when it cannot connect
inline constexpr int kHighestExitCode = 125;  // beyond, PostgreSQL ends its recovery

struct RemoteBarman {
  std::string host;
  std::string user = "barman";
  std::optional<std::string> port;
  std::optional<std::string> config_file;
  std::string server;
  // More words for ssh itself, before the host.
  std::vector<std::string> ssh_options;

  // "[USER@HOST PORT CONFIG SERVER]": two places with the same text are the same place.
  std::string identity() const;
  host::SshTarget ssh_target() const { return {.host = host, .user = user, .port = port}; }
};

enum class RemoteMode { run, test };

std::vector<std::string> put_wal_command(const RemoteBarman& barman, RemoteMode mode);

struct GetWalRequest {
  std::string wal_name;
  RemoteMode mode = RemoteMode::run;
  std::optional<std::int64_t> peek;
  // "--gzip", "--bzip2", "--zstd", "--lz4", "--keep-compression"
  std::vector<std::string> compression_options;
  bool takes_partial = false;
  // Of the cluster that asks: what comes is compared with it.
  std::optional<std::uint64_t> system_id{};
  // Says it to the other side, too: only a barman that knows follow-upgrade understands that.
  bool names_cluster = false;
};
std::vector<std::string> get_wal_command(const RemoteBarman& barman, const GetWalRequest& request);

// What to tell when ssh has failed. ssh itself is silent (-q), so it says how to hear the reason.
std::string connection_problem(const RemoteBarman& barman);

// What gets out of it, for a message of ssh (without -q); one sentence or two.
std::string ssh_next_step(const RemoteBarman& barman, std::string_view message);

// Runs a --test command and prints what it says; its exit code, that of ssh included. When ssh
// cannot connect, asks it once more, for the reason, and tells that with the next step.
int run_test(const RemoteBarman& barman, const std::vector<std::string>& command);

}  // namespace barman::client

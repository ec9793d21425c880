// `check`: one function a question, one CheckResult an answer. The order and
// the labels are what monitoring reads. The whole sequence is bounded by the time limit; one query
// or connection attempt may use a part of it, so that a slow one fails its item and no other.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "postgres/connect_problem.h"
#include "server/server.h"

namespace barman::check {

struct CheckResult {
  std::string label;
  bool ok = false;
  std::string hint{};
  // False: does not prevent a backup.
  bool is_critical = true;
  // The configuration messages below the line.
  std::vector<std::string> details{};
  // For commands that it stops; `check` has no place for it.
  std::string next_step{};
  // When it failed because a session with PostgreSQL could not be opened.
  std::optional<postgres::ConnectProblem> connect_problem{};
};

using CheckHandler = std::function<void(const CheckResult&)>;

// Runs all checks that apply and hands each result over as it comes. limit zero = none. May create
// missing directories, archive waiting WAL and, when the WAL archive is empty, switch WAL.
void check_server(const server::Server& server, std::chrono::seconds limit, Messages& messages,
                  const CheckHandler& on_result);

// For commands that need a healthy server: the critical checks that failed. All results go to the
// log.
std::vector<CheckResult> find_critical_failures(const server::Server& server,
                                                std::chrono::seconds limit);

// What fails now. Changes nothing, neither here nor on the server; nothing goes to the log.
std::vector<CheckResult> look_for_failures(const server::Server& server,
                                           std::chrono::seconds limit);

// Bytes of the last usable backup and of the WAL after it: the performance data of the Nagios line.
struct SizeFacts {
  std::uint64_t backup_size_bytes = 0;
  std::uint64_t wal_size_bytes = 0;
};
SizeFacts measure_last_backup(const server::Server& server);

}  // namespace barman::check

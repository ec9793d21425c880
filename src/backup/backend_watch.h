// Looks, by SQL, what PostgreSQL does while its replication connection is silent. Silence alone
// means little: a checkpoint, the wait for archived WAL, or a process that somebody has stopped may
// last for hours; the first two are told. But when the process is gone and its last words were lost
// on the way (a firewall that has forgotten the connection, a proxy), nothing would ever come.
#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "base/progress.h"
#include "postgres/connection.h"
#include "server/server.h"

namespace barman::backup {

// What a backup waits for when all of its files are here: WAL that is not archived yet.
struct ArchiveWait {
  std::chrono::milliseconds duration{};
  // "since 10:15:03 for the WAL of the backup to be archived; archive_command failed last …"
  std::string text;
};

class BackendWatch {
 public:
  // Called from time to time while the server waits for archiving; the first time with duration 0.
  using OnArchiveWait = std::function<void(const ArchiveWait&)>;

  // Asks whether the process can be seen at all: an absence counts only when it was there before.
  BackendWatch(const server::Server& server, int pid, Messages& messages,
               OnArchiveWait on_archive_wait);

  // How often look() is called; it asks the server less and less often, up to kInterval.
  static constexpr std::chrono::seconds kStep{2};
  static constexpr std::chrono::seconds kInterval{30};
  // When the server cannot be asked either, for so long.
  static constexpr std::chrono::minutes kMaxUnreachable{10};

  // After so much silence. Throws `connection` when the process is gone, or when nobody has
  // answered for kMaxUnreachable; tells from time to time that it waits. From one thread at a time.
  void look(std::chrono::milliseconds silence);
  // A notice or warning of the server, in its language. From any thread.
  void hear(const std::string& notice);

 private:
  using Clock = std::chrono::steady_clock;
  struct Answer {
    std::optional<std::string> activity;
    std::optional<std::string> phase;
  };

  Answer ask();
  std::string take_heard(bool is_about_archiving);
  void tell(const std::string& text, std::chrono::milliseconds silence);
  void tell_of_checkpoint(postgres::Connection& connection);
  void tell_of_archiving(postgres::Connection& connection);

  const server::Server& server_;
  const int pid_;
  Messages& messages_;
  const OnArchiveWait on_archive_wait_;
  bool was_seen_ = false;
  bool has_told_of_checkpoint_ = false;
  std::optional<Clock::time_point> archive_wait_begun_;
  std::string archive_wait_since_;
  std::mutex mutex_;
  std::string heard_;
  std::string told_of_archiving_;
  std::chrono::milliseconds due_{0};
  std::optional<std::chrono::milliseconds> unreachable_since_;
  std::chrono::milliseconds told_at_{0};
};

}  // namespace barman::backup

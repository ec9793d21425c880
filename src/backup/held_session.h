// The session of a backup by the low-level API: it must live while files are copied, and its end is
// noticed at once, because without it the copy is worth nothing.
#pragma once

#include <atomic>
#include <chrono>
#include <thread>

#include "postgres/connection.h"

namespace barman::backup {

class HeldSession {
 public:
  // Asks for a sign of life every `interval`, which keeps proxies and firewalls from forgetting the
  // connection; zero = never. Owns the connection and a thread that uses it.
  HeldSession(postgres::Connection connection, std::chrono::seconds interval);
  HeldSession(const HeldSession&) = delete;
  HeldSession& operator=(const HeldSession&) = delete;

  // Throws `connection` when it is lost. From any thread, often.
  void require_alive() const;
  // Ends the watch; the session is the caller's again. Throws as require_alive().
  postgres::Connection& take_back();

 private:
  void watch(const std::stop_token& stop, std::chrono::seconds interval);

  postgres::Connection connection_;
  std::atomic<bool> is_lost_ = false;
  std::jthread watcher_;  // after what it uses
};

}  // namespace barman::backup

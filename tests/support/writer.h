// A client that writes all the time, and knows what it has committed: the yardstick of restore
// tests. Each transaction inserts one row (id, filler) into table `writes`.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/postgres_server.h"

namespace barman::test {

struct Commit {
  std::int64_t id = 0;
  std::string lsn;   // position in the WAL after the commit
  std::string time;  // after the commit, as --target-time takes it, in UTC
  std::string xid;
};

class Writer {
 public:
  // Creates the table and begins to write; survives restarts of the server. It stops by itself
  // after `limit`.
  explicit Writer(const PostgresServer& postgres,
                  std::chrono::seconds limit = std::chrono::seconds(300));
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  ~Writer();

  // Waits until `count` more transactions are committed; returns the last one.
  Commit wait_for_commits(std::size_t count);
  // Ends the writing; what was committed, in order. A transaction whose answer was lost with the
  // connection is not in the list, though its row may be there.
  std::vector<Commit> stop();

 private:
  struct State;
  void write_until_stopped(const std::stop_token& stop);

  std::string conninfo_;
  std::chrono::steady_clock::time_point deadline_;
  std::shared_ptr<State> state_;
  std::jthread thread_;
};

// The ids in table `writes`, in order.
std::vector<std::int64_t> written_ids(const PostgresServer& postgres);
// The ids of `commits` up to and including `last`.
std::vector<std::int64_t> ids_until(const std::vector<Commit>& commits, std::int64_t last);
// All rows of a table, sorted, for comparing two servers with EXPECT_EQ.
Rows sorted_rows(const PostgresServer& postgres, const std::string& table);

}  // namespace barman::test

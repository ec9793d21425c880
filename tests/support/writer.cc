#include "support/writer.h"

#include <fmt/format.h>

#include <mutex>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "support/eventually.h"

namespace barman::test {
namespace {

constexpr const char* kCreate =
    "CREATE TABLE IF NOT EXISTS writes (id bigint PRIMARY KEY, filler text NOT NULL)";
constexpr std::chrono::milliseconds kPause{2};

Commit insert_row(Session& session, std::int64_t id) {
  Commit commit{.id = id};
  session.query("BEGIN");
  session.query(fmt::format("INSERT INTO writes VALUES ({}, repeat(md5('{}'), 8))", id, id));
  commit.xid = session.value("SELECT txid_current() % 4294967296");
  session.query("COMMIT");
  const Rows after = session.query(
      "SELECT pg_current_wal_lsn(), to_char(clock_timestamp() AT TIME ZONE 'UTC', "
      "'YYYY-MM-DD HH24:MI:SS.US') || '+00:00'");
  commit.lsn = after.front()[0];
  commit.time = after.front()[1];
  return commit;
}

}  // namespace

struct Writer::State {
  std::mutex mutex;
  std::vector<Commit> commits;

  void add(Commit commit) {
    const std::lock_guard lock(mutex);
    commits.push_back(std::move(commit));
  }
  std::vector<Commit> copy() {
    const std::lock_guard lock(mutex);
    return commits;
  }
  std::size_t count() {
    const std::lock_guard lock(mutex);
    return commits.size();
  }
};

Writer::Writer(const PostgresServer& postgres, std::chrono::seconds limit)
    : conninfo_(postgres.conninfo()),
      deadline_(std::chrono::steady_clock::now() + limit),
      state_(std::make_shared<State>()) {
  postgres.query(kCreate);
  thread_ = std::jthread([this](const std::stop_token& stop) { write_until_stopped(stop); });
}

Writer::~Writer() = default;

void Writer::write_until_stopped(const std::stop_token& stop) {
  std::int64_t next_id = 1;
  const auto is_over = [&] {
    return stop.stop_requested() || std::chrono::steady_clock::now() > deadline_;
  };
  while (!is_over()) {
    try {
      Session session(conninfo_);
      while (!is_over()) {
        state_->add(insert_row(session, next_id++));
        std::this_thread::sleep_for(kPause);
      }
    } catch (const Error&) {  // the server is away: a test stops it on purpose
      std::this_thread::sleep_for(kPollInterval);
    }
  }
}

Commit Writer::wait_for_commits(std::size_t count) {
  const std::size_t wanted = state_->count() + count;
  if (!eventually([&] { return state_->count() >= wanted; })) {
    throw Error(ErrorKind::internal, "the writer makes no progress");
  }
  return state_->copy()[wanted - 1];
}

std::vector<Commit> Writer::stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
  return state_->copy();
}

std::vector<std::int64_t> written_ids(const PostgresServer& postgres) {
  std::vector<std::int64_t> ids;
  for (const Row& row : postgres.query("SELECT id FROM writes ORDER BY id")) {
    ids.push_back(parse_integer(row.front()).value());
  }
  return ids;
}

std::vector<std::int64_t> ids_until(const std::vector<Commit>& commits, std::int64_t last) {
  std::vector<std::int64_t> ids;
  for (const Commit& commit : commits) {
    if (commit.id <= last) ids.push_back(commit.id);
  }
  return ids;
}

Rows sorted_rows(const PostgresServer& postgres, const std::string& table) {
  return postgres.query(fmt::format("SELECT * FROM {0} ORDER BY {0}", table));
}

}  // namespace barman::test

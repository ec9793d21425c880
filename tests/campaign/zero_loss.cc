// The zero in "zero data loss", as an experiment: clients commit through PostgreSQL with barman's
// receiver as the only synchronous standby, and write down what was acknowledged; meanwhile the
// primary, the receiver and the archiver are killed at random, and the host of barman loses its
// page cache. Now and then the primary is lost for good: what barman restores must have each
// acknowledged commit.
//
//   zero_loss [--seed N] [--seconds N] [--break-fsync]
//
// The seed decides what happens in which order; the moments are those of the machine. Exit code 0:
// nothing was lost. 1: something was, or the streaming stalled. 77: such a disk cannot be made
// here. With --break-fsync barman's fsync calls do nothing (through strace): then something must
// get lost, which proves that the experiment can fail, and 0 and 1 change places.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "campaign/lossy_disk.h"
#include "support/barman_home.h"
#include "support/eventually.h"
#include "support/postgres_server.h"
#include "support/privileges.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr int kExitLost = 1;
constexpr int kExitUnavailable = 77;
constexpr int kWriters = 4;
constexpr std::uint64_t kDiskBytes = std::uint64_t{2} << 30;
constexpr int kRoundsBetweenLosses = 6;

struct CampaignOptions {
  unsigned seed = std::random_device{}();
  std::chrono::seconds duration{60};
  bool breaks_fsync = false;
};

// Clients that commit all the time, each in a thread of its own, and outlive every crash.
class Clients {
 public:
  explicit Clients(std::string conninfo) : conninfo_(std::move(conninfo)) {
    for (int i = 0; i < kWriters; ++i) {
      threads_.emplace_back([this](const std::stop_token& stop) { work(stop); });
    }
  }

  std::size_t acknowledged_count() const {
    const std::lock_guard lock(mutex_);
    return acknowledged_.size();
  }
  // Nobody is between a commit and its note when it returns; they go on with resume(). The server
  // must be gone, or answer.
  std::vector<std::int64_t> pause_and_list() {
    is_paused_ = true;
    eventually([this] { return idle_ == kWriters; });
    const std::lock_guard lock(mutex_);
    return acknowledged_;
  }
  void resume() { is_paused_ = false; }

 private:
  void work(const std::stop_token& stop) {
    std::optional<Session> session;
    while (!stop.stop_requested()) {
      if (is_paused_) {
        session.reset();
        ++idle_;
        while (is_paused_ && !stop.stop_requested()) std::this_thread::sleep_for(milliseconds(5));
        --idle_;
        continue;
      }
      try {
        if (!session) session.emplace(conninfo_);
        commit_one(*session);
      } catch (const Error&) {  // the server is killed all the time
        session.reset();
        std::this_thread::sleep_for(milliseconds(10));
      }
    }
  }

  void commit_one(Session& session) {
    const std::int64_t id = next_id_++;
    session.query(fmt::format("INSERT INTO writes VALUES ({}, repeat(md5('{}'), 8))", id, id));
    const std::lock_guard lock(mutex_);
    acknowledged_.push_back(id);
  }

  const std::string conninfo_;
  std::atomic<std::int64_t> next_id_ = 1;
  std::atomic<bool> is_paused_ = false;
  std::atomic<int> idle_ = 0;
  mutable std::mutex mutex_;
  std::vector<std::int64_t> acknowledged_;
  std::vector<std::jthread> threads_;
};

struct Tally {
  int receiver_kills = 0;
  int primary_kills = 0;
  int archiver_kills = 0;
  int page_caches_lost = 0;
  int primaries_lost = 0;
  std::size_t acknowledged = 0;
  std::set<std::int64_t> lost;
};

PostgresOptions primary_options() {
  PostgresOptions options;
  options.shape.wal_segment_megabytes = 1;
  options.settings = {{"checkpoint_timeout", "30s"}, {"max_wal_size", "64MB"}};
  return options;
}

class Campaign {
 public:
  explicit Campaign(const CampaignOptions& options)
      : options_(options),
        random_(options.seed),
        disk_(kDiskBytes),
        primary_(primary_options()),
        barman_({.global = {{"barman_lock_directory", disk_.path() / "locks"}},
                 .barman_home = disk_.path() / "home"}) {
    fs::create_directory(disk_.path() / "locks");
    barman_.add_streaming_server("main", primary_,
                                 {{"streaming_archiver_prompt", "on"}, {"compression", "lz4"}});
    require({"receive-wal", "--create-slot", "main"});
    primary_.query("CREATE TABLE writes (id bigint PRIMARY KEY, filler text NOT NULL)");
    start_receiver();
    primary_.query("ALTER SYSTEM SET synchronous_standby_names = 'barman_receive_wal'");
    primary_.query("SELECT pg_reload_conf()");
    require({"switch-wal", "--force", "--archive", "main"});
    require({"backup", "--wait", "main"});
    // As after a night: what the campaign itself makes durable is not what it looks at.
    run_command({.argv = {"sync", "-f", disk_.path()}});
  }

  Tally run() {
    Clients clients(primary_.conninfo());
    const auto end = Clock::now() + options_.duration;
    for (int round = 1; Clock::now() < end; ++round) {
      wait_for_commits(clients);
      std::this_thread::sleep_for(milliseconds(number(0, 400)));
      disturb();
      if (round % kRoundsBetweenLosses == 0) lose_primary(clients);
    }
    wait_for_commits(clients);
    lose_primary(clients);
    return tally_;
  }

 private:
  int number(int from, int to) { return std::uniform_int_distribution<int>(from, to)(random_); }

  void require(const std::vector<std::string>& arguments) {
    const CommandResult result = barman_.run(arguments);
    if (result.exit_code == 0) return;
    throw Error(ErrorKind::internal,
                fmt::format("barman {} ends with {}:\n{}{}", fmt::join(arguments, " "),
                            result.exit_code, result.out, result.err));
  }

  CommandRequest without_fsync(CommandRequest request) const {
    const std::vector<std::string> strace = {"strace",
                                             "-f",
                                             "-qq",
                                             "-o",
                                             "/dev/null",
                                             "-e",
                                             "trace=fsync,fdatasync",
                                             "-e",
                                             "inject=fsync,fdatasync:retval=0"};
    request.argv.insert(request.argv.begin(), strace.begin(), strace.end());
    return request;
  }

  void start_receiver() {
    receiver_.reset();
    const CommandRequest request = barman_.request({"receive-wal", "main"});
    receiver_.emplace(options_.breaks_fsync ? without_fsync(request) : request);
  }

  // With what it has started.
  void kill_receiver() {
    receiver_->kill_group(SIGKILL);
    if (!receiver_->wait()) throw Error(ErrorKind::internal, "the receiver cannot be killed");
    for (const pid_t pid : list_processes(barman_.configuration_file())) {
      ::kill(pid, SIGKILL);
      eventually([pid] { return !is_alive(pid); });
    }
  }

  void lose_page_cache() {
    kill_receiver();
    disk_.lose_page_cache();
    ++tally_.page_caches_lost;
  }

  void kill_archiver() {
    // It works for moments only, when a segment is complete.
    primary_.query("SELECT pg_switch_wal()");
    std::vector<pid_t> archivers;
    eventually([&] { return !(archivers = list_children(receiver_->pid())).empty(); },
               milliseconds(500));
    for (const pid_t pid : archivers) {
      if (::kill(pid, SIGKILL) == 0) ++tally_.archiver_kills;
    }
  }

  void disturb() {
    switch (number(0, 5)) {
      case 0:
        kill_receiver();
        ++tally_.receiver_kills;
        start_receiver();
        return;
      case 1:
      case 2:
        lose_page_cache();
        start_receiver();
        return;
      case 3:
        primary_.kill_9();
        ++tally_.primary_kills;
        primary_.start();
        return;
      case 4:
        primary_.kill_9();
        ++tally_.primary_kills;
        lose_page_cache();
        primary_.start();
        start_receiver();
        return;
      default:
        kill_archiver();
        return;
    }
  }

  // Commits go on after whatever has happened.
  void wait_for_commits(const Clients& clients) {
    const std::size_t before = clients.acknowledged_count();
    const auto go_on = [&] {
      // As systemd does: the server may not have noticed yet that the old session is gone.
      if (!receiver_->is_running()) start_receiver();
      return clients.acknowledged_count() >= before + 5;
    };
    if (eventually(go_on, std::chrono::seconds(60))) return;
    throw Error(ErrorKind::internal, "no commit is acknowledged any more");
  }

  // Its data directory stays, for the next rounds; barman knows nothing of it.
  void lose_primary(Clients& clients) {
    if (number(0, 1) == 0) {
      primary_.kill_9();
      lose_page_cache();
    } else {
      lose_page_cache();
      primary_.kill_9();
    }
    ++tally_.primaries_lost;
    compare(clients.pause_and_list());
    primary_.start();
    start_receiver();
    clients.resume();
  }

  void compare(const std::vector<std::int64_t>& acknowledged) {
    tally_.acknowledged = acknowledged.size();
    const fs::path destination = barman_.directory() / "restored";
    std::vector<std::string> arguments = {"restore"};
    switch (tally_.primaries_lost % 3) {
      case 0:
        arguments.insert(arguments.end(), {"--target-tli", "latest"});
        break;
      case 1:
        break;
      default:
        arguments.emplace_back("--get-wal");
        break;
    }
    arguments.insert(arguments.end(), {"main", "latest", destination});
    require(arguments);
    {
      PostgresServer restored({.data_directory = destination,
                               .environment = barman_.environment_for_restore_command()});
      restored.wait_until_primary();
      std::set<std::int64_t> found;
      for (const Row& row : restored.query("SELECT id FROM writes")) {
        found.insert(parse_integer(row.front()).value_or(0));
      }
      for (const std::int64_t id : acknowledged) {
        if (!found.contains(id)) tally_.lost.insert(id);
      }
    }
    fs::remove_all(destination);
  }

  const CampaignOptions options_;
  std::mt19937 random_;
  LossyDisk disk_;
  PostgresServer primary_;
  BarmanHome barman_;
  std::optional<BackgroundCommand> receiver_;
  Tally tally_;
};

void print(const Tally& tally) {
  fmt::print(
      "crashes survived: {} (receiver killed {}, primary killed {}, archiver killed {}, page cache "
      "lost {}), primaries lost and restored: {}\n"
      "transactions acknowledged: {}, lost: {}\n",
      tally.receiver_kills + tally.primary_kills + tally.archiver_kills + tally.page_caches_lost,
      tally.receiver_kills, tally.primary_kills, tally.archiver_kills, tally.page_caches_lost,
      tally.primaries_lost, tally.acknowledged, tally.lost.size());
}

CampaignOptions parse_options(const std::vector<std::string>& arguments) {
  CampaignOptions options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--break-fsync") {
      options.breaks_fsync = true;
      continue;
    }
    const auto value = i + 1 < arguments.size() ? parse_integer(arguments[i + 1]) : std::nullopt;
    if (value && *value >= 0 && arguments[i] == "--seed") {
      options.seed = static_cast<unsigned>(*value);
    } else if (value && *value >= 0 && arguments[i] == "--seconds") {
      options.duration = std::chrono::seconds(*value);
    } else {
      throw Error(ErrorKind::usage, "usage: zero_loss [--seed N] [--seconds N] [--break-fsync]");
    }
    ++i;
  }
  return options;
}

int run_campaign(const CampaignOptions& options) {
  if (const std::string reason = LossyDisk::unavailable(); !reason.empty()) {
    fmt::print("not possible here: {}\n", reason);
    return kExitUnavailable;
  }
  fmt::print("seed {}\n", options.seed);
  std::fflush(stdout);
  bool is_lost = false;
  try {
    const Tally tally = Campaign(options).run();
    print(tally);
    is_lost = !tally.lost.empty();
  } catch (const Error& error) {  // streaming that cannot go on has lost something, too
    fmt::print("failed: {}\n", error.describe());
    is_lost = true;
  }
  return is_lost == options.breaks_fsync ? 0 : kExitLost;
}

}  // namespace
}  // namespace barman::test

int main(int argc, char** argv) {
  using namespace barman::test;
  int result = kExitLost;
  try {
    const CampaignOptions options = parse_options({argv + std::min(argc, 1), argv + argc});
    become_unprivileged();
    result = run_campaign(options);
    forget_root();
  } catch (const barman::Error& error) {
    fmt::print(stderr, "zero_loss: {}\n", error.describe());
  }
  return result;
}

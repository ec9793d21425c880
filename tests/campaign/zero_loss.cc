// The zero in "zero data loss", as an experiment: clients commit through PostgreSQL with barman's
// receiver as the only synchronous standby, and write down what was acknowledged; meanwhile the
// primary, the receiver and the archiver are killed at random, the host of barman loses its page
// cache, the replication slot is dropped, the primary fails and goes on as the next timeline, and
// the clock of the receiver jumps. Now and then the primary is lost for good: what barman restores
// must have each acknowledged commit, and its archive no gap.
//
//   zero_loss [--postgres MAJOR] [--seed N] [--seconds N] [--break-fsync]
//
// A commit is acknowledged when the client was told so, which PostgreSQL does when the receiver has
// flushed it. Without the slot nobody holds WAL back for the receiver, so it must end and say so;
// commits wait meanwhile, and what PostgreSQL throws away until there is a slot again is WAL of
// commits that nobody was told of, or that the receiver has.
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
  int major = kUsualMajor;
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
  int slots_dropped = 0;
  int timeline_switches = 0;
  int clock_jumps = 0;
  int primaries_lost = 0;
  std::size_t acknowledged = 0;
  std::set<std::int64_t> lost;
};

PostgresOptions primary_options(int major) {
  PostgresOptions options{.major = major};
  options.shape.wal_segment_megabytes = 1;
  options.settings = {{"checkpoint_timeout", "30s"}, {"max_wal_size", "64MB"}};
  return options;
}

// The real-time clock of chosen programs, through Debian's libfaketime. Monotonic clocks are as
// they are, and so are the times of files.
class JumpingClock {
 public:
  JumpingClock() {
    for (const auto& architecture : fs::directory_iterator("/usr/lib")) {
      const fs::path library = architecture.path() / "faketime" / "libfaketime.so.1";
      if (fs::exists(library)) preload_ = sanitizer() + library.string();
    }
    jump(0);
  }

  bool is_available() const { return !preload_.empty(); }
  // So far from the true time from now on.
  void jump(int seconds) const { write_text(file(), fmt::format("{:+}\n", seconds)); }
  void apply_to(CommandRequest& request) const {
    if (!is_available()) return;
    request.environment.insert({{"LD_PRELOAD", preload_},
                                {"FAKETIME_TIMESTAMP_FILE", file().string()},
                                {"FAKETIME_CACHE_DURATION", "1"},
                                {"FAKETIME_DONT_FAKE_MONOTONIC", "1"},
                                {"FAKETIME_DISABLE_SHM", "1"},
                                {"NO_FAKE_STAT", "1"}});
  }

 private:
  fs::path file() const { return directory_.path() / "offset"; }
  // AddressSanitizer wants to be the first library.
  static std::string sanitizer() {
    const std::string text = run_command({.argv = {"ldd", barman_program().string()}}).out;
    const std::size_t at = text.find("libasan");
    if (at == std::string::npos) return "";
    const std::size_t begin = text.find('/', at);
    return text.substr(begin, text.find(' ', begin) - begin) + " ";
  }

  TempDir directory_;
  std::string preload_;
};

class Campaign {
 public:
  explicit Campaign(const CampaignOptions& options)
      : options_(options),
        random_(options.seed),
        disk_(kDiskBytes),
        primary_(primary_options(options.major)),
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
    primary_.query("SELECT pg_create_restore_point('something to switch')");
    require({"switch-wal", "--archive", "main"});
    require({"backup", "--wait", "main"});
    // As after a night: what the campaign itself makes durable is not what it looks at.
    run_command({.argv = {"sync", "-f", disk_.path()}});
  }

  Tally run() {
    Clients clients(primary_.conninfo());
    // Clients that wait for the receiver end with the server only.
    try {
      run_rounds(clients);
    } catch (...) {
      primary_.kill_9();
      throw;
    }
    return tally_;
  }

 private:
  void run_rounds(Clients& clients) {
    const auto end = Clock::now() + options_.duration;
    for (int round = 1; Clock::now() < end; ++round) {
      wait_for_commits(clients);
      std::this_thread::sleep_for(milliseconds(number(0, 400)));
      disturb();
      if (round % kRoundsBetweenLosses == 0) lose_primary(clients);
    }
    wait_for_commits(clients);
    lose_primary(clients);
    require_whole_archive();
  }

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
    receiver_.emplace(receiver_request());
  }

  CommandRequest receiver_request() const {
    CommandRequest request = barman_.request({"receive-wal", "main"});
    if (options_.breaks_fsync) return without_fsync(request);
    clock_.apply_to(request);
    return request;
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
    switch (number(0, 8)) {
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
      case 5:
        drop_slot();
        return;
      case 6:
        switch_timeline();
        return;
      case 7:
        jump_clock();
        return;
      default:
        kill_archiver();
        return;
    }
  }

  // The receiver must not go on as if nothing were missing.
  void drop_slot() {
    kill_receiver();
    primary_.wait_until("NOT (SELECT active FROM pg_replication_slots)");
    primary_.query("SELECT pg_drop_replication_slot('barman')");
    ++tally_.slots_dropped;
    const CommandResult result = run_command(receiver_request());
    if (result.exit_code == 0 ||
        result.err.find("\'barman\' doesn\'t exist") == std::string::npos) {
      throw Error(ErrorKind::internal, "the receiver does not miss its slot:\n" + result.err);
    }
    if (barman_.run({"check", "main"}).out.find("replication slot: FAILED") == std::string::npos) {
      throw Error(ErrorKind::internal, "check does not miss the slot");
    }
    require({"receive-wal", "--create-slot", "main"});
    start_receiver();
  }

  // As after a failure whose standby has received everything.
  void switch_timeline() {
    primary_.kill_9();
    if (number(0, 1) == 0) {
      lose_page_cache();
      start_receiver();
    }
    write_text(primary_.data_directory() / "standby.signal", "");
    primary_.start();
    primary_.promote();
    ++tally_.timeline_switches;
  }

  void jump_clock() {
    if (options_.breaks_fsync || !clock_.is_available()) return;
    constexpr int kTwoDays = 2 * 86400;
    clock_.jump(number(-kTwoDays, kTwoDays));
    ++tally_.clock_jumps;
  }

  void require_whole_archive() {
    if (options_.breaks_fsync) return;
    require({"archive-wal", "main"});
    const CommandResult result = barman_.run({"verify-wal", "main"});
    if (result.exit_code == 0 && result.out.find("Gap: ") == std::string::npos) return;
    throw Error(ErrorKind::internal, "the archive is not whole:\n" + result.out + result.err);
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
    const int form = tally_.primaries_lost % 3;
    if (form == 0 || tally_.timeline_switches > 0) {
      arguments.insert(arguments.end(), {"--target-tli", "latest"});
    }
    if (form == 2) arguments.emplace_back("--get-wal");
    arguments.insert(arguments.end(), {"main", "latest", destination});
    require(arguments);
    {
      PostgresServer restored({.major = options_.major,
                               .data_directory = destination,
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
  const JumpingClock clock_;
  PostgresServer primary_;
  BarmanHome barman_;
  std::optional<BackgroundCommand> receiver_;
  Tally tally_;
};

void print(const Tally& tally) {
  fmt::print("slots dropped: {}, timeline switches: {}, jumps of the clock: {}\n",
             tally.slots_dropped, tally.timeline_switches, tally.clock_jumps);
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
    if (value && arguments[i] == "--postgres") {
      const std::vector<int> majors = all_majors();
      if (std::find(majors.begin(), majors.end(), *value) == majors.end()) {
        throw Error(ErrorKind::usage, "--postgres takes 13 to 18");
      }
      options.major = static_cast<int>(*value);
    } else if (value && *value >= 0 && arguments[i] == "--seed") {
      options.seed = static_cast<unsigned>(*value);
    } else if (value && *value >= 0 && arguments[i] == "--seconds") {
      options.duration = std::chrono::seconds(*value);
    } else {
      throw Error(ErrorKind::usage,
                  "usage: zero_loss [--postgres MAJOR] [--seed N] [--seconds N] [--break-fsync]");
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
  fmt::print("PostgreSQL {}, seed {}\n", options.major, options.seed);
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

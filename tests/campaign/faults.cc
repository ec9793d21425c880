// Every system call of a command fails once, or the command is killed there: after each of these
// faults the catalogue must be whole, the command must have said so, and the same command must
// succeed when it is run again.
//
//   fault_campaign [--seed N] [--seconds N] [--command NAME] [--count]
//
// The time begins with the program, so that a short run is short. A command is traced once: its
// system calls, times what may become of each (an error, SIGKILL), are the faults there are. They
// are tried in an order that the seed decides, each one on a fresh copy of the same catalogue,
// until the time is over or all of them are done. --count only counts them. A finding is printed
// with what repeats it, and its catalogue is kept. Exit code 0: none. 1: some. 77: strace is
// missing.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "support/barman_home.h"
#include "support/catalogue_files.h"
#include "support/fault_injection.h"
#include "support/postgres_server.h"
#include "support/privileges.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int kExitFound = 1;
constexpr int kExitUnavailable = 77;
constexpr std::chrono::seconds kHang{60};

struct CampaignOptions {
  unsigned seed = std::random_device{}();
  std::chrono::seconds duration{60};
  std::string command;
  bool only_counts = false;
};

// What may become of a call instead of what it is for.
const std::map<std::string, std::vector<std::string>>& actions_by_call() {
  static const std::map<std::string, std::vector<std::string>> actions = {
      {"openat", {"signal=KILL", "error=EMFILE", "error=ENOSPC", "error=EIO"}},
      {"read", {"error=EIO"}},
      {"pread64", {"signal=KILL", "error=EIO"}},
      {"write", {"signal=KILL", "error=ENOSPC", "error=EIO"}},
      {"pwrite64", {"signal=KILL", "error=ENOSPC"}},
      {"fsync", {"signal=KILL", "error=EIO"}},
      {"fdatasync", {"signal=KILL", "error=EIO"}},
      {"rename", {"signal=KILL", "error=ENOSPC"}},
      {"link", {"signal=KILL", "error=EIO"}},
      {"linkat", {"signal=KILL", "error=EIO"}},
      {"unlink", {"signal=KILL", "error=EIO"}},
      {"unlinkat", {"signal=KILL", "error=EACCES"}},
      {"mkdir", {"signal=KILL", "error=ENOSPC"}},
      {"ftruncate", {"error=EIO"}},
      {"flock", {"error=ENOLCK"}},
      {"newfstatat", {"error=EIO", "error=ESTALE"}},
      {"getdents64", {"signal=KILL", "error=EIO"}},
      {"statfs", {"error=EIO"}},
      {"close", {"error=EIO"}},
      {"clone3", {"error=EAGAIN"}},
  };
  return actions;
}

// Content by path; directories are empty ones.
using Tree = std::map<std::string, std::size_t>;

// Names that only one of both has, or that differ; "" when there are none.
std::string difference(const Tree& wanted, const Tree& found) {
  std::vector<std::string> names;
  for (const auto& [name, content] : wanted) {
    const auto other = found.find(name);
    if (other == found.end()) names.push_back(name + " is missing");
    if (other != found.end() && other->second != content) names.push_back(name + " differs");
  }
  for (const auto& [name, content] : found) {
    if (!wanted.contains(name)) names.push_back(name + " is new");
  }
  constexpr std::size_t kShown = 10;
  if (names.size() > kShown) names.resize(kShown);
  return join(names, ", ");
}

Tree tree_of(const fs::path& root) {
  Tree tree;
  if (!fs::exists(root)) return tree;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    const std::string name = entry.path().lexically_relative(root).string();
    // What a restore says about itself, and WAL, of which there is more from backup to backup.
    if (name.starts_with(".barman") || name.starts_with("barman_wal")) continue;
    tree[name] = entry.is_regular_file() ? std::hash<std::string>{}(read_text(entry.path())) : 0;
  }
  return tree;
}

struct Job {
  std::string name;
  std::vector<std::string> arguments;
};

// What became of the faults of one command.
struct Figures {
  int faults = 0;
  int kills = 0;
  int errors = 0;
  int findings = 0;
  std::string text() const {
    return fmt::format("{} (killed {}, errors {}, no effect {}), findings: {}", faults, kills,
                       errors, faults - kills - errors, findings);
  }
};

struct Trial {
  const Job* job = nullptr;
  Fault fault;
  std::string describe() const {
    return fmt::format("{}: {} number {}: {}", job->name, fault.system_call, fault.when,
                       fault.action);
  }
};

class Campaign {
 public:
  explicit Campaign(const CampaignOptions& options)
      : options_(options),
        prototype_(work_.path() / "prototype"),
        postgres_({.settings = {{"archive_mode", "on"},
                                {"archive_command", archive_command()},
                                {"checkpoint_timeout", "1h"}},
                   .shape = {.wal_segment_megabytes = 1}}) {
    barman_.add_streaming_server("main", postgres_,
                                 {{"archiver", "on"},
                                  {"streaming_archiver", "off"},
                                  {"slot_name", ""},
                                  {"create_slot", ""}});
    make_prototype();
  }

  int run() {
    std::vector<Trial> trials = list_trials();
    fmt::print("seed {}: {} faults\n", options_.seed, trials.size());
    std::fflush(stdout);
    if (options_.only_counts) return 0;
    std::mt19937 random(options_.seed);
    std::shuffle(trials.begin(), trials.end(), random);
    take_turns(trials);
    const auto end = begin_ + options_.duration;
    Figures all;
    std::map<std::string, Figures> by_command;
    for (const Trial& trial : trials) {
      // On a slow machine, one of each command at least.
      if (Clock::now() >= end && all.faults >= static_cast<int>(jobs_.size())) break;
      const int findings = findings_;
      const CommandResult result = try_one(trial);
      for (Figures* figures : {&all, &by_command[trial.job->name]}) {
        ++figures->faults;
        if (result.exit_code == 137) ++figures->kills;
        if (result.exit_code == 1) ++figures->errors;
        figures->findings += findings_ - findings;
      }
    }
    for (const auto& [name, figures] : by_command) fmt::print("{}: {}\n", name, figures.text());
    fmt::print("faults tried: {}\n", all.text());
    return findings_ == 0 ? 0 : kExitFound;
  }

 private:
  // One of each command after the other, so that a short run has something of all.
  static void take_turns(std::vector<Trial>& trials) {
    std::map<const Job*, std::size_t> counts;
    std::vector<std::pair<std::size_t, Trial>> turns;
    for (const Trial& trial : trials) turns.emplace_back(counts[trial.job]++, trial);
    std::stable_sort(turns.begin(), turns.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    for (std::size_t i = 0; i < turns.size(); ++i) trials[i] = turns[i].second;
  }

  // Into a pool of all WAL, and into the catalogue of the moment.
  std::string archive_command() const {
    const std::string pool = (work_.path() / "pool").string();
    fs::create_directories(pool);
    return fmt::format("cp %p {0}/.%f && mv {0}/.%f {0}/%f", pool);
  }

  fs::path catalogue() const { return barman_.server_directory("main"); }

  CommandResult require(const std::vector<std::string>& arguments) {
    CommandResult result = barman_.run(arguments);
    if (result.exit_code == 0) return result;
    throw Error(ErrorKind::internal,
                fmt::format("{} fails: {}{}", join(arguments, " "), result.out, result.err));
  }

  void take_pool() {
    for (const auto& entry : fs::directory_iterator(work_.path() / "pool")) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with('.')) continue;
      if (fs::exists(archived_wal(barman_, "main", name))) continue;
      fs::copy_file(entry.path(), catalogue() / "incoming" / name,
                    fs::copy_options::overwrite_existing);
    }
  }

  void switch_wal() {
    const std::string file = postgres_.value("SELECT pg_walfile_name(pg_current_wal_lsn())");
    postgres_.query("SELECT pg_create_restore_point('x'); SELECT pg_switch_wal()");
    postgres_.wait_until(
        fmt::format("(SELECT last_archived_wal >= '{}' FROM pg_stat_archiver)", file));
  }

  // Two backups, archived WAL, and WAL that waits.
  void make_prototype() {
    fs::create_directories(catalogue() / "incoming");
    postgres_.query("CREATE TABLE t AS SELECT g, md5(g::text) FROM generate_series(1, 20000) g");
    switch_wal();
    take_pool();
    require({"archive-wal", "main"});
    for (int i = 0; i < 2; ++i) {
      if (i == 1) barman_.set("main", "backup_compression", "gzip");
      require({"backup", "main"});
      switch_wal();
      take_pool();
      require({"archive-wal", "main"});
      ids_.push_back(barman_.backup_ids("main").back());
      require({"check-backup", "main", ids_.back()});
    }
    for (int i = 0; i < 3; ++i) switch_wal();
    take_pool();
    fs::copy(catalogue(), prototype_, fs::copy_options::recursive);
    for (const std::string& id : ids_) bases_[id] = tree_of(prototype_ / "base" / id);
    jobs_ = {{"archive-wal", {"archive-wal", "main"}},
             {"delete", {"delete", "main", ids_.front()}},
             {"keep", {"keep", "--target", "full", "main", ids_.back()}},
             {"restore", {"restore", "main", ids_.front(), destination(0).string()}},
             {"restore-compressed", {"restore", "main", ids_.back(), destination(0).string()}},
             {"rebuild-xlogdb", {"rebuild-xlogdb", "main"}},
             {"check-backup", {"check-backup", "main", ids_.front()}},
             {"verify-backup", {"verify-backup", "main", ids_.back()}},
             {"get-wal", {"get-wal", "main", archived_wal_names(barman_, "main").back()}},
             {"backup", {"backup", "main"}}};
  }

  fs::path destination(int number) const {
    return work_.path() / ("restored" + std::to_string(number));
  }

  void reset() {
    fs::remove_all(barman_.home());
    fs::create_directories(catalogue());
    for (const auto& entry : fs::directory_iterator(prototype_)) {
      // Files of backups are never written again; damage to one is found after the trial.
      const bool is_shared = entry.path().filename() == "base";
      fs::copy(entry.path(), catalogue() / entry.path().filename(),
               fs::copy_options::recursive |
                   (is_shared ? fs::copy_options::create_hard_links : fs::copy_options::none));
    }
    take_pool();
    for (int i = 0; i < 2; ++i) fs::remove_all(destination(i));
  }

  std::vector<Trial> list_trials() {
    std::vector<Trial> trials;
    for (const Job& job : jobs_) {
      if (!options_.command.empty() && options_.command != job.name) continue;
      const std::size_t before = trials.size();
      reset();
      for (const auto& [call, count] : count_all_calls(job)) {
        for (int n = 1; n <= count; ++n) {
          for (const std::string& action : actions_by_call().at(call)) {
            trials.push_back({&job, {.system_call = call, .when = n, .action = action}});
          }
        }
      }
      fmt::print("{}: {} faults\n", job.name, trials.size() - before);
      if (job.name.starts_with("restore")) restored_[job.name] = tree_of(destination(0));
    }
    return trials;
  }

  // The most calls of one thread, of each kind.
  std::map<std::string, int> count_all_calls(const Job& job) {
    std::vector<std::string> names;
    for (const auto& [call, actions] : actions_by_call()) names.push_back(call);
    const fs::path trace = work_.path() / "trace";
    CommandRequest request = barman_.request(job.arguments);
    const std::vector<std::string> strace = {"strace",
                                             "-f",
                                             "--seccomp-bpf",
                                             "-qq",
                                             "-o",
                                             trace.string(),
                                             "-e",
                                             "trace=" + join(names, ",")};
    request.argv.insert(request.argv.begin(), strace.begin(), strace.end());
    request.environment["ASAN_OPTIONS"] = "detect_leaks=0";
    run_checked(request);
    std::map<std::string, std::map<std::string, int>> threads;
    for (const std::string& line : split(read_text(trace), '\n')) {
      const std::size_t space = line.find(' ');
      const std::size_t bracket = line.find('(');
      if (space == std::string::npos || bracket == std::string::npos) continue;
      const std::string call(strip(line.substr(space, bracket - space)));
      if (actions_by_call().contains(call)) ++threads[call][line.substr(0, space)];
    }
    std::map<std::string, int> most;
    for (const auto& [call, counts] : threads) {
      for (const auto& [thread, count] : counts) most[call] = std::max(most[call], count);
    }
    return most;
  }

  CommandResult try_one(const Trial& trial) {
    reset();
    CommandRequest request = with_fault(barman_.request(trial.job->arguments), trial.fault);
    // Stops at that call only: many times faster, but strace sends no signals then.
    if (trial.fault.action.starts_with("error=")) {
      request.argv.insert(request.argv.begin() + 1, "--seccomp-bpf");
    }
    request.timeout = kHang;
    CommandResult result;
    try {
      result = run_command(std::move(request));
    } catch (const Error& error) {
      report(trial, "it hangs: " + error.describe(), {});
      return result;
    }
    const std::string finding = judge(trial, result);
    if (!finding.empty()) report(trial, finding, result);
    return result;
  }

  // "" or what is wrong.
  std::string judge(const Trial& trial, const CommandResult& result) {
    const bool is_kill = trial.fault.action == "signal=KILL";
    if (result.exit_code >= 128 && !(is_kill && result.exit_code == 137)) {
      return "it ended by a signal";
    }
    if (result.exit_code != 0 && !is_kill && trial.fault.system_call != "write" &&
        result.err.empty()) {
      return "it failed without a word";
    }
    if (result.exit_code == 0) {
      if (std::string missing = missing_result(*trial.job, 0, result); !missing.empty()) {
        return "exit code 0, but " + missing;
      }
    }
    if (std::string damage = damage_of(*trial.job); !damage.empty()) return damage;
    return judge_repetition(*trial.job);
  }

  std::string judge_repetition(const Job& job) {
    Job again = job;
    if (job.name.starts_with("restore")) again.arguments.back() = destination(1).string();
    const CommandResult result = barman_.run(again.arguments);
    const bool is_done_before = job.name == "delete" && !is_listed(ids_.front());
    if (result.exit_code != 0 && !is_done_before) {
      return fmt::format("run again, it fails: {}{}", result.out, result.err);
    }
    if (std::string missing = missing_result(again, 1, result); !missing.empty()) {
      return "run again, " + missing;
    }
    if (std::string damage = damage_of(job); !damage.empty()) return "run again: " + damage;
    if (job.name == "delete") barman_.run({"delete", "main", ids_.front()});
    take_pool();
    barman_.run({"archive-wal", "main"});
    const CommandResult check = barman_.run({"catalogue-check", "main"});
    if (check.exit_code != 0) return "catalogue-check: " + check.out + check.err;
    return "";
  }

  bool is_listed(const std::string& id) {
    return barman_.run({"list-backups", "--minimal", "main"}).out.find(id) != std::string::npos;
  }

  // What a command that says 0 must have done; "" when it has.
  std::string missing_result(const Job& job, int attempt, const CommandResult& result) {
    if (job.name == "archive-wal") {
      for (const auto& entry : fs::directory_iterator(catalogue() / "incoming")) {
        const std::string name = entry.path().filename().string();
        if (!name.starts_with('.')) return name + " waits still";
      }
    } else if (job.name == "delete") {
      if (fs::exists(catalogue() / "base" / ids_.front())) return "the backup is there";
    } else if (job.name == "keep") {
      if (!fs::exists(catalogue() / "meta" / (ids_.back() + "-keep"))) return "it is not kept";
    } else if (job.name.starts_with("restore")) {
      return missing_of_restore(job, destination(attempt));
    } else if (job.name == "get-wal") {
      const std::string name = job.arguments.back();
      if (result.out != read_text(archived_wal(barman_, "main", name))) return "WAL is missing";
    } else if (job.name == "backup") {
      const std::string id = barman_.backup_ids("main").back();
      if (std::find(ids_.begin(), ids_.end(), id) != ids_.end()) return "there is no backup";
      const std::string status = read_backup_info(barman_, "main", id).at("status");
      if (status != "DONE" && status != "WAITING_FOR_WALS") return "its status is " + status;
    }
    return "";
  }

  // The files of the cluster are those of an undisturbed restore. Of WAL there may be more than
  // there was then: each backup that is tried lets PostgreSQL write some, and it must be its own.
  std::string missing_of_restore(const Job& job, const fs::path& place) {
    Tree found = tree_of(place);
    const Tree& undisturbed = restored_.at(job.name);
    std::erase_if(found, [&](const auto& file) {
      const fs::path path = file.first;
      if (!path.string().starts_with("pg_wal/") || undisturbed.contains(file.first)) return false;
      if (path.extension() == ".done") return true;
      const fs::path original = work_.path() / "pool" / path.filename();
      return fs::exists(original) && read_text(place / path) == read_text(original);
    });
    const std::string names = difference(undisturbed, found);
    return names.empty() ? "" : "other files are restored: " + names;
  }

  // Backups that are listed and not marked are whole, and no WAL has gone.
  std::string damage_of(const Job& job) {
    const CommandResult list = barman_.run({"list-backups", "--minimal", "main"});
    if (list.exit_code != 0) return "list-backups fails: " + list.err;
    for (const std::string& id : ids_) {
      const bool may_go = job.name == "delete" && id == ids_.front();
      const bool is_there = list.out.find(id) != std::string::npos;
      if (!is_there && !may_go) return "backup " + id + " is gone";
      if (!is_there || fs::exists(catalogue() / "meta" / (id + "-delete_this"))) continue;
      if (read_backup_info(barman_, "main", id).at("status") != "DONE") return id + " is not DONE";
      const std::string names = difference(bases_.at(id), tree_of(catalogue() / "base" / id));
      if (!names.empty()) return "the files of backup " + id + " have changed: " + names;
    }
    if (job.name == "delete") return "";
    for (const auto& entry : fs::directory_iterator(work_.path() / "pool")) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with('.')) continue;
      const fs::path archived = archived_wal(barman_, "main", name);
      const fs::path waiting = catalogue() / "incoming" / name;
      const fs::path place = fs::exists(archived) ? archived : waiting;
      // PostgreSQL may have made it after the copy.
      if (!fs::exists(place) && !fs::exists(prototype_ / "incoming" / name) &&
          !fs::exists(prototype_ / "wals" / name.substr(0, 16) / name)) {
        continue;
      }
      if (!fs::exists(place)) return "WAL " + name + " is gone";
      if (read_text(place) != read_text(entry.path())) return "WAL " + name + " is damaged";
    }
    return "";
  }

  void report(const Trial& trial, const std::string& finding, const CommandResult& result) {
    ++findings_;
    const fs::path kept =
        fs::temp_directory_path() / fmt::format("fault-campaign-{}-{}", options_.seed, findings_);
    fs::remove_all(kept);
    fs::copy(barman_.home(), kept, fs::copy_options::recursive);
    fmt::print("FINDING {}\n  {}\n  exit code {}, said: {}{}\n  catalogue: {}\n", trial.describe(),
               finding, result.exit_code, result.out.substr(0, 2000), result.err.substr(0, 2000),
               kept.string());
    std::fflush(stdout);
  }

  const Clock::time_point begin_ = Clock::now();
  const CampaignOptions options_;
  TempDir work_;
  const fs::path prototype_;
  PostgresServer postgres_;
  BarmanHome barman_;
  std::vector<std::string> ids_;
  std::map<std::string, Tree> bases_;
  std::map<std::string, Tree> restored_;
  std::vector<Job> jobs_;
  int findings_ = 0;
};

CampaignOptions parse_options(const std::vector<std::string>& arguments) {
  CampaignOptions options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--count") {
      options.only_counts = true;
      continue;
    }
    const std::string value = i + 1 < arguments.size() ? arguments[i + 1] : std::string();
    const auto number = parse_integer(value);
    if (arguments[i] == "--command" && !value.empty()) {
      options.command = value;
    } else if (number && *number >= 0 && arguments[i] == "--seed") {
      options.seed = static_cast<unsigned>(*number);
    } else if (number && *number >= 0 && arguments[i] == "--seconds") {
      options.duration = std::chrono::seconds(*number);
    } else {
      throw Error(ErrorKind::usage,
                  "usage: fault_campaign [--seed N] [--seconds N] [--command NAME] [--count]");
    }
    ++i;
  }
  return options;
}

int run_campaign(const CampaignOptions& options) {
  if (run_command({.argv = {"/bin/sh", "-c", "command -v strace"}}).exit_code != 0) {
    fmt::print("not possible here: strace is missing\n");
    return kExitUnavailable;
  }
  return Campaign(options).run();
}

}  // namespace
}  // namespace barman::test

int main(int argc, char** argv) {
  using namespace barman::test;
  int result = kExitFound;
  try {
    const CampaignOptions options = parse_options({argv + std::min(argc, 1), argv + argc});
    become_unprivileged();
    result = run_campaign(options);
  } catch (const barman::Error& error) {
    fmt::print(stderr, "fault_campaign: {}\n", error.describe());
  }
  forget_root();
  return result;
}

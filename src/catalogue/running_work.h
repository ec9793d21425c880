// What a process of a server is doing now, so that it can be seen from elsewhere: a small file
// beside the locks, `.<server>-<task>-<pid>.work`, which goes with the process. The real Barman
// ignores it. It is no lock, and nothing decides by it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "catalogue/locks.h"

namespace barman::catalogue {

struct RunningWork {
  std::string server;
  std::string task;  // "backup"
  pid_t pid = 0;
  // Clock ticks from boot to the start of the process: another one may have the pid by now.
  std::uint64_t process_start = 0;
  // What it works on, "into /srv/restored", "of 20261121T014237"; may be empty.
  std::string object;
  // "waiting for WAL 0000…", "backup".
  std::string phase;
  std::uint64_t done_bytes = 0;
  std::uint64_t total_bytes = 0;  // 0 = unknown, or nothing is transferred
  // Seconds since the epoch.
  double phase_began = 0;
  double updated = 0;
};

// Of the running process.
RunningWork work_of_this_process(std::string server, std::string task, std::string object);
std::filesystem::path work_path(const LockLocation& location, const RunningWork& work);

// A file of one size, written in place: a reader that meets a half-written one sees that.
std::string format_work(const RunningWork& work);
std::optional<RunningWork> parse_work(std::string_view text);

// Of processes that live, by pid. Files that cannot be read are left out.
std::vector<RunningWork> list_running_work(const LockLocation& location);

// "waiting for WAL 0000… (for 12 seconds)", "backup: 41 % of 22.1 GiB, 120.0 MiB/s, about 2 minutes
// left".
std::string describe_work(const RunningWork& work, double now);

}  // namespace barman::catalogue

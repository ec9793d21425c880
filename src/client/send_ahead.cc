#include "client/send_ahead.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/file_lock.h"
#include "base/process.h"
#include "base/worker_pool.h"
#include "client/background.h"
#include "client/next_segments.h"
#include "compression/stored_file.h"
#include "host/shared_connection.h"

namespace barman::client {
namespace fs = std::filesystem;
namespace {

constexpr std::uint64_t kNoLimit = ~std::uint64_t{0};
constexpr std::size_t kSendConnections = 3;
// What one call of put-wal is given at most: a reply comes when all of it is durable.
constexpr std::size_t kMostFiles = 8;
constexpr int kPipeSize = 1 << 20;
using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kSendPoll{5};
// After a while without work it is asked for less often.
constexpr std::chrono::milliseconds kSlowPoll{50};
constexpr std::chrono::seconds kSlowAfter{2};
constexpr std::chrono::seconds kSendIdleLimit{60};

fs::path lock_path(const fs::path& directory) { return directory / ".sending.lock"; }

bool is_ready(const fs::path& wal_path) {
  struct stat status = {};
  const fs::path marker =
      wal_path.parent_path() / "archive_status" / (wal_path.filename().string() + ".ready");
  return ::stat(marker.c_str(), &status) == 0;
}

bool is_still_ready(const WalFile& wal) { return is_ready(wal.path); }

// The process in the background. One thread a connection; each takes the next files that wait.
class Sender {
 public:
  Sender(const SendAheadRequest& request, ArchivedAhead ahead)
      : request_(request),
        wal_directory_(request.wal_path.parent_path()),
        ahead_(std::move(ahead)),
        last_taken_(request.wal_path.filename()),
        last_work_(Clock::now()) {
    take_over();
  }

  void run() {
    // One connection does the work of all, only slower.
    const std::vector<std::jthread> threads = start_threads(
        kSendConnections, [this](std::size_t number) { run_connection(number); },
        [](const Error&) {});
  }

 private:
  // What another process has sent before.
  void take_over();
  void run_connection(std::size_t number);
  // Files that nobody has taken yet; none when nothing waits.
  std::vector<WalFile> take();
  bool send(const RemoteBarman& barman, const std::vector<WalFile>& files);
  void forget_archived();
  // False when it is time to end.
  bool wait_for_work();

  const SendAheadRequest& request_;
  const fs::path wal_directory_;
  std::mutex mutex_;
  ArchivedAhead ahead_;
  // Sent or being sent, and PostgreSQL has not asked for them.
  std::deque<std::string> outstanding_;
  fs::path last_taken_;
  Clock::time_point last_work_;
  std::atomic<bool> is_over_ = false;
};

void Sender::take_over() {
  ArchivedAhead kept = ahead_;
  kept.clear();
  while (outstanding_.size() < request_.limit) {
    const std::vector<std::string> next =
        list_ready_segments(wal_directory_ / last_taken_, request_.segment_size_bytes, 1);
    const auto sent = next.empty() ? std::nullopt : ahead_.find(next.front());
    if (!sent) break;
    kept.add(next.front(), *sent);
    outstanding_.push_back(next.front());
    last_taken_ = next.front();
  }
  ahead_ = kept;
}

void Sender::run_connection(std::size_t number) {
  RemoteBarman barman = request_.barman;
  // Whatever it is, PostgreSQL asks for the file itself, and then it is told.
  try {
    barman.ssh_options = host::connection_options(
        barman.ssh_target(), request_.directory / fmt::format(".ssh{}", number));
    while (!is_over_) {
      const std::vector<WalFile> files = take();
      if (files.empty() ? !wait_for_work() : !send(barman, files)) break;
    }
  } catch (const std::exception&) {
    is_over_ = true;
  }
  is_over_ = true;
}

void Sender::forget_archived() {
  while (!outstanding_.empty() && !is_ready(wal_directory_ / outstanding_.front())) {
    ahead_.forget(outstanding_.front());
    outstanding_.pop_front();
  }
}

std::vector<WalFile> Sender::take() {
  const std::lock_guard lock(mutex_);
  forget_archived();
  std::vector<WalFile> files;
  if (outstanding_.size() >= request_.limit) return files;
  // Each connection gets a part of what may be sent, so that one sends while another waits.
  const std::size_t share =
      std::clamp<std::size_t>((request_.limit + 1) / kSendConnections, 1, kMostFiles);
  const std::size_t count = std::min(request_.limit - outstanding_.size(), share);
  for (const std::string& name :
       list_ready_segments(wal_directory_ / last_taken_, request_.segment_size_bytes, count)) {
    std::optional<Fd> file = find_file(wal_directory_ / name);
    if (!file) break;
    files.push_back({.path = wal_directory_ / name, .file = std::move(*file)});
    outstanding_.push_back(name);
    ahead_.announce(name);
    last_taken_ = name;
  }
  if (files.empty()) return files;
  last_work_ = Clock::now();
  ahead_.save();
  return files;
}

bool Sender::send(const RemoteBarman& barman, const std::vector<WalFile>& files) {
  const SentAhead outcome = send_wal_files(barman, request_.put, files, is_still_ready);
  if (outcome.is_pipe_broken || outcome.exit_code != 0) return false;
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < files.size(); ++i) {
    ahead_.add(files[i].path.filename().string(), outcome.files[i]);
  }
  ahead_.save();
  last_work_ = Clock::now();
  return true;
}

bool Sender::wait_for_work() {
  Clock::duration idle{};
  {
    const std::lock_guard lock(mutex_);
    idle = Clock::now() - last_work_;
  }
  // Nobody could see what is sent when the directory has gone.
  if (idle > kSendIdleLimit || ::access(lock_path(request_.directory).c_str(), F_OK) != 0)
    return false;
  std::this_thread::sleep_for(idle > kSlowAfter ? kSlowPoll : kSendPoll);
  return true;
}

}  // namespace

SentAhead send_wal_files(const RemoteBarman& barman, const PutOptions& options,
                         const std::vector<WalFile>& files, bool (*is_valid)(const WalFile&)) {
  PipeEnds pipe = make_pipe();
  ChildProcess ssh(put_wal_command(barman, RemoteMode::run),
                   {.input = pipe.read_end.get(), .directory = host::kSshDirectory});
  pipe.read_end = Fd();
  ::fcntl(pipe.write_end.get(), F_SETPIPE_SZ, kPipeSize);
  SentAhead outcome;
  try {
    compression::FdSink sink(pipe.write_end.get(), "ssh", kNoLimit);
    PutStream stream(options, sink);
    for (const WalFile& wal : files) {
      outcome.files.push_back({.state = untouched_state(wal.file, wal.path)});
      outcome.files.back().sha256 = stream.add(wal.file, wal.path);
    }
    // An unfinished stream is refused by the other side.
    if (std::all_of(files.begin(), files.end(), is_valid)) stream.finish();
  } catch (const compression::ReaderGone&) {
    outcome.is_pipe_broken = true;
  }
  pipe.write_end = Fd();
  outcome.exit_code = ssh.wait();
  return outcome;
}

bool is_sending_ahead(const fs::path& directory) {
  return FileLock::holder(lock_path(directory)).has_value();
}

void start_sending_ahead(const SendAheadRequest& request) {
  if (list_ready_segments(request.wal_path, request.segment_size_bytes, 1).empty()) return;
  if (is_sending_ahead(request.directory)) return;
  run_in_background([&] {
    const std::optional<FileLock> lock = FileLock::try_lock(lock_path(request.directory));
    if (!lock) return;
    Sender(request, ArchivedAhead(request.directory, request.barman)).run();
  });
}

}  // namespace barman::client

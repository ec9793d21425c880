#include "client/prefetch.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <thread>

#include <fmt/format.h>

#include "base/error.h"
#include "base/file_lock.h"
#include "base/process.h"
#include "base/text.h"
#include "base/worker_pool.h"
#include "client/background.h"
#include "compression/codec.h"
#include "compression/stored_file.h"
#include "wal/wal_file_name.h"

namespace barman::client {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kReadSize = std::size_t{256} << 10;
constexpr std::size_t kConnections = 2;
constexpr std::chrono::milliseconds kPoll{5};
constexpr std::chrono::seconds kIdleLimit{60};
constexpr std::size_t kSegmentNameLength = 24;

// The process in the background.
class Prefetcher {
 public:
  Prefetcher(const Spool& spool, const PrefetchRequest& request, std::string last)
      : spool_(spool), request_(request), last_(std::move(last)) {
    request_.barman.ssh_options = kept_connection_options(spool.directory() / ".ssh");
  }

  void run() {
    while (wait_for_room()) {
      const std::vector<std::string> names = list_following();
      if (names.empty() || !fetch_all(names)) return;
      last_ = names.back();
    }
  }

 private:
  // False when nobody takes files any more.
  bool wait_for_room() const {
    const auto end = std::chrono::steady_clock::now() + kIdleLimit;
    while (std::chrono::steady_clock::now() < end) {
      if (room() > 0) return true;
      std::this_thread::sleep_for(kPoll);
    }
    return false;
  }

  std::size_t room() const {
    const std::size_t count = spool_.list().size();
    return count < request_.limit ? request_.limit - count : 0;
  }

  std::vector<std::string> list_following() const {
    GetWalRequest request;
    request.wal_name = last_;
    request.peek = static_cast<std::int64_t>(room() + 1);
    const ProcessResult result = run_process({.argv = get_wal_command(request_.barman, request)});
    if (result.exit_code != 0) return {};
    std::vector<std::string> names = split(result.standard_output, '\n');
    std::erase_if(names, [&](const std::string& name) {
      return name <= last_ || name.size() != kSegmentNameLength || !wal::parse_wal_file_name(name);
    });
    return names;
  }

  bool fetch_all(const std::vector<std::string>& names) {
    std::atomic<bool> is_complete = true;
    WorkerPool workers(std::min(names.size(), kConnections));
    for (const std::string& name : names) {
      workers.submit([&] {
        if (!fetch(name)) is_complete = false;
      });
    }
    workers.wait();
    return is_complete;
  }

  bool fetch(const std::string& name) const {
    // Whatever it is, PostgreSQL asks for the file itself, and then it is told.
    try {
      SpooledFile file(spool_.directory(), name);
      GetWalRequest request;
      request.wal_name = name;
      request.compression_options = request_.compression_options;
      if (fetch_wal(request_.barman, request, file.file(), file.temporary_path()) != 0) {
        return false;
      }
      file.keep();
      return true;
    } catch (const std::exception&) {
      return false;
    }
  }

  const Spool& spool_;
  PrefetchRequest request_;
  std::string last_;
};

}  // namespace

int fetch_wal(const RemoteBarman& barman, const GetWalRequest& request, const Fd& target,
              const fs::path& target_path) {
  PipeEnds pipe = make_pipe();
  ChildProcess ssh(get_wal_command(barman, request), {.output = pipe.write_end.get()});
  pipe.write_end = Fd();
  ::fcntl(pipe.read_end.get(), F_SETPIPE_SZ, 1 << 20);
  compression::FdSink file(target.get(), target_path);
  const auto wal = compression::make_detecting_decompressor(file, target_path.string());
  std::vector<std::byte> buffer(kReadSize);
  for (;;) {
    const ssize_t count = ::read(pipe.read_end.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_errno("cannot read from ssh");
    if (count == 0) break;
    wal->write(Bytes(buffer).first(static_cast<std::size_t>(count)));
  }
  const int exit_code = ssh.wait();
  if (exit_code == 0) wal->finish();
  return exit_code;
}

bool is_prefetching(const Spool& spool) { return FileLock::holder(spool.lock_path()).has_value(); }

void start_prefetching(const Spool& spool, const PrefetchRequest& request,
                       const std::string& wal_name) {
  if (wal_name.size() != kSegmentNameLength || is_prefetching(spool)) return;
  run_in_background([&] {
    const std::optional<FileLock> lock = FileLock::try_lock(spool.lock_path());
    if (!lock) return;
    const std::vector<std::string> spooled = spool.list();
    const std::string last = spooled.empty() ? wal_name : std::max(wal_name, spooled.back());
    Prefetcher(spool, request, last).run();
  });
}

}  // namespace barman::client

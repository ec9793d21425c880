#include "client/prefetch.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/file_lock.h"
#include "base/hint.h"
#include "base/process.h"
#include "base/text.h"
#include "base/unexpected.h"
#include "base/worker_pool.h"
#include "client/background.h"
#include "compression/codec.h"
#include "compression/stored_file.h"
#include "host/shared_connection.h"
#include "wal/wal_content.h"
#include "wal/wal_file_name.h"

namespace barman::client {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kReadSize = std::size_t{256} << 10;
constexpr std::size_t kConnections = 2;
constexpr std::size_t kNamesAtOnce = 32;
constexpr std::chrono::milliseconds kPoll{5};
constexpr std::chrono::seconds kIdleLimit{60};
// Of get-wal: an end, no failure.
constexpr int kNothingThere = 1;

std::string describe_exception(const std::exception& exception) {
  const Error error = as_error(exception);
  return with_hint_inside(error.describe(), error.hint());
}

// The process in the background. One thread a connection; each fetches the next file while there is
// room, so that none waits for another one.
class Prefetcher {
 public:
  Prefetcher(const Spool& spool, const PrefetchRequest& request, std::string last)
      : spool_(spool), request_(request), last_(std::move(last)) {}

  void run() {
    // One connection does the work of all, only slower.
    const std::vector<std::jthread> threads = start_threads(
        std::min(request_.limit, kConnections),
        [this](std::size_t number) { run_connection(number); }, [](const Error&) {});
  }

 private:
  void run_connection(std::size_t number) {
    RemoteBarman barman = request_.barman;
    // Whatever it is, PostgreSQL asks for the file itself, and then it is told.
    try {
      barman.ssh_options = options_of(number);
      while (wait_for_room()) {
        const std::optional<std::string> name = take(barman);
        if (!name || !fetch(barman, *name)) break;
      }
    } catch (const std::exception& error) {
      keep_reason(describe_exception(error));
    }
    is_over_ = true;
  }

  // The first one: the others follow from it.
  void keep_reason(const std::string& text) {
    const std::lock_guard lock(reason_mutex_);
    if (!has_reason_) spool_.keep_reason(text);
    has_reason_ = true;
  }

  // The first one is there already: it brought the file that PostgreSQL asked for.
  std::vector<std::string> options_of(std::size_t number) const {
    const RemoteBarman& barman = request_.barman;
    if (number == 0) {
      std::vector<std::string> shared = host::SharedConnection(barman.ssh_target()).options();
      if (!shared.empty()) return shared;
    }
    return host::connection_options(barman.ssh_target(),
                                    spool_.directory() / fmt::format(".ssh{}", number));
  }

  // Reserves a place. False when nobody takes files any more.
  bool wait_for_room() {
    const auto end = std::chrono::steady_clock::now() + kIdleLimit;
    while (!is_over_ && std::chrono::steady_clock::now() < end) {
      {
        const std::lock_guard lock(mutex_);
        if (spool_.list().size() + being_fetched_ < request_.limit) {
          ++being_fetched_;
          return true;
        }
      }
      std::this_thread::sleep_for(kPoll);
    }
    return false;
  }

  // The next name that the other side has.
  std::optional<std::string> take(const RemoteBarman& barman) {
    const std::lock_guard lock(mutex_);
    if (following_.empty()) following_ = list_following(barman);
    if (following_.empty()) return std::nullopt;
    last_ = following_.front();
    following_.pop_front();
    return last_;
  }

  std::deque<std::string> list_following(const RemoteBarman& barman) const {
    GetWalRequest request;
    request.wal_name = last_;
    request.peek = static_cast<std::int64_t>(std::max(request_.limit, kNamesAtOnce) + 1);
    const ProcessResult result = run_process({.argv = get_wal_command(barman, request)});
    if (result.exit_code != 0) {
      if (result.exit_code != kNothingThere) {
        throw failure(barman, "which files follow " + last_, result.exit_code,
                      result.standard_error);
      }
      return {};
    }
    std::deque<std::string> names;
    for (const std::string& name : split(result.standard_output, '\n')) {
      const bool is_next = name > last_ && name.size() == wal::kSegmentNameLength;
      if (is_next && wal::parse_wal_file_name(name)) names.push_back(name);
    }
    return names;
  }

  bool fetch(const RemoteBarman& barman, const std::string& name) {
    SpooledFile file(spool_.directory(), name);
    GetWalRequest request;
    request.wal_name = name;
    request.compression_options = request_.compression_options;
    request.system_id = request_.system_id;
    int exit_code = 0;
    try {
      exit_code = fetch_wal(barman, request, file.file(), file.temporary_path());
    } catch (const OtherCluster&) {  // The call for this file asks in another way.
      return false;
    }
    if (exit_code != 0) {
      if (exit_code != kNothingThere) throw failure(barman, name, exit_code, "");
      return false;
    }
    const std::lock_guard lock(mutex_);
    file.keep();
    --being_fetched_;
    return true;
  }

  static Error failure(const RemoteBarman& barman, const std::string& what, int exit_code,
                       const std::string& said) {
    if (exit_code == kSshFailure) return {ErrorKind::remote, connection_problem(barman)};
    const std::string_view last_words = strip(said);
    return {ErrorKind::remote,
            fmt::format("'barman get-wal' on \"{}\", asked for {}, ended with {}{}", barman.host,
                        what, exit_code, last_words.empty() ? "" : ": " + std::string(last_words))};
  }

  const Spool& spool_;
  const PrefetchRequest& request_;
  std::mutex reason_mutex_;
  bool has_reason_ = false;
  std::mutex mutex_;
  std::string last_;
  std::deque<std::string> following_;
  std::size_t being_fetched_ = 0;
  std::atomic<bool> is_over_ = false;
};

}  // namespace

namespace {

// Looks at what passes: a login shell, ssh or a wrapper may have put its own words into it.
class CheckingSink final : public pipeline::Sink {
 public:
  CheckingSink(const RemoteBarman& barman, const GetWalRequest& request, pipeline::Sink& next)
      : barman_(barman), name_(request.wal_name), next_(next) {
    // Another name is refused at the other side.
    if (const auto parsed = wal::parse_wal_file_name(name_)) {
      check_.emplace(*parsed, wal::ContentExpectation{.system_id = request.system_id,
                                                      .may_be_unwritten = request.takes_partial});
    }
  }

  void write(Bytes data) override {
    if (check_) check_->add(data);
    next_.write(data);
  }
  void finish() override {
    next_.finish();
    const auto problem = check_ ? check_->find_problem() : std::nullopt;
    if (!problem) return;
    if (problem->fault == wal::ContentProblem::Fault::other_cluster) {
      throw OtherCluster(
          ErrorKind::conflict,
          fmt::format("WAL file {} of server '{}' on \"{}\" is not of this cluster: {}", name_,
                      barman_.server, barman_.host, problem->text),
          fmt::format("After 'barman follow-upgrade {0}' there, the WAL of the old cluster is that "
                      "of another server ('barman list-servers'; {0}-VERSION-old): name it in "
                      "restore_command.",
                      barman_.server));
    }
    throw Error(
        ErrorKind::corrupt,
        fmt::format("what came from \"{}\" as WAL file {} is none: {}", barman_.host, name_,
                    problem->text),
        fmt::format("Whatever the login shell of '{}' there prints gets into it: 'ssh {}@{} "
                    "true' must print nothing. Else look at the file with 'barman "
                    "verify-wal' there.",
                    barman_.user, barman_.user, barman_.host));
  }

 private:
  const RemoteBarman& barman_;
  const std::string& name_;
  pipeline::Sink& next_;
  std::optional<wal::ContentCheck> check_;
};

}  // namespace

int fetch_wal(const RemoteBarman& barman, const GetWalRequest& request, const Fd& target,
              const fs::path& target_path, int error_output) {
  PipeEnds pipe = make_pipe();
  ChildProcess ssh(
      get_wal_command(barman, request),
      {.output = pipe.write_end.get(), .error = error_output, .directory = host::kSshDirectory});
  pipe.write_end = Fd();
  ::fcntl(pipe.read_end.get(), F_SETPIPE_SZ, 1 << 20);
  compression::FdSink file(target.get(), target_path);
  CheckingSink checked(barman, request, file);
  const auto wal = compression::make_detecting_decompressor(checked, target_path.string());
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
  if (wal_name.size() != wal::kSegmentNameLength || is_prefetching(spool)) return;
  run_in_background([&] {
    spool.keep_reason_of([&] {
      const std::optional<FileLock> lock = FileLock::try_lock(spool.lock_path());
      if (!lock) return;
      const std::vector<std::string> spooled = spool.list();
      const std::string last = spooled.empty() ? wal_name : std::max(wal_name, spooled.back());
      Prefetcher(spool, request, last).run();
    });
  });
}

}  // namespace barman::client

#include "restore/remote_copies.h"

#include <unistd.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/worker_pool.h"
#include "compression/codec.h"
#include "copy/verified_read.h"
#include "pipeline/tar_reader.h"
#include "restore/remote_script.h"
#include "stored/member_feeder.h"

namespace barman::restore {
namespace fs = std::filesystem;

namespace {

// 2: some files could not be read, and all others were sent.
constexpr std::string_view kSendFiles = R"sh(
cd "$1" || exit
tar --format=gnu --no-recursion "$2" - --null -T - || [ $? -le 2 ]
)sh";
// Of files whose content is still to come.
constexpr std::size_t kWaitingTasks = 64;

// A file of the stream.
struct SentFile {
  std::string path;
  stored::ContentOpener open;
};

}  // namespace

// One connection: run() reads it, judge() judges beside it.
class RemoteCopies::Session {
 public:
  Session(RemoteCopies& copies, Fd names)
      : copies_(copies), names_(std::move(names)), tasks_(kWaitingTasks), files_(1) {}

  void add(copy::CopyTask task) { tasks_.push(std::move(task)); }
  void end_tasks() { tasks_.close(); }

  void run() {
    try {
      receive();
    } catch (...) {  // Rethrown by wait().
      copies_.note_failure();
    }
    // Now whoever reads the file that was cut off is not the first one to tell.
    feeder_.reset();
    files_.close();
  }

  void judge(const OnRight& on_right) {
    try {
      while (std::optional<SentFile> file = files_.pop()) judge_file(*file, on_right);
    } catch (...) {  // Rethrown by wait().
      copies_.note_failure();
    }
    files_.close();
    // Nobody waits for what is not sent.
    tasks_.close();
  }

 private:
  void receive() {
    if (::lseek(names_.get(), 0, SEEK_SET) < 0) throw_errno("cannot read a list of names");
    const std::string name =
        fmt::format("\"{}\" of {}", copies_.directory_.string(), copies_.host_.title());
    feeder_.emplace(name, visit_);
    pipeline::TarReader reader(*feeder_, name, pipeline::TarEnd::required);
    pipeline::Sink* sink = &reader;
    std::unique_ptr<pipeline::Sink> decompressor;
    if (copies_.options_.is_compressed) {
      decompressor = compression::make_decompressor(compression::Algorithm::gzip, reader, name);
      sink = decompressor.get();
    }
    const Interrupt interrupt = copies_.stop_.get();
    const std::string text = std::string(kPrintMark) + std::string(kSendFiles);
    stream_script(copies_.host_,
                  {.text = text,
                   .arguments = {copies_.directory_.string(),
                                 copies_.options_.is_compressed ? "-czf" : "-cf"},
                   .input = names_.get(),
                   .what = fmt::format("cannot compare \"{}\"", copies_.directory_.string()),
                   .is_large = true},
                  interrupt, [&](std::string_view piece) {
                    sink->write(as_bytes(piece));
                    copies_.throttle_.take(piece.size(), interrupt);
                  });
    sink->finish();
  }

  void judge_file(const SentFile& file, const OnRight& on_right) {
    const fs::path path = copies_.directory_ / file.path;
    std::optional<copy::CopyTask> task = tasks_.pop();
    while (task && task->destination != path) task = tasks_.pop();
    if (!task) return;
    const auto crc = copy::judge_copy(*task, *file.open(), copies_.stop_.get());
    if (crc) on_right(*task, *crc);
  }

  RemoteCopies& copies_;
  const Fd names_;
  BoundedQueue<copy::CopyTask> tasks_;
  BoundedQueue<SentFile> files_;
  const stored::ContentVisitor visit_ = [this](const stored::Entry& entry,
                                               const stored::ContentOpener& open) {
    if (!entry.is_directory) files_.push({.path = entry.path, .open = open});
  };
  std::optional<stored::MemberFeeder> feeder_;
};

RemoteCopies::RemoteCopies(const host::Host& host, fs::path directory, const RemoteCopying& options,
                           const Interrupt& interrupt)
    : host_(host),
      directory_(std::move(directory)),
      options_(options),
      throttle_(options.bandwidth_limit),
      stop_(interrupt) {}

RemoteCopies::~RemoteCopies() {
  if (threads_.empty()) return;
  stop_.request();
  for (const auto& session : sessions_) session->end_tasks();
}

void RemoteCopies::start(std::vector<Fd> names, const OnRight& on_right) {
  for (Fd& list : names) sessions_.push_back(std::make_unique<Session>(*this, std::move(list)));
  for (const auto& session : sessions_) {
    threads_.push_back(start_thread([&one = *session] { one.run(); }));
    threads_.push_back(start_thread([&one = *session, on_right] { one.judge(on_right); }));
  }
}

void RemoteCopies::judge(copy::CopyTask task) {
  throw_failure();
  sessions_[next_]->add(std::move(task));
  next_ = (next_ + 1) % sessions_.size();
}

void RemoteCopies::wait() {
  for (const auto& session : sessions_) session->end_tasks();
  threads_.clear();
  throw_failure();
}

// What the others say after they were told to stop is not the reason.
void RemoteCopies::note_failure() {
  {
    const std::lock_guard lock(mutex_);
    if (failure_) return;
    failure_ = std::current_exception();
  }
  stop_.request();
}

void RemoteCopies::throw_failure() {
  std::exception_ptr failure;
  {
    const std::lock_guard lock(mutex_);
    failure = failure_;
  }
  if (!failure) return;
  stop_.request();
  for (const auto& session : sessions_) session->end_tasks();
  threads_.clear();
  std::rethrow_exception(failure);
}

}  // namespace barman::restore

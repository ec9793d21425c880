#include "restore/wal_decoder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"

namespace barman::restore {
namespace fs = std::filesystem;

namespace {

// Files of a bucket that are fetched at once, at least.
constexpr std::size_t kFetchers = 8;
// And so many that wait to be taken: this, times a segment, is memory.
constexpr std::size_t kFetchedAhead = 12;

std::size_t decoder_count(const WalPlan& plan, std::size_t worker_count) {
  return plan.archive.is_in_bucket() ? std::max(worker_count, kFetchers) : worker_count;
}

}  // namespace

OpenedWal open_wal(const wal_archive::WalArchive& archive, const fs::path& source,
                   const std::vector<fs::path>& moves_to) {
  if (std::optional<Fd> file = archive.find_at(source)) return {std::move(*file), source};
  for (const fs::path& place : moves_to) {
    if (std::optional<Fd> file = archive.find_at(place)) return {std::move(*file), place};
  }
  throw Error(ErrorKind::not_found,
              fmt::format("WAL file \"{}\" is not there any more", source.string()),
              "Restore again.");
}

WalAhead::WalAhead(const wal_archive::WalArchive& archive, const std::vector<WalFileCopy>& files)
    : archive_(archive), files_(files) {
  if (!archive.is_in_bucket()) return;
  for (std::size_t i = 0; i < std::min(kFetchers, files.size()); ++i) {
    threads_.push_back(start_thread([this](const std::stop_token& stop) { fetch(stop); }));
  }
}

WalAhead::~WalAhead() {
  for (std::jthread& thread : threads_) thread.request_stop();
  changed_.notify_all();
}

void WalAhead::fetch(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  for (;;) {
    const bool may_go_on = changed_.wait(lock, stop, [&] {
      return next_to_fetch_ == files_.size() || next_to_fetch_ < next_ + kFetchedAhead;
    });
    if (!may_go_on || stop.stop_requested() || next_to_fetch_ == files_.size()) return;
    const std::size_t index = next_to_fetch_++;
    lock.unlock();
    Result result;
    try {
      result = open_wal(archive_, files_[index].source, files_[index].moves_to);
    } catch (...) {  // Thrown by next(), in the order of the files.
      result = std::current_exception();
    }
    lock.lock();
    fetched_.emplace(index, std::move(result));
    changed_.notify_all();
  }
}

OpenedWal WalAhead::next() {
  const std::size_t index = next_++;
  if (threads_.empty()) return open_wal(archive_, files_[index].source, files_[index].moves_to);
  std::unique_lock lock(mutex_);
  changed_.notify_all();
  changed_.wait(lock, [&] { return fetched_.contains(index); });
  Result result = std::move(fetched_.extract(index).mapped());
  lock.unlock();
  if (const auto* const failure = std::get_if<std::exception_ptr>(&result)) {
    std::rethrow_exception(*failure);
  }
  return std::get<OpenedWal>(std::move(result));
}

WalDecoder::WalDecoder(const WalPlan& plan, std::size_t worker_count, Progress& progress,
                       const Interrupt& interrupt)
    : plan_(plan),
      progress_(progress),
      interrupt_(interrupt),
      workers_(decoder_count(plan, worker_count)) {}

bool WalDecoder::take(const copy::CopyTask& task, const std::vector<fs::path>& moves_to) {
  interrupt_.throw_if_requested();
  if (plan_.archive.is_elsewhere(task.source)) {
    workers_.submit([this, task, moves_to] {
      const OpenedWal opened = open_wal(plan_.archive, task.source, moves_to);
      copy::CopyTask found = task;
      found.source = opened.path;
      decode(found, plan_.coding.identify(opened.file, opened.path), opened.file);
    });
    return true;
  }
  OpenedWal opened = open_wal(plan_.archive, task.source, moves_to);
  const wal_archive::WalStoredForm form = plan_.coding.identify(opened.file, opened.path);
  if (form.is_plain() && moves_to.empty()) return false;
  copy::CopyTask found = task;
  found.source = opened.path;
  const auto shared = std::make_shared<const Fd>(std::move(opened.file));
  workers_.submit([this, found, form, shared] { decode(found, form, *shared); });
  return true;
}

void WalDecoder::decode(const copy::CopyTask& task, const wal_archive::WalStoredForm& form,
                        const Fd& source) {
  interrupt_.throw_if_requested();
  Fd destination =
      open_file(task.destination, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, task.mode);
  if (::fchmod(destination.get(), task.mode) != 0) {
    throw_errno(fmt::format("cannot set permissions of \"{}\"", task.destination.string()));
  }
  plan_.coding.decode(form, source, task.source, destination.get(), task.destination);
  struct stat status = {};
  if (::fstat(destination.get(), &status) != 0) {
    throw_errno(fmt::format("cannot look at \"{}\"", task.destination.string()));
  }
  const auto size_bytes = static_cast<std::uint64_t>(status.st_size);
  if (task.minimum_size_bytes > size_bytes &&
      ::ftruncate(destination.get(), static_cast<off_t>(task.minimum_size_bytes)) != 0) {
    throw_errno(fmt::format("cannot extend \"{}\"", task.destination.string()));
  }
  sync_fd(destination, task.destination);
  destination.close(task.destination);
  progress_.advance(size_bytes);
}

}  // namespace barman::restore

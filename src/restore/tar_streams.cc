#include "restore/tar_streams.h"

#include <utility>

namespace barman::restore {

TarStreams::TarStreams(const host::Host& host, std::filesystem::path directory,
                       const host::TarSending& options, std::size_t count,
                       const Interrupt& interrupt)
    : host_(host),
      directory_(std::move(directory)),
      options_(options),
      stop_(interrupt),
      interrupt_(stop_.get()) {
  workers_.emplace(count);
}

TarStreams::~TarStreams() {
  stop_.request();
  workers_.reset();
}

TarStreams::Stream TarStreams::take_stream() {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      Stream stream = std::move(idle_.back());
      idle_.pop_back();
      return stream;
    }
  }
  return std::make_unique<host::TarSender>(host_, directory_, options_, interrupt_);
}

void TarStreams::note_failure() {
  {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::current_exception();
  }
  stop_.request();
}

void TarStreams::send_now(const Send& send) {
  Stream stream = take_stream();
  send(stream->archive(), interrupt_);
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(stream));
}

void TarStreams::run(const Work& work) {
  if (interrupt_.is_requested()) return;  // the caller is told
  try {
    work(interrupt_);
  } catch (...) {  // Rethrown to the caller; what the others say when they are cut is no reason.
    note_failure();
  }
}

void TarStreams::throw_failure() {
  workers_.reset();
  const std::lock_guard lock(mutex_);
  if (failure_) std::rethrow_exception(failure_);
}

void TarStreams::submit(Send send) {
  submit_work([this, send = std::move(send)](const Interrupt&) { send_now(send); });
}

void TarStreams::submit_work(Work work) {
  // Nothing more needs to be read.
  if (interrupt_.is_requested()) {
    throw_failure();
    interrupt_.throw_if_requested();
  }
  workers_->submit([this, work = std::move(work)] { run(work); });
}

void TarStreams::finish() {
  workers_->wait();
  throw_failure();
  interrupt_.throw_if_requested();
  // The end of the archive is what its tar waits for; all end at the same time.
  workers_.emplace(idle_.empty() ? 1 : idle_.size());
  for (const Stream& stream : idle_) {
    workers_->submit([this, &stream] { run([&](const Interrupt&) { stream->finish(); }); });
  }
  workers_->wait();
  throw_failure();
  idle_.clear();
}

}  // namespace barman::restore

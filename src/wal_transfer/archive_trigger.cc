#include "wal_transfer/archive_trigger.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/process.h"
#include "wal_archive/receiver_note.h"
#include "wal_archive/wal_batch.h"
#include "wal_transfer/processes.h"

namespace barman::wal_transfer {
namespace {

using std::chrono::milliseconds;

// Between two children while files stay.
constexpr milliseconds kFirstPause{500};
constexpr milliseconds kLongestPause{60000};

}  // namespace

ArchiveTrigger::ArchiveTrigger(const server::Server& server)
    : server_(server), stop_event_(::eventfd(0, EFD_CLOEXEC)) {
  if (!stop_event_.is_open()) throw_errno("cannot create an event");
  thread_ = start_thread([this](const std::stop_token& stop) { run(stop); });
}

ArchiveTrigger::~ArchiveTrigger() {
  thread_.request_stop();
  ::eventfd_write(stop_event_.get(), 1);
  thread_.join();
}

void ArchiveTrigger::pull() {
  const std::lock_guard lock(mutex_);
  is_pulled_ = true;
  wake_up_.notify_one();
}

// A pause of zero: until the trigger is pulled.
bool ArchiveTrigger::wait_for_work(const std::stop_token& stop, milliseconds pause) {
  std::unique_lock lock(mutex_);
  if (pause.count() == 0) {
    wake_up_.wait(lock, stop, [this] { return is_pulled_; });
  } else {
    wake_up_.wait_for(lock, stop, pause, [this] { return is_pulled_; });
  }
  is_pulled_ = false;
  return !stop.stop_requested();
}

void ArchiveTrigger::run(const std::stop_token& stop) {
  milliseconds pause{0};
  while (wait_for_work(stop, pause)) {
    // The stream goes on whatever happens to the archive.
    try {
      run_child(stop);
      const bool is_waiting = are_files_waiting();
      pause = is_waiting ? std::clamp(pause * 2, kFirstPause, kLongestPause) : milliseconds(0);
    } catch (const Error& error) {
      log::error(log::kWalArchiverComponent, "cannot start archive-wal for server '{}': {}",
                 server_.name(), error.describe());
      pause = kLongestPause;
    }
  }
}

void ArchiveTrigger::run_child(const std::stop_token& stop) const {
  const Fd null = open_file("/dev/null", O_RDWR);
  ChildProcess child(child_command(server_, {"archive-wal", server_.name()}),
                     {.input = null.get(), .output = null.get(), .error = null.get()});
  const std::optional<int> exit_code =
      child.wait_unless_interrupted(Interrupt(stop, stop_event_.get(), nullptr));
  if (exit_code && *exit_code != 0) {
    log::warning(log::kWalArchiverComponent, "archive-wal of server '{}' ended with exit code {}",
                 server_.name(), *exit_code);
  }
}

bool ArchiveTrigger::are_files_waiting() const {
  std::vector<wal_archive::ReceivedFile> received =
      wal_archive::list_received_files(server_.locations().streaming_directory);
  const wal_archive::WalBatch batch = wal_archive::choose_batch(
      wal_archive::WalSource::streaming, std::move(received), 0,
      wal_archive::find_receiver_note(server_.locations().backup_directory).timeline);
  return !batch.files.empty();
}

}  // namespace barman::wal_transfer

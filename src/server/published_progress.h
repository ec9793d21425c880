// The progress of a command, shown elsewhere as well (catalogue/running_work.h): at most once a
// second, and at once when something new begins. What cannot be written is not shown.
#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/progress.h"
#include "catalogue/running_work.h"
#include "server/server.h"

namespace barman::server {

class PublishedProgress final : public Progress {
 public:
  // `next` must live longer.
  PublishedProgress(Progress& next, const Server& server, std::string task,
                    std::string object = {});
  PublishedProgress(const PublishedProgress&) = delete;
  PublishedProgress& operator=(const PublishedProgress&) = delete;
  ~PublishedProgress() override;

  void begin(std::string_view what, std::uint64_t total_bytes) override;
  void advance(std::uint64_t size_bytes) override;
  void set_item(std::string_view item) override { next_.set_item(item); }
  void end() override { next_.end(); }
  void phase(std::string_view what) override;

 private:
  using Clock = std::chrono::steady_clock;

  void start(std::string_view phase, std::uint64_t total_bytes);
  void write_locked();

  Progress& next_;
  std::filesystem::path path_;
  Fd file_;
  std::atomic<std::uint64_t> done_bytes_{0};
  std::atomic<Clock::rep> next_write_{0};
  std::mutex mutex_;  // guards what follows
  catalogue::RunningWork work_;
};

}  // namespace barman::server

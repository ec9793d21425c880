#include "output/progress_display.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <mutex>

#include <fmt/format.h>

#include "base/text.h"
#include "output/terminal.h"

namespace barman::output {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kInterval = std::chrono::milliseconds(200);
constexpr std::size_t kDefaultWidth = 80;
constexpr std::string_view kClearLine = "\r\033[K";

std::size_t terminal_width(int fd) {
  winsize size = {};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kDefaultWidth;
  return size.ws_col;
}

void write_to_terminal(int fd, std::string_view text) {
  // A terminal that went away must not end a transfer.
  [[maybe_unused]] const ssize_t count = ::write(fd, text.data(), text.size());
}

std::string short_duration(double seconds) {
  const auto total = static_cast<std::int64_t>(seconds);
  if (total >= 3600) {
    return fmt::format("{}:{:02}:{:02}", total / 3600, total % 3600 / 60, total % 60);
  }
  return fmt::format("{}:{:02}", total / 60, total % 60);
}

std::string decimal_size_text(double size_bytes) {
  return human_size(static_cast<std::int64_t>(size_bytes));
}

// Cuts at a character boundary of UTF-8, so that the terminal never sees half a character.
std::string cut(std::string text, std::size_t width) {
  if (text.size() <= width) return text;
  while (width > 0 && (static_cast<unsigned char>(text[width]) & 0xC0U) == 0x80U) --width;
  text.resize(width);
  return text;
}

}  // namespace

std::string progress_line(const ProgressFacts& facts, std::size_t width) {
  const auto done = static_cast<double>(facts.done_bytes);
  const auto total = static_cast<double>(facts.total_bytes);
  std::string line = fmt::format("{}: {}", facts.what, decimal_size_text(done));
  if (facts.total_bytes > 0) {
    // The total is an estimate; more than all of it is not shown.
    const double percent = std::min(100.0, done * 100 / total);
    line += fmt::format(" of {} ({:.0f}%)", decimal_size_text(total), percent);
  }
  if (facts.elapsed_seconds >= 0.5 && facts.done_bytes > 0) {
    const double rate = done / facts.elapsed_seconds;
    line += fmt::format(", {}/s", decimal_size_text(rate));
    if (total > done) line += fmt::format(", {} left", short_duration((total - done) / rate));
  }
  if (!facts.item.empty()) line += fmt::format(", {}", facts.item);
  return cut(std::move(line), width);
}

struct ProgressDisplay::State {
  explicit State(int given_fd)
      : fd(given_fd), is_active(::isatty(given_fd) == 1 && can_move_cursor()) {}

  int fd;
  bool is_active;
  std::atomic<std::uint64_t> done_bytes{0};
  // Ticks of the clock before which nothing is drawn.
  std::atomic<Clock::rep> next_draw{0};
  std::mutex mutex;  // guards what follows
  bool is_running = false;
  bool is_drawn = false;
  std::string what;
  std::string item;
  std::uint64_t total_bytes = 0;
  Clock::time_point begun;

  void clear_locked() {
    if (is_drawn) write_to_terminal(fd, kClearLine);
    is_drawn = false;
  }
  void draw_locked(Clock::time_point now) {
    const ProgressFacts facts = {
        .what = what,
        .item = item,
        .done_bytes = done_bytes.load(std::memory_order_relaxed),
        .total_bytes = total_bytes,
        .elapsed_seconds = std::chrono::duration<double>(now - begun).count()};
    const std::size_t width = terminal_width(fd);
    write_to_terminal(fd, fmt::format("{}{}", kClearLine, progress_line(facts, width - 1)));
    is_drawn = true;
  }
};

ProgressDisplay::ProgressDisplay(int fd) : state_(std::make_unique<State>(fd)) {}
ProgressDisplay::~ProgressDisplay() { end(); }

void ProgressDisplay::begin(std::string_view what, std::uint64_t total_bytes) {
  if (!state_->is_active) return;
  const std::lock_guard lock(state_->mutex);
  state_->what = what;
  state_->item.clear();
  state_->total_bytes = total_bytes;
  state_->done_bytes.store(0, std::memory_order_relaxed);
  state_->begun = Clock::now();
  state_->is_running = true;
}

void ProgressDisplay::advance(std::uint64_t size_bytes) {
  if (!state_->is_active) return;
  state_->done_bytes.fetch_add(size_bytes, std::memory_order_relaxed);
  const Clock::time_point now = Clock::now();
  Clock::rep due = state_->next_draw.load(std::memory_order_relaxed);
  if (now.time_since_epoch().count() < due) return;
  // One of the workers draws, the others go on.
  const Clock::rep next = (now + kInterval).time_since_epoch().count();
  if (!state_->next_draw.compare_exchange_strong(due, next, std::memory_order_relaxed)) return;
  const std::lock_guard lock(state_->mutex);
  if (state_->is_running) state_->draw_locked(now);
}

void ProgressDisplay::set_item(std::string_view item) {
  if (!state_->is_active) return;
  const std::lock_guard lock(state_->mutex);
  state_->item = item;
}

void ProgressDisplay::end() {
  if (!state_->is_active) return;
  const std::lock_guard lock(state_->mutex);
  state_->clear_locked();
  state_->is_running = false;
}

void ProgressDisplay::phase(std::string_view what) {
  if (!state_->is_active) return;
  const std::lock_guard lock(state_->mutex);
  state_->is_running = false;
  write_to_terminal(
      state_->fd,
      fmt::format("{}{}", kClearLine, cut(std::string(what), terminal_width(state_->fd) - 1)));
  state_->is_drawn = true;
}

void ProgressDisplay::clear() {
  if (!state_->is_active) return;
  const std::lock_guard lock(state_->mutex);
  state_->clear_locked();
}

}  // namespace barman::output

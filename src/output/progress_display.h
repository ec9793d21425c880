// Progress of a transfer on a terminal: one line on stderr, rewritten at most five times a second,
// with bytes, total, percentage, rate, remaining time and the current item. When stderr is not a
// terminal it does nothing. advance() costs one atomic addition and a look at the clock.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/progress.h"

namespace barman::output {

class ProgressDisplay final : public Progress {
 public:
  // Active when `fd` is a terminal.
  explicit ProgressDisplay(int fd);
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;
  ~ProgressDisplay() override;

  void begin(std::string_view what, std::uint64_t total_bytes) override;
  void advance(std::uint64_t size_bytes) override;
  void set_item(std::string_view item) override;
  void end() override;
  void phase(std::string_view what) override;

  // Removes the line from the terminal; the next advance() draws it again.
  void clear();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// One line of at most `width` columns.
struct ProgressFacts {
  std::string what;
  std::string item;
  std::uint64_t done_bytes = 0;
  std::uint64_t total_bytes = 0;  // 0 = unknown
  double elapsed_seconds = 0;
};
std::string progress_line(const ProgressFacts& facts, std::size_t width);

}  // namespace barman::output

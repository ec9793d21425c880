#include "output/progress_display.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "base/error.h"
#include "base/fd.h"
#include "output/captured_output.h"

namespace barman::output {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;

// A pseudo-terminal; what is written to one end can be read at the other.
struct PseudoTerminal {
  Fd screen{::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};
  Fd line;

  PseudoTerminal() {
    ::setenv("TERM", "xterm", 1);  // whatever the tests are started from
    std::array<char, 64> name{};
    if (::grantpt(screen.get()) != 0 || ::unlockpt(screen.get()) != 0 ||
        ::ptsname_r(screen.get(), name.data(), name.size()) != 0) {
      throw_errno("cannot make a terminal");
    }
    line = open_file(name.data(), O_RDWR | O_NOCTTY);
    ::fcntl(screen.get(), F_SETFL, O_NONBLOCK);
  }
  // What has been written last: the kernel hands it over in a thread of its own.
  std::string shown() const {
    pollfd screen_event = {.fd = screen.get(), .events = POLLIN, .revents = 0};
    ::poll(&screen_event, 1, 10'000);
    std::array<char, 4096> buffer{};
    const ssize_t count = ::read(screen.get(), buffer.data(), buffer.size());
    return count > 0 ? std::string(buffer.data(), static_cast<std::size_t>(count)) : std::string();
  }
};

TEST(ProgressLine, TellsSizeRateAndRemainingTime) {
  EXPECT_EQ(progress_line({.what = "Backup",
                           .item = "base/5/1259",
                           .done_bytes = 25 * kMiB,
                           .total_bytes = 100 * kMiB,
                           .elapsed_seconds = 5},
                          200),
            "Backup: 25.0 MiB of 100.0 MiB (25%), 5.0 MiB/s, 0:15 left, base/5/1259");
}

TEST(ProgressLine, DoesWithoutATotal) {
  EXPECT_EQ(progress_line({.what = "Backup",
                           .item = {},
                           .done_bytes = 4 * kMiB,
                           .total_bytes = 0,
                           .elapsed_seconds = 2},
                          200),
            "Backup: 4.0 MiB, 2.0 MiB/s");
}

TEST(ProgressLine, NeverShowsMoreThanAll) {
  EXPECT_EQ(
      progress_line(
          {.what = "B", .item = {}, .done_bytes = 2048, .total_bytes = 1024, .elapsed_seconds = 0},
          200),
      "B: 2.0 KiB of 1.0 KiB (100%)");
}

TEST(ProgressLine, IsCutBetweenCharacters) {
  const std::string line = progress_line(
      {.what = "é", .item = {}, .done_bytes = 0, .total_bytes = 0, .elapsed_seconds = 0}, 1);
  EXPECT_EQ(line, "");
}

TEST(ProgressDisplay, IsSilentOutsideOfATerminal) {
  const Fd fd(::memfd_create("err", MFD_CLOEXEC));
  ProgressDisplay display(fd.get());
  display.begin("Backup", 100);
  display.advance(50);
  display.end();
  EXPECT_EQ(::lseek(fd.get(), 0, SEEK_END), 0);
}

TEST(ProgressDisplay, DrawsAtMostOncePerInterval) {
  const PseudoTerminal terminal;
  ProgressDisplay display(terminal.line.get());
  display.begin("Backup", 100);
  for (int i = 0; i < 10; ++i) display.advance(1);
  EXPECT_EQ(terminal.shown(), "\r\033[KBackup: 1 B of 100 B (1%)");
}

TEST(ProgressDisplay, IsClearedBeforeAMessage) {
  const PseudoTerminal terminal;
  ProgressDisplay display(terminal.line.get());
  CapturedOutput output;
  output.reporter().set_progress_display(&display);
  display.begin("Backup", 0);
  display.advance(1);
  terminal.shown();
  output.reporter().info("hello");
  EXPECT_EQ(terminal.shown(), "\r\033[K");
  output.reporter().set_progress_display(nullptr);
}

}  // namespace
}  // namespace barman::output

#include "output/reporter.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "base/log.h"
#include "base/test_support.h"
#include "output/captured_output.h"

namespace barman::output {
namespace {

constexpr ReporterOptions kJson = {.format = OutputFormat::json};

TEST(ConsoleReporter, SendsEachLevelToItsStream) {
  CapturedOutput output;
  Reporter& reporter = output.reporter();
  reporter.debug("hidden");
  reporter.info("Starting");
  reporter.result_line("a result");
  reporter.warning("careful\nsecond line");
  EXPECT_EQ(reporter.finish(), 0);
  EXPECT_EQ(output.out(), "Starting\na result\n");
  EXPECT_EQ(output.err(), "WARNING: careful\nsecond line\n");
}

TEST(ConsoleReporter, FailsAfterAnError) {
  CapturedOutput output;
  output.reporter().error("broken");
  EXPECT_TRUE(output.reporter().has_failed());
  EXPECT_EQ(output.reporter().finish(), 1);
  EXPECT_EQ(output.err(), "ERROR: broken\n");
}

std::string told_of_an_exception() {
  CapturedOutput output;
  output.reporter().exception("boom");
  EXPECT_EQ(output.reporter().finish(), 1);
  return output.err();
}

TEST(ConsoleReporter, PointsToTheLogAfterAnExceptionWhenThereIsOne) {
  const TemporaryDirectory directory;
  constexpr int kNothing = 100;
  EXPECT_EQ(told_of_an_exception(), "EXCEPTION: boom\n");
  log::open_log(directory.path() / "log", kNothing);
  EXPECT_EQ(told_of_an_exception(), "EXCEPTION: boom\nSee log file for more details.\n");
  log::open_log(std::nullopt, kNothing);
}

TEST(ConsoleReporter, LetsACommandChooseItsExitCode) {
  CapturedOutput output;
  output.reporter().error("'foo' is not a valid wal file name");
  output.reporter().set_exit_code(3);
  EXPECT_EQ(output.reporter().finish(), 3);
}

TEST(ConsoleReporter, HidesResultsButNoErrorWhenQuiet) {
  CapturedOutput output({.is_quiet = true});
  output.reporter().info("one");
  output.reporter().info_unlogged("two");
  output.reporter().result_line("three");
  output.reporter().warning("four");
  EXPECT_EQ(output.out(), "");
  EXPECT_EQ(output.err(), "WARNING: four\n");
}

TEST(ConsoleReporter, ShowsDebugMessagesOnStderr) {
  CapturedOutput output({.is_debug = true});
  output.reporter().debug("detail");
  EXPECT_EQ(output.err(), "DEBUG: detail\n");
}

TEST(ConsoleReporter, MasksPasswordsOnBothStreams) {
  CapturedOutput output;
  output.reporter().result_line("\tconninfo: host=a password='top secret' user=b");
  output.reporter().error("cannot use postgresql://bob:secret@host/db");
  EXPECT_EQ(output.out(), "\tconninfo: host=a password=*REDACTED* user=b\n");
  EXPECT_EQ(output.err(), "ERROR: cannot use postgresql://bob:*REDACTED*@host/db\n");
}

TEST(ConsoleReporter, PaintsWholeLinesWhenToldTo) {
  CapturedOutput output({.color = ColorMode::always});
  output.reporter().warning("w");
  output.reporter().error("e");
  output.reporter().info("i");
  EXPECT_EQ(output.err(), "\033[33mWARNING: w\033[0m\n\033[31mERROR: e\033[0m\n");
  EXPECT_EQ(output.out(), "i\n");
  EXPECT_EQ(output.reporter().colored("OK", Color::green), "\033[32mOK\033[0m");
}

TEST(ConsoleReporter, HasNoColorsOutsideOfATerminal) {
  CapturedOutput output;
  EXPECT_EQ(output.reporter().colored("OK", Color::green), "OK");
}

TEST(ConsoleReporter, GoesOnSilentlyWhenTheReaderIsGone) {
  ::signal(SIGPIPE, SIG_IGN);
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe2(pipe.data(), O_CLOEXEC), 0);
  Fd reader(pipe[0]);
  const Fd writer(pipe[1]);
  reader = Fd();
  Reporter reporter({.stdout_fd = writer.get()});
  reporter.info("one");
  reporter.info("two");
  EXPECT_EQ(reporter.finish(), 0);
}

TEST(ConsoleReporter, FailsWhenItsOutputCannotBeWritten) {
  const Fd full = open_file("/dev/full", O_WRONLY);
  const Fd null = open_file("/dev/null", O_WRONLY);
  Reporter reporter({.stdout_fd = full.get(), .stderr_fd = null.get()});
  reporter.info("lost");
  EXPECT_EQ(reporter.finish(), 1);
}

TEST(JsonReporter, WritesOneObjectAtTheEnd) {
  CapturedOutput output(kJson);
  Reporter& reporter = output.reporter();
  reporter.info("\tfirst");
  reporter.info("second");
  reporter.warning("careful");
  reporter.error("broken");
  reporter.result_line("console only");
  reporter.add_json("main", JsonValue::array());
  EXPECT_EQ(output.out(), "");
  EXPECT_EQ(reporter.finish(), 1);
  EXPECT_EQ(output.out(),
            R"({"_ERROR": ["broken"], "_INFO": ["\tfirst", "second"], "_WARNING": ["careful"], )"
            R"("main": []})");
  EXPECT_EQ(output.err(), "");
}

TEST(JsonReporter, IsAnEmptyObjectWithoutResults) {
  CapturedOutput output(kJson);
  output.reporter().debug("hidden");
  EXPECT_EQ(output.reporter().finish(), 0);
  EXPECT_EQ(output.out(), "{}");
}

TEST(JsonReporter, FailsWithTheCodeOfTheCommand) {
  CapturedOutput output(kJson);
  output.reporter().set_failure_code(126);
  output.reporter().error("broken");
  EXPECT_EQ(output.reporter().finish(), 126);
}

TEST(JsonReporter, PrintsNothingAtAllWhenQuiet) {
  CapturedOutput output({.format = OutputFormat::json, .is_quiet = true});
  output.reporter().error("broken");
  EXPECT_EQ(output.reporter().finish(), 1);
  EXPECT_EQ(output.out() + output.err(), "");
}

TEST(JsonReporter, ReplacesAnEarlierResultOfThatName) {
  CapturedOutput output(kJson);
  output.reporter().add_json("status", "STARTED");
  output.reporter().add_json("status", "DONE");
  output.reporter().finish();
  EXPECT_EQ(output.out(), R"({"status": "DONE"})");
}

TEST(JsonReporter, AddsNoDocumentToRawOutput) {
  CapturedOutput output(kJson);
  const int fd = output.reporter().begin_raw_output();
  ASSERT_EQ(::write(fd, "WAL", 3), 3);
  output.reporter().info("Sending WAL");
  output.reporter().error("late failure");
  EXPECT_EQ(output.reporter().finish(), 1);
  EXPECT_EQ(output.out(), "WAL");
  EXPECT_EQ(output.err(), "ERROR: late failure\n");
}

}  // namespace
}  // namespace barman::output

#include "base/process.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace barman {
namespace {

TEST(Process, CollectsOutputsAndExitCode) {
  const ProcessResult result = run_process({.argv = shell_command("cat; echo $WHO >&2; exit 3"),
                                            .environment = {{"WHO", "me"}},
                                            .standard_input = "in"});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_EQ(result.standard_output, "in");
  EXPECT_EQ(result.standard_error, "me\n");
}

TEST(Process, CommandsOfTheUserDoNotInheritThePasswordOfPostgres) {
  ASSERT_EQ(::setenv("PGPASSWORD", "hunter2", 1), 0);  // NOLINT(concurrency-mt-unsafe)
  const std::string echo = "echo \"[$PGPASSWORD]\"";
  EXPECT_EQ(run_process({.argv = shell_command(echo)}).standard_output, "[]\n");
  // Other processes are ours: a receiver that cron starts needs it.
  EXPECT_EQ(run_process({.argv = {"sh", "-c", echo}}).standard_output, "[hunter2]\n");
  ASSERT_EQ(::unsetenv("PGPASSWORD"), 0);  // NOLINT(concurrency-mt-unsafe)
}

TEST(Process, ReportsWhatCannotBeStarted) {
  EXPECT_THROW(run_process({.argv = {"/nonexistent/program"}}), SystemError);
}

}  // namespace
}  // namespace barman

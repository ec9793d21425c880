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

TEST(Process, ReportsWhatCannotBeStarted) {
  EXPECT_THROW(run_process({.argv = {"/nonexistent/program"}}), SystemError);
}

}  // namespace
}  // namespace barman

#include <fmt/format.h>

#include "base/process.h"
#include "base/secrets.h"
#include "base/text.h"
#include "check/check_run.h"
#include "host/host.h"

namespace barman::check {
namespace {

constexpr int kTimedOut = 124;  // of timeout(1)

}  // namespace

void check_primary_node(const CheckRun& run) {
  const config::ServerConfig& config = run.server.config();
  if (!config.is_passive() || config.disabled) return;
  const host::SshHost primary(
      {.command = *config.primary_ssh_command + " -o BatchMode=yes -o StrictHostKeyChecking=no",
       .title = "the primary node",
       .option = "primary_ssh_command"});
  const double seconds = std::chrono::duration<double>(run.deadline.item()).count();
  std::vector<std::string> argv = {"timeout", "--kill-after=1", fmt::format("{:.1f}", seconds)};
  for (const std::string& word : primary.command({"true"})) argv.push_back(word);
  const ProcessResult result = run_process({.argv = argv});
  if (result.exit_code == kTimedOut) {
    return run.fail("ssh", fmt::format("'{}' has not answered within {:.1f} seconds. Try it by "
                                       "hand, as the user that runs barman",
                                       primary.describe(), seconds));
  }
  if (result.exit_code != 0) {
    const std::string reason = join(split_blanks(mask_passwords(result.standard_error)), " ");
    return run.fail("ssh",
                    fmt::format("Connection failed using '{}' return code {}{}", primary.describe(),
                                result.exit_code, reason.empty() ? "" : ": " + reason));
  }
  run.pass("ssh", "Barman primary node");
  if (!result.standard_output.empty()) {
    run.fail("ssh output clean",
             "the configured ssh_command must not add anything to the remote command output");
  }
}

}  // namespace barman::check

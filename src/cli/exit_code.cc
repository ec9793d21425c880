#include "cli/exit_code.h"

#include "client/recovery_end.h"

namespace barman::cli {
namespace {

// Through ssh nothing is known of the caller: only one that is seen to be a standby's is left to
// ask again.
bool may_wait_for_output(std::string_view command, const command_line::ParsedArguments& arguments) {
  if (command == "cloud-wal-restore") return client::is_called_for_the_last_time();
  return command == "get-wal" && !arguments.is_set("test") && !arguments.find("peek") &&
         !arguments.find("output_directory") && !client::is_called_by_standby();
}

}  // namespace

int failure_code(std::string_view command, const command_line::ParsedArguments& arguments) {
  return may_wait_for_output(command, arguments) ? client::kExitStopRecovery : kExitFailure;
}

void report_error(Messages& messages, const Error& error) {
  if (error.kind() == ErrorKind::internal) {
    messages.exception(error.describe_with_hint());
    return;
  }
  messages.error(error.describe_with_hint());
}

}  // namespace barman::cli

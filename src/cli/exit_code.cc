#include "cli/exit_code.h"

namespace barman::cli {

void report_error(Messages& messages, const Error& error) {
  if (error.kind() == ErrorKind::internal) {
    messages.exception(error.describe());
    return;
  }
  messages.error(error.describe_with_hint());
}

}  // namespace barman::cli

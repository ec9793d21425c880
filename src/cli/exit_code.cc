#include "cli/exit_code.h"

namespace barman::cli {

void report_error(Messages& messages, const Error& error) {
  if (error.kind() == ErrorKind::internal) {
    messages.exception(error.describe());
    return;
  }
  std::string text = error.describe();
  if (!error.hint().empty()) text += "\nHINT: " + error.hint();
  messages.error(text);
}

}  // namespace barman::cli

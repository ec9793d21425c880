#include "cli/exit_code.h"

namespace barman::cli {

int exit_code_for(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::usage:
    case ErrorKind::config:
    case ErrorKind::not_found:
    case ErrorKind::conflict:
    case ErrorKind::permission:
    case ErrorKind::connection:
    case ErrorKind::io:
    case ErrorKind::corrupt:
    case ErrorKind::remote:
    case ErrorKind::interrupted:
    case ErrorKind::internal:
      // One code for all failures: archive_command and scripts tell them apart by text only.
      return kExitFailure;
  }
  return kExitFailure;
}

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

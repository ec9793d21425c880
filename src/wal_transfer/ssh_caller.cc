#include "wal_transfer/ssh_caller.h"

#include <cstdlib>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"

namespace barman::wal_transfer {

std::string ssh_caller_text() {
  // Nothing changes the environment while threads run, so getenv() is safe here.
  const char* connection = std::getenv("SSH_CONNECTION");  // NOLINT(concurrency-mt-unsafe)
  if (connection == nullptr) return {};
  const std::vector<std::string> words = split_blanks(connection);
  return words.empty() ? std::string() : fmt::format(" (SSH host: {})", words.front());
}

}  // namespace barman::wal_transfer

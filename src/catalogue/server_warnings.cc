#include "catalogue/server_warnings.h"

#include <optional>

#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/text.h"

namespace barman::catalogue {
namespace fs = std::filesystem;
namespace {

constexpr const char* kName = ".server-warnings";
constexpr std::size_t kMaxBytes = std::size_t{1} << 20;

}  // namespace

void keep_server_warnings(const fs::path& base_directory,
                          const std::vector<std::string>& warnings) {
  if (warnings.empty()) return;
  std::string text;
  for (const std::string& warning : warnings) {
    const std::string line = replace_all(warning, "\n", " ") + "\n";
    if (text.size() + line.size() > kMaxBytes) break;
    text += line;
  }
  try {
    write_file_durably(base_directory / kName, text);
  } catch (const Error& error) {  // A full disk; the backup itself is what counts.
    log::warning(log::kBackupComponent, "{}", error.describe());
  }
}

std::vector<std::string> list_server_warnings(const fs::path& base_directory) {
  std::vector<std::string> warnings;
  const std::optional<std::string> text = find_and_read_file(base_directory / kName, kMaxBytes);
  for (const std::string& line : split(text.value_or(""), '\n')) {
    if (!line.empty() && warnings.size() < kMostServerWarnings) warnings.push_back(line);
  }
  return warnings;
}

}  // namespace barman::catalogue

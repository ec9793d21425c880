#include "base/directory.h"

#include <algorithm>
#include <system_error>

#include "base/error.h"

namespace barman {
namespace fs = std::filesystem;

std::vector<std::string> list_directory(const fs::path& directory) {
  std::vector<std::string> names;
  std::error_code code;
  for (fs::directory_iterator it(directory, code), end; !code && it != end; it.increment(code)) {
    names.push_back(it->path().filename().string());
  }
  if (code && code != std::errc::no_such_file_or_directory && code != std::errc::not_a_directory) {
    throw SystemError(code.value(), "cannot read directory \"" + directory.string() + "\"");
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace barman

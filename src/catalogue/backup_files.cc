#include "catalogue/backup_files.h"

#include <sys/stat.h>

#include <algorithm>
#include <system_error>

#include "base/error.h"
#include "base/fd.h"

namespace barman::catalogue {
namespace fs = std::filesystem;

void visit_files(const fs::path& directory, EmptyDirectories empty_directories,
                 const std::function<void(const fs::path&)>& visitor) {
  std::vector<fs::path> files;
  std::vector<fs::path> directories;
  bool is_empty = true;
  std::error_code code;
  for (fs::directory_iterator it(directory, code), end; !code && it != end; it.increment(code)) {
    is_empty = false;
    const auto status = find_status(it->path());
    if (!status || !S_ISDIR(status->st_mode)) {
      files.push_back(it->path());
    } else if (!it->is_symlink()) {
      directories.push_back(it->path());
    }
  }
  if (code) {
    throw SystemError(code.value(), "cannot read directory \"" + directory.string() + "\"");
  }
  std::sort(files.begin(), files.end());
  std::sort(directories.begin(), directories.end());
  if (is_empty && empty_directories == EmptyDirectories::list) visitor(directory);
  for (const fs::path& file : files) visitor(file);
  for (const fs::path& child : directories) visit_files(child, empty_directories, visitor);
}

}  // namespace barman::catalogue

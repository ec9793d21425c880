#include "catalogue/backup_files.h"

#include <sys/stat.h>

#include <algorithm>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

namespace barman::catalogue {
namespace fs = std::filesystem;

namespace {

// Names only: a directory may have a million.
struct Entries {
  std::vector<std::string> files;
  std::vector<std::string> directories;
  bool is_empty = true;
};

Entries list_entries(const fs::path& directory) {
  Entries entries;
  std::error_code code;
  for (fs::directory_iterator it(directory, code), end; !code && it != end; it.increment(code)) {
    entries.is_empty = false;
    std::string name = it->path().filename().string();
    std::error_code unknown;
    const fs::file_type type = it->symlink_status(unknown).type();
    if (type == fs::file_type::directory) {
      entries.directories.push_back(std::move(name));
      continue;
    }
    const bool is_link = type == fs::file_type::symlink;
    const auto status = is_link ? find_status(it->path()) : std::nullopt;
    if (!status || !S_ISDIR(status->st_mode)) entries.files.push_back(std::move(name));
  }
  if (code) {
    throw SystemError(code.value(), "cannot read directory \"" + directory.string() + "\"");
  }
  std::sort(entries.files.begin(), entries.files.end());
  std::sort(entries.directories.begin(), entries.directories.end());
  return entries;
}

}  // namespace

void visit_files(const fs::path& directory, EmptyDirectories empty_directories,
                 const std::function<void(const fs::path&)>& visitor) {
  std::vector<std::string> directories;
  {
    Entries entries = list_entries(directory);
    if (entries.is_empty && empty_directories == EmptyDirectories::list) visitor(directory);
    for (const std::string& file : entries.files) visitor(directory / file);
    directories = std::move(entries.directories);
  }
  for (const std::string& child : directories) {
    visit_files(directory / child, empty_directories, visitor);
  }
}

}  // namespace barman::catalogue

#include "catalogue/backup_files.h"

#include <sys/stat.h>

#include <string>
#include <utility>
#include <vector>

#include "base/directory.h"
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

Entries sort_entries(const fs::path& directory) {
  Entries entries;
  for (DirectoryEntry& entry : list_entries(directory, IfAbsent::is_error)) {
    entries.is_empty = false;
    if (entry.kind == EntryKind::directory) {
      entries.directories.push_back(std::move(entry.name));
      continue;
    }
    const bool is_link = entry.kind == EntryKind::link;
    const auto status = is_link ? find_status(directory / entry.name) : std::nullopt;
    if (!status || !S_ISDIR(status->st_mode)) entries.files.push_back(std::move(entry.name));
  }
  return entries;
}

}  // namespace

void visit_files(const fs::path& directory, EmptyDirectories empty_directories,
                 const std::function<void(const fs::path&)>& visitor) {
  std::vector<std::string> directories;
  {
    Entries entries = sort_entries(directory);
    if (entries.is_empty && empty_directories == EmptyDirectories::list) visitor(directory);
    for (const std::string& file : entries.files) visitor(directory / file);
    directories = std::move(entries.directories);
  }
  for (const std::string& child : directories) {
    visit_files(directory / child, empty_directories, visitor);
  }
}

}  // namespace barman::catalogue

#include "stored/kept_configuration.h"

#include <filesystem>

#include "base/directory.h"
#include "base/durable.h"

namespace barman::stored {
namespace fs = std::filesystem;

namespace {

constexpr const char* kDirectory = "configuration";

}  // namespace

void keep_configuration(const catalogue::Catalogue& catalogue, const catalogue::BackupId& id,
                        const std::vector<KeptFile>& files) {
  const fs::path directory = catalogue.base_directory(id) / kDirectory;
  remove_tree(directory);
  for (const KeptFile& file : files) {
    const fs::path path = directory / file.name;
    make_directories(path.parent_path(), 0700);
    write_file_durably(path, file.content, 0600);
  }
}

std::vector<KeptFile> read_kept_configuration(const catalogue::Catalogue& catalogue,
                                              const catalogue::BackupId& id) {
  const fs::path directory = catalogue.base_directory(id) / kDirectory;
  std::vector<KeptFile> files;
  walk_directory(directory, [&](const fs::path& path, EntryKind kind) {
    if (kind == EntryKind::file) {
      files.push_back(
          {.name = path.lexically_relative(directory).string(), .content = read_file(path)});
    }
    return Descend::yes;
  });
  return files;
}

}  // namespace barman::stored

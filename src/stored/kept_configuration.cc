#include "stored/kept_configuration.h"

#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/directory.h"
#include "base/durable.h"
#include "base/error.h"
#include "catalogue/cloud_catalogue.h"
#include "pipeline/relative_path.h"
#include "storage/object_text.h"

namespace barman::stored {
namespace fs = std::filesystem;

namespace {

std::string object_prefix(const catalogue::CloudCatalogue& bucket, const catalogue::BackupId& id) {
  return bucket.layout().backup_prefix(id) + kConfigurationDirectory + "/";
}

void keep_in_bucket(const catalogue::CloudCatalogue& bucket, const catalogue::BackupId& id,
                    const std::vector<KeptFile>& files) {
  const std::string prefix = object_prefix(bucket, id);
  std::vector<std::string> old;
  bucket.storage().list(prefix,
                        [&](const storage::ObjectFacts& object) { old.push_back(object.key); });
  bucket.storage().remove(old);
  for (const KeptFile& file : files) {
    storage::put_object_text(bucket.storage(), prefix + file.name, file.content);
  }
}

// Who may write into the bucket must not choose where a restore writes.
std::vector<KeptFile> read_from_bucket(const catalogue::CloudCatalogue& bucket,
                                       const catalogue::BackupId& id) {
  const std::string prefix = object_prefix(bucket, id);
  std::vector<KeptFile> files;
  bucket.storage().list(prefix, [&](const storage::ObjectFacts& object) {
    const std::string name = object.key.substr(prefix.size());
    if (!pipeline::is_safe_relative_path(name)) {
      throw Error(ErrorKind::corrupt,
                  fmt::format("\"{}\" is no name of a configuration file",
                              bucket.layout().shown(object.key)),
                  "Remove the object: barman has not written it.");
    }
    files.push_back({.name = name, .content = {}});
  });
  for (KeptFile& file : files) {
    file.content = storage::find_object_text(bucket.storage(), prefix + file.name).value_or("");
  }
  return files;
}

}  // namespace

void keep_configuration(const catalogue::Catalogue& catalogue, const catalogue::BackupId& id,
                        const std::vector<KeptFile>& files) {
  if (const auto bucket = catalogue.bucket()) return keep_in_bucket(*bucket, id, files);
  const fs::path directory = catalogue.base_directory(id) / kConfigurationDirectory;
  remove_tree(directory);
  for (const KeptFile& file : files) {
    const fs::path path = directory / file.name;
    make_directories(path.parent_path(), 0700);
    write_file_durably(path, file.content, 0600);
  }
}

std::vector<KeptFile> read_kept_configuration(const catalogue::Catalogue& catalogue,
                                              const catalogue::BackupId& id) {
  if (const auto bucket = catalogue.bucket()) return read_from_bucket(*bucket, id);
  const fs::path directory = catalogue.base_directory(id) / kConfigurationDirectory;
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

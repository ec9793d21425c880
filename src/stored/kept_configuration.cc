#include "stored/kept_configuration.h"

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/directory.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/text.h"
#include "catalogue/cloud_catalogue.h"
#include "compression/stored_file.h"
#include "pipeline/relative_path.h"
#include "storage/object_text.h"

namespace barman::stored {
namespace fs = std::filesystem;

namespace {

constexpr const char* kChecksums = ".sha256sums";
constexpr std::string_view kEncryptedName = ".gpg";

// As they are stored, by name.
using StoredFiles = std::map<std::string, std::string>;

std::string object_prefix(const catalogue::CloudCatalogue& bucket, const catalogue::BackupId& id) {
  return bucket.layout().backup_prefix(id) + kConfigurationDirectory + "/";
}

void store_in_bucket(const catalogue::CloudCatalogue& bucket, const catalogue::BackupId& id,
                     const StoredFiles& files) {
  const std::string prefix = object_prefix(bucket, id);
  std::vector<std::string> old;
  bucket.storage().list(prefix,
                        [&](const storage::ObjectFacts& object) { old.push_back(object.key); });
  bucket.storage().remove(old);
  for (const auto& [name, content] : files) {
    storage::put_object_text(bucket.storage(), prefix + name, content);
  }
}

void store(const catalogue::Catalogue& catalogue, const catalogue::BackupId& id,
           const StoredFiles& files) {
  if (const auto bucket = catalogue.bucket()) return store_in_bucket(*bucket, id, files);
  const fs::path directory = catalogue.base_directory(id) / kConfigurationDirectory;
  remove_tree(directory);
  for (const auto& [name, content] : files) {
    const fs::path path = directory / name;
    make_directories(path.parent_path(), 0700);
    write_file_durably(path, content, 0600);
  }
}

// Who may write into the bucket must not choose where a restore writes.
StoredFiles load_from_bucket(const catalogue::CloudCatalogue& bucket,
                             const catalogue::BackupId& id) {
  const std::string prefix = object_prefix(bucket, id);
  StoredFiles files;
  bucket.storage().list(prefix, [&](const storage::ObjectFacts& object) {
    const std::string name = object.key.substr(prefix.size());
    if (!pipeline::is_safe_relative_path(name)) {
      throw Error(ErrorKind::corrupt,
                  fmt::format("\"{}\" is no name of a configuration file",
                              bucket.layout().shown(object.key)),
                  "Remove the object: barman has not written it.");
    }
    files[name];
  });
  for (auto& [name, content] : files) {
    content = storage::find_object_text(bucket.storage(), prefix + name).value_or("");
  }
  return files;
}

StoredFiles load(const catalogue::Catalogue& catalogue, const catalogue::BackupId& id) {
  if (const auto bucket = catalogue.bucket()) return load_from_bucket(*bucket, id);
  const fs::path directory = catalogue.base_directory(id) / kConfigurationDirectory;
  StoredFiles files;
  walk_directory(directory, [&](const fs::path& path, EntryKind kind) {
    if (kind == EntryKind::file)
      files[path.lexically_relative(directory).string()] = read_file(path);
    return Descend::yes;
  });
  return files;
}

std::string encrypted(const KeptFile& file, const encryption::Cipher& cipher) {
  compression::TextSink sink(file.name);
  const auto encryptor = cipher.make_encryptor(sink, file.name);
  encryptor->write(as_bytes(file.content));
  encryptor->finish();
  return sink.take();
}

std::string decrypted(const std::string& name, const std::string& content,
                      const encryption::Cipher& cipher) {
  compression::TextSink sink(name);
  const auto decryptor = cipher.make_decryptor(sink, name);
  decryptor->write(as_bytes(content));
  decryptor->finish();
  return sink.take();
}

// Two blanks between the sum and the name.
std::map<std::string, std::string> parse_checksums(std::string_view text) {
  constexpr std::size_t kSumLength = 64;
  std::map<std::string, std::string> sums;
  for (const std::string& line : split(text, '\n')) {
    if (line.size() <= kSumLength + 2) continue;
    sums[line.substr(kSumLength + 2)] = line.substr(0, kSumLength);
  }
  return sums;
}

std::string restored_name(const std::string& name) {
  return name.ends_with(kEncryptedName) ? name.substr(0, name.size() - kEncryptedName.size())
                                        : name;
}

// Takes out of `files` the checksums, and what they say is damaged. Those of an older version have
// none.
std::vector<std::pair<std::string, std::string>> take_damaged(StoredFiles& files) {
  std::vector<std::pair<std::string, std::string>> problems;
  auto list = files.extract(kChecksums);
  if (list.empty()) return problems;
  std::map<std::string, std::string> sums = parse_checksums(list.mapped());
  std::erase_if(files, [&](const auto& file) {
    const auto& [name, content] = file;
    auto sum = sums.extract(name);
    if (sum.empty()) {
      problems.emplace_back(name, "was not there when the backup was taken");
    } else if (digest_of(DigestAlgorithm::sha256, content) != sum.mapped()) {
      problems.emplace_back(name, "is damaged: its checksum is another one");
    } else {
      return false;
    }
    return true;
  });
  for (const auto& [name, sum] : sums) problems.emplace_back(name, "is missing");
  return problems;
}

}  // namespace

namespace {

StoredFiles encode(const std::vector<KeptFile>& files, const KeptCoding& coding) {
  StoredFiles stored;
  for (const KeptFile& file : files) {
    const std::string name = coding ? file.name + std::string(kEncryptedName) : file.name;
    stored[name] = coding ? encrypted(file, *coding) : file.content;
  }
  std::string checksums;
  for (const auto& [name, content] : stored) {
    checksums += fmt::format("{}  {}\n", digest_of(DigestAlgorithm::sha256, content), name);
  }
  if (!stored.empty()) stored[kChecksums] = std::move(checksums);
  return stored;
}

}  // namespace

std::map<std::string, std::string> stored_in_clear(const std::vector<KeptFile>& files) {
  return encode(files, {});
}

void keep_configuration(const catalogue::Catalogue& catalogue, const catalogue::BackupId& id,
                        const std::vector<KeptFile>& files, const KeptCoding& coding) {
  store(catalogue, id, encode(files, coding));
}

KeptConfiguration read_kept_configuration(const catalogue::Catalogue& catalogue,
                                          const catalogue::BackupId& id, const KeptCoding& coding) {
  StoredFiles stored = load(catalogue, id);
  KeptConfiguration kept = {.files = {}, .problems = take_damaged(stored)};
  for (auto& [name, content] : stored) {
    if (!coding) {
      kept.files.push_back({.name = name, .content = std::move(content)});
      continue;
    }
    try {
      kept.files.push_back(
          {.name = restored_name(name), .content = decrypted(name, content, *coding)});
    } catch (const Error& error) {  // A restore does without it, and says so.
      if (error.kind() != ErrorKind::corrupt) throw;
      kept.problems.emplace_back(name, error.describe());
    }
  }
  return kept;
}

KeptSurvey survey_kept_configuration(const catalogue::Catalogue& catalogue,
                                     const catalogue::BackupId& id) {
  StoredFiles stored = load(catalogue, id);
  KeptSurvey survey = {.names = {}, .problems = take_damaged(stored)};
  for (const auto& [name, content] : stored) survey.names.push_back(restored_name(name));
  return survey;
}

}  // namespace barman::stored

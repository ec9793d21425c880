// Files in memory and their manifests for the unit tests of this folder.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/digest.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/test_support.h"
#include "postgres/backup_manifest.h"
#include "postgres/system_id.h"
#include "stored/content_tree.h"
#include "stored/manifest_index.h"

namespace barman::copy {

inline stored::ContentOpener in_memory(const std::string& content) {
  return [content] { return stored::make_text_file(content); };
}

// Of what must not be opened.
inline std::unique_ptr<stored::ContentFile> unwanted() {
  throw Error(ErrorKind::internal, "a file was opened that nobody needs");
}

inline stored::ExpectedFile expected_of(const std::string& content) {
  return {.size_bytes = content.size(),
          .algorithm = DigestAlgorithm::sha256,
          .checksum = digest_of(DigestAlgorithm::sha256, content)};
}

inline std::string with_last_byte_changed(std::string content) {
  content.back() = static_cast<char>(content.back() ^ 1);
  return content;
}

inline std::filesystem::path put_manifest(const std::filesystem::path& path,
                                          const std::map<std::string, std::string>& files) {
  std::string text;
  postgres::ManifestWriter writer([&](std::string_view part) { text += part; },
                                  postgres::SystemId{7});
  for (const auto& [name, content] : files) {
    writer.add_file({.path = name,
                     .size_bytes = content.size(),
                     .last_modified = "2026-11-21 01:42:37 GMT",
                     .algorithm = DigestAlgorithm::sha256,
                     .checksum = digest_of(DigestAlgorithm::sha256, content)});
  }
  writer.add_wal_range({.timeline = {1}, .start = {0x2000028}, .end = {0x2000100}});
  writer.finish();
  put_file(path, text);
  return path;
}

// "kind: MESSAGE", or "done".
template <typename Action>
std::string refusal_of(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    return (error.kind() == ErrorKind::corrupt ? "corrupt: " : "other: ") + error.describe();
  }
  return "done";
}

}  // namespace barman::copy

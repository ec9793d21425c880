// Incremental files and manifests for unit tests.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "postgres/backup_manifest.h"

namespace barman::stored {

inline void append_number(std::string& text, std::uint32_t number) {
  for (int shift = 0; shift < 32; shift += 8) text += static_cast<char>(number >> shift & 0xFFU);
}

// Whole blocks of one letter each: letters "ab" give two blocks.
inline std::string blocks_of(const std::string& letters) {
  std::string content;
  for (const char letter : letters) content += std::string(8192, letter);
  return content;
}

// An incremental file whose blocks are filled with `letter`.
inline std::string incremental_content(const std::vector<std::uint32_t>& blocks,
                                       std::uint32_t truncation_block_length, char letter) {
  std::string content;
  append_number(content, 0xd3ae1f0d);
  append_number(content, static_cast<std::uint32_t>(blocks.size()));
  append_number(content, truncation_block_length);
  if (blocks.empty()) return content;
  for (const std::uint32_t block : blocks) append_number(content, block);
  content.resize((content.size() + 8191) / 8192 * 8192);
  return content + blocks_of(std::string(blocks.size(), letter));
}

// A manifest that lists these files, by path, with the SHA-256 of their content.
inline std::string manifest_of(const std::map<std::string, std::string>& files) {
  std::string text;
  postgres::ManifestWriter writer([&](std::string_view part) { text += part; }, std::nullopt);
  for (const auto& [path, content] : files) {
    writer.add_file({.path = path,
                     .size_bytes = content.size(),
                     .last_modified = "2026-11-21 01:42:37 GMT",
                     .algorithm = DigestAlgorithm::sha256,
                     .checksum = digest_of(DigestAlgorithm::sha256, content)});
  }
  writer.finish();
  return text;
}

}  // namespace barman::stored

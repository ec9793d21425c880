// Incremental files: what an incremental backup of PostgreSQL 17 and newer holds instead of a
// relation's segment file whose older content is in an earlier backup (docs/formats/
// incremental_file.md; PostgreSQL src/include/backup/basebackup_incremental.h and
// src/backend/backup/basebackup_incremental.c).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stored/content_tree.h"

namespace barman::stored {

// Of relation data; PostgreSQL's default, as in all packages.
inline constexpr std::uint32_t kBlockSize = 8192;

struct IncrementalHeader {
  // Blocks before it that are not listed have the content that the earlier backups know.
  std::uint32_t truncation_block_length = 0;
  // Numbers of the blocks within the file, ascending, in the order of their content.
  std::vector<std::uint32_t> blocks;
  // Where the content of the first block begins.
  std::uint64_t size_bytes = 0;

  // Of the complete file.
  std::uint32_t block_count() const;
  std::uint64_t offset_of(std::size_t index) const { return size_bytes + index * kBlockSize; }
};

// Throws `corrupt` naming the file for what is not an incremental file; its blocks are not read.
IncrementalHeader read_incremental_header(ContentFile& file, const std::string& name);

// "base/5/INCREMENTAL.1259" -> "base/5/1259"; nullopt for other names.
std::optional<std::string> complete_name(std::string_view path);
// Whether incremental files may be there: relations only, in the data directory below base/ and
// global/, in tablespaces (`manifest_prefix` is not empty) everywhere.
bool holds_relations(std::string_view manifest_prefix, std::string_view path);
// The reverse of complete_name().
std::string incremental_name(std::string_view path);

}  // namespace barman::stored

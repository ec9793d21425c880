// Checksums of data pages, as clusters with data_checksums write them into each page header
// (docs/formats/data_page.md; PostgreSQL src/include/storage/checksum_impl.h and bufpage.h). Pages
// of the usual 8 KiB, little-endian.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/fd.h"
#include "wal/lsn.h"

namespace barman::postgres {

inline constexpr std::size_t kPageSize = 8192;

// Where a page stands: its checksum covers the number of its block in the relation, which may be
// split into segment files.
struct RelationFile {
  // Of the first block of this file.
  std::uint32_t first_block = 0;
};

// nullopt when a file of this path, relative to the data directory, holds no checksummed pages:
// only the forks of relations do.
std::optional<RelationFile> parse_relation_path(std::string_view path);

// `page` has kPageSize bytes.
std::uint16_t page_checksum(Bytes page, std::uint32_t block);

enum class PageState {
  good,
  // Never initialised: all zero.
  empty,
  // Written after `changed_since`: the copy may be torn, and WAL replay writes the page anew.
  replayed,
  damaged,
};
PageState check_page(Bytes page, std::uint32_t block, wal::Lsn changed_since);

}  // namespace barman::postgres

// Images of pages as PostgreSQL compresses them in its WAL (wal_compression): one call of pglz, LZ4
// or Zstandard, without a frame around it (docs/formats/wal_records.md).
//
// pglz is PostgreSQL's own (src/common/pg_lzcompress.c): a byte of bits, lowest first, for each
// eight items. 0: a byte as it is. 1: a copy of what was written before, two bytes: the high four
// bits of the first and the second are the distance, the low four bits of the first plus 3 the
// length, to which a third byte is added when that is 18.
#pragma once

#include <cstddef>
#include <span>

#include "base/fd.h"

namespace barman::compression {

enum class PageCompression { pglz, lz4, zstd };

// Fills `page`. False when `compressed` is damaged, or does not give exactly as many bytes.
bool decompress_page(PageCompression form, Bytes compressed, std::span<std::byte> page);

}  // namespace barman::compression

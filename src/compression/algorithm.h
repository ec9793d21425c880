// The formats in which WAL files are stored compressed: names, levels, and how a file is recognised
// by its first bytes. Plain values.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/fd.h"

namespace barman::compression {

enum class Algorithm { bzip2, gzip, lz4, snappy, xz, zstd };

// The word that the catalogue uses.
std::string_view to_text(Algorithm algorithm);
// What names of files end in: ".gz".
std::string_view file_extension(Algorithm algorithm);
// A configured word: the formats, and the old names of other programs for the same formats (pigz,
// pygzip, pybzip2). nullopt for anything else, "custom" included.
std::optional<Algorithm> parse_algorithm(std::string_view name);

// ".gz": how the names of compressed files and objects end.
std::string_view suffix_of(Algorithm algorithm);
// The algorithm whose suffix ends the name; it is cut off then.
std::optional<Algorithm> take_suffix(std::string_view& name);

// Enough bytes for detect().
inline constexpr std::size_t kMagicBytes = 10;
std::optional<Algorithm> detect(Bytes first_bytes);

// "low", "medium", "high" or an integer, which is brought into the range of the algorithm; anything
// else, "" included, counts as "medium". 0 for snappy, which has no levels.
int resolve_level(Algorithm algorithm, std::string_view level);

}  // namespace barman::compression

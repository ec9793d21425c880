#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "fuzz_target.h"
#include "wal_archive/wal_index.h"

BARMAN_FUZZ_TARGET(wal_index) {
  using namespace barman::wal_archive;
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  const std::optional<WalIndexLine> parsed = parse_wal_index_line(line);
  if (!parsed) return 0;
  const std::string text = format_wal_index_entry(parsed->entry());
  const std::optional<WalIndexLine> again =
      parse_wal_index_line(std::string_view(text).substr(0, text.size() - 1));
  if (!again || again->name != parsed->name || again->size_bytes != parsed->size_bytes)
    std::abort();
  return 0;
}

#include "catalogue/unindexed_wal.h"

#include <sys/stat.h>

#include <algorithm>
#include <set>
#include <string>
#include <system_error>

#include "base/directory.h"
#include "base/fd.h"
#include "wal/wal_file_name.h"

namespace barman::catalogue {
namespace fs = std::filesystem;

std::vector<WalIndexEntry> list_unindexed_segments(
    const CatalogueLocations& locations, const std::function<bool(std::string_view)>& is_wanted,
    const std::function<bool(std::string_view)>& is_indexed) {
  constexpr std::size_t kHashDirectoryLength = 16;
  std::vector<WalIndexEntry> entries;
  for (const std::string& top : list_directory(locations.wals_directory)) {
    if (top.size() != kHashDirectoryLength) continue;
    const fs::path directory = locations.wals_directory / top;
    for (const std::string& name : list_directory(directory)) {
      const auto parsed = wal::parse_wal_file_name(name);
      if (!parsed || parsed->kind != wal::WalFileKind::segment) continue;
      if (!is_wanted(name) || is_indexed(name)) continue;
      const auto status = find_status(directory / name, Links::refuse);
      if (!status || !S_ISREG(status->st_mode) || status->st_size == 0) continue;
      entries.push_back({.name = name,
                         .size_bytes = static_cast<std::uint64_t>(status->st_size),
                         .mtime = static_cast<double>(status->st_mtim.tv_sec)});
    }
  }
  if (entries.empty() || !find_status(locations.wal_index_path())) return entries;
  std::set<std::string, std::less<>> late;
  visit_wal_index(locations.wal_index_path(), 0, [&](const WalIndexLine& line) {
    late.emplace(line.name);
    return Visit::proceed;
  });
  std::erase_if(entries, [&](const WalIndexEntry& entry) { return late.contains(entry.name); });
  std::sort(entries.begin(), entries.end(),
            [](const WalIndexEntry& a, const WalIndexEntry& b) { return a.name < b.name; });
  return entries;
}

}  // namespace barman::catalogue

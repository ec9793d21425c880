#include "wal_archive/unindexed_wal.h"

#include <sys/stat.h>

#include <algorithm>
#include <set>
#include <string>
#include <system_error>

#include "wal/wal_file_name.h"

namespace barman::wal_archive {
namespace fs = std::filesystem;

std::vector<WalIndexEntry> list_unindexed_segments(
    const catalogue::CatalogueLocations& locations,
    const std::function<bool(std::string_view)>& is_wanted,
    const std::function<bool(std::string_view)>& is_indexed) {
  constexpr std::size_t kHashDirectoryLength = 16;
  std::vector<WalIndexEntry> entries;
  std::error_code code;
  for (fs::directory_iterator top(locations.wals_directory, code), end; !code && top != end;
       top.increment(code)) {
    if (top->path().filename().string().size() != kHashDirectoryLength) continue;
    std::error_code kind_code;
    for (fs::directory_iterator file(top->path(), kind_code); !kind_code && file != end;
         file.increment(kind_code)) {
      const std::string name = file->path().filename().string();
      const auto parsed = wal::parse_wal_file_name(name);
      if (!parsed || parsed->kind != wal::WalFileKind::segment) continue;
      if (!is_wanted(name) || is_indexed(name)) continue;
      struct stat status = {};
      if (::lstat(file->path().c_str(), &status) != 0 || !S_ISREG(status.st_mode) ||
          status.st_size == 0) {
        continue;
      }
      entries.push_back({.name = name,
                         .size_bytes = static_cast<std::uint64_t>(status.st_size),
                         .mtime = static_cast<double>(status.st_mtim.tv_sec)});
    }
  }
  if (entries.empty() || !fs::exists(locations.wal_index_path(), code)) return entries;
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

}  // namespace barman::wal_archive
